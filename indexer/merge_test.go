package indexer

import (
	"errors"
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
	var last seen
	for i := range 1000 {
		s := m.see(m.of("s"), "t", 0, weightPlain)
		if s.keep {
			kept++
			m.kept(s, &lastnight.Document{ID: fmt.Sprint(i)})
		}
		last = s
	}
	if kept != keepPerMinute || last.n != 1000 || last.first == nil || last.first.id != "0" {
		t.Errorf("kept %d documents, the first tells %d of %v; want %d, 1000, the first kept", kept, last.n, last.first, keepPerMinute)
	}
	kept = 0
	for minute := range int64(2 * knownMinutes) {
		if m.see(m.of("s"), "t", minute*int64(time.Minute), weightPlain).keep {
			kept++
		}
	}
	if kept != 1 { // one an hour, and the first hour has its three
		t.Errorf("a template known for long gave %d documents in %d more minutes, want 1", kept, 2*knownMinutes)
	}
	kept = 0
	for range 100 {
		if m.see(m.of("s"), "landmark", 0, weightLandmark).keep {
			kept++
		}
	}
	if kept != 100 {
		t.Errorf("kept %d of 100 landmarks", kept)
	}
}

// Which records of a stream become documents does not depend on what arrives beside them.
func TestMergerStreamsAreAlone(t *testing.T) {
	alone, busy := newMerger(), newMerger()
	for i := range 3 * youngRecords {
		minute := int64(i/7) * int64(time.Minute)
		for j := range 20 {
			busy.see(busy.of(lastnight.StreamID(fmt.Sprint("other-", j))), "t", minute, weightPlain)
		}
		if a, b := alone.see(alone.of("s"), "t", minute, weightPlain), busy.see(busy.of("s"), "t", minute, weightPlain); a.keep != b.keep || a.n != b.n {
			t.Fatalf("record %d: kept %v (%d alike) alone, %v (%d) beside others", i, a.keep, a.n, b.keep, b.n)
		}
	}
}

// How many alike there are is told the store later and later, and what it was not told is not forgotten.
func TestMergerTells(t *testing.T) {
	m := newMerger()
	now := time.Unix(0, 0)
	first := m.see(m.of("s"), "t", 0, weightEvidence)
	m.kept(first, &lastnight.Document{ID: "first"})
	var told []time.Duration
	last := int64(0)
	for at := time.Duration(0); at < time.Hour; at += time.Second {
		s := m.see(m.of("s"), "t", 0, weightLandmark)
		if s.keep { // of a group that has its first
			continue
		}
		m.grow(map[*growth]more{s.first: {n: s.n}}, now.Add(at))
		gs := m.take(now.Add(at), false)
		if len(gs) == 0 {
			continue
		}
		list := m.alike(gs)
		if len(told) == 1 { // the store is away
			m.told(gs, list, errors.New("away"))
			told = append(told, at)
			continue
		}
		m.told(gs, list, nil)
		told, last = append(told, at), list[0].N
	}
	if len(told) < 5 || len(told) > 20 {
		t.Errorf("told the store %d times in an hour: %v", len(told), told)
	}
	if gs := m.take(now, true); len(gs) == 0 || m.alike(gs)[0].N <= last || m.alike(gs)[0].N != 1+3600 {
		t.Errorf("in the end %v, want all 3601", m.alike(gs))
	}
	if gs := m.take(now, true); len(gs) != 0 {
		t.Errorf("told again what it knows: %v", m.alike(gs))
	}
}

// Memory is bounded: a stream that has very many templates starts anew, and streams that were quiet for long do.
func TestMergerForgets(t *testing.T) {
	m := newMerger()
	for s := range 3 * maxKinds / maxKindsOfStream {
		for i := range maxKindsOfStream + 10 {
			m.see(m.of(lastnight.StreamID(fmt.Sprint(s))), fmt.Sprint(i), 0, weightPlain)
		}
	}
	n := 0
	for e := m.recent.Front(); e != nil; e = e.Next() {
		n += len(e.Value.(*kindsOfStream).kinds)
	}
	if n != m.kinds || n > maxKinds || len(m.streams) != m.recent.Len() {
		t.Errorf("%d kinds of %d streams in memory, counted %d of %d, at most %d", n, m.recent.Len(), m.kinds, len(m.streams), maxKinds)
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
