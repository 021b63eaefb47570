package blevestore_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/indexer/store/blevestore"
)

var night = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

const trace = `
org.apache.flink.runtime.JobException: Recovery is suppressed by FixedDelayRestartBackoffTimeStrategy(maxNumberRestartAttempts=3, backoffTimeMS=1000)
	at org.apache.flink.runtime.executiongraph.failover.ExecutionFailureHandler.handleFailure(ExecutionFailureHandler.java:180) ~[flink-dist-1.20.1.jar:1.20.1]
	at org.apache.flink.runtime.scheduler.DefaultScheduler.recordTaskFailure(DefaultScheduler.java:287) ~[flink-dist-1.20.1.jar:1.20.1]
	at java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(Unknown Source) ~[?:?]
Caused by: java.io.IOException: connection to %s was reset by peer %d`

// someDocuments makes documents of 200 pods over a day, as warnings, changes of state
// and exceptions of Flink are; seeded, so every run has the same.
func someDocuments(n int, over time.Duration) []lastnight.Document {
	r := rand.New(rand.NewPCG(1, 2))
	docs := make([]lastnight.Document, n)
	for i := range docs {
		pod := r.IntN(200)
		at := night.Add(over * time.Duration(i) / time.Duration(n)).Add(time.Duration(r.IntN(1e9)))
		head := at.Format("2006-01-02 15:04:05,000") + " WARN  org.apache.flink.runtime.taskmanager.Task [] - "
		d := lastnight.Document{
			ID: fmt.Sprintf("%016x.%016x-%08x.%x", pod*7919, 0x18a2f3b4c5d6e7, 0x1a2b3c4d, i*331), Kind: lastnight.DocumentRecord, Time: at, Level: "WARN",
			Logger: "org.apache.flink.runtime.taskmanager.Task", Thread: fmt.Sprintf("Source: orders (%d/64)#%d", r.IntN(64), r.IntN(4)), MessageAt: len(head),
			Namespace: "flink-prod", Pod: fmt.Sprintf("job-%d-taskmanager-1-%d", pod%40, pod/40), PodUID: fmt.Sprintf("%08x-aaaa-bbbb-cccc-%012x", pod*7919, pod*104729),
			Container: "flink-main-container", Node: fmt.Sprintf("node-%d", pod%16), Job: fmt.Sprintf("job-%d", pod%40), Component: "taskmanager", Template: fmt.Sprintf("t%012x", r.IntN(300)), Alike: 1,
		}
		switch r.IntN(10) {
		case 0:
			d.Text = head + fmt.Sprintf("Source: orders (%d/64) (%016x) switched from RUNNING to FAILED with failure cause:", r.IntN(64), r.Uint64()) + fmt.Sprintf(trace, d.Pod, i)
			d.Exception, d.Signals = []string{"org.apache.flink.runtime.JobException", "java.io.IOException"}, []string{"exception", "task"}
		case 1, 2:
			d.Text = head + fmt.Sprintf("Checkpoint %d of job %016x expired before completing after %d ms", i, r.Uint64(), r.IntN(100_000))
		default:
			d.Text = head + fmt.Sprintf("Attempt %d to reach 10.%d.%d.%d:%d failed, retrying in %d ms, partition orders-%d offset %d", r.IntN(10), r.IntN(4), r.IntN(256), r.IntN(256), 6122, r.IntN(9000), r.IntN(64), r.IntN(1e8))
		}
		docs[i] = d
	}
	return docs
}

func diskBytes(b *testing.B, dir string) (total int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			total += info.Size()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}

func heapMB() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

