package archive

import (
	"bytes"
	"cmp"
	"math/bits"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"lastnight"
	"lastnight/query"
)

// Need is what every match of a search certainly has. It only makes searching faster:
// files, blocks and records that lack it are not looked at. The zero Need needs nothing.
// It is immutable.
type Need struct {
	words []string
	cond  *cond
}

// NeedWords needs words (see filter).
func NeedWords(words ...string) Need {
	n := Need{words: words}
	var all []*cond
	for _, w := range words {
		all = append(all, textCond(w, true))
	}
	n.cond = both(all)
	return n
}

// NeedOf gives what every match of a query has.
func NeedOf(node query.Node) Need {
	n := Need{words: query.Words(node), cond: condOf(node)}
	n.cond.walk(func(c *cond) {
		if !c.fold { // of a regex: words that stand in it as a whole
			n.words = append(n.words, wordsInside(c.text)...)
		}
	})
	return n
}

// hashes gives the words as filters know them, the longest first: it is the one that fewest blocks have, mostly.
func (n *Need) hashes() []uint64 {
	words := slices.Clone(n.words)
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var hashes []uint64
	for _, w := range words {
		query.ScanTokens(w, func(token []byte) bool {
			if h := hashWord(token); !slices.Contains(hashes, h) {
				hashes = append(hashes, h)
			}
			return true
		})
	}
	return hashes
}

// What a cond needs.
type condKind int

const (
	condAnd    condKind = iota // all of kids
	condOr                     // any of kids
	condText                   // text in one of the lines
	condRecord                 // node, which asks only for what is in properties
	condStream                 // node, which asks only for what is known of a stream
	condRegex                  // a match of a regex in one of the lines; each match has all of kids
)

// cond is a necessary condition. nil is none.
type cond struct {
	kind condKind
	kids []*cond
	text []byte // at least one byte, at most maxCondText
	fold bool   // without case; text is lower case and ASCII then
	node query.Node

	regex *matcher
	short *cond // of a regex: like kids, with short texts too, which are quick to find in one long text; nil: none

	digits  *digitText   // of text, if it is a short number; else nil
	places  *[256]uint64 // of text: a bit for each place of the text behind which a byte stands
	classes *[8]uint64   // of text: the same for the bytes of a class of columns
}

// maxCondText is how much of a text is looked for: a part of it is needed as well.
const maxCondText = 48

// shortText is the length below which looking for a text costs more than walking over all lines for a regex.
const shortText = 4

// atLeast gives what is left of a condition without texts that are shorter.
func (c *cond) atLeast(n int) *cond {
	if c == nil || c.kind == condText && len(c.text) >= n {
		return c
	}
	kids := make([]*cond, len(c.kids))
	for i, k := range c.kids {
		kids[i] = k.atLeast(n)
	}
	switch c.kind {
	case condAnd:
		return both(kids)
	case condOr:
		return either(kids)
	case condText, condRecord, condStream, condRegex:
	}
	return nil
}

func textCond(text string, fold bool) *cond {
	if fold {
		text = query.Fold(text)
		if strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
			return nil
		}
		fold = strings.IndexFunc(text, isLowLetter) >= 0 // else case makes no difference, and looking for it is quick
	}
	text = text[:min(len(text), maxCondText)]
	if text == "" || strings.ContainsAny(text, "\n\x11\x12\x13") {
		return nil
	}
	c := &cond{kind: condText, text: []byte(text), fold: fold, places: new([256]uint64), classes: new([8]uint64), digits: digitTextOf(text)}
	for j, b := range c.text {
		c.places[b] |= 2 << j
		if fold && b >= 'a' && b <= 'z' {
			c.places[b-'a'+'A'] |= 2 << j
		}
	}
	for b, places := range c.places {
		if class := columnClass[b]; class != 0 {
			c.classes[bits.TrailingZeros8(class)] |= places
		}
	}
	return c
}

func isLowLetter(r rune) bool { return r >= 'a' && r <= 'z' }

// both needs all of the conditions.
func both(all []*cond) *cond {
	var kids []*cond
	for _, c := range all {
		switch {
		case c == nil:
		case c.kind == condAnd:
			kids = append(kids, c.kids...)
		default:
			kids = append(kids, c)
		}
	}
	switch len(kids) {
	case 0:
		return nil
	case 1:
		return kids[0]
	}
	slices.SortStableFunc(kids, func(a, b *cond) int { return cmp.Compare(len(b.text), len(a.text)) }) // the longest texts leave least
	return &cond{kind: condAnd, kids: kids}
}

// either needs any of the conditions: nothing, if one of them is nothing.
func either(kids []*cond) *cond {
	if slices.Contains(kids, nil) || len(kids) == 0 {
		return nil
	}
	if len(kids) == 1 {
		return kids[0]
	}
	return &cond{kind: condOr, kids: kids}
}

