package query

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pattern is a value or a word to compare with, folded, in which a wildcard stands
// for any characters or none. The zero Pattern is the empty value.
type Pattern struct {
	parts []string // literal parts, a wildcard between each two; none is one empty part
}

// Exactly makes a Pattern without a wildcard.
func Exactly(s string) Pattern { return Pattern{parts: []string{Fold(s)}} }

// newPattern folds the parts, between which wildcards stand, and drops doubled wildcards.
func newPattern(parts []string) Pattern {
	p := Pattern{parts: make([]string, 0, len(parts))}
	for i, s := range parts {
		if s == "" && i > 0 && i < len(parts)-1 {
			continue
		}
		p.parts = append(p.parts, Fold(s))
	}
	return p
}

// Literal gives the folded value if p has no wildcard.
func (p Pattern) Literal() (string, bool) {
	switch len(p.parts) {
	case 0:
		return "", true
	case 1:
		return p.parts[0], true
	}
	return "", false
}

// Prefix gives what every match begins with, folded: all of it if p has no wildcard.
func (p Pattern) Prefix() string {
	if len(p.parts) == 0 {
		return ""
	}
	return p.parts[0]
}

// Parts gives what every match has in it, folded, in order; some may be empty.
func (p Pattern) Parts() []string { return slices.Clone(p.parts) }

// Any tells whether p is a lone wildcard.
func (p Pattern) Any() bool { return len(p.parts) == 2 && p.parts[0] == "" && p.parts[1] == "" }

// leading tells whether p begins with a wildcard and has more.
func (p Pattern) leading() bool { return len(p.parts) > 1 && p.parts[0] == "" && !p.Any() }

// Match tells whether value, in any case, is what p stands for.
func (p Pattern) Match(value string) bool {
	if lit, ok := p.Literal(); ok {
		return equalFolded(lit, value)
	}
	if p.Any() {
		return true
	}
	return glob(p.parts, Fold(value))
}

// matchToken is Match for a token, which is folded already.
func (p Pattern) matchToken(token []byte) bool {
	if len(p.parts) == 1 {
		return p.parts[0] == string(token)
	}
	return p.Any() || glob(p.parts, string(token))
}

// firstIn gives where the first word of a text begins that may match, the text's length if none may: those before
// lack digits which p has. Nothing else has the same digits in another case.
func (p Pattern) firstIn(text string) int {
	digits := ""
	for _, part := range p.parts {
		if len(part) > len(digits) && strings.Trim(part, "0123456789_") == "" {
			digits = part
		}
	}
	if digits == "" {
		return 0
	}
	i := strings.Index(text, digits)
	if i < 0 {
		return len(text)
	}
	for i > 0 && text[i-1] < utf8.RuneSelf && asciiWord[text[i-1]] != 0 {
		i--
	}
	if i > 0 && text[i-1] >= utf8.RuneSelf { // the word may begin before
		return 0
	}
	return i
}

// glob matches folded with two parts or more. Taking the first place where each
// middle part fits is right because only wildcards stand between them.
func glob(parts []string, folded string) bool {
	rest, ok := strings.CutPrefix(folded, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := indexOf(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[last])
}

// indexOf is strings.Index for words, which are short: that takes longer to begin.
func indexOf(s, part string) int {
	if part == "" {
		return 0
	}
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i] == part[0] && s[i:i+len(part)] == part {
			return i
		}
	}
	return -1
}

// String gives the pattern as it is written in a query: quoted if it has no wildcard.
func (p Pattern) String() string {
	if lit, ok := p.Literal(); ok {
		return quote(lit)
	}
	escaped := make([]string, len(p.parts))
	for i, s := range p.parts {
		escaped[i] = escape(s)
	}
	return strings.Join(escaped, "*")
}

// quote writes s as a quoted value.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// escape writes s as a part of an unquoted word.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsSpace(r) || strings.ContainsRune(`()"*\:<>`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
