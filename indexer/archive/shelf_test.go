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

// account is what an archive says of itself, whatever manifests list.
type account struct {
	Lines, Window, Segments []string
	Stats                   archive.Stats
	Streams                 []lastnight.StreamInfo
	Oldest                  time.Time
	Positions               []int64
}

func tell(t *testing.T, a *archive.Archive, start, end time.Time, writers ...in) account {
	t.Helper()
	out := account{Lines: sortedOf(raw(t, a, "")), Window: search(t, a, lastnight.SearchRequest{Start: start, End: end}), Segments: segmentNames(t, a), Stats: stats(t, a)}
	out.Stats.Garbage, out.Stats.Manifests, out.Stats.Listed = 0, 0, 0
	var err error
	if out.Streams, err = a.Streams(t.Context(), lastnight.StreamsRequest{Start: start, End: end}); err != nil {
		t.Fatal(err)
	}
	if out.Oldest, _, err = a.Oldest(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	for _, w := range writers {
		out.Positions = append(out.Positions, a.Position(*w.stream, w.gen))
	}
	return out
}

// TestShelves lets two processes append, compact and retain in any order, until manifests have several shelves: what each of them
// knows is always what one knows that is opened then, also with a cache that has room for nothing.
func TestShelves(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { t.Parallel(); shelves(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func shelves(t *testing.T, r *rand.Rand) {
	fsys, c := vfs.NewMem(), &calendar{time.Unix(0, start)}
	openIt := func(cache int64) *archive.Archive {
		dir, err := archive.NewSharedDir(fsys)
		if err != nil {
			t.Fatal(err)
		}
		a, err := archive.Open(t.Context(), archive.Config{
			Blobs: dir, ManifestChunks: 1, CacheBytes: cache, Shared: true, Grace: 9 * time.Minute, UpkeepBytes: -1,
			Now: func() time.Time { return c.now },
		})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	both := []*archive.Archive{openIt(0), openIt(1)}
	dev, prod := newIn("dev"), newIn("prod")
	most := 0
	for i := range 110 {
		a := both[r.IntN(2)]
		add(t, a, dev.span(fmt.Sprint("dev ", i)), prod.span(fmt.Sprint("prod ", i)))
		c.now = c.now.Add(time.Hour)
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i%8 != 7 {
			continue
		}
		p := days(0, map[string]int{"dev": 3})
		switch {
		case i == 87:
			p.MaxBytes = stats(t, a).Bytes * 2 / 3
		case i%16 == 15:
			p.Keep = func(job string, from, _ time.Time) bool { return job == "job-dev" && from.UnixNano()%3 == 0 }
		}
		retain(t, a, p)
		c.now = c.now.Add(10 * time.Minute) // what others might still read is deleted then
		retain(t, a, archive.Policy{})
		fresh := openIt(0)
		s := stats(t, fresh)
		most = max(most, s.Listed)
		from := s.First.Add(time.Duration(r.Int64N(int64(s.Last.Sub(s.First)))))
		want := tell(t, fresh, from, from.Add(20*time.Millisecond), dev, prod)
		for _, a := range both {
			if err := a.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			equal(t, tell(t, a, from, from.Add(20*time.Millisecond), dev, prod), want)
		}
	}
	if most < 64 {
		t.Fatalf("at most %d chunks in manifests", most)
	}
	for _, a := range both {
		if a.Damaged() != 0 {
			t.Errorf("%d damaged", a.Damaged())
		}
	}
}

// TestManifestTurnsBad damages a manifest, in any of its parts, under an archive that is open and remembers nothing of it: it is
// told of, nothing is missing, and the chunks are listed anew.
func TestManifestTurnsBad(t *testing.T) {
	whole := vfs.NewMem()
	w := newWriter("pod-1")
	want := sortedOf(grow(t, open(t, whole), 20, w))
	questions := []func(a *archive.Archive){
		func(a *archive.Archive) { equal(t, sortedOf(raw(t, a, "")), want) },
		func(a *archive.Archive) {
			equal(t, sortedOf(search(t, a, lastnight.SearchRequest{Pod: "pod-1"})), want)
		},
		func(a *archive.Archive) { equal(t, sortedOf(search(t, a, lastnight.SearchRequest{}, "round")), want) },
		func(a *archive.Archive) { equal(t, a.Position(*w.stream, w.gen), w.at) },
		func(a *archive.Archive) { equal(t, stats(t, a).Lines, int64(20)) },
		func(a *archive.Archive) { retain(t, a, days(10_000, nil)) },
		func(a *archive.Archive) {
			if _, ok, err := a.Oldest(t.Context(), time.Unix(0, 0)); !ok || err != nil {
				t.Fatal(ok, err)
			}
		},
	}
	for i, first := range questions {
		fsys := copyOf(t, whole)
		dir, err := archive.NewDir(fsys)
		if err != nil {
			t.Fatal(err)
		}
		a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 1, CacheBytes: 1})
		if err != nil {
			t.Fatal(err)
		}
		manifests, err := fsys.List("manifests")
		if err != nil || len(manifests) < 2 {
			t.Fatal(manifests, err)
		}
		for _, m := range manifests {
			if err := fsys.Corrupt(m.Name, func(b []byte) []byte {
				for i := 16; i < len(b)-32; i++ {
					b[i] ^= 0x55
				}
				return b
			}); err != nil {
				t.Fatal(err)
			}
		}
		first(a)
		for _, ask := range questions {
			ask(a)
		}
		if a.Damaged() == 0 {
			t.Errorf("question %d: nobody has noticed the damage", i)
		}
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		a = open(t, fsys)
		if s := stats(t, a); s.Listed != 20 || s.Damaged != 0 {
			t.Fatalf("%+v", s)
		}
		for _, ask := range slices.Backward(questions) {
			ask(a)
		}
	}
}
