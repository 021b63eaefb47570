package archive_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
	"lastnight/query"
)

// manyChunks is an archive of so many chunks, each with the same texts, of one pod.
func manyChunks(t testing.TB, fsys vfs.FS, chunks int, texts ...string) *archive.Archive {
	t.Helper()
	a := open(t, fsys)
	w := newWriter("pod-1")
	for range chunks {
		add(t, a, w.span(texts...))
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// TestCancelledSearchStops: a search whose asker is gone ends with the context's error, reads little more, leaves
// no goroutine behind and holds no file back.
func TestCancelledSearchStops(t *testing.T) {
	fsys := vfs.NewMem()
	manyChunks(t, fsys, 60, "one", "two")
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	b := &counting{Blobs: dir}
	a, err := archive.Open(t.Context(), archive.Config{Blobs: b})
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, gets := 0, int64(0)
	var last error
	for _, err := range a.Search(ctx, lastnight.SearchRequest{}, nil, archive.Need{}) {
		if last = err; err == nil {
			n++
			cancel()
			gets = b.gets.Load()
		}
	}
	if n != 1 || !errors.Is(last, context.Canceled) {
		t.Fatalf("%d documents, %v", n, last)
	}
	if more := b.gets.Load() - gets; more > int64(2*runtime.GOMAXPROCS(0)) {
		t.Errorf("%d reads after the asker was gone", more)
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines, %d before", now, before)
	}
	if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	equal(t, stats(t, a).Garbage, 0)
}

// TestHardRegexes: expressions that need more states than there may be, or match everywhere, give what package
// regexp gives, in chunks as in segments.
func TestHardRegexes(t *testing.T) {
	var lines []string
	for i := range 300 {
		lines = append(lines, fmt.Sprintf("line %d %s é %x", i, strings.Repeat("ab", i%40), i*7919))
	}
	a := manyChunks(t, vfs.NewMem(), 1, lines...)
	add(t, a, newWriter("pod-2").span(lines...))
	for _, expr := range []string{
		`(a|b)*a(a|b){12} é`, `(a|aa)*$`, `(a*)*(b*)*é`, `(?i)(e|x|ex|xe){1,40}é`, `.*.*.*b`, `(?i)(a?){30}a{30}`, `^`, `[^a]$`, `\bb`, `é [0-9a-f]{4}$`, `(line|x)+ [0-9]{1,3} (ab){5,9} `,
	} {
		node, err := query.Parse("/" + expr + "/")
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		want := 0
		for _, l := range lines {
			if query.Match(node, &lastnight.Document{Kind: lastnight.DocumentRecord, Text: l}) {
				want += 2
			}
		}
		match := func(d *lastnight.Document) bool { return query.Match(node, d) }
		got := collect(t, a.Search(t.Context(), lastnight.SearchRequest{}, match, archive.NeedOf(node)))
		if len(got) != want {
			t.Errorf("/%s/ finds %d, want %d", expr, len(got), want)
		}
	}
}

// TestCompactionReadsSegmentsOnce: each segment is one read however many jobs and blocks it has, unless all of them are too large
// to be held at once.
func TestCompactionReadsSegmentsOnce(t *testing.T) {
	for _, c := range []struct{ bytes, least, most int }{{300, 8, 8}, {300_000, 9, 200}} {
		dir, err := archive.NewDir(vfs.NewMem())
		if err != nil {
			t.Fatal(err)
		}
		b := &counting{Blobs: dir}
		a, err := archive.Open(t.Context(), archive.Config{Blobs: b, DirectBytes: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		writers := []*writer{newWriter("a"), newWriter("b"), newWriter("c")}
		for range 8 {
			var items []archive.Item
			for i, w := range writers {
				texts := make([]string, 4)
				for j := range texts {
					texts[j] = noise(c.bytes)
				}
				it := w.span(texts...)
				it.Job = fmt.Sprint("job-", i)
				items = append(items, it)
			}
			add(t, a, items...)
		}
		want := digest(t, a)
		before := b.gets.Load()
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if gets := int(b.gets.Load() - before); gets < c.least || gets > c.most {
			t.Errorf("%d reads of 8 segments of lines of %d bytes", gets, c.bytes)
		}
		equal(t, digest(t, a), want)
	}
}

// BenchmarkRequests counts what an archive asks of its blob store: per GB of raw logs in, that arrive in segments of a MiB as
// a server of several makes them, and per question of a
// freshly opened archive (cold) and of one that has been asked before.
func BenchmarkRequests(b *testing.B) {
	k := logs(b).inPieces(1 << 20)
	count := func(blobs *counting) [4]int64 {
		return [4]int64{blobs.puts.Load(), blobs.gets.Load(), blobs.lists.Load(), blobs.deletes.Load()}
	}
	for b.Loop() {
		dir, err := archive.NewDir(vfs.NewMem())
		if err != nil {
			b.Fatal(err)
		}
		blobs := &counting{Blobs: dir}
		openIt := func() *archive.Archive {
			a, err := archive.Open(b.Context(), archive.Config{Blobs: blobs, DirectBytes: 1 << 40})
			if err != nil {
				b.Fatal(err)
			}
			return a
		}
		a := openIt()
		atFirst := count(blobs)
		k.appendTo(b, a)
		if err := a.Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
		for i, name := range []string{"puts/GB", "gets/GB", "lists/GB", "deletes/GB"} {
			b.ReportMetric(float64(count(blobs)[i]-atFirst[i])*1e9/float64(k.raw), name)
		}
		a = openIt()
		ask := func(name, text string, limit int) {
			node, err := query.Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			before := count(blobs)
			match := func(d *lastnight.Document) bool { return query.Match(node, d) }
			collect(b, a.Search(b.Context(), lastnight.SearchRequest{Limit: limit}, match, archive.NeedOf(node)))
			b.ReportMetric(float64(count(blobs)[1]-before[1]), name)
		}
		for _, when := range []string{"cold", "warm"} {
			ask(when+"-nothing-gets", "nosuchwordanywhere", 0)
			ask(when+"-newest-100-gets", "checkpoint", 100)
		}
	}
	b.ReportMetric(0, "ns/op")
}
