package query

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"

	"lastnight"
)

func (p *parser) atEnd() bool { return p.pos >= len(p.in) }
func (p *parser) peek() byte  { return p.in[p.pos] }

func (p *parser) skipSpace() {
	for !p.atEnd() && isSpace(p.peek()) {
		p.pos++
	}
}

// closing reads the parenthesis that belongs to the one at open.
func (p *parser) closing(open int) error {
	if p.atEnd() || p.peek() != ')' {
		return p.fail(open, "add a ), or put the ( in quotes", "this ( is not closed")
	}
	p.pos++
	p.skipSpace()
	return nil
}

// peekKeyword tells whether the keyword comes next, in any case and as a word of its own.
func (p *parser) peekKeyword(keyword string) bool {
	end := p.pos + len(keyword)
	if end > len(p.in) || !strings.EqualFold(p.in[p.pos:end], keyword) {
		return false
	}
	return end == len(p.in) || isSpace(p.in[end]) || strings.IndexByte(`()"`, p.in[end]) >= 0
}

// keyword reads the keyword if it comes next.
func (p *parser) keyword(keyword string) bool {
	if !p.peekKeyword(keyword) {
		return false
	}
	p.pos += len(keyword)
	p.skipSpace()
	return true
}

// word reads an unquoted word and gives its parts, between which wildcards stand,
// without escapes. With field it stops before the : < or > of a field and says which
// it was, else 0.
func (p *parser) word(field bool) (parts []string, stop byte) {
	var b strings.Builder
	from := p.pos
	for !p.atEnd() {
		c := p.peek()
		if isSpace(c) || c == '(' && p.pos > from || c == ')' || c == '"' {
			break
		}
		if field && (c == ':' || c == '<' || c == '>') && len(parts) == 0 && isFieldName(b.String()) {
			return append(parts, b.String()), c
		}
		switch {
		case c == '*':
			parts = append(parts, b.String())
			b.Reset()
			p.pos++
		case c == '\\' && p.pos+1 < len(p.in):
			_, n := utf8.DecodeRuneInString(p.in[p.pos+1:])
			b.WriteString(p.in[p.pos+1 : p.pos+1+n])
			p.pos += 1 + n
		default:
			b.WriteByte(c)
			p.pos++
		}
	}
	p.skipSpace()
	return append(parts, b.String()), 0
}

// isFieldName tells whether what stands before a colon is meant as a field: it begins
// with a letter or @ and has only letters, digits and _ . @ /, or is an attribute.
func isFieldName(s string) bool {
	if len(s) > len(attrPrefix) && strings.EqualFold(s[:len(attrPrefix)], attrPrefix) {
		return true
	}
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '@':
		case i > 0 && ('0' <= c && c <= '9' || c == '_' || c == '.' || c == '/' || c == '-'):
		default:
			return false
		}
	}
	return s != ""
}

// quoted reads a quoted value and gives what it says.
func (p *parser) quoted() (string, error) {
	from := p.pos
	var b strings.Builder
	for p.pos++; !p.atEnd(); p.pos++ {
		c := p.peek()
		if c == '"' {
			p.pos++
			p.skipSpace()
			return b.String(), nil
		}
		if c == '\\' && p.pos+1 < len(p.in) {
			p.pos++
			c = p.peek()
		}
		b.WriteByte(c)
	}
	return "", p.fail(from, `add a ", or write \" for a quote that is part of the text`, "this quote is not closed")
}