// walk calls f with the texts that are needed whatever else is.
func (c *cond) walk(f func(*cond)) {
	switch {
	case c == nil:
	case c.kind == condText:
		f(c)
	case c.kind == condAnd, c.kind == condRegex:
		for _, k := range c.kids {
			k.walk(f)
		}
	}
}

func condOf(n query.Node) *cond {
	switch {
	case n == nil:
		return nil
	case asksOnly(n, streamFields):
		return &cond{kind: condStream, node: n}
	case asksOnly(n, recordFields):
		return &cond{kind: condRecord, node: n}
	}
	switch n := n.(type) {
	case query.And:
		kids := make([]*cond, len(n))
		for i := range n {
			kids[i] = condOf(n[i])
		}
		return both(kids)
	case query.Or:
		kids := make([]*cond, len(n))
		for i := range n {
			kids[i] = condOf(n[i])
		}
		return either(kids)
	case query.Text:
		var kids []*cond
		for _, w := range n.Words {
			for _, part := range w.Parts() {
				kids = append(kids, textCond(part, true))
			}
		}
		return both(append(kids, phraseCond(n.Words)))
	case *query.Regex:
		re, err := syntax.Parse(n.Expr, syntax.Perl)
		if err != nil {
			return nil // it has been compiled, so this does not happen
		}
		re = re.Simplify()
		if re.Op == syntax.OpLiteral {
			if c := literalCond(re); c != nil && (len(c.text) >= shortText || c.digits != nil) {
				return c // which says all that the regex does
			}
		}
		texts, match := regexCond(re), matcherCond(n.Expr)
		if match == nil {
			return texts
		}
		match.short = texts.atLeast(2)
		if texts = texts.atLeast(shortText); texts != nil { // those that say much save walks, the others are in the walk
			match.kids = []*cond{texts}
		}
		return match
	}
	return nil
}

// phraseCond needs words next to each other, if they are several, plain ones. Whatever is not ASCII may be anything.
func phraseCond(words []query.Pattern) *cond {
	if len(words) < 2 {
		return nil
	}
	parts := make([]string, len(words))
	for i, w := range words {
		lit, ok := w.Literal()
		if !ok || lit == "" || strings.IndexFunc(lit, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
			return nil
		}
		parts[i] = regexp.QuoteMeta(lit)
	}
	c := matcherCond(`(?i)` + strings.Join(parts, `[^0-9A-Za-z_]+`) + `|[^\x00-\x7f]`)
	if c != nil {
		c.regex.single = true
	}
	return c
}

// Fields whose values are those of the stream, or of a record's properties.
var (
	streamFields = []query.Field{
		query.FieldNamespace, query.FieldPod, query.FieldContainer, query.FieldNode, query.FieldRestart,
		query.FieldComponent, query.FieldCluster, query.FieldPodUID, query.FieldJob,
	}
	recordFields = []query.Field{query.FieldLevel, query.FieldTemplate, query.FieldException}
)

// asksOnly tells whether a query asks for these fields and nothing else.
func asksOnly(n query.Node, fields []query.Field) bool {
	all := func(nodes []query.Node) bool {
		return !slices.ContainsFunc(nodes, func(m query.Node) bool { return !asksOnly(m, fields) })
	}
	switch n := n.(type) {
	case query.And:
		return all(n)
	case query.Or:
		return all(n)
	case query.Not:
		return asksOnly(n.Node, fields)
	case query.Keyword:
		return slices.Contains(fields, n.Field)
	case query.Compare:
		return slices.Contains(fields, n.Field)
	}
	return false
}

// regexCond gives the texts that every match of a regex has, which is within one line.
func regexCond(re *syntax.Regexp) *cond {
	switch re.Op {
	case syntax.OpLiteral:
		return literalCond(re)
	case syntax.OpCapture, syntax.OpPlus:
		return regexCond(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return regexCond(re.Sub[0])
		}
	case syntax.OpConcat:
		return concatCond(re.Sub)
	case syntax.OpAlternate:
		kids := make([]*cond, len(re.Sub))
		for i := range re.Sub {
			kids[i] = regexCond(re.Sub[i])
		}
		return either(kids)
	}
	return nil
}

// concatCond joins literals that follow each other.
func concatCond(subs []*syntax.Regexp) *cond {
	var kids []*cond
	for i := 0; i < len(subs); i++ {
		if subs[i].Op != syntax.OpLiteral {
			kids = append(kids, regexCond(subs[i]))
			continue
		}
		joined := *subs[i]
		joined.Rune = slices.Clone(joined.Rune)
		for i+1 < len(subs) && subs[i+1].Op == syntax.OpLiteral && subs[i+1].Flags&syntax.FoldCase == joined.Flags&syntax.FoldCase {
			i++
			joined.Rune = append(joined.Rune, subs[i].Rune...)
		}
		kids = append(kids, literalCond(&joined))
	}
	return both(kids)
}

