package archive_test

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

var start = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC).UnixNano()

// open opens an archive that lists each chunk in a manifest at once.
func open(t testing.TB, fsys vfs.FS) *archive.Archive {
	t.Helper()
	return openWith(t, fsys, 1)
}

func openWith(t testing.TB, fsys vfs.FS, manifestChunks int) *archive.Archive {
	t.Helper()
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: manifestChunks})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func stream(pod string) *lastnight.Stream {
	return &lastnight.Stream{Cluster: "c", Namespace: "prod", Pod: pod, PodUID: pod + "-uid", Container: "main", Restart: 2, Node: "node-1"}
}

// writer makes spans of one file generation as a collector does.
type writer struct {
	stream *lastnight.Stream
	gen    lastnight.Generation
	at     int64
	time   int64
}

func newWriter(pod string) *writer {
	return &writer{stream: stream(pod), gen: lastnight.Generation{Start: start, Sum: 7}, time: start}
}

// span makes a span of one record per text; the lines of a text are those of the record.
func (w *writer) span(texts ...string) archive.Item {
	s := &lastnight.Span{Stream: w.stream, Generation: w.gen, From: w.at}
	for _, text := range texts {
		r := lastnight.Record{Level: lastnight.LevelInfo, Logger: "org.example.Log", Thread: "main", Template: "t1"}
		for line := range strings.SplitSeq(text, "\n") {
			w.time += 1_234_567
			r.Lines = append(r.Lines, lastnight.Line{Time: w.time, Offset: w.at, Text: []byte(line)})
			w.at += 40 + int64(len(line)) + 1
		}
		s.Records = append(s.Records, r)
	}
	s.To = w.at
	s.RawBytes = s.To - s.From
	return archive.Item{Span: s, Job: "orders", Component: "taskmanager", Kind: lastnight.JobFlink}
}

func add(t testing.TB, a *archive.Archive, items ...archive.Item) archive.SegmentInfo {
	t.Helper()
	info, err := a.Append(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func collect[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func texts(docs []lastnight.Document) []string {
	out := make([]string, len(docs))
	for i := range docs {
		out[i] = docs[i].Text
	}
	return out
}

func search(t testing.TB, a *archive.Archive, req lastnight.SearchRequest, words ...string) []string {
	t.Helper()
	return texts(collect(t, a.Search(t.Context(), req, func(d *lastnight.Document) bool {
		for _, w := range words {
			if !strings.Contains(strings.ToLower(d.Text), w) {
				return false
			}
		}
		return true
	}, archive.NeedWords(words...))))
}

func raw(t testing.TB, a *archive.Archive, pod string) []string {
	t.Helper()
	var out []string
	for _, l := range collect(t, a.RawLines(t.Context(), lastnight.SearchRequest{Pod: pod})) {
		out = append(out, string(l.Text))
	}
	return out
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("(-want +got)\n%s", d)
	}
}

func TestAppendAndRead(t *testing.T) {
	appendAndRead(t, open)
}

// TestAppendChunks: what is appended in large parts is a chunk at once, and the same to readers.
func TestAppendChunks(t *testing.T) {
	direct := func(t testing.TB, fsys vfs.FS) *archive.Archive {
		dir, err := archive.NewDir(fsys)
		if err != nil {
			t.Fatal(err)
		}
		a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, DirectBytes: 1})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	appendAndRead(t, direct)
	a := direct(t, vfs.NewMem())
	w := newWriter("orders-taskmanager-1-1")
	if info := add(t, a, w.span("one")); !strings.HasPrefix(info.Name, "chunks/") {
		t.Fatalf("%+v is no chunk", info)
	}
	before := segmentNames(t, a)
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, segmentNames(t, a), before)
	equal(t, len(before), 1)
}

func appendAndRead(t *testing.T, open func(testing.TB, vfs.FS) *archive.Archive) {
	fsys := vfs.NewMem()
	a := open(t, fsys)
	w := newWriter("orders-taskmanager-1-1")
	first := w.span("one alpha", "two\n\tat stack", "three")
	info := add(t, a, first)
	if info.Records != 3 || info.Lines != 4 || info.Name == "" {
		t.Fatalf("%+v", info)
	}
	add(t, a, w.span("four Alpha"))
	for _, name := range []string{"as written", "reopened"} {
		t.Run(name, func(t *testing.T) {
			equal(t, a.Position(*w.stream, w.gen), w.at)
			equal(t, search(t, a, lastnight.SearchRequest{}), []string{"four Alpha", "three", "two\n\tat stack", "one alpha"})
			equal(t, search(t, a, lastnight.SearchRequest{Oldest: true, Limit: 2}), []string{"one alpha", "two\n\tat stack"})
			equal(t, search(t, a, lastnight.SearchRequest{}, "alpha"), []string{"four Alpha", "one alpha"})
			equal(t, search(t, a, lastnight.SearchRequest{}, "beta"), []string{})
			equal(t, search(t, a, lastnight.SearchRequest{Pod: "other"}), []string{})
			equal(t, raw(t, a, ""), []string{"one alpha", "two", "\tat stack", "three", "four Alpha"})
			items := collect(t, a.Replay(t.Context(), segmentNames(t, a)[0]))
			equal(t, items, []archive.Item{first})
		})
		a = open(t, fsys)
	}
	if again := add(t, a, first); again.Name != "" {
		t.Fatalf("appending again wrote %+v", again)
	}
}

