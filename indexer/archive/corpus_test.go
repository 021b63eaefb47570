package archive_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"lastnight"
	"lastnight/collector"
	"lastnight/indexer/archive"
	"lastnight/internal/corpus"
	"lastnight/internal/vfs"
)

// sink is an ingester that only archives.
type sink struct {
	mu    sync.Mutex
	a     *archive.Archive
	took  time.Duration
	bytes int64
}

func (s *sink) Ingest(ctx context.Context, b lastnight.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := make([]archive.Item, 0, len(b.Spans))
	for i := range b.Spans {
		sp := &b.Spans[i]
		for j := range sp.Records {
			r := &sp.Records[j]
			r.Template = template(r.Message())
		}
		w := lastnight.WorkloadOf(&lastnight.Pod{Namespace: sp.Stream.Namespace, Name: sp.Stream.Pod})
		items = append(items, archive.Item{Span: sp, Job: w.Name, Component: w.Component, Kind: w.Kind})
	}
	began := cpu()
	info, err := s.a.Append(ctx, items)
	s.took += cpu() - began
	s.bytes += info.RawBytes
	return err
}

// template gives a stand-in for a template's id: its letters until the first digit.
func template(message []byte) string {
	h := uint32(2166136261)
	for i, c := range message {
		if i > 24 || c >= '0' && c <= '9' {
			break
		}
		h = (h ^ uint32(c)) * 16777619
	}
	const hex = "0123456789abcdef"
	out := make([]byte, 8)
	for i := range out {
		out[i] = hex[h>>(i*4)&15]
	}
	return string(out)
}

// watchHeap looks at the heap until the function it gives is called, which tells the most it saw.
func watchHeap() func() uint64 {
	runtime.GC()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-peak
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestCorpus writes, compacts and reads back a tree of pods: one that is made, or the one
// that LASTNIGHT_CORPUS names. It prints what it costs.
func TestCorpus(t *testing.T) {
	given := os.Getenv("LASTNIGHT_CORPUS")
	dir := given
	if given == "" {
		dir = t.TempDir()
		c, err := corpus.New(t.Context(), corpus.Options{Bytes: 8 << 20, Pods: 12})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	fsys, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fsys.Close() }()
	a := open(t, fsys)
	s := &sink{a: a}
	stats, err := collector.Import(t.Context(), collector.Config{Ingester: s, Workers: 1}, dir)
	if err != nil {
		t.Fatal(err)
	}
	seg, err := a.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var before sums
	if given == "" { // of a large one it takes too long
		before = digest(t, a)
	}
	began, peak := cpu(), watchHeap()
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := cpu() - began
	t.Logf("heap in use while compacting: at most %d MB", peak()>>20)
	st, err := a.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gb := float64(stats.Bytes) / 1e9
	t.Logf("raw %d lines %d; segments %d: %.4f of raw, %.1f CPU s/GB; chunks %d: %.4f of raw, %.1f CPU s/GB",
		stats.Bytes, stats.Lines, seg.Segments, float64(seg.Bytes)/float64(stats.Bytes), s.took.Seconds()/gb,
		st.Chunks, float64(st.Bytes)/float64(stats.Bytes), took.Seconds()/gb)
	if st.Segments != 0 || st.Lines != stats.Lines || st.RawBytes != stats.Bytes {
		t.Fatalf("%+v after an import of %+v", st, stats)
	}
	if given == "" {
		equal(t, digest(t, a), before)
		equal(t, digest(t, open(t, fsys)), before)
	} else if r, err := a.Verify(t.Context()); err != nil || len(r.Findings) > 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if a.Damaged() != 0 {
		t.Fatalf("%d damaged", a.Damaged())
	}
}

// sums adds up what all records say, whatever their order.
type sums struct{ Records, Lines, Hash uint64 }

func digest(t testing.TB, a *archive.Archive) sums {
	t.Helper()
	var s sums
	for d, err := range a.Search(t.Context(), lastnight.SearchRequest{Oldest: true}, nil, archive.Need{}) {
		if err != nil {
			t.Fatal(err)
		}
		s.Records++
		s.Lines += uint64(strings.Count(d.Text, "\n")) + 1
		s.Hash += xxhash.Sum64String(fmt.Sprint(d))
	}
	return s
}
