package query

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestTextIn compares looking for words with looking at each word of the text.
func TestTextIn(t *testing.T) {
	pieces := []string{"1", "11", "0", "_", "a", "A1", "é", "é11", "11é", "\xff", " ", ".", "-", "ｶ", "²", "１１", strings.Repeat("x", MaxTokenBytes-1), "11 ", " 11"}
	patterns := []Pattern{
		newPattern([]string{"", "11", ""}), newPattern([]string{"11", ""}), newPattern([]string{"", "11"}), Exactly("11"), Exactly("1_"), Exactly("a1"),
		newPattern([]string{"a", "11", ""}), newPattern([]string{"", ""}), newPattern([]string{"1", "1", "1"}), newPattern([]string{"", "é11", ""}),
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 20_000 {
		var b strings.Builder
		for range r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		n := Text{Words: []Pattern{patterns[r.IntN(len(patterns))]}}
		if r.IntN(3) == 0 {
			n.Words = append(n.Words, patterns[r.IntN(len(patterns))])
		}
		tokens, want := slices.Collect(Tokens(b.String())), false
		for i := range tokens {
			all := i+len(n.Words) <= len(tokens)
			for j := 0; all && j < len(n.Words); j++ {
				all = n.Words[j].matchToken([]byte(tokens[i+j]))
			}
			want = want || all
		}
		if got := n.in(b.String()); got != want {
			t.Fatalf("%s in %q: %v", n, b.String(), got)
		}
	}
}
