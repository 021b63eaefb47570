package archive_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// clock is a time that tests move.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(start)
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// counting is Blobs that count requests.
type counting struct {
	archive.Blobs
	lists, gets, puts, deletes atomic.Int64
}

func (c *counting) List(ctx context.Context, prefix string) iter.Seq2[archive.BlobInfo, error] {
	c.lists.Add(1)
	return c.Blobs.List(ctx, prefix)
}

func (c *counting) Get(ctx context.Context, name string, off, n int64) ([]byte, error) {
	c.gets.Add(1)
	return c.Blobs.Get(ctx, name, off, n)
}

func (c *counting) Put(ctx context.Context, name string, data []byte) error {
	c.puts.Add(1)
	return c.Blobs.Put(ctx, name, data)
}

func (c *counting) Delete(ctx context.Context, name string) error {
	c.deletes.Add(1)
	return c.Blobs.Delete(ctx, name)
}

// share opens an archive of one process among several.
func share(t testing.TB, fsys vfs.FS, c *clock) (*archive.Archive, *counting) {
	t.Helper()
	dir, err := archive.NewSharedDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	b := &counting{Blobs: dir}
	a, err := archive.Open(t.Context(), archive.Config{Blobs: b, ManifestChunks: 1, Now: c.now, Shared: true, Grace: 9 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func segments(t testing.TB, fsys vfs.FS) (segments, chunks int) {
	t.Helper()
	files, err := fsys.List(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		switch {
		case strings.HasPrefix(f.Name, "segments/"):
			segments++
		case strings.HasPrefix(f.Name, "chunks/"):
			chunks++
		}
	}
	return segments, chunks
}

// TestSharedSeesOthers: what one process was acked, the others find at once, before and after compaction.
func TestSharedSeesOthers(t *testing.T) {
	fsys, c := vfs.NewMem(), newClock()
	a, _ := share(t, fsys, c)
	b, blobs := share(t, fsys, c)
	w := newWriter("pod-1")
	var want []string
	see := func() {
		t.Helper()
		equal(t, raw(t, b, ""), want)
		equal(t, search(t, b, lastnight.SearchRequest{Oldest: true}), want)
		infos, err := b.Streams(t.Context(), lastnight.StreamsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, infos[0].Lines, int64(len(want)))
	}
	var last archive.Item
	for i := range 12 {
		want = append(want, fmt.Sprint("line ", i))
		last = w.span(want[i])
		add(t, a, last)
		see()
		if i%5 == 4 {
			if err := a.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
			see()
			c.advance(4 * time.Minute) // b takes up the chunk while its segments are still there
			see()
			c.advance(6 * time.Minute)
			if err := a.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
			see()
		}
	}
	docs, err := b.Context(t.Context(), lastnight.NewLineID(w.stream.ID(), w.gen, last.Span.From), 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, texts(docs), want[9:])
	lists, gets := blobs.lists.Load(), blobs.gets.Load()
	if err := b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, []int64{blobs.lists.Load() - lists, blobs.gets.Load() - gets}, []int64{1, 0})
	equal(t, []int64{blobs.puts.Load(), blobs.deletes.Load()}, []int64{0, 0}) // who only reads changes nothing
}

// TestSharedMeets: a process that takes a stream over knows what the one before it holds.
func TestSharedMeets(t *testing.T) {
	fsys, c := vfs.NewMem(), newClock()
	a, _ := share(t, fsys, c)
	b, blobs := share(t, fsys, c)
	w := newWriter("pod-1")
	old := *w
	add(t, a, w.span("one", "two"))
	again := old.span("one", "two", "three")
	if err := b.Meet(t.Context(), []lastnight.Span{*again.Span}); err != nil {
		t.Fatal(err)
	}
	equal(t, b.Position(*w.stream, w.gen), w.at)
	if !trim(t, b, again.Span) || len(again.Span.Records) != 1 {
		t.Fatalf("left: %d records", len(again.Span.Records))
	}
	add(t, b, again)
	lists := blobs.lists.Load()
	next := old.span("four")
	if err := b.Meet(t.Context(), []lastnight.Span{*next.Span}); err != nil {
		t.Fatal(err)
	}
	equal(t, blobs.lists.Load(), lists) // it follows what is known
	equal(t, raw(t, a, ""), []string{"one", "two", "three"})
}

// TestSharedGrace: what is replaced stays for the others, and goes then, whoever compacts by that time.
func TestSharedGrace(t *testing.T) {
	fsys, c := vfs.NewMem(), newClock()
	a, _ := share(t, fsys, c)
	w := newWriter("pod-1")
	add(t, a, w.span("one"))
	add(t, a, w.span("two"))
	f := func(a *archive.Archive, wantSegments, wantChunks int) {
		t.Helper()
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, k := segments(t, fsys)
		equal(t, []int{s, k}, []int{wantSegments, wantChunks})
		equal(t, raw(t, a, ""), []string{"one", "two"})
	}
	f(a, 2, 1)
	c.advance(8 * time.Minute)
	f(a, 2, 1)
	b, _ := share(t, fsys, c) // knows of it only now
	c.advance(8 * time.Minute)
	f(b, 2, 1)
	f(a, 0, 1)
	f(b, 0, 1)
	c.advance(time.Hour)
	if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	equal(t, raw(t, a, ""), []string(nil))
	equal(t, raw(t, b, ""), []string{"one", "two"})
	c.advance(10 * time.Minute)
	if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	equal(t, raw(t, b, ""), []string(nil))
	s, k := segments(t, fsys)
	equal(t, []int{s, k}, []int{0, 0})
}

// TestSharedVanishing takes files away under running queries in every order: they go on where they were.
func TestSharedVanishing(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 9))
		fsys, c := vfs.NewMem(), newClock()
		a, _ := share(t, fsys, c)
		b, _ := share(t, fsys, c)
		writers := []*writer{newWriter("pod-1"), newWriter("pod-2"), newWriter("pod-3")}
		var want []string
		put := func() {
			for i, w := range writers {
				text := fmt.Sprintf("pod %d at %d", i, w.at)
				add(t, a, w.span(text))
				want = append(want, text)
			}
		}
		for range 6 {
			put()
		}
		vanish := func() { // what b reads is compacted and deleted by a
			for range 2 {
				if err := a.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.advance(10 * time.Minute)
			}
			if err := a.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		at := r.IntN(len(want))
		var got []string
		for d, err := range b.Search(t.Context(), lastnight.SearchRequest{Oldest: seed%2 == 0}, nil, archive.Need{}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == at {
				vanish()
			}
			got = append(got, d.Text)
		}
		sorted := func(s []string) []string { return slices.Sorted(slices.Values(s)) }
		equal(t, sorted(got), sorted(want))
		put()
		if err := b.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		got = nil
		for l, err := range b.RawLines(t.Context(), lastnight.SearchRequest{}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == at {
				vanish()
			}
			got = append(got, string(l.Text))
		}
		equal(t, sorted(got), sorted(want))
		equal(t, b.Damaged(), int64(0))
		s, _ := segments(t, fsys)
		equal(t, s, 0)
	}
}

