package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lastnight"
	"lastnight/internal/vfs"
)

// simulated is Blobs with as many chunks as one likes, which are made when they are read. Each has
// a minute of 20 of 400 pods, in one block, a megabyte of air where more blocks would be, and the filters of two real ones.
type simulated struct {
	chunks int
	sizes  []int64
	kept   [][]byte // nil: too many
	filter []byte   // of each of two blocks
	mu     sync.Mutex
	tools  *tools            // guarded by mu
	other  map[string][]byte // guarded by mu: what is put
	gets   int               // guarded by mu
	warm   map[int][]byte    // guarded by mu; chunks that are not to be made again
	shown  int               // guarded by mu; chunks that are listed
}

// show lists so many chunks.
func (s *simulated) show(n int) {
	s.mu.Lock()
	s.shown = n
	s.mu.Unlock()
}

func simulate(b *testing.B, chunks int) *simulated {
	b.Helper()
	t, err := newTools()
	if err != nil {
		b.Fatal(err)
	}
	s := &simulated{shown: chunks, chunks: chunks, tools: t, other: map[string][]byte{}, sizes: make([]int64, chunks), filter: simulatedFilter()}
	for i := range s.sizes {
		data := s.chunk(b.Context(), i)
		s.sizes[i] = int64(len(data))
		if chunks <= maxKept {
			s.kept = append(s.kept, data)
		}
	}
	return s
}

const (
	// maxKept is how many chunks are kept rather than made when they are read: of those, what reading costs can be measured.
	maxKept = 10_000
	// showAtOnce is how many chunks there are at once that no manifest lists.
	showAtOnce = 16_384
	// simulatedWords is how many words a block of 4 MiB of text has.
	simulatedWords = 12_000
)

const simulatedStart = 1_700_000_000_000_000_000

func simulatedName(i int) string {
	at := uint64(simulatedStart + i*int(time.Minute))
	return fmt.Sprintf("%s%016x-%016x-simulated-%x.chk", chunkFolder, at, at, i)
}

func simulatedStream(n int) *lastnight.Stream {
	return &lastnight.Stream{Cluster: "c", Namespace: "prod", Pod: fmt.Sprintf("pod-%d", n), PodUID: fmt.Sprintf("uid-%d", n), Container: "main", Node: "node"}
}

// chunk makes the ith chunk. A pod's file is rotated every 1,000 chunks.
func (s *simulated) chunk(_ context.Context, i int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := int64(simulatedStart + i*int(time.Minute))
	b := newBuilder(s.tools, kindChunk)
	var rows []row
	for n := range 20 {
		e := streamEntry{stream: simulatedStream((i + n*20) % 400), job: "job"}
		e.id = streamNumber(e.stream.ID())
		g := lastnight.Generation{Start: simulatedStart + int64(i/1000)*1000*int64(time.Minute), Sum: 1}
		off := int64(i%1000) << 20
		key := b.key(e, g)
		b.hold(key, off, off+1<<20)
		rows = append(rows, row{key, &lastnight.Record{Level: lastnight.LevelInfo, Lines: []lastnight.Line{{Time: at + int64(n), Offset: off, Text: fmt.Appendf(nil, "line of chunk%d", i)}}}})
	}
	addBlock(b, rows)
	b.filters[0] = s.filter // as large as those of 4 MiB of text, whatever is asked for
	b.filters = append(b.filters, s.filter)
	b.dir.first, b.dir.last = at, at
	data, err := b.finish()
	if err != nil {
		panic(err) // a test's own data
	}
	return bytes.Clone(data)
}

// keep makes some chunks once and for all.
func (s *simulated) keep(ctx context.Context, from, to int) {
	for i := from; i < to && s.kept == nil; i++ {
		data := s.chunk(ctx, i)
		s.mu.Lock()
		if s.warm == nil {
			s.warm = map[int][]byte{}
		}
		s.warm[i] = data
		s.mu.Unlock()
	}
}