func TestCursorGoesOn(t *testing.T) {
	a := open(t, vfs.NewMem())
	var want []string
	for i := range 5 {
		w := newWriter(fmt.Sprintf("pod-%d", i)) // all at the same times
		var list []string
		for j := range 20 {
			list = append(list, fmt.Sprintf("pod %d line %d", i, j))
		}
		want = append(want, list...)
		add(t, a, w.span(list...))
	}
	for _, oldest := range []bool{false, true} {
		var got []string
		req := lastnight.SearchRequest{Limit: 7, Oldest: oldest}
		var last time.Time
		for {
			docs := collect(t, a.Search(t.Context(), req, nil, archive.Need{}))
			for _, d := range docs {
				if !last.IsZero() && (oldest && d.Time.Before(last) || !oldest && d.Time.After(last)) {
					t.Fatalf("%s after %s", d.Time, last)
				}
				last = d.Time
			}
			got = append(got, texts(docs)...)
			if len(docs) < req.Limit {
				break
			}
			req.Cursor = lastnight.CursorOf(docs[len(docs)-1].Time, docs[len(docs)-1].ID)
		}
		slices.Sort(got)
		slices.Sort(want)
		equal(t, got, want)
	}
}

func TestContext(t *testing.T) {
	a := open(t, vfs.NewMem())
	w := newWriter("pod-1")
	add(t, a, w.span("1", "2", "3"))
	mid := w.span("4", "5\nfive")
	add(t, a, mid)
	add(t, a, w.span("6"))
	add(t, a, newWriter("pod-2").span("x", "y", "z"))
	f := func(off int64, before, after int, want ...string) {
		t.Helper()
		docs, err := a.Context(t.Context(), lastnight.NewLineID(w.stream.ID(), w.gen, off), before, after)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, texts(docs), want)
	}
	lines := mid.Span.Records[1].Lines
	f(lines[0].Offset, 2, 1, "3", "4", "5\nfive", "6")
	f(lines[1].Offset, 0, 9, "5\nfive", "6")
	f(0, 5, 1, "1", "2")
	_, err := a.Context(t.Context(), lastnight.NewLineID(stream("nobody").ID(), w.gen, 0), 1, 1)
	if lastnight.CodeOf(err) != lastnight.CodeNotFound {
		t.Fatalf("unknown line: %v", err)
	}
}

func TestPartialLines(t *testing.T) {
	fsys := vfs.NewMem()
	a := open(t, fsys)
	w := newWriter("pod-1")
	add(t, a, w.span("whole"))
	part := func(text string) archive.Item {
		return archive.Item{Job: "orders", Span: &lastnight.Span{
			Stream: w.stream, Generation: w.gen, From: w.at, To: w.at,
			Records: []lastnight.Record{{Lines: []lastnight.Line{{Time: w.time, Offset: w.at, Text: []byte(text), Partial: true}}}},
		}}
	}
	add(t, a, part("the be"))
	equal(t, a.Position(*w.stream, w.gen), w.at)
	if info := add(t, a, part("the")); info.Name != "" {
		t.Fatal("a shorter version was written")
	}
	equal(t, raw(t, a, "pod-1"), []string{"whole", "the be"})
	add(t, a, part("the beginn"))
	equal(t, raw(t, a, "pod-1"), []string{"whole", "the beginn"})
	add(t, a, w.span("the beginning", "next"))
	equal(t, raw(t, a, "pod-1"), []string{"whole", "the beginning", "next"})
	a = open(t, fsys)
	equal(t, raw(t, a, "pod-1"), []string{"whole", "the beginning", "next"})
	equal(t, search(t, a, lastnight.SearchRequest{}), []string{"next", "the beginning", "whole"})
}

func TestTrim(t *testing.T) {
	a := open(t, vfs.NewMem())
	w := newWriter("pod-1")
	add(t, a, w.span("one", "two"))
	old := *w
	again := newWriter("pod-1").span("one", "two\nthree", "four")
	if !trim(t, a, again.Span) {
		t.Fatal("nothing left")
	}
	equal(t, again.Span.From, old.at)
	var left []string
	for i := range again.Span.Records {
		left = append(left, again.Span.Records[i].Text())
	}
	equal(t, left, []string{"three", "four"})
	held := newWriter("pod-1").span("one")
	if trim(t, a, held.Span) {
		t.Fatal("a span that is held is not trimmed away")
	}
}

func trim(t *testing.T, a *archive.Archive, s *lastnight.Span) bool {
	t.Helper()
	left, err := a.Trim(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestAnyBytes(t *testing.T) {
	a := open(t, vfs.NewMem())
	w := newWriter("pod-1")
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	it := w.span("x")
	it.Span.Records[0].Lines[0].Text = bytes.Clone(all)
	it.Span.Records[0].AppTime = -5
	it.Span.Records[0].Attrs = map[string]string{"a": "\xff", "": "b"}
	it.Span.Records[0].Exception = []string{"E1", "E2"}
	it.Span.Records[0].Lines[0].Parts = []lastnight.Part{{Time: start + 9, Offset: 3, Size: 200}, {Time: start, Offset: 400, Size: 56}}
	add(t, a, it)
	equal(t, collect(t, a.Replay(t.Context(), segmentNames(t, a)[0])), []archive.Item{it})
}

// TestArrivedSince: whoever waits for what arrives gets lines of any time, but none that were there before.
func TestArrivedSince(t *testing.T) {
	a := open(t, vfs.NewMem())
	w := newWriter("p")
	add(t, a, w.span("was there"))
	since := time.Now()
	add(t, a, w.span("has arrived"), newWriter("q").span("has arrived, of long ago"))
	if d := cmp.Diff([]string{"has arrived", "has arrived, of long ago"}, slices.Sorted(slices.Values(search(t, a, lastnight.SearchRequest{ArrivedSince: since})))); d != "" {
		t.Error(d)
	}
	if got := search(t, a, lastnight.SearchRequest{ArrivedSince: time.Now().Add(time.Hour)}); len(got) != 0 {
		t.Errorf("nothing arrived yet, got %q", got)
	}
}
