package archive_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// TestSentAgainAfterManifests: of files whose ranges chunks in manifests have, whatever is sent (what follows, all of it
// again, some of it with more, parts of lines) each line is there once, also when chunks go and when the archive is opened anew.
func TestSentAgainAfterManifests(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	fsys := vfs.NewMem()
	a := open(t, fsys)
	var writers []*writer
	var starts []writer // what may be sent again
	var lines [][]string
	for i := range 3 {
		writers = append(writers, newWriter(fmt.Sprint("pod-", i)))
		starts, lines = append(starts, *writers[i]), append(lines, nil)
	}
	var want []string
	for round := range 150 {
		n := r.IntN(3)
		w := writers[n]
		switch r.IntN(6) {
		default:
			text := fmt.Sprintf("round %d of pod %d", round, n)
			want, lines[n] = append(want, text), append(lines[n], text)
			add(t, a, w.span(text))
		case 3, 4: // from somewhere before, and perhaps something new
			again := starts[n]
			all := lines[n]
			from := r.IntN(len(all) + 1)
			for _, text := range all[:from] {
				again.span(text)
			}
			some := all[from:]
			if r.IntN(2) == 0 {
				text := fmt.Sprintf("round %d more of pod %d", round, n)
				want, lines[n] = append(want, text), append(lines[n], text)
				some = lines[n][from:]
				w.span(text)
			}
			if len(some) > 0 {
				add(t, a, again.span(some...))
			}
		case 5:
			if err := a.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if round%40 == 39 {
			a = open(t, fsys)
		}
		equal(t, sortedOf(raw(t, a, "")), sortedOf(want))
		equal(t, a.Position(*w.stream, w.gen), w.at)
	}
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	again := starts[0] // nothing of it is there any more: what is sent is new
	if info := add(t, a, again.span(lines[0]...)); info.Lines != int64(len(lines[0])) {
		t.Fatalf("%+v", info)
	}
	equal(t, search(t, a, lastnight.SearchRequest{Pod: "pod-1"}), []string{})
}