// TestSharedCompactors: a lease was lost and two compact at once, while others write and read. Nothing is
// lost, nothing is there twice.
func TestSharedCompactors(t *testing.T) {
	fsys, c := vfs.NewMem(), newClock()
	const servers, each = 3, 15
	var wg sync.WaitGroup
	done := make(chan struct{})
	var compactors sync.WaitGroup
	for i := range servers {
		a, _ := share(t, fsys, c)
		wg.Go(func() {
			w := newWriter(fmt.Sprint("pod-", i))
			for j := range each {
				it := w.span(fmt.Sprintf("server %d line %d", i, j))
				if _, err := a.Append(t.Context(), []archive.Item{it}); err != nil {
					t.Error(err)
					return
				}
				c.advance(time.Minute / 2)
				n := 0
				for _, err := range a.Search(t.Context(), lastnight.SearchRequest{Pod: w.stream.Pod}, nil, archive.Need{}) {
					if err != nil {
						t.Error(err)
					}
					n++
				}
				if n != j+1 {
					t.Errorf("server %d sees %d of its lines, not %d", i, n, j+1)
				}
			}
		})
		compactors.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := a.Compact(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(done)
	compactors.Wait()
	var want []string
	for i := range servers {
		for j := range each {
			want = append(want, fmt.Sprintf("server %d line %d", i, j))
		}
	}
	slices.Sort(want)
	a, _ := share(t, fsys, c)
	for range 2 {
		got := raw(t, a, "")
		slices.Sort(got)
		equal(t, got, want)
		c.advance(time.Hour)
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s, _ := segments(t, fsys); s != 0 || a.Damaged() != 0 {
		t.Fatalf("%d segments left, %d damaged", s, a.Damaged())
	}
}

// TestSharedCrash kills one of two processes after every operation; the other one loses nothing.
func TestSharedCrash(t *testing.T) {
	for n := range 60 {
		fsys, c := vfs.NewMem(), newClock()
		a, _ := share(t, fsys, c)
		w, v := newWriter("pod-1"), newWriter("pod-2")
		var acked []string
		fsys.FailAfter(n)
		for i := range 4 {
			text := fmt.Sprint("one ", i)
			if _, err := a.Append(t.Context(), []archive.Item{w.span(text)}); err != nil {
				break
			}
			acked = append(acked, text)
			if i%2 == 1 {
				_ = a.Compact(t.Context()) // the disk is gone, then
				c.advance(10 * time.Minute)
			}
		}
		fsys = fsys.Crash(n%2 == 0)
		b, _ := share(t, fsys, c)
		add(t, b, v.span("two"))
		for range 3 {
			got := raw(t, b, "")
			for _, line := range append(slices.Clone(acked), "two") {
				if !slices.Contains(got, line) {
					t.Fatalf("after %d operations: %q is lost", n, line)
				}
			}
			slices.Sort(got)
			equal(t, got, slices.Compact(slices.Clone(got)))
			if err := b.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.advance(10 * time.Minute)
		}
	}
}

// prefixes is Blobs that remember what was listed.
type prefixes struct {
	archive.Blobs
	listed []string
}

func (p *prefixes) List(ctx context.Context, prefix string) iter.Seq2[archive.BlobInfo, error] {
	p.listed = append(p.listed, prefix)
	return p.Blobs.List(ctx, prefix)
}

// TestCompactionListsFewChunks: whether others have compacted the same is asked of the chunks of that time, not of all that are kept,
// and found out all the same.
func TestCompactionListsFewChunks(t *testing.T) {
	fsys, c := vfs.NewMem(), newClock()
	dir, err := archive.NewSharedDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	b := &prefixes{Blobs: dir}
	a, err := archive.Open(t.Context(), archive.Config{Blobs: b, ManifestChunks: 1, Now: c.now, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter("pod-1")
	for i := range 3 {
		add(t, a, w.span(fmt.Sprint("line ", i)))
	}
	c.advance(time.Minute)
	b.listed = nil
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.listed) == 0 || slices.Contains(b.listed, "chunks/") {
		t.Fatalf("listed %q", b.listed)
	}
	add(t, a, w.span("line 3"))
	other, _ := share(t, fsys, c)
	forestalled := &racing{Blobs: b, before: func() {
		if err := other.Compact(t.Context()); err != nil {
			t.Error(err)
		}
	}}
	a, err = archive.Open(t.Context(), archive.Config{Blobs: forestalled, ManifestChunks: 1, Now: c.now, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	forestalled.armed = true
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, stats(t, a).Chunks, 2)
	equal(t, raw(t, a, ""), []string{"line 0", "line 1", "line 2", "line 3"})
}

// racing is Blobs that let another process work before a list of chunks.
type racing struct {
	archive.Blobs
	armed  bool
	before func()
}

func (r *racing) List(ctx context.Context, prefix string) iter.Seq2[archive.BlobInfo, error] {
	if r.armed && strings.HasPrefix(prefix, "chunks/") {
		r.armed = false
		r.before()
	}
	return r.Blobs.List(ctx, prefix)
}
