package indexer_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer"
	"lastnight/indexer/archive"
	"lastnight/indexer/store/blevestore"
)

// turns are workloads of one pod each, whose lines have 30 templates.
type turns struct {
	streams []lastnight.Stream
	next    []int64
	n       int
}

func newTurns(workloads int) *turns {
	t := &turns{next: make([]int64, workloads)}
	for i := range workloads {
		t.streams = append(t.streams, lastnight.Stream{Namespace: fmt.Sprint("ns-", i%20), Pod: fmt.Sprintf("app%s-0", letters(i)), PodUID: fmt.Sprint("uid-", i), Container: "main"})
	}
	return t
}

func (t *turns) pods() (pods []lastnight.Pod) {
	for i := range t.streams {
		s := &t.streams[i]
		pods = append(pods, lastnight.Pod{Namespace: s.Namespace, Name: s.Pod, UID: s.PodUID, Created: start, Labels: map[string]string{"app": fmt.Sprint("app-", i)}})
	}
	return pods
}

// letters spells a number in letters.
func letters(i int) string {
	return string([]byte{'a' + byte(i%17), 'b' + byte(i/17%17), 'c' + byte(i/289%17)})
}

// batch gives records of the next streams.
func (t *turns) batch(streams, records int) []lastnight.Span {
	spans := make([]lastnight.Span, 0, streams)
	for range streams {
		k := t.n % len(t.streams)
		round := t.n / len(t.streams)
		t.n++
		span := lastnight.Span{Stream: &t.streams[k], Generation: lastnight.Generation{Start: 1, Sum: uint32(k)}, From: t.next[k], To: t.next[k]}
		for j := range records {
			text := fmt.Sprintf("the %s of part %s took %d ms for %d of the %d records in the queue", letters(300+j%5), letters(j%30*17), round*31+j, j*7, k)
			span.Records = append(span.Records, lastnight.Record{Level: lastnight.LevelInfo, Lines: []lastnight.Line{{
				Time: start.Add(time.Duration(round)*time.Second + time.Duration(j)*time.Millisecond).UnixNano(), Offset: span.To, Text: []byte(text),
			}}})
			span.To += int64(len(text)) + 41
		}
		t.next[k], span.RawBytes = span.To, span.To-span.From
		spans = append(spans, span)
	}
	return spans
}

// BenchmarkTurns takes lines of so many workloads in turns, 60 of each, as many pods send theirs: CPU time a record, and what the
// indexer and its store hold in memory at the end.
func BenchmarkTurns(b *testing.B) {
	for _, workloads := range []int{100, 1000, 2000} {
		b.Run(fmt.Sprintf("workloads=%d", workloads), func(b *testing.B) {
			s, err := blevestore.Open(b.Context(), blevestore.Config{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			a, err := archive.Open(b.Context(), archive.Config{Blobs: &counting{data: map[string][]byte{}}})
			if err != nil {
				b.Fatal(err)
			}
			x, err := indexer.Open(b.Context(), indexer.Config{Archive: a, Store: s, Recognizer: boomer{}, Logger: slogDiscard()})
			if err != nil {
				b.Fatal(err)
			}
			t := newTurns(workloads)
			if err := x.Ingest(b.Context(), lastnight.Batch{Pods: t.pods()}); err != nil {
				b.Fatal(err)
			}
			const streams, records = 50, 60
			ingest := func(records int) {
				if err := x.Ingest(b.Context(), lastnight.Batch{Spans: t.batch(streams, records)}); err != nil {
					b.Fatal(err)
				}
			}
			for range workloads / streams { // so that little is new
				ingest(2100)
			}
			used, n := cpu(b), 0
			for b.Loop() {
				for range workloads / streams {
					ingest(records)
					n += streams * records
				}
			}
			b.ReportMetric(float64(cpu(b)-used)/float64(n), "cpu-ns/record")
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/1e6, "heap-MB")
			b.ReportMetric(0, "ns/op")
			runtime.KeepAlive(x)
		})
	}
}
