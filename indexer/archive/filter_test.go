package archive

import (
	"slices"
	"strings"
	"testing"

	"lastnight/query"
)

// TestWordsAreThoseOfQueries: a filter must know every word that a query can ask for.
func TestWordsAreThoseOfQueries(t *testing.T) {
	texts := append(slices.Clone(samples), strings.Repeat("long", 50), strings.Repeat("é", 90)+" x", "KELVIN ſ İstanbul ǅ", "a\xffb", "x"+strings.Repeat("9", 127)+"y z")
	for _, text := range texts {
		var got, want wordSet
		got.reset()
		want.reset()
		addWords(&got, []byte(text))
		for token := range query.Tokens(text) {
			want.add(hashWord([]byte(token)))
		}
		if g, w := sorted(&got), sorted(&want); !slices.Equal(g, w) {
			t.Errorf("%q: %d words, not %d", text, len(g), len(w))
		}
	}
}

func sorted(s *wordSet) []uint64 {
	out := slices.Clone(s.all())
	slices.Sort(out)
	return slices.DeleteFunc(out, func(h uint64) bool { return h == 0 })
}
