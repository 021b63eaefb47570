package query

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"lastnight"
)

// Limits of a query. Beyond them Parse gives an error.
const (
	MaxQueryBytes  = 8 << 10
	MaxNodes       = 512
	MaxDepth       = 48
	MaxPhraseWords = 64
	MaxRegexBytes  = 1 << 10
)

// Parse reads a query. The empty query is All.
func Parse(s string) (Node, error) {
	if len(s) > MaxQueryBytes {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "search for less at once, or filter by job, pod or time",
			"the query has %d bytes, at most %d are read", len(s), MaxQueryBytes)
	}
	if !utf8.ValidString(s) {
		i := strings.IndexRune(s, utf8.RuneError)
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "write the query in UTF-8",
			"the query is not valid UTF-8 at position %d", utf8.RuneCountInString(s[:max(i, 0)])+1)
	}
	p := parser{in: s}
	if p.skipSpace(); p.atEnd() {
		return All{}, nil
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.atEnd() { // only a parenthesis ends or() before the end
		return nil, p.fail(p.pos, "take it out, or put it in quotes", "no ( belongs to this )")
	}
	return n, nil
}

// parser is a recursive descent over the text; its methods leave pos behind what
// they read and the white space after it.
type parser struct {
	in    string
	pos   int
	depth int
	nodes int
}

func (p *parser) or() (Node, error) {
	return p.chain("or", p.and, func(nodes []Node) Node { return Or(nodes) })
}

func (p *parser) and() (Node, error) {
	nodes := []Node{}
	for {
		n, err := p.unary()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
		at := p.pos
		word := p.keyword("and")
		if p.atEnd() || p.peek() == ')' {
			if word {
				return nil, p.fail(at, `write what else must match, or put "and" in quotes to search for the word`, "nothing comes after and")
			}
			break
		}
		if !word && p.peekKeyword("or") {
			break
		}
	}
	if len(nodes) == 1 {
		return nodes[0], nil
	}
	return And(nodes), nil
}

// chain reads one or more of what next reads, with the keyword between them.
func (p *parser) chain(keyword string, next func() (Node, error), combine func([]Node) Node) (Node, error) {
	first, err := next()
	if err != nil {
		return nil, err
	}
	nodes := []Node{first}
	for p.keyword(keyword) {
		n, err := next()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	if len(nodes) == 1 {
		return first, nil
	}
	return combine(nodes), nil
}

func (p *parser) unary() (Node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if p.atEnd() {
		return nil, p.fail(p.pos, `add a word or field:value; put and, or, not in quotes to search for them as words`, "the query ends where something to search for should come")
	}
	minus := p.peek() == '-' && p.pos+1 < len(p.in) && !isSpace(p.in[p.pos+1])
	if minus {
		p.pos++
	}
	if minus || p.keyword("not") {
		n, err := p.unary()
		if err != nil {
			return nil, err
		}
		return Not{Node: n}, nil
	}
	return p.atom()
}

func (p *parser) atom() (Node, error) {
	switch p.peek() {
	case '(':
		at := p.pos
		p.pos++
		p.skipSpace()
		if !p.atEnd() && p.peek() == ')' {
			return nil, p.fail(at, "put something between them, or take them out", "nothing is in these parentheses")
		}
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		return n, p.closing(at)
	case ')':
		return nil, p.fail(p.pos, "take it out, or put it in quotes", "no ( belongs to this ), or nothing comes before it")
	case '/':
		return p.regex()
	case '"':
		at := p.pos
		s, err := p.quoted()
		if err != nil {
			return nil, err
		}
		return p.text(at, []string{s}, false)
	}
	for _, k := range []string{"and", "or"} {
		if p.peekKeyword(k) {
			return nil, p.fail(p.pos, `write what must match before it, or put "`+k+`" in quotes to search for the word`, "nothing comes before %s", k)
		}
	}
	return p.wordOrField()
}

// wordOrField reads a free word, or a field with its value or literal.
func (p *parser) wordOrField() (Node, error) {
	at := p.pos
	parts, stop := p.word(true)
	if stop == 0 && len(parts) == 1 && !p.atEnd() && (p.peek() == '<' || p.peek() == '>') {
		if _, ok := fieldOf(parts[0]); ok {
			stop = p.peek()
		}
	}
	if stop == 0 {
		return p.text(at, parts, false)
	}
	f, ok := fieldOf(parts[0])
	if !ok {
		return nil, p.unknownField(at, parts[0])
	}
	if stop == ':' {
		p.pos++
		p.skipSpace()
		return p.fieldValue(at, f)
	}
	return p.comparison(at, f)
}

func (p *parser) unknownField(at int, name string) error {
	to := p.pos + 1
	for to < len(p.in) && !isSpace(p.in[to]) && p.in[to] != ')' && p.in[to] != '"' {
		to++
	}
	hint := "to search for the text put it in quotes: " + quote(cut(p.in[at:to]))
	if near := lastnight.Nearest(name, Names(), 3); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "? Or " + hint
	} else {
		hint += "; fields of JSON lines are attr.NAME, others: job ns pod container node restart comp level logger thread template reason kind exception"
	}
	return p.fail(at, hint, "there is no field %q", cut(name))
}

