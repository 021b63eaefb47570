package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// foldRune gives the one rune that stands for all that differ from r only in case
// (Unicode simple folding): the lower case of the smallest of them.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	smallest := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		smallest = min(smallest, f)
	}
	lower := unicode.ToLower(smallest)
	for f := unicode.SimpleFold(smallest); f != smallest; f = unicode.SimpleFold(f) {
		if f == lower {
			return lower
		}
	}
	return smallest // its lower case is not one of them (İ)
}

// Fold gives the form in which s is compared without case. Invalid UTF-8 becomes
// U+FFFD. Folding twice changes nothing more.
func Fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return foldFrom(s, i)
		}
	}
	return s
}

func foldFrom(s string, i int) string {
	var b strings.Builder
	b.Grow(len(s))
	b.WriteString(s[:i])
	for _, r := range s[i:] {
		b.WriteRune(foldRune(r))
	}
	return b.String()
}

// equalFolded tells whether s, once folded, is folded; it makes no copy.
func equalFolded(folded, s string) bool {
	j := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			if j >= len(folded) || folded[j] != c {
				return false
			}
			i++
			j++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		want, m := utf8.DecodeRuneInString(folded[j:])
		if m == 0 || foldRune(r) != want {
			return false
		}
		i += n
		j += m
	}
	return j == len(folded)
}
