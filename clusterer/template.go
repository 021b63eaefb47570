package clusterer

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"lastnight"
)

// template is what All exports, and how to find its lines.
type template struct {
	id        string
	text      string
	exception []string
	link      *template // nil if it is the most general
	pinned    bool
	gone      bool   // forgotten
	used      uint64 // sequence number of its newest line

	key   uint64 // sum of its tokens, each variable as wild
	shape uint64 // sum of its tokens, each variable and word as wild
	words []word // its tokens that are words, or words that became variable
	open  bool   // at least one word became variable
}

// word is a token of a template that is a word, or was one.
type word struct {
	at    int    // index of the token
	pos   int    // where it stands in the template's text
	text  string // "" if it became variable
	sum   uint64 // of the text
	gap   bool
	class uint8
	cue   uint8
}

func (t *template) export() lastnight.Template {
	x := lastnight.Template{ID: t.id, Text: t.text, Exception: slices.Clone(t.exception)}
	if t.link != nil {
		x.Link = t.final().id
	}
	return x
}

// final follows links. A link leads to what has fewer constant words, so it ends.
func (t *template) final() *template {
	for t.link != nil {
		t = t.link
	}
	return t
}

// pattern is a combination of constant tokens that is known by its hash, and its
// template. Several patterns have one template once words of it became variable.
type pattern struct {
	sum      uint64
	next     *pattern // another one with the same sum
	template *template
	used     uint64  // sequence number of its newest line
	consts   []byte  // all that is constant, in one piece
	ends     []int32 // where in consts each slot stands
	words    []int32 // tokens that are words, as far as words become variable at all
	opened   []int32 // those of words that are variable in openedOf
	openedOf *template
	gone     bool // forgotten
}

// newPattern makes the pattern of a line just scanned.
func newPattern(message []byte, s *scanner) *pattern {
	p := &pattern{sum: s.sum}
	toks := s.toks
	from := 0
	for i := range toks {
		if t := &toks[i]; t.what == tokSlot {
			p.consts = append(p.consts, message[from:t.from]...)
			p.ends = append(p.ends, int32(len(p.consts)))
			from = int(t.to)
		} else if t.what == tokWord && len(p.words) < maxWords {
			p.words = append(p.words, int32(i))
		}
	}
	p.consts = append(p.consts, message[from:]...)
	return p
}

// fits tells whether the line is made of the pattern's constants: the hash alone could err.
func (p *pattern) fits(message []byte, toks []token, exception []string) bool {
	n, at, from := 0, 0, 0
	for i := range toks {
		t := &toks[i]
		if t.what != tokSlot {
			continue
		}
		if n == len(p.ends) {
			return false
		}
		end := int(p.ends[n])
		if string(message[from:t.from]) != string(p.consts[at:end]) {
			return false
		}
		n, at, from = n+1, end, int(t.to)
	}
	return n == len(p.ends) && string(message[from:]) == string(p.consts[at:]) && slices.Equal(p.template.exception, exception)
}

// vars appends the variables of a line of the pattern.
func (p *pattern) vars(toks []token, vars []lastnight.Var) []lastnight.Var {
	if p.template.link != nil {
		p.template = p.template.final()
	}
	if p.openedOf != p.template {
		p.open()
	}
	opened := p.opened
	for i := range toks {
		t := &toks[i]
		if t.what == tokSlot {
			vars = append(vars, lastnight.Var{From: t.from, To: t.to, Kind: t.kind})
		} else if len(opened) > 0 && int(opened[0]) == i {
			opened = opened[1:]
			vars = append(vars, lastnight.Var{From: t.from, To: t.to, Kind: lastnight.VarWord})
		}
	}
	return vars
}

// open notes which of the pattern's words are not constant in its template.
func (p *pattern) open() {
	p.opened, p.openedOf = p.opened[:0], p.template
	words := p.template.words
	for _, at := range p.words {
		for len(words) > 0 && words[0].at < int(at) {
			words = words[1:]
		}
		if len(words) == 0 || words[0].at > int(at) || words[0].text == "" {
			p.opened = append(p.opened, at)
		}
	}
}

// textOf gives the text of a line just scanned, its words, and its shape: its sum without them.
func textOf(message []byte, toks []token, sum uint64) (text string, words []word, shape uint64) {
	var b strings.Builder
	from := 0
	for i := range toks {
		t := &toks[i]
		switch t.what {
		case tokSlot:
			b.Write(message[from:t.from])
			b.WriteString(lastnight.Wildcard)
			from = int(t.to)
		case tokWord:
			if len(words) == maxWords {
				continue
			}
			b.Write(message[from:t.from])
			from = int(t.from)
			words = append(words, word{at: i, pos: b.Len(), text: string(message[t.from:t.to]), sum: t.sum, gap: t.gap, class: classOf(message, toks, i), cue: cueOf(message, toks, i)})
			sum += shareOf(wild, t.gap, i) - shareOf(t.sum, t.gap, i)
		}
	}
	b.Write(message[from:])
	return b.String(), words, sum
}

// opened gives the text and words of t when its word i is variable.
func (t *template) opened(i int) (string, []word) {
	words := slices.Clone(t.words)
	w := words[i]
	text := t.text[:w.pos] + lastnight.Wildcard + t.text[w.pos+len(w.text):]
	for k := i + 1; k < len(words); k++ {
		words[k].pos += len(lastnight.Wildcard) - len(w.text)
	}
	words[i].text = ""
	return text, words
}

// newID gives the id of a text: 16 hex digits of a hash, of text and exception types
// alone, so that every shard and server gives the same. If another text has it here, the next hash.
func (c *Clusterer) newID(text string, exception []string) string {
	for n := 0; ; n++ {
		id := idOf(text, exception, n)
		if t, ok := c.byID[id]; !ok || t.text == text && slices.Equal(t.exception, exception) {
			return id
		}
	}
}

// idOf gives the n-th choice of an id.
func idOf(text string, exception []string, n int) string {
	var h xxhash.Digest
	h.Reset()
	_, _ = h.WriteString(text)
	for _, e := range exception {
		_, _ = h.WriteString("\x00")
		_, _ = h.WriteString(e)
	}
	if n > 0 {
		_, _ = fmt.Fprintf(&h, "\x00\x00%d", n)
	}
	return idString(h.Sum64())
}

// idString gives the id that is a number: 16 hex digits.
func idString(n uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[n>>(60-4*i)&15]
	}
	return string(b[:])
}

// numberOf is the number that an id is.
func numberOf(id string) (n uint64) {
	n, _ = strconv.ParseUint(id, 16, 64) // ids are made by idString only
	return n
}

// Render puts values in the place of the variables of a template's text: the message
// that Add found them in, byte for byte. ok is false if their number differs.
func Render(text string, values []string) (message string, ok bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, lastnight.Wildcard)
		b.WriteString(before)
		if !found {
			return b.String(), len(values) == 0
		}
		if len(values) == 0 {
			return "", false
		}
		b.WriteString(values[0])
		text, values = after, values[1:]
	}
}

// Values gives the texts of variables of a message.
func Values(message []byte, vars []lastnight.Var) []string {
	values := make([]string, len(vars))
	for i, v := range vars {
		values[i] = string(bytes.Clone(message[v.From:v.To]))
	}
	return values
}
