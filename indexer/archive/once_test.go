package archive_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// TestOverlapsAreReadOnce appends the same lines in ever other pieces, to archives that do not know
// of each other (as two servers over one blob store), and reads all files together.
func TestOverlapsAreReadOnce(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 5))
		fsys := vfs.NewMem()
		var want []string
		for i := range 30 {
			want = append(want, fmt.Sprintf("line %d %s", i, bytes.Repeat([]byte("x"), r.IntN(50))))
		}
		all := newWriter("pod-1").span(want...).Span
		servers := []*archive.Archive{openWith(t, fsys, 1000), openWith(t, fsys, 1000)}
		given := map[int]bool{}
		for range 8 {
			a := servers[r.IntN(2)]
			from := r.IntN(len(want))
			n := 1 + r.IntN(len(want)-from)
			s := *all
			s.Records = slices.Clone(all.Records[from : from+n])
			s.From = s.Records[0].Lines[0].Offset
			s.To = all.To
			if from+n < len(want) {
				s.To = all.Records[from+n].Lines[0].Offset
			}
			for i := from; i < from+n; i++ {
				given[i] = true
			}
			add(t, a, archive.Item{Span: &s, Job: "orders"})
			if r.IntN(4) == 0 {
				if err := a.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		var held []string
		for _, i := range slices.Sorted(maps.Keys(given)) {
			held = append(held, want[i])
		}
		for _, compact := range []bool{false, true} {
			a := open(t, fsys)
			if compact {
				if err := a.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			equal(t, raw(t, a, ""), held)
			equal(t, search(t, a, lastnight.SearchRequest{Oldest: true}), held)
			infos, err := a.Streams(t.Context(), lastnight.StreamsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			var bytes int64
			for _, line := range held {
				bytes += 40 + int64(len(line)) + 1
			}
			equal(t, infos[0].Bytes, bytes)
		}
	}
}

// TestOrderAndTime: restarts, generations and a clock that goes backwards.
func TestOrderAndTime(t *testing.T) {
	a := open(t, vfs.NewMem())
	var want []string
	var items []archive.Item
	for restart := range 2 {
		for gen := range 2 {
			w := newWriter("pod-1")
			s := *w.stream
			s.Restart = restart
			w.stream = &s
			w.gen.Start += int64(gen)
			w.time -= int64(restart*2+gen) * int64(time.Hour) // each file is older than the one before
			for i := range 3 {
				text := fmt.Sprintf("restart %d generation %d line %d", restart, gen, i)
				want = append(want, text)
				items = append(items, w.span(text))
			}
		}
	}
	slices.Reverse(items) // the order of arrival says nothing
	for _, it := range items {
		add(t, a, it)
	}
	for range 2 {
		equal(t, raw(t, a, "pod-1"), want)
		got := search(t, a, lastnight.SearchRequest{})
		equal(t, got[0], "restart 0 generation 0 line 2")
		equal(t, got[11], "restart 1 generation 1 line 0")
		one := 1
		equal(t, len(search(t, a, lastnight.SearchRequest{Restart: &one})), 6)
		from := time.Unix(0, start).Add(-2 * time.Hour)
		equal(t, len(search(t, a, lastnight.SearchRequest{Start: from, End: from.Add(time.Hour)})), 3)
		equal(t, len(search(t, a, lastnight.SearchRequest{Namespace: "prod", Job: "orders", Container: "main", Node: "node-1", PodUID: "pod-1-uid"})), 12)
		equal(t, len(search(t, a, lastnight.SearchRequest{Job: "other"})), 0)
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRetention: by age of arrival, by size, and what must stay.
func TestRetention(t *testing.T) {
	fsys := vfs.NewMem()
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter("pod-1") // two months old when it arrives
	for i := range 4 {
		add(t, a, w.span(fmt.Sprint("day ", i)))
		now = now.Add(24 * time.Hour)
	}
	retain := func(p archive.Policy, want ...string) {
		t.Helper()
		if err := a.Retain(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		equal(t, raw(t, a, ""), want)
	}
	retain(archive.Policy{MaxAge: 10 * 24 * time.Hour}, "day 0", "day 1", "day 2", "day 3")
	retain(archive.Policy{MaxAge: 97 * time.Hour}, "day 0", "day 1", "day 2", "day 3")
	retain(archive.Policy{MaxAge: 73 * time.Hour}, "day 1", "day 2", "day 3")
	second := collect(t, a.RawLines(t.Context(), lastnight.SearchRequest{}))[1].Time
	keep := func(job string, from, to time.Time) bool {
		return job == "orders" && !from.After(second) && !to.Before(second)
	}
	retain(archive.Policy{MaxBytes: 1, Keep: keep}, "day 2")
	equal(t, a.Position(*w.stream, w.gen), int64(0))
}

// TestManyMatches: more than a scan holds at once comes in order and whole all the same.
func TestManyMatches(t *testing.T) {
	a := open(t, vfs.NewMem())
	const pods, each = 8, 900
	long := string(bytes.Repeat([]byte("long "), 1000))
	for p := range pods {
		var lines []string
		for i := range each {
			lines = append(lines, fmt.Sprintf("pod %d line %d %s", p, i, long))
		}
		add(t, a, newWriter(fmt.Sprint("pod-", p)).span(lines...))
	}
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	var last time.Time
	seen := map[string]bool{}
	for d, err := range a.Search(t.Context(), lastnight.SearchRequest{}, nil, archive.NeedWords("long")) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n > 1 && d.Time.After(last) || seen[d.ID] {
			t.Fatalf("%s at %s after %s", d.ID, d.Time, last)
		}
		last, seen[d.ID] = d.Time, true
	}
	equal(t, n, pods*each)
}
