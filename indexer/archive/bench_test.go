package archive_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"

	"lastnight"
	"lastnight/collector"
	"lastnight/indexer/archive"
	"lastnight/internal/corpus"
	"lastnight/internal/vfs"
)

// kept is an ingester that keeps copies of what it gets, as items.
type kept struct {
	mu      sync.Mutex
	batches [][]archive.Item
	raw     int64
	lines   int64
}

func (k *kept) Ingest(_ context.Context, b lastnight.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var items []archive.Item
	for _, s := range b.Spans {
		s.Records = slices.Clone(s.Records)
		for i := range s.Records {
			r := &s.Records[i]
			r.Template = template(r.Message())
			r.Lines = slices.Clone(r.Lines)
			for j := range r.Lines {
				r.Lines[j].Text = slices.Clone(r.Lines[j].Text)
				r.Lines[j].Parts = slices.Clone(r.Lines[j].Parts)
			}
			k.lines += int64(len(r.Lines))
		}
		k.raw += s.RawBytes
		w := lastnight.WorkloadOf(&lastnight.Pod{Namespace: s.Stream.Namespace, Name: s.Stream.Pod})
		items = append(items, archive.Item{Span: &s, Job: w.Name, Component: w.Component, Kind: w.Kind})
	}
	k.batches = append(k.batches, items)
	return nil
}

// logs gives 32 MiB of logs as they arrive.
func logs(b *testing.B) *kept {
	b.Helper()
	dir := b.TempDir()
	c, err := corpus.New(b.Context(), corpus.Options{Bytes: 32 << 20, Pods: 20})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := c.Write(b.Context(), dir); err != nil {
		b.Fatal(err)
	}
	k := &kept{}
	if _, err := collector.Import(b.Context(), collector.Config{Ingester: k, Workers: 1}, dir); err != nil {
		b.Fatal(err)
	}
	return k
}

// inPieces gives the same logs in batches of about so many bytes.
func (k *kept) inPieces(size int64) *kept {
	out := &kept{raw: k.raw, lines: k.lines}
	var piece []archive.Item
	var n int64
	for _, items := range k.batches {
		for _, it := range items {
			piece = append(piece, it)
			if n += it.Span.To - it.Span.From; n >= size {
				out.batches = append(out.batches, piece)
				piece, n = nil, 0
			}
		}
	}
	if len(piece) > 0 {
		out.batches = append(out.batches, piece)
	}
	return out
}

func (k *kept) appendTo(b *testing.B, a *archive.Archive) {
	b.Helper()
	for _, items := range k.batches {
		if _, err := a.Append(b.Context(), items); err != nil {
			b.Fatal(err)
		}
	}
}

func report(b *testing.B, k *kept, a *archive.Archive) {
	b.Helper()
	s, err := a.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(s.Bytes)/float64(k.lines), "bytes/line")
	b.ReportMetric(float64(s.Bytes)/float64(k.raw), "of-raw")
}

// BenchmarkChunkWrite appends what an import of the logs in the directory CORPUS, or of 32 MiB of generated ones, appends:
// chunks at once. cpu-s/GB is per raw byte, user and system, of the archive alone.
func BenchmarkChunkWrite(b *testing.B) {
	k := &kept{}
	if dir := os.Getenv("CORPUS"); dir == "" {
		k = logs(b)
	} else if _, err := collector.Import(b.Context(), collector.Config{Ingester: k, Workers: 1}, dir); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(k.raw)
	b.ReportAllocs()
	var a *archive.Archive
	before := cpu()
	for b.Loop() {
		a = open(b, vfs.NewMem())
		k.appendTo(b, a)
	}
	b.ReportMetric((cpu()-before).Seconds()/float64(b.N)/float64(k.raw)*1e9, "cpu-s/GB")
	report(b, k, a)
}

func BenchmarkSegmentWrite(b *testing.B) {
	k := logs(b)
	b.SetBytes(k.raw)
	var a *archive.Archive
	for b.Loop() {
		a = open(b, vfs.NewMem())
		k.appendTo(b, a)
	}
	report(b, k, a)
}

func BenchmarkCompact(b *testing.B) {
	k := logs(b)
	b.SetBytes(k.raw)
	var a *archive.Archive
	for b.Loop() {
		b.StopTimer()
		a = open(b, vfs.NewMem())
		k.appendTo(b, a)
		b.StartTimer()
		if err := a.Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	report(b, k, a)
}

// compacted gives an archive of chunks.
func compacted(b *testing.B) (*kept, *archive.Archive) {
	b.Helper()
	k := logs(b)
	a := open(b, vfs.NewMem())
	k.appendTo(b, a)
	if err := a.Compact(b.Context()); err != nil {
		b.Fatal(err)
	}
	return k, a
}

// BenchmarkScan reads and decodes everything.
func BenchmarkScan(b *testing.B) {
	k, a := compacted(b)
	b.SetBytes(k.raw)
	for b.Loop() {
		if r, err := a.Verify(b.Context()); err != nil || len(r.Findings) > 0 {
			b.Fatal(r, err)
		}
	}
}

// BenchmarkSearch asks the usual questions, newest first.
func BenchmarkSearch(b *testing.B) {
	k, a := compacted(b)
	pod := k.batches[0][0].Span.Stream.Pod
	f := func(name string, req lastnight.SearchRequest, words ...string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = 0
				for _, err := range a.Search(b.Context(), req, nil, archive.NeedWords(words...)) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
			b.ReportMetric(float64(n), "hits")
		})
	}
	f("word of none", lastnight.SearchRequest{}, "c0ffee00cafe")
	f("word of some", lastnight.SearchRequest{Limit: 1000}, "restarting")
	f("newest 1000", lastnight.SearchRequest{Limit: 1000})
	f("newest 1000 of a pod", lastnight.SearchRequest{Limit: 1000, Pod: pod})
	f("all", lastnight.SearchRequest{})
}
