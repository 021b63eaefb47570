package archive_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"lastnight"
	"lastnight/indexer/archive"
	s3server "lastnight/internal/testenv/s3"
	"lastnight/internal/vfs"
)

// anything makes spans of some streams, with lines of any bytes.
type anything struct {
	rnd   *rand.Rand
	pods  []*writer
	lines map[lastnight.LineID]lastnight.Line
	order map[string][]lastnight.LineID // by pod
}

func newAnything(seed uint64) *anything {
	x := &anything{rnd: rand.New(rand.NewPCG(seed, 21)), lines: map[lastnight.LineID]lastnight.Line{}, order: map[string][]lastnight.LineID{}}
	for i := range 3 {
		w := newWriter(fmt.Sprint("pod-", i))
		w.stream.Namespace = []string{"dev", "prod"}[i%2]
		x.pods = append(x.pods, w)
	}
	return x
}

// text gives a line: like others, of random bytes, long, empty.
func (x *anything) text() []byte {
	r := x.rnd
	switch r.IntN(8) {
	case 0:
		b := make([]byte, r.IntN(300))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	case 1:
		return []byte(strings.Repeat(string(rune(r.IntN(0x3000))), r.IntN(30_000)))
	case 2:
		return nil
	case 3:
		return fmt.Appendf(nil, `{"level":"info","ts":%d.%d,"msg":"took %dms","id":"%x"}`, r.IntN(2e9), r.IntN(1e6), r.IntN(5000), r.Uint64())
	}
	return fmt.Appendf(nil, "2026-03-01 02:%02d:%02d,%03d INFO  org.example.Task [] - Source %d of %x took %d ms at 10.0.%d.%d%s",
		r.IntN(60), r.IntN(60), r.IntN(1000), r.IntN(9), r.Uint32(), r.IntN(1e6), r.IntN(256), r.IntN(256), strings.Repeat("\r", r.IntN(2)))
}

// line gives the next line of a file.
func (x *anything) line(w *writer) lastnight.Line {
	r := x.rnd
	w.time += r.Int64N(2e9) - 1e8 // clocks go back, too
	l := lastnight.Line{Time: w.time, Offset: w.at, Text: x.text(), Stderr: r.IntN(4) == 0}
	w.at += int64(len(l.Text)) + 40 + r.Int64N(5)
	if n := len(l.Text); n > 2 && r.IntN(10) == 0 {
		cut := 1 + r.IntN(n-1)
		l.Parts = []lastnight.Part{{Time: l.Time, Offset: l.Offset, Size: cut}, {Time: l.Time + r.Int64N(1e6), Offset: l.Offset + int64(cut) + 39, Size: n - cut}}
		w.at += 39
	}
	return l
}

// items gives what arrives next.
func (x *anything) items() (items []archive.Item) {
	for _, w := range x.pods {
		if x.rnd.IntN(5) == 0 { // the file was rotated
			w.gen = lastnight.Generation{Start: w.time, Sum: x.rnd.Uint32()}
			w.at = 0
		}
		s := &lastnight.Span{Stream: w.stream, Generation: w.gen, From: w.at}
		for range x.rnd.IntN(40) {
			rec := lastnight.Record{Level: lastnight.LevelInfo, Template: "t1"}
			stderr := false
			for i := range 1 + x.rnd.IntN(3)*x.rnd.IntN(2) {
				l := x.line(w)
				if i == 0 {
					stderr = l.Stderr
				}
				l.Stderr = stderr
				rec.Lines = append(rec.Lines, l)
				id := lastnight.NewLineID(w.stream.ID(), w.gen, l.Offset)
				x.lines[id] = l
				x.order[w.stream.Pod] = append(x.order[w.stream.Pod], id)
			}
			s.Records = append(s.Records, rec)
		}
		s.To = w.at
		s.RawBytes = s.To - s.From
		items = append(items, archive.Item{Span: s, Job: "job-" + w.stream.Pod, Kind: lastnight.JobFlink})
	}
	return items
}