// fieldValue reads value, or several in parentheses.
func (p *parser) fieldValue(at int, f Field) (Node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if p.atEnd() || p.peek() == ')' {
		return nil, p.fail(at, "write what it should be, as "+example(f)+", or * for any value", "no value comes after %s:", f)
	}
	switch p.peek() {
	case '(':
		open := p.pos
		p.pos++
		p.skipSpace()
		n, err := p.chain("or", func() (Node, error) { return p.fieldValue(at, f) }, func(nodes []Node) Node { return Or(nodes) })
		if err != nil {
			return nil, err
		}
		if !p.atEnd() && p.peek() != ')' {
			return nil, p.fail(p.pos, "write or between the values, as "+string(f)+":(a or b)", "only or joins the values of a field")
		}
		return n, p.closing(open)
	case '"':
		at := p.pos
		s, err := p.quoted()
		if err != nil {
			return nil, err
		}
		return p.value(at, f, []string{s})
	}
	at = p.pos
	parts, _ := p.word(false)
	return p.value(at, f, parts)
}

// value makes the node of a field and a value, between whose parts wildcards stand.
func (p *parser) value(at int, f Field, parts []string) (Node, error) {
	if f == FieldMessage {
		return p.text(at, parts, true)
	}
	v := newPattern(parts)
	if lit, ok := v.Literal(); ok && f == FieldLevel && lit != "" {
		l, known := levelOf(lit)
		if !known {
			return nil, p.noLevel(at, lit)
		}
		v = Exactly(l.String())
	}
	return Keyword{Field: f, Value: v}, p.count()
}

func (p *parser) noLevel(at int, s string) error {
	return p.fail(at, "levels are TRACE DEBUG INFO WARN ERROR FATAL", "%q is no level", cut(s))
}

// text makes the node of words, between whose parts wildcards stand.
func (p *parser) text(at int, parts []string, message bool) (Node, error) {
	words, wild := wordPatterns(parts)
	switch {
	case len(words) == 0 && wild:
		return All{}, p.count()
	case len(words) == 0:
		return nil, p.fail(at, "words are letters, digits and _; for other characters use a regex, as /->/", "there is no word to search for in %q", cut(strings.Join(parts, "*")))
	case len(words) > MaxPhraseWords:
		return nil, p.fail(at, "search for a part of it", "this phrase has %d words, at most %d are read", len(words), MaxPhraseWords)
	}
	return Text{Words: words, Message: message}, p.count()
}

func (p *parser) enter() error {
	if p.depth++; p.depth > MaxDepth {
		return p.fail(p.pos, "write it with fewer parentheses", "the query is nested more than %d deep", MaxDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// count takes one more node into account.
func (p *parser) count() error {
	if p.nodes++; p.nodes > MaxNodes {
		return p.fail(p.pos, "search for less at once, or use wildcards", "the query has more than %d parts", MaxNodes)
	}
	return nil
}

// fail makes the error for what stands at byte at.
func (p *parser) fail(at int, hint, format string, args ...any) error {
	where := utf8.RuneCountInString(p.in[:at]) + 1
	return lastnight.Errorf(lastnight.CodeInvalid, hint, "query, position %d: "+format, append([]any{where}, args...)...)
}

// cut shortens what an error repeats, at a character's end.
func cut(s string) string {
	n := 80
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func isSpace(c byte) bool { return c < utf8.RuneSelf && unicode.IsSpace(rune(c)) }