// simulatedFilter has the words of a real block, but not the one that is asked for.
func simulatedFilter() []byte {
	absent := NeedWords("absent")
	for seed := uint64(1); ; seed++ {
		r := rand.New(rand.NewPCG(1, seed))
		words := wordSet{}
		words.reset()
		for range simulatedWords {
			words.add(r.Uint64())
		}
		if f := filterOf(&words); !mayHave(f, absent.hashes()[0]) {
			return f
		}
	}
}

// write puts the kept chunks and their manifests into files.
func (s *simulated) write(b *testing.B) *Dir {
	b.Helper()
	dir := b.TempDir()
	put := func(name string, data []byte) {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, data, 0o600)); err != nil {
			b.Fatal(err)
		}
	}
	for i, data := range s.kept {
		put(simulatedName(i), data)
	}
	for name, data := range s.other {
		put(name, data)
	}
	fsys, err := vfs.NewOS(dir)
	if err != nil {
		b.Fatal(err)
	}
	return ReadDir(fsys)
}

func (s *simulated) data(ctx context.Context, name string) ([]byte, error) {
	if strings.HasPrefix(name, chunkFolder) {
		i, err := strconv.ParseInt(strings.TrimSuffix(name[strings.LastIndexByte(name, '-')+1:], ".chk"), 16, 64)
		if err != nil {
			return nil, err
		}
		if s.kept != nil {
			return s.kept[i], nil
		}
		s.mu.Lock()
		data := s.warm[int(i)]
		s.mu.Unlock()
		if data != nil {
			return data, nil
		}
		return s.chunk(ctx, int(i)), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if data, ok := s.other[name]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

func (s *simulated) Put(_ context.Context, name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.other[name] = bytes.Clone(data)
	return nil
}

func (s *simulated) Get(ctx context.Context, name string, off, n int64) ([]byte, error) {
	s.mu.Lock()
	s.gets++
	s.mu.Unlock()
	data, err := s.data(ctx, name)
	if err != nil || off+n > int64(len(data)) {
		return nil, fmt.Errorf("get %s: %w", name, io.ErrUnexpectedEOF)
	}
	return data[off : off+n], nil
}

func (s *simulated) Size(ctx context.Context, name string) (int64, error) {
	data, err := s.data(ctx, name)
	return int64(len(data)), err
}

func (s *simulated) List(_ context.Context, prefix string) iter.Seq2[BlobInfo, error] {
	return func(yield func(BlobInfo, error) bool) {
		if prefix == chunkFolder {
			s.mu.Lock()
			shown := s.shown
			s.mu.Unlock()
			for i, size := range s.sizes[:shown] {
				if !yield(BlobInfo{simulatedName(i), size}, nil) {
					return
				}
			}
			return
		}
		s.mu.Lock()
		var list []BlobInfo
		for name, data := range s.other {
			if strings.HasPrefix(name, prefix) {
				list = append(list, BlobInfo{name, int64(len(data))})
			}
		}
		s.mu.Unlock()
		slices.SortFunc(list, func(a, b BlobInfo) int { return strings.Compare(a.Name, b.Name) })
		for _, i := range list {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func (s *simulated) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.other, name)
	return nil
}

// countedGets counts range reads.
type countedGets struct {
	Blobs
	gets atomic.Int64
}

func (c *countedGets) Get(ctx context.Context, name string, off, n int64) ([]byte, error) {
	c.gets.Add(1)
	return c.Blobs.Get(ctx, name, off, n)
}

// BenchmarkGrowth opens and asks archives of 1,000, 10,000 and 100,000 chunks (CHUNKS: one number; 1000000 takes some minutes). Reported are ms to open,
// bytes of memory, of all and a chunk, without the cache, µs a chunk that is skipped because it has none of the pod's lines or (of up to 10,000, in real files, when they are asked
// for the first time, and again) lacks a word, and how many of them are read again then, and ms
// of the first question about one hour and of the quickest about one of ten hours after it, of one about how much of a file is held, and of the lists of a pod.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{1000, 10_000, 100_000}
	if s := os.Getenv("CHUNKS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		sizes = []int{n}
	}
	for _, chunks := range sizes {
		b.Run(fmt.Sprintf("chunks=%d", chunks), func(b *testing.B) { growth(b, chunks) })
	}
}

func growth(b *testing.B, chunks int) {
	s := simulate(b, chunks)
	reopen := func() *Archive {
		a, err := Open(b.Context(), Config{Blobs: s})
		if err != nil {
			b.Fatal(err)
		}
		return a
	}
	for shown := min(chunks, showAtOnce); ; shown = min(chunks, shown+showAtOnce) { // lists them in manifests
		s.show(shown)
		if err := reopen().Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
		if shown == chunks {
			break
		}
	}
	heap := func() float64 {
		runtime.GC()
		runtime.GC() // what pools keep goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	absent := NeedWords("absent")
	var open, hour, next, held, skip, size, word, again, gets float64
	s.keep(b.Context(), chunks/2, min(chunks/2+11*60, chunks))
	var files *Dir
	if s.kept != nil {
		files = s.write(b)
	}
	ms := func(began time.Time) float64 { return float64(time.Since(began).Microseconds()) / 1000 }
	count := func(a *Archive, req lastnight.SearchRequest, need Need) (n int) {
		for _, err := range a.Search(b.Context(), req, nil, need) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		return n
	}
	for b.Loop() {
		before := heap()
		began := time.Now()
		a := reopen()
		open += ms(began)
		a.cache = newCache(a.cfg.CacheBytes) // bounded, and counted by nobody here
		size += heap() - before
		began = time.Now()
		from := time.Unix(0, simulatedStart+int64(chunks/2)*int64(time.Minute))
		if n := count(a, lastnight.SearchRequest{Start: from, End: from.Add(time.Hour)}, Need{}); n != 1200 {
			b.Fatalf("%d lines in an hour", n)
		}
		hour += ms(began)
		least := math.Inf(1)
		for range min(10, chunks/2/60-1) {
			began, from = time.Now(), from.Add(time.Hour)
			count(a, lastnight.SearchRequest{Start: from, End: from.Add(time.Hour)}, Need{})
			least = min(least, ms(began))
		}
		next += least
		began = time.Now()
		g := lastnight.Generation{Start: simulatedStart, Sum: 1}
		if h, err := a.heldOf(b.Context(), genKey{streamNumber(simulatedStream(0).ID()), g}); err != nil || h == nil {
			b.Fatal(h, err)
		}
		held += ms(began)
		count(a, lastnight.SearchRequest{Pod: "nobody"}, Need{})
		began = time.Now()
		if n := count(a, lastnight.SearchRequest{Pod: "nobody"}, Need{}); n != 0 {
			b.Fatal(n)
		}
		skip += ms(began)
		if files != nil {
			read := &countedGets{Blobs: files}
			a, err := Open(b.Context(), Config{Blobs: read})
			if err != nil {
				b.Fatal(err)
			}
			for _, took := range []*float64{&word, &again} {
				read.gets.Store(0)
				began = time.Now()
				if n := count(a, lastnight.SearchRequest{}, absent); n != 0 {
					b.Fatal(n)
				}
				*took += ms(began)
			}
			gets += float64(read.gets.Load())
		}
		runtime.KeepAlive(a)
	}
	n := float64(b.N)
	b.ReportMetric(open/n, "open-ms")
	b.ReportMetric(size/n/1024, "heap-KiB")
	b.ReportMetric(size/n/float64(chunks), "heap-B/chunk")
	b.ReportMetric(skip*1000/n/float64(chunks), "skip-µs/chunk")
	if s.kept != nil {
		b.ReportMetric(word*1000/n/float64(chunks), "word-µs/chunk")
		b.ReportMetric(again*1000/n/float64(chunks), "word-again-µs/chunk")
		b.ReportMetric(gets/n/float64(chunks), "gets-again/chunk")
	}
	b.ReportMetric(hour/n, "hour-ms")
	b.ReportMetric(next/n, "next-hour-ms")
	b.ReportMetric(held/n, "held-ms")
	b.ReportMetric(0, "ns/op")
}