func literalCond(re *syntax.Regexp) *cond {
	runes := re.Rune
	if i := slices.Index(runes, utf8.RuneError); i >= 0 { // stands for any invalid byte
		runes = runes[:i]
	}
	return textCond(string(runes), re.Flags&syntax.FoldCase != 0)
}

// wordsInside gives the words of an exact text that it shows to be whole ones.
func wordsInside(text []byte) []string {
	var words []string
	isWord := func(c byte) bool { return wordBytes[c] != 0 }
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && isWord(text[end]) {
			end++
		}
		word := text[i:end]
		if i > 0 && end < len(text) && len(word) > 0 && !slices.ContainsFunc(word, func(c byte) bool { return c >= utf8.RuneSelf }) {
			words = append(words, string(bytes.ToLower(word)))
		}
		i = end + 1
	}
	return words
}

// asksStream tells whether mayStream may be false for some streams.
func (c *cond) asksStream() bool {
	return c != nil && (c.kind == condStream || slices.ContainsFunc(c.kids, (*cond).asksStream))
}

// mayStream tells whether records of a stream may have what is needed.
func (c *cond) mayStream(e *streamEntry) bool {
	if c == nil {
		return true
	}
	switch c.kind {
	case condAnd:
		return !slices.ContainsFunc(c.kids, func(k *cond) bool { return !k.mayStream(e) })
	case condOr:
		return slices.ContainsFunc(c.kids, func(k *cond) bool { return k.mayStream(e) })
	case condStream:
		s := e.stream
		return query.Match(c.node, &lastnight.Document{
			Kind: lastnight.DocumentRecord, Cluster: s.Cluster, Namespace: s.Namespace, Pod: s.Pod, PodUID: s.PodUID,
			Container: s.Container, Restart: s.Restart, Node: s.Node, Job: e.job, Component: e.component,
		})
	case condText, condRecord, condRegex:
	}
	return true
}

// mayLevel tells whether records of a level may have what is needed.
func (c *cond) mayLevel(l lastnight.Level) bool {
	if c == nil {
		return true
	}
	switch c.kind {
	case condAnd:
		return !slices.ContainsFunc(c.kids, func(k *cond) bool { return !k.mayLevel(l) })
	case condOr:
		return slices.ContainsFunc(c.kids, func(k *cond) bool { return k.mayLevel(l) })
	case condRecord:
		return !asksOnly(c.node, []query.Field{query.FieldLevel}) || query.Match(c.node, &lastnight.Document{Kind: lastnight.DocumentRecord, Level: l.String()})
	case condText, condStream, condRegex:
	}
	return true
}

// levels gives the levels whose records may have what is needed, a bit each (see blockEntry.levels).
func (c *cond) levels() byte {
	var bits byte
	for l := range lastnight.Level(8) {
		if c.mayLevel(l) {
			bits |= 1 << l
		}
	}
	return bits
}

// mayRecord tells whether a record that is at hand may have what is needed.
func (c *cond) mayRecord(r *lastnight.Record) bool {
	if c == nil {
		return true
	}
	switch c.kind {
	case condAnd:
		return !slices.ContainsFunc(c.kids, func(k *cond) bool { return !k.mayRecord(r) })
	case condOr:
		return slices.ContainsFunc(c.kids, func(k *cond) bool { return k.mayRecord(r) })
	case condText:
		return slices.ContainsFunc(r.Lines, func(l lastnight.Line) bool { return c.mayText(l.Text) })
	case condRecord:
		return query.Match(c.node, propertiesDocument(r.Level, r.Template, r.Exception))
	case condRegex:
		return c.regex.mayRecord(r)
	case condStream:
	}
	return true
}

func propertiesDocument(l lastnight.Level, template string, exception []string) *lastnight.Document {
	return &lastnight.Document{Kind: lastnight.DocumentRecord, Level: l.String(), Template: template, Exception: exception}
}

// mayText tells whether a text may have that of the condition.
func (c *cond) mayText(text []byte) bool {
	if !c.fold {
		return bytes.Contains(text, c.text)
	}
	first := c.text[0]
	for i := 0; ; i++ {
		i = indexFold(text, i, first)
		if i < 0 {
			return slices.ContainsFunc(text, func(b byte) bool { return b >= utf8.RuneSelf }) // letters whose lower case is ASCII
		}
		if hasPrefixFold(text[i:], c.text) {
			return true
		}
	}
}

// indexFold gives where from on the lower-case character c stands, in any case; -1: nowhere.
func indexFold(text []byte, from int, c byte) int {
	for i := from; i < len(text); i++ {
		if lower(text[i]) == c {
			return i
		}
	}
	return -1
}

func hasPrefixFold(text, prefix []byte) bool {
	if len(text) < len(prefix) {
		return false
	}
	for i, c := range prefix {
		if lower(text[i]) != c {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