// check compares everything that can be read of the pods of some namespaces with what was written.
func (x *anything) check(t *testing.T, a *archive.Archive, b archive.Blobs, namespaces ...string) {
	t.Helper()
	got := map[lastnight.LineID]lastnight.Line{}
	for _, info := range collect(t, b.List(t.Context(), "")) {
		if strings.HasPrefix(info.Name, "manifests/") {
			continue
		}
		for it, err := range a.Replay(t.Context(), info.Name) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range it.Span.Records {
				for _, l := range it.Span.Records[i].Lines {
					got[lastnight.NewLineID(it.Span.Stream.ID(), it.Span.Generation, l.Offset)] = l
				}
			}
		}
	}
	want := map[lastnight.LineID]lastnight.Line{}
	for _, w := range x.pods {
		if !strings.Contains(strings.Join(namespaces, " "), w.stream.Namespace) {
			equal(t, len(raw(t, a, w.stream.Pod)), 0)
			continue
		}
		lines := collect(t, a.RawLines(t.Context(), lastnight.SearchRequest{Pod: w.stream.Pod}))
		if len(lines) != len(x.order[w.stream.Pod]) {
			t.Fatalf("%s has %d lines, not %d", w.stream.Pod, len(lines), len(x.order[w.stream.Pod]))
		}
		for i, id := range x.order[w.stream.Pod] {
			l := x.lines[id]
			want[id] = l
			if r := &lines[i]; r.ID != id || r.Time.UnixNano() != l.Time || r.Stderr != l.Stderr || string(r.Text) != string(l.Text) || r.Stream != *w.stream {
				t.Fatalf("line %d of %s is %+v, not %s: %+v", i, w.stream.Pod, r, id, l)
			}
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d lines in all files, not %d", len(got), len(want))
	}
	for id, l := range want {
		if g := got[id]; g.Time != l.Time || g.Offset != l.Offset || g.Stderr != l.Stderr || g.Partial || !bytes.Equal(g.Text, l.Text) || !slices.Equal(g.Parts, l.Parts) {
			t.Fatalf("%s is %+v, not %+v", id, g, l)
		}
	}
}

// TestLossless: any bytes in, the same out, with stream, time in ns, parts, iostream, order and offsets: from segments, from chunks, after
// opening anew, and from chunks written anew by retention, on every kind of store.
func TestLossless(t *testing.T) {
	bucket := func(url string) archive.Blobs {
		b, err := blob.OpenBucket(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return archive.NewBucket(b)
	}
	seeds := 0
	for _, store := range []struct {
		name  string
		seeds int
		open  func(t *testing.T, seed int) archive.Blobs
	}{
		{"folder", 12, func(t *testing.T, _ int) archive.Blobs {
			d, err := archive.NewDir(vfs.NewMem())
			if err != nil {
				t.Fatal(err)
			}
			return d
		}},
		{"memblob", 2, func(t *testing.T, _ int) archive.Blobs {
			b := memblob.OpenBucket(nil)
			t.Cleanup(func() { _ = b.Close() })
			return archive.NewBucket(b)
		}},
		{"fileblob", 2, func(t *testing.T, _ int) archive.Blobs {
			b, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = b.Close() })
			return archive.NewBucket(b)
		}},
		{"S3", 1, func(t *testing.T, _ int) archive.Blobs { return bucket(s3server.Start(t).Bucket(t, "lossless")) }},
	} {
		t.Run(store.name, func(t *testing.T) {
			for range store.seeds {
				seeds++
				lossless(t, store.open(t, seeds), uint64(seeds))
			}
		})
	}
}

func lossless(t *testing.T, b archive.Blobs, seed uint64) {
	t.Helper()
	c := &calendar{}
	c.now = c.now.AddDate(2025, 0, 0)
	a := c.open(t, b, false)
	x := newAnything(seed)
	for i := range 4 {
		add(t, a, x.items()...)
		x.check(t, a, b, "dev", "prod")
		if i == 2 {
			if err := a.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
			x.check(t, a, b, "dev", "prod")
		}
	}
	a = c.open(t, b, false)
	x.check(t, a, b, "dev", "prod")
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.check(t, a, b, "dev", "prod")
	c.pass(5)
	retain(t, a, days(30, map[string]int{"dev": 3}))
	x.check(t, a, b, "prod")
	x.check(t, c.open(t, b, false), b, "prod")
	equal(t, a.Damaged(), int64(0))
}
