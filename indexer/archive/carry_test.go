package archive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// columnsFrom opens an archive whose segments have columns of jobs with so many bytes of text.
func columnsFrom(t testing.TB, fsys vfs.FS, bytes int64) (*archive.Archive, *archive.Dir) {
	t.Helper()
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 1000, ColumnBytes: bytes})
	if err != nil {
		t.Fatal(err)
	}
	return a, dir
}

// told is what a chunk says of itself, in the order of names.
type told struct {
	Streams []struct {
		Stream     lastnight.Stream `json:"stream"`
		Job        string           `json:"job"`
		Generation string           `json:"generation"`
		Ranges     []map[string]any `json:"ranges"`
		Partial    []int64          `json:"partial"`
	} `json:"streams"`
	Blocks []struct {
		Streams []int `json:"streams"`
		Lines   int   `json:"lines"`
	} `json:"blocks"`
	Templates []map[string]any `json:"templates"`
	Minutes   []map[string]any `json:"minutes"`
}

// theChunk gives the only chunk of a folder.
func theChunk(t *testing.T, a *archive.Archive, dir *archive.Dir) (c told) {
	t.Helper()
	infos := collect(t, dir.List(t.Context(), "chunks/"))
	if len(infos) != 1 {
		t.Fatalf("%d chunks", len(infos))
	}
	var b bytes.Buffer
	if err := a.Dump(t.Context(), &b, infos[0].Name); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// several gives batches of pods of several jobs, who write much and little.
func several(r *rand.Rand) (batches [][]archive.Item) {
	pods := make([]*writer, 6)
	for i := range pods {
		pods[i] = newWriter(fmt.Sprintf("pod-%d", 5-i))
	}
	for n := range 5 {
		var items []archive.Item
		for i, w := range pods {
			if r.IntN(3) == 0 {
				continue
			}
			var lines []string
			for range 1 + r.IntN(4)*20 {
				lines = append(lines, fmt.Sprintf("batch %d: request %d took %d ms", n, r.IntN(1000), r.IntN(90)))
			}
			it := w.span(append(lines, "java.lang.Boom: no\n\tat x.y(Z.java:1)")...)
			it.Job = fmt.Sprint("job-", i/2)
			for k := range it.Span.Records {
				rec := &it.Span.Records[k]
				rec.Level, rec.Template = lastnight.Level(r.IntN(6)), fmt.Sprint("t", r.IntN(3))
			}
			items = append(items, it)
		}
		batches = append(batches, items)
	}
	return batches
}

// TestCarried: a chunk that took over blocks of segments says of itself what one says that was made of records, and gives the
// same lines.
func TestCarried(t *testing.T) {
	for seed := range uint64(20) {
		batches := several(rand.New(rand.NewPCG(seed, 8)))
		var chunks []told
		var lines, found, streams [][]string
		for _, columns := range []int64{1, 1500, 1 << 40} { // of all jobs, of some, of none
			a, dir := columnsFrom(t, vfs.NewMem(), columns)
			for _, items := range batches {
				add(t, a, items...)
			}
			before := raw(t, a, "")
			if err := a.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
			if report, err := a.Verify(t.Context()); err != nil || len(report.Findings) > 0 {
				t.Fatal(report, err)
			}
			equal(t, raw(t, a, ""), before)
			chunks = append(chunks, theChunk(t, a, dir))
			lines = append(lines, before)
			found = append(found, search(t, a, lastnight.SearchRequest{Oldest: true}, "boom"))
			infos, err := a.Streams(t.Context(), lastnight.StreamsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, []string{fmt.Sprintf("%+v", infos)})
		}
		if len(chunks[0].Blocks) < 5 || len(chunks[2].Blocks) != 1 || len(chunks[1].Blocks) >= len(chunks[0].Blocks) {
			t.Fatalf("%d, %d and %d blocks", len(chunks[0].Blocks), len(chunks[1].Blocks), len(chunks[2].Blocks))
		}
		for i := range chunks[:2] {
			c := chunks[i]
			n := 0
			for _, b := range c.Blocks {
				n += b.Lines
			}
			c.Blocks = chunks[2].Blocks
			if d := cmp.Diff(chunks[2], c); d != "" || n != c.Blocks[0].Lines {
				t.Fatalf("seed %d: %d lines in blocks; -as made of records +as carried:\n%s", seed, n, d)
			}
			equal(t, lines[i], lines[2])
			equal(t, found[i], found[2])
			equal(t, streams[i], streams[2])
		}
	}
}

// TestCarriedNot: blocks with lines that another file has too, that are not whole, or whose job has changed are made again.
func TestCarriedNot(t *testing.T) {
	w, moved := newWriter("pod-1"), newWriter("pod-2")
	first, second := w.span("one", "two"), w.span("three")
	both := *first.Span
	both.Records, both.To = append(slices.Clone(first.Span.Records), second.Span.Records...), second.Span.To
	end := *w
	partial := end.span("not who")
	partial.Span.Records[0].Lines[0].Partial = true
	partial.Span.To = partial.Span.From
	early, late := moved.span("of a job"), moved.span("of the same")
	late.Job = "known by now"

	fsys := vfs.NewMem()
	a, _ := columnsFrom(t, fsys, 1)
	other, _ := columnsFrom(t, fsys, 1)
	add(t, a, first)
	add(t, a, early, newWriter("pod-3").span("of another"))
	add(t, other, archive.Item{Span: &both, Job: "orders"})
	add(t, a, late)
	add(t, a, partial)
	a, dir := columnsFrom(t, fsys, 1)
	want := []string{"one", "of a job", "of another", "of the same", "two", "three", "not who"}
	equal(t, raw(t, a, ""), want)
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, raw(t, a, ""), want)
	c := theChunk(t, a, dir)
	counts := map[string]float64{}
	for _, tmpl := range c.Templates {
		counts[tmpl["job"].(string)] += tmpl["count"].(float64) //nolint:forcetypeassert // or the test fails
	}
	equal(t, counts, map[string]float64{"orders": 5, "known by now": 2})
}