func benchOpen(b *testing.B, dir string) *blevestore.Store {
	b.Helper()
	s, err := blevestore.Open(b.Context(), blevestore.Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkIndex puts 200,000 documents of a day in batches of 1,000, and closes.
func BenchmarkIndex(b *testing.B) {
	docs := someDocuments(200_000, 24*time.Hour)
	size := int64(0)
	for i := range docs {
		size += int64(len(docs[i].Text))
	}
	b.SetBytes(size)
	for b.Loop() {
		dir := b.TempDir()
		s := benchOpen(b, dir)
		for i := 0; i < len(docs); i += 1000 {
			if err := s.Index(b.Context(), docs[i:i+1000]); err != nil {
				b.Fatal(err)
			}
		}

		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(diskBytes(b, dir))/float64(len(docs)), "B/doc")
		b.ReportMetric(float64(diskBytes(b, filepath.Join(dir, "index")))/float64(len(docs)), "indexB/doc")
	}
	b.ReportMetric(float64(len(docs)*b.N)/b.Elapsed().Seconds(), "docs/s")
	b.ReportMetric(float64(size)/float64(len(docs)), "textB/doc")
	b.ReportMetric(heapMB(), "heapMB")
}

// BenchmarkIndexYear puts 50,000 documents spread over a year.
func BenchmarkIndexYear(b *testing.B) {
	docs := someDocuments(50_000, 365*24*time.Hour)
	for b.Loop() {
		s := benchOpen(b, b.TempDir())
		for i := 0; i < len(docs); i += 1000 {
			if err := s.Index(b.Context(), docs[i:i+1000]); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(docs)*b.N)/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkSearch asks 200,000 documents of a day for the newest 50 that match.
func BenchmarkSearch(b *testing.B) {
	s := benchOpen(b, b.TempDir())
	docs := someDocuments(200_000, 24*time.Hour)
	for i := 0; i < len(docs); i += 10_000 {
		if err := s.Index(b.Context(), docs[i:i+10_000]); err != nil {
			b.Fatal(err)
		}
	}
	for _, err := range s.Search(b.Context(), lastnight.SearchRequest{Query: "warmup"}) { // brings the index up to date
		b.Fatal(err)
	}
	hour := lastnight.SearchRequest{Start: night.Add(3 * time.Hour), End: night.Add(4 * time.Hour)}
	for name, req := range map[string]lastnight.SearchRequest{
		"all":       {},
		"word":      {Query: "expired"},
		"phrase":    {Query: `"switched from RUNNING to FAILED"`},
		"rare":      {Query: "offset 12345 or 31337"},
		"none":      {Query: "absent"},
		"job":       {Job: "job-7", Query: "exception:IOException"},
		"prefix":    {Query: "expir* pod:job-7-*"},
		"regex":     {Query: "/offset 1234[0-9]+$/"},
		"hour":      {Query: "exception:IOException", Start: hour.Start, End: hour.End, Job: "job-3"},
		"hour/none": {Query: "absent", Start: hour.Start, End: hour.End},
	} {
		b.Run(name, func(b *testing.B) {
			req.Limit = 50
			found := 0
			for b.Loop() {
				found = 0
				for _, err := range s.Search(b.Context(), req) {
					if err != nil {
						b.Fatal(err)
					}
					found++
				}
			}
			b.ReportMetric(float64(found), "found")
		})
	}
	b.ReportMetric(heapMB(), "heapMB")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func someCounts(n int) []lastnight.TemplateCount {
	r := rand.New(rand.NewPCG(3, 4))
	cs := make([]lastnight.TemplateCount, n)
	for i := range cs {
		cs[i] = lastnight.TemplateCount{
			Namespace: "flink-prod", Job: fmt.Sprintf("job-%d", r.IntN(40)), Template: fmt.Sprintf("t%012x", r.IntN(300)*7919), Level: "INFO",
			Minute: night.Add(time.Duration(r.IntN(60)) * time.Minute), Count: int64(1 + r.IntN(20)),
		}
	}
	return cs
}

// BenchmarkCounts puts 100 sources of 20,000 rows, then reads them all.
func BenchmarkCounts(b *testing.B) {
	cs := someCounts(20_000)
	const sources = 100
	for b.Loop() {
		dir := b.TempDir()
		s := benchOpen(b, dir)
		begin := time.Now()
		for i := range sources {
			if err := s.PutCounts(b.Context(), fmt.Sprintf("segment-%04d", i), cs); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(sources*float64(len(cs))/time.Since(begin).Seconds(), "put-rows/s")
		begin = time.Now()
		n := 0
		for _, err := range s.Counts(b.Context(), store.CountsRequest{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		b.ReportMetric(float64(n)/time.Since(begin).Seconds(), "read-rows/s")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(diskBytes(b, dir))/float64(n), "B/row")
	}
}