// regex reads an expression between slashes.
func (p *parser) regex() (Node, error) {
	from := p.pos
	var b strings.Builder
	for p.pos++; !p.atEnd() && p.peek() != '/'; p.pos++ {
		if p.peek() == '\\' && p.pos+1 < len(p.in) {
			p.pos++
			if p.peek() != '/' {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(p.peek())
	}
	const path = "to search for a path put it in quotes"
	if p.atEnd() {
		return nil, p.fail(from, "add a / at its end; "+path, "this regex is not closed")
	}
	p.pos++
	if !p.atEnd() && !isSpace(p.peek()) && p.peek() != ')' {
		return nil, p.fail(from, `write \/ for a slash inside the regex; `+path, "this regex goes on behind its closing slash")
	}
	p.skipSpace()
	re, err := compile(b.String())
	if err != nil {
		return nil, p.fail(from, "regexes are RE2, as in /took [0-9]{5,} ms/; "+path, "this regex does not compile: %w", err)
	}
	return &Regex{Expr: b.String(), re: re}, p.count()
}

// maxRegexProgram bounds what a regex may cost for each byte of text.
const maxRegexProgram = 4096

func compile(expr string) (*regexp.Regexp, error) {
	if expr == "" || len(expr) > MaxRegexBytes {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "it has %d bytes, 1 to %d are read", len(expr), MaxRegexBytes)
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > maxRegexProgram {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "it is too large: %d steps, at most %d", len(prog.Inst), maxRegexProgram)
	}
	return regexp.Compile(expr)
}

// comparison reads an operator and its literal.
func (p *parser) comparison(at int, f Field) (Node, error) {
	op := Op(p.in[p.pos : p.pos+1])
	p.pos++
	if !p.atEnd() && p.peek() == '=' {
		op += "="
		p.pos++
	}
	p.skipSpace()
	literal, err := p.literal()
	if err != nil {
		return nil, err
	}
	_, attr := f.Attr()
	if f != FieldLevel && f != FieldRestart && !attr {
		return nil, p.fail(at, "restart, level and attr.NAME can be; for a time use the time range", "%s cannot be compared with %s", f, op)
	}
	if f == FieldLevel {
		l, ok := levelOf(literal)
		if !ok {
			return nil, p.noLevel(at, literal)
		}
		return Compare{Field: f, Op: op, Number: float64(l)}, p.count()
	}
	v, ok := number(literal)
	if !ok {
		return nil, p.fail(at, "write a number, as "+string(f)+string(op)+"2", "%q is no number to compare with", cut(literal))
	}
	return Compare{Field: f, Op: op, Number: v}, p.count()
}

func (p *parser) literal() (string, error) {
	if p.atEnd() {
		return "", nil
	}
	if p.peek() == '"' {
		return p.quoted()
	}
	parts, _ := p.word(false)
	return strings.Join(parts, "*"), nil
}

// number reads a finite decimal number.
func number(s string) (float64, bool) {
	if s == "" || strings.IndexByte("0123456789+-.", s[0]) < 0 {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && v-v == 0
}

// example shows how the field is used.
func example(f Field) string {
	switch f {
	case FieldLevel:
		return "level:ERROR"
	case FieldRestart:
		return "restart:1"
	case FieldException:
		return "exception:OutOfMemoryError"
	default:
		return string(f) + ":name"
	}
}

// wordPatterns cuts a text, between whose parts wildcards stand, into patterns for
// words. Wildcards that touch no word at either end say nothing and are dropped.
func wordPatterns(parts []string) (words []Pattern, wild bool) {
	var word []string // parts of the word that is being read; nil between words
	flush := func() {
		if word != nil {
			words = append(words, newWord(word))
			word = nil
		}
	}
	for i, part := range parts {
		if i > 0 {
			wild = true
			if word == nil {
				word = []string{""}
			}
			word = append(word, "")
		}
		for _, r := range part {
			if !isWordRune(r) {
				flush()
				continue
			}
			if word == nil {
				word = []string{""}
			}
			word[len(word)-1] += string(r)
		}
	}
	flush()
	for len(words) > 0 && words[0].Any() {
		words = words[1:]
	}
	for len(words) > 0 && words[len(words)-1].Any() {
		words = words[:len(words)-1]
	}
	return words, wild
}

// newWord makes the pattern of a word, cut as tokens are.
func newWord(parts []string) Pattern {
	if len(parts) > 1 {
		return newPattern(parts)
	}
	token, _ := readWord(parts[0], 0, nil)
	return Pattern{parts: []string{string(token)}}
}
