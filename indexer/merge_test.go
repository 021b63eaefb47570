package indexer

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

func TestFloorMinute(t *testing.T) {
	for in, want := range map[int64]int64{
		0:                           0,
		int64(59 * time.Second):     0,
		int64(60 * time.Second):     int64(time.Minute),
		-1:                          -int64(time.Minute),
		int64(-61 * time.Second):    -2 * int64(time.Minute),
		int64(90*time.Second) + 123: int64(time.Minute),
	} {
		if got := floorMinute(in); got != want {
			t.Errorf("floorMinute(%d) = %d, want %d", in, got, want)
		}
	}
}

// A flood of one warning becomes a few documents that tell the number; what an
// investigation needs one by one does not.
func TestMergerFlood(t *testing.T) {
	m := newMerger()
	var kept int
	var first *lastnight.Document
	var last seen
	for i := range 1000 {
		s := m.see(groupKey{"s", "t", 0}, weightPlain)
		if s.keep {
			kept++
			d := &lastnight.Document{ID: fmt.Sprint(i)}
			if first == nil {
				first = d
			}
			m.kept(s, d)
		}
		last = s
	}
	if kept != keepPerMinute || last.n != 1000 || last.first != first {
		t.Errorf("kept %d documents, the first tells %d of %v; want %d, 1000, the first kept", kept, last.n, last.first, keepPerMinute)
	}
	kept = 0
	for minute := range int64(2 * knownMinutes) {
		if m.see(groupKey{"s", "t", minute * int64(time.Minute)}, weightPlain).keep {
			kept++
		}
	}
	if kept != 1 { // one an hour, and the first hour has its three
		t.Errorf("a template known for long gave %d documents in %d more minutes, want 1", kept, 2*knownMinutes)
	}
	kept = 0
	for range 100 {
		if m.see(groupKey{"s", "landmark", 0}, weightLandmark).keep {
			kept++
		}
	}
	if kept != 100 {
		t.Errorf("kept %d of 100 landmarks", kept)
	}
}

func TestMergeOrder(t *testing.T) {
	at := func(kind lastnight.DocumentKind, secs ...int) iter.Seq2[lastnight.Document, error] {
		return func(yield func(lastnight.Document, error) bool) {
			for _, s := range secs {
				if !yield(lastnight.Document{Kind: kind, Time: time.Unix(int64(s), 0)}, nil) {
					return
				}
			}
		}
	}
	read := func(docs iter.Seq2[lastnight.Document, error]) string {
		var s string
		for d, err := range docs {
			if err != nil {
				t.Error(err)
			}
			s += fmt.Sprintf("%c%d ", d.Kind[0], d.Time.Unix())
		}
		return s
	}
	oldest := read(merge(at(lastnight.DocumentRecord, 1, 3, 5), at(lastnight.DocumentEvent, 0, 3, 4, 9, 10), true))
	newest := read(merge(at(lastnight.DocumentRecord, 5, 3, 1), at(lastnight.DocumentEvent, 10, 3, 0), false))
	if diff := cmp.Diff([]string{"e0 r1 e3 r3 e4 r5 e9 e10 ", "e10 r5 r3 e3 r1 e0 "}, []string{oldest, newest}); diff != "" {
		t.Error(diff)
	}
}
