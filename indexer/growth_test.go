package indexer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"lastnight"
	"lastnight/indexer"
	"lastnight/indexer/archive"
	"lastnight/indexer/store"
	"lastnight/indexer/store/blevestore"
	"lastnight/indexer/store/elasticstore"
	"lastnight/internal/testenv/elasticsearch"
)

const (
	chunksADay   = 24
	batchStreams = 10  // of the known ones, in one batch
	batchRecords = 100 // of each
)

// BenchmarkCostPerRecord takes batches of the same shape (1,000 records of 10 streams, one in 50 a warning) from ever other of the
// known streams, compaction included, where much or little is there already: 10, 1,000 and 50,000 streams
// (simulated, each in at least two chunks), 1 and 90 days of chunks and of daily indices. cpu-ns/record is this process's user
// and system time; node-cpu-ns/record is what Elasticsearch's node used for it. The requests to the blob store are
// those of a batch, a list counting one for each 1,000 names: the embedded store is measured as one server alone has it, too, and
// (shared) as one of several.
func BenchmarkCostPerRecord(b *testing.B) {
	embedded := func(b *testing.B, _ string) store.Store {
		b.Helper()
		s, err := blevestore.Open(b.Context(), blevestore.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	b.Run("store=embedded", func(b *testing.B) { costs(b, &place{open: embedded}) })
	b.Run("store=embedded-shared", func(b *testing.B) { costs(b, &place{open: embedded, shared: true}) })
	b.Run("store=elasticsearch", func(b *testing.B) {
		node := elasticsearch.StartLarge(b)
		p := &place{shared: true, node: node}
		p.open = func(b *testing.B, name string) store.Store {
			b.Helper()
			s, err := elasticstore.Open(b.Context(), elasticstore.Config{Addresses: []string{node.URL}, Prefix: name})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { dropIndices(b, node.URL, name) })
			return s
		}
		for i := range 4 { // Java compiles what is used often, again and again
			b.Run(fmt.Sprint("warm=", i), func(b *testing.B) {
				g := &grown{next: make([]int64, 10), now: start, place: p}
				g.cost(b, p.open(b, fmt.Sprint("warm.", i)), 1)
			})
		}
		costs(b, p)
	})
}

// BenchmarkAlike takes 50 streams of which each writes 2 of its 10 lines a second as the same two warnings, for as many seconds as
// -benchtime says, into Elasticsearch, a batch a second: documents it then has, writes that they and all else took, and deleted
// documents that these left, for 1,000 records.
func BenchmarkAlike(b *testing.B) {
	node := elasticsearch.StartLarge(b)
	p := &place{shared: true, node: node, alike: true}
	s, err := elasticstore.Open(b.Context(), elasticstore.Config{Addresses: []string{node.URL}, Prefix: "alike"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	g := &grown{next: make([]int64, 50), now: start, place: p}
	g.cost(b, s, 1)
}

// place is where costs are measured.
type place struct {
	alike  bool // warnings are merged
	open   func(b *testing.B, name string) store.Store
	shared bool
	node   *elasticsearch.Node // nil: the store is embedded
}

// nodeCPU is what the node has used.
func (p *place) nodeCPU() time.Duration {
	if p.node == nil {
		return 0
	}
	return p.node.CPU()
}

// written tells how many documents the node was given, whatever it made of them, and how many it has.
func (p *place) written(b *testing.B) (writes, documents int) {
	b.Helper()
	if p.node == nil {
		return 0, 0
	}
	var said struct {
		All struct {
			Primaries struct {
				Docs struct {
					Count int `json:"count"`
				} `json:"docs"`
				Indexing struct {
					Total int `json:"index_total"`
				} `json:"indexing"`
			} `json:"primaries"`
		} `json:"_all"`
	}
	ask(b, http.MethodPost, p.node.URL+"/_refresh", nil)
	ask(b, http.MethodGet, p.node.URL+"/_stats/docs,indexing", &said)
	return said.All.Primaries.Indexing.Total, said.All.Primaries.Docs.Count
}

// dropIndices removes what a store of a prefix has, so that the next one finds a node without it.
func dropIndices(b *testing.B, url, prefix string) {
	b.Helper()
	var found map[string]any
	ask(b, http.MethodGet, url+"/"+prefix+"-*/_alias", &found)
	for name := range found {
		ask(b, http.MethodDelete, url+"/"+name, nil)
	}
}

func ask(b *testing.B, method, url string, into any) {
	b.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(b.Context()), method, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	if resp.StatusCode >= 300 {
		b.Fatalf("%s %s: %s", method, url, resp.Status)
	}
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			b.Fatal(err)
		}
	}
}

func costs(b *testing.B, p *place) {
	b.Helper()
	for _, streams := range []int{10, 1000, 50_000} {
		for _, days := range []int{1, 90} {
			b.Run(fmt.Sprintf("streams=%d/days=%d", streams, days), func(b *testing.B) {
				s := p.open(b, fmt.Sprintf("growth.%d.%d", streams, days))
				defer func() { _ = s.Close() }()
				g := &grown{next: make([]int64, streams), now: start, place: p}
				g.cost(b, s, days)
			})
		}
	}
}

// grown is a place with a past.
type grown struct {
	streams []lastnight.Stream
	next    []int64 // offset of the next line, by stream
	now     time.Time
	*place
}

// counting is a bucket in memory that counts requests. Its own cost does not grow with what is in it: names are in order at all times.
type counting struct {
	puts, gets, lists atomic.Int64

	mu    sync.Mutex
	names []string // in order
	data  map[string][]byte
}

func (c *counting) Put(_ context.Context, name string, data []byte) error {
	c.puts.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, ok := slices.BinarySearch(c.names, name); !ok {
		c.names = slices.Insert(c.names, i, name)
	}
	c.data[name] = slices.Clone(data)
	return nil
}

func (c *counting) Get(_ context.Context, name string, off, n int64) ([]byte, error) {
	c.gets.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.data[name]; off >= 0 && n >= 0 && off+n <= int64(len(d)) {
		return slices.Clone(d[off : off+n]), nil
	}
	return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "%s has no %d bytes from %d on", name, n, off)
}

