package archive_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// grow appends and compacts, so that each round makes a chunk, and gives all lines.
func grow(t *testing.T, a *archive.Archive, rounds int, writers ...*writer) (lines []string) {
	t.Helper()
	for i := range rounds {
		var items []archive.Item
		for j, w := range writers {
			text := fmt.Sprintf("round %d pod %d at %d", i, j, w.at)
			lines = append(lines, text)
			items = append(items, w.span(text))
		}
		add(t, a, items...)
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

func stats(t testing.TB, a *archive.Archive) archive.Stats {
	t.Helper()
	s, err := a.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sortedOf(list []string) []string { return slices.Sorted(slices.Values(list)) }

// TestManifests: chunks are listed, few manifests list many, and everything is known of them that
// memory would know: how far each stream goes, which files have it, what is sent again.
func TestManifests(t *testing.T) {
	fsys := vfs.NewMem()
	a := open(t, fsys)
	one, two := newWriter("pod-1"), newWriter("pod-2")
	first := *one
	want := grow(t, a, 40, one, two)
	want = append(want, grow(t, a, 3, one)...)
	for range 2 {
		s := stats(t, a)
		if s.Chunks != 43 || s.Listed != 43 || s.Manifests > 14 {
			t.Fatalf("%+v", s)
		}
		equal(t, sortedOf(raw(t, a, "")), sortedOf(want))
		equal(t, a.Position(*one.stream, one.gen), one.at)
		equal(t, a.Position(*two.stream, two.gen), two.at)
		equal(t, len(raw(t, a, "pod-2")), 40)
		equal(t, search(t, a, lastnight.SearchRequest{Pod: "pod-3"}), []string{})
		again := first
		if info := add(t, a, again.span("round 0 pod 0 at 0")); info.Name != "" {
			t.Fatal("what is held was written again")
		}
		docs, err := a.Context(t.Context(), lastnight.NewLineID(two.stream.ID(), two.gen, 0), 1, 50)
		if err != nil || len(docs) != 40 {
			t.Fatal(len(docs), err)
		}
		a = open(t, fsys)
	}
	if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	equal(t, a.Position(*one.stream, one.gen), int64(0))
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := fsys.List(".")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, len(files), 0) // manifests of nothing go too
}

// TestManifestsAreOnlyACopy: without some or all of them, or with some damaged, everything is as it was, and
// they are made again.
func TestManifestsAreOnlyACopy(t *testing.T) {
	whole := vfs.NewMem()
	a := open(t, whole)
	one, two := newWriter("pod-1"), newWriter("pod-2")
	want := sortedOf(grow(t, a, 20, one, two))
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 60 {
		fsys := copyOf(t, whole)
		manifests, err := fsys.List("manifests")
		if err != nil || len(manifests) < 3 {
			t.Fatal(manifests, err)
		}
		damaged := false
		for _, m := range manifests {
			switch r.IntN(3) {
			case 0:
				if err := fsys.Remove(m.Name); err != nil {
					t.Fatal(err)
				}
			case 1:
				damaged = true
				if err := fsys.Corrupt(m.Name, func(b []byte) []byte {
					if n%2 == 0 {
						return b[:r.IntN(len(b))]
					}
					b[16+r.IntN(len(b)-48)] ^= 0x55 // not the version
					return b
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		a := open(t, fsys)
		check := func() {
			t.Helper()
			equal(t, sortedOf(raw(t, a, "")), want)
			equal(t, a.Position(*one.stream, one.gen), one.at)
			equal(t, a.Position(*two.stream, two.gen), two.at)
			equal(t, len(raw(t, a, "pod-2")), 20)
		}
		check()
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		check()
		if damaged && a.Damaged() == 0 {
			t.Fatal("nobody has noticed the damage")
		}
		a = open(t, fsys)
		check()
		if s := stats(t, a); s.Listed != s.Chunks || s.Damaged != 0 {
			t.Fatalf("%+v", s)
		}
	}
}

func copyOf(t *testing.T, from *vfs.Mem) *vfs.Mem {
	t.Helper()
	to := vfs.NewMem()
	files, err := from.List(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		r, err := from.Open(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, f.Size)
		if _, err := r.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		put(t, to, f.Name, b)
	}
	return to
}

// TestManifestVanishes: a manifest that another process has merged away is done without.
func TestManifestVanishes(t *testing.T) {
	fsys := vfs.NewMem()
	want := sortedOf(grow(t, open(t, fsys), 5, newWriter("pod-1")))
	a := open(t, fsys)
	manifests, err := fsys.List("manifests")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range manifests {
		if err := fsys.Remove(m.Name); err != nil {
			t.Fatal(err)
		}
	}
	w := newWriter("pod-1")
	if a.Position(*w.stream, w.gen) == 0 {
		t.Fatal("nothing is known to be held")
	}
	equal(t, sortedOf(raw(t, a, "pod-1")), want)
}

// TestOverlapsInManifests: what is held twice is read once, also where each of the two is listed already.
func TestOverlapsInManifests(t *testing.T) {
	fsys := vfs.NewMem()
	servers := []*archive.Archive{openWith(t, fsys, 1000), openWith(t, fsys, 1000)}
	var want []string
	for _, a := range servers { // neither knows of the other
		want = grow(t, a, 10, newWriter("pod-1"))
	}
	for n := range 3 {
		a := open(t, fsys)
		equal(t, raw(t, a, ""), want)
		equal(t, search(t, a, lastnight.SearchRequest{Oldest: true}), want)
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, raw(t, a, ""), want)
		if s := stats(t, a); s.Listed != 20 && n == 0 {
			t.Fatalf("%+v", s)
		}
	}
}

// TestSharedManifests: two processes compact in turns, each listing what the other has made.
func TestSharedManifests(t *testing.T) {
	fsys, c := vfs.NewMem(), newClock()
	a, _ := share(t, fsys, c)
	b, _ := share(t, fsys, c)
	w, v := newWriter("pod-1"), newWriter("pod-2")
	var want []string
	for i := range 30 {
		on := []*archive.Archive{a, b}[i/4%2]
		text := fmt.Sprint("line ", i)
		want = append(want, text, "other "+text)
		add(t, a, w.span(text))
		add(t, b, v.span("other "+text))
		c.advance(5 * time.Minute)
		if err := on.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, x := range []*archive.Archive{a, b} {
			equal(t, sortedOf(raw(t, x, "")), sortedOf(want))
			if err := x.Meet(t.Context(), []lastnight.Span{*newWriter("pod-1").span("x").Span}); err != nil {
				t.Fatal(err)
			}
			equal(t, x.Position(*w.stream, w.gen), w.at)
		}
	}
	for _, x := range []*archive.Archive{a, b} {
		if err := x.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := stats(t, x); s.Listed < 20 || s.Damaged != 0 {
			t.Fatalf("%+v", s)
		}
	}
}

// noManifests is Blobs that cannot read manifests.
type noManifests struct{ archive.Blobs }

func (b noManifests) Get(ctx context.Context, name string, off, n int64) ([]byte, error) {
	if strings.HasPrefix(name, "manifests/") {
		return nil, errors.New("connection reset")
	}
	return b.Blobs.Get(ctx, name, off, n)
}

// TestManifestUnreachable: that a manifest cannot be read now is no damage, and nothing is taken for new.
func TestManifestUnreachable(t *testing.T) {
	fsys := vfs.NewMem()
	grow(t, open(t, fsys), 3, newWriter("pod-1"))
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Open(t.Context(), archive.Config{Blobs: noManifests{dir}}); err == nil {
		t.Fatal("opened without its manifests")
	}
}
