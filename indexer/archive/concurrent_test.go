package archive_test

import (
	"fmt"
	"sync"
	"testing"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// TestAllAtOnce appends, searches, compacts and counts at the same time: a reader sees every line that
// was acked before it began, and none twice.
func TestAllAtOnce(t *testing.T) {
	a := open(t, vfs.NewMem())
	var wg sync.WaitGroup
	const writers, each = 3, 40
	for i := range writers {
		wg.Go(func() {
			w := newWriter(fmt.Sprint("pod-", i))
			for j := range each {
				it := w.span(fmt.Sprintf("writer %d line %d", i, j))
				if _, err := a.Append(t.Context(), []archive.Item{it, it}); err != nil {
					t.Error(err)
					return
				}
				n := 0
				for _, err := range a.Search(t.Context(), lastnight.SearchRequest{Pod: w.stream.Pod}, nil, archive.NeedWords("writer")) {
					if err != nil {
						t.Error(err)
					}
					n++
				}
				if n != j+1 {
					t.Errorf("%d lines of %d", n, j+1)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			if err := a.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	equal(t, len(raw(t, a, "")), writers*each)
	if a.Damaged() != 0 {
		t.Fatalf("%d damaged", a.Damaged())
	}
}