func (c *counting) Size(_ context.Context, name string) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.data[name]
	if !ok {
		return 0, lastnight.Errorf(lastnight.CodeNotFound, "", "there is no %s", name)
	}
	return int64(len(d)), nil
}

func (c *counting) Delete(_ context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, ok := slices.BinarySearch(c.names, name); ok {
		c.names = slices.Delete(c.names, i, i+1)
	}
	delete(c.data, name)
	return nil
}

func (c *counting) List(_ context.Context, prefix string) iter.Seq2[archive.BlobInfo, error] {
	return func(yield func(archive.BlobInfo, error) bool) {
		c.mu.Lock()
		var infos []archive.BlobInfo
		from, _ := slices.BinarySearch(c.names, prefix)
		for _, name := range c.names[from:] {
			if !strings.HasPrefix(name, prefix) {
				break
			}
			infos = append(infos, archive.BlobInfo{Name: name, Size: int64(len(c.data[name]))})
		}
		c.mu.Unlock()
		c.lists.Add(int64(1 + len(infos)/1000))
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (g *grown) cost(b *testing.B, s store.Store, days int) {
	b.Helper()
	for i := range len(g.next) {
		g.streams = append(g.streams, lastnight.Stream{
			Namespace: fmt.Sprint("ns-", i%20), Pod: fmt.Sprintf("job-%d-%d", i%100, i), PodUID: fmt.Sprint("uid-", i), Container: "main", Node: fmt.Sprint("node-", i%50),
		})
	}
	blobs := &counting{data: map[string][]byte{}}
	g.past(b, blobs, s, days)
	a, err := archive.Open(b.Context(), archive.Config{Blobs: blobs, Shared: g.shared, Now: func() time.Time { return g.now }})
	if err != nil {
		b.Fatal(err)
	}
	x, err := indexer.Open(b.Context(), indexer.Config{Archive: a, Store: s, Recognizer: boomer{}, Logger: slogDiscard(), Shared: g.shared, Now: func() time.Time { return g.now }})
	if err != nil {
		b.Fatal(err)
	}
	for pods := range slices.Chunk(g.pods(), 2000) {
		if err := x.Ingest(b.Context(), lastnight.Batch{Pods: pods}); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	streams, each := g.shape()
	for range 20 { // templates, today's index and the like
		if err := x.Ingest(b.Context(), lastnight.Batch{Spans: g.batch(n*streams, streams, each)}); err != nil {
			b.Fatal(err)
		}
		n++
	}
	writes, documents := g.written(b)
	var requests int64
	if e, ok := s.(*elasticstore.Store); ok {
		requests = e.Metrics().Requests
	}
	before, node := cpu(b), g.nodeCPU()
	puts, gets, lists := blobs.puts.Load(), blobs.gets.Load(), blobs.lists.Load()
	b.ResetTimer()
	records := 0
	for b.Loop() {
		if err := x.Ingest(b.Context(), lastnight.Batch{Spans: g.batch(n*streams, streams, each)}); err != nil {
			b.Fatal(err)
		}
		records += streams * each
		if n++; n%50 == 0 {
			if err := a.Compact(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	batches := float64(records) / float64(streams*each)
	b.ReportMetric(float64(cpu(b)-before)/float64(records), "cpu-ns/record")
	if g.node != nil {
		b.ReportMetric(float64(g.nodeCPU()-node)/float64(records), "node-cpu-ns/record")
		b.ReportMetric(float64(s.(*elasticstore.Store).Metrics().Requests-requests)/batches, "requests/batch")
		if err := x.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
		w, d := g.written(b)
		b.ReportMetric(1000*float64(w-writes)/float64(records), "writes/1000")
		b.ReportMetric(1000*float64(d-documents)/float64(records), "documents/1000")
		b.ReportMetric(1000*float64(w-writes-d+documents)/float64(records), "rewritten/1000")
	}
	b.ReportMetric(float64(b.Elapsed())/float64(records), "ns/record")
	b.ReportMetric(float64(blobs.puts.Load()-puts)/batches, "puts/batch")
	b.ReportMetric(float64(blobs.gets.Load()-gets)/batches, "gets/batch")
	b.ReportMetric(float64(blobs.lists.Load()-lists)/batches, "lists/batch")
	b.ReportMetric(0, "ns/op")
}

// past makes what has arrived before: days of chunks, and a day's documents and counts for each.
func (g *grown) past(b *testing.B, blobs archive.Blobs, s store.Store, days int) {
	b.Helper()
	a, err := archive.Open(b.Context(), archive.Config{Blobs: blobs, Now: func() time.Time { return g.now }, DirectBytes: 1})
	if err != nil {
		b.Fatal(err)
	}
	written, ctx := errgroup.WithContext(b.Context())
	written.SetLimit(8)
	chunks := days * chunksADay
	each := max(1, (2*len(g.streams)+chunks-1)/chunks)
	at := 0
	for day := range days {
		for range chunksADay {
			var items []archive.Item
			for _, span := range g.batch(at, each, 1) {
				items = append(items, archive.Item{Span: &span, Job: jobOfPod(span.Stream.Pod)})
			}
			at += each
			if _, err := a.Append(b.Context(), items); err != nil {
				b.Fatal(err)
			}
			g.now = g.now.Add(24 * time.Hour / chunksADay)
		}
		name, now := fmt.Sprint("past-", day), g.now
		doc := lastnight.Document{ID: name, Kind: lastnight.DocumentRecord, Time: now, Text: "what happened then", Namespace: "ns-0", Job: "job-0", Level: "WARN"}
		count := lastnight.TemplateCount{Namespace: "ns-0", Job: "job-0", Template: "t", Level: "WARN", Minute: now.Truncate(time.Minute), Count: 1}
		written.Go(func() error {
			return errors.Join(s.Index(ctx, []lastnight.Document{doc}), s.PutCounts(ctx, name, []lastnight.TemplateCount{count}))
		})
	}
	if err := written.Wait(); err != nil {
		b.Fatal(err)
	}
	names, err := a.Segments(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names { // what is there was indexed when it came
		if err := s.PutCounts(b.Context(), name, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := a.Compact(b.Context()); err != nil { // and listed in manifests as it became more
		b.Fatal(err)
	}
}

// pods gives those of the streams, of a hundred jobs at most.
func (g *grown) pods() []lastnight.Pod {
	pods := make([]lastnight.Pod, len(g.streams))
	for i := range g.streams {
		s := &g.streams[i]
		pods[i] = lastnight.Pod{
			Namespace: s.Namespace, Name: s.Pod, UID: s.PodUID, Node: s.Node, Created: g.now, Labels: map[string]string{"app": jobOfPod(s.Pod)},
		}
	}
	return pods
}

func jobOfPod(pod string) string { return strings.Join(strings.Split(pod, "-")[:2], "-") }

// shape is of how many streams a batch is, and how many records it has of each.
func (g *grown) shape() (streams, records int) {
	if g.alike {
		return 50, 10
	}
	return batchStreams, batchRecords
}

// batch makes records of some of the streams, each where its last one ended.
func (g *grown) batch(from, streams, records int) []lastnight.Span {
	spans := make([]lastnight.Span, 0, streams)
	for i := range streams {
		k := (from + i) % len(g.streams)
		span := lastnight.Span{Stream: &g.streams[k], Generation: lastnight.Generation{Start: 1, Sum: uint32(k)}, From: g.next[k], To: g.next[k]}
		for j := range records {
			text, level := fmt.Sprintf("worker %d has done %d of %d in %d ms", k, span.To, j, k%977), lastnight.LevelInfo
			switch {
			case g.alike && j%5 == 2:
				text, level = fmt.Sprintf("disk %d is slow: %d of %d ms", k, span.To, j), lastnight.LevelWarn
				if j == 7 {
					text = fmt.Sprintf("heartbeat to node %d was %d ms late", k, span.To)
				}
			case !g.alike && j%50 == 7:
				text, level = fmt.Sprintf("Boom: queue %d is longer than %d", k, j), lastnight.LevelWarn // of which none is merged with another
			}
			span.Records = append(span.Records, lastnight.Record{Level: level, Lines: []lastnight.Line{{
				Time: g.now.Add(time.Duration(j) * time.Millisecond).UnixNano(), Offset: span.To, Text: []byte(text),
			}}})
			span.To += int64(len(text)) + 41
		}
		g.next[k] = span.To
		span.RawBytes = span.To - span.From
		spans = append(spans, span)
	}
	g.now = g.now.Add(time.Second)
	return spans
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
