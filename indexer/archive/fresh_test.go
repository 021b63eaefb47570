package archive_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// openFresh opens an archive that compacts soon.
func openFresh(t *testing.T, fsys vfs.FS, c *clock, shared bool) *archive.Archive {
	t.Helper()
	dir, err := archive.NewDir(fsys)
	if shared {
		dir, err = archive.NewSharedDir(fsys)
	}
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 1, ChunkBytes: 300, Now: c.now, Shared: shared})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func compactDue(t *testing.T, a *archive.Archive) {
	t.Helper()
	if err := a.CompactDue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestArrivedSinceAndCompaction: what arrived since a time is found although a chunk has it, also when the archive is opened
// again, and everybody else reads the chunk; segments go when nobody asks for them any more.
func TestArrivedSinceAndCompaction(t *testing.T) {
	fsys, c := vfs.NewMem(), newClock()
	a := openFresh(t, fsys, c, false)
	w := newWriter("pod-1")
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprint("line ", i))
		add(t, a, w.span(want[i]))
		c.advance(time.Second)
	}
	since := c.now().Add(-3500 * time.Millisecond)
	if !a.Ripe() {
		t.Error("enough for a chunk, and nobody is told")
	}
	compactDue(t, a)
	if a.Ripe() {
		t.Error("compacted, and more is asked for")
	}
	see := func(segs int) {
		t.Helper()
		n, chunks := segments(t, fsys)
		equal(t, []int{n, chunks}, []int{segs, 1})
		equal(t, search(t, a, lastnight.SearchRequest{Oldest: true}), want)
		equal(t, raw(t, a, ""), want)
		equal(t, stats(t, a).Lines, int64(10))
	}
	const left = 3 // of the segments: not enough for a chunk
	for range 2 {
		see(10)
		equal(t, stats(t, a).Segments, left)
		equal(t, search(t, a, lastnight.SearchRequest{ArrivedSince: since, Oldest: true}), want[7:])
		equal(t, search(t, a, lastnight.SearchRequest{ArrivedSince: since.Add(-4 * time.Second), Oldest: true}), want[3:])
		equal(t, search(t, a, lastnight.SearchRequest{ArrivedSince: c.now()}), []string{})
		if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1 << 20}); err != nil {
			t.Fatal(err)
		}
		a = openFresh(t, fsys, c, false)
	}
	c.advance(2 * time.Minute)
	compactDue(t, a)
	see(left)
	equal(t, search(t, a, lastnight.SearchRequest{ArrivedSince: since, Oldest: true}), want[7:])
	equal(t, stats(t, a).Listed, 1) // in a manifest, which waits for the segments
}

// TestOthersSeeChunksSoon: where several share an archive, those who did not compact read the chunk within seconds, not the
// segments, which are there for a quarter of an hour; and they look for it only where there is enough for one.
func TestOthersSeeChunksSoon(t *testing.T) {
	fsys, c := vfs.NewMem(), newClock()
	a, b := openFresh(t, fsys, c, true), openFresh(t, fsys, c, true)
	w := newWriter("pod-1")
	var want []string
	for i := range 25 {
		if i == 12 {
			c.advance(20 * time.Minute) // another prefix
		}
		want = append(want, fmt.Sprintf("line %02d", i))
		add(t, a, w.span(want[i]))
		c.advance(time.Second)
		equal(t, search(t, b, lastnight.SearchRequest{Oldest: true}), want)
		if i%6 == 5 {
			compactDue(t, a)
		}
	}
	compactDue(t, a)
	c.advance(6 * time.Second)
	equal(t, search(t, b, lastnight.SearchRequest{Oldest: true}), want)
	equal(t, raw(t, b, ""), want)
	of := func(a *archive.Archive) []int {
		s := stats(t, a)
		return []int{s.Segments, s.Chunks}
	}
	equal(t, of(b), of(a))
	if of(b)[1] < 3 {
		t.Errorf("segments, chunks: %v", of(b))
	}
	equal(t, search(t, b, lastnight.SearchRequest{Oldest: true, ArrivedSince: c.now().Add(-13 * time.Second)}), want[18:])
}

// TestArrivedOnce: of what several servers have of the same lines, each line has arrived once, when the first of them got
// it; whoever compacts, and whether they are opened again meanwhile.
func TestArrivedOnce(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 11))
		fsys, c := vfs.NewMem(), newClock()
		servers := []*archive.Archive{openFresh(t, fsys, c, true), openFresh(t, fsys, c, true)}
		var texts []string
		for i := range 40 {
			texts = append(texts, fmt.Sprintf("line %02d", i))
		}
		all := newWriter("pod-1").span(texts...).Span
		arrived := map[string]time.Time{}
		for range 25 {
			for range 1 + r.IntN(4) { // of which servers that do not look into the archive learn nothing from each other
				c.advance(time.Duration(1+r.IntN(2000)) * time.Millisecond)
				n := r.IntN(2)
				switch r.IntN(8) {
				case 0:
					compactDue(t, servers[n])
				case 1:
					servers[n] = openFresh(t, fsys, c, true)
				default:
					from := r.IntN(len(texts))
					to := from + 1 + r.IntN(min(8, len(texts)-from))
					for _, text := range texts[from:to] {
						if _, known := arrived[text]; !known {
							arrived[text] = c.now()
						}
					}
					add(t, servers[n], archive.Item{Span: part(all, from, to), Job: "orders"})
				}
			}
			since := c.now().Add(-time.Duration(r.IntN(60_000)) * time.Millisecond)
			var want []string
			for text, at := range arrived {
				if !at.Before(since) {
					want = append(want, text)
				}
			}
			slices.Sort(want)
			for i, a := range servers {
				got := search(t, a, lastnight.SearchRequest{ArrivedSince: since, Oldest: true})
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d, server %d: since %s: got %q, want %q", seed, i, since, got, want)
				}
				equal(t, len(search(t, a, lastnight.SearchRequest{})), len(arrived))
			}
		}
	}
}

// part gives the records of a span from one to another, exclusive, with the bytes up to the next.
func part(all *lastnight.Span, from, to int) *lastnight.Span {
	s := *all
	s.Records = slices.Clone(all.Records[from:to])
	s.From = s.Records[0].Lines[0].Offset
	if to < len(all.Records) {
		s.To = all.Records[to].Lines[0].Offset
	}
	return &s
}
