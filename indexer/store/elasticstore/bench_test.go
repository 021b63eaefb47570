package elasticstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	elastic "github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esutil"

	"lastnight"
)

// benchDocuments are as important records look: an exception of 12 lines among four of one.
func benchDocuments(n, round int) []lastnight.Document {
	trace := strings.Repeat("\n\tat org.apache.flink.streaming.runtime.tasks.StreamTask.invoke(StreamTask.java:779)", 12)
	docs := make([]lastnight.Document, n)
	for i := range docs {
		head := "2026-11-21 03:00:00,000 WARN  org.apache.flink.runtime.checkpoint.CheckpointFailureManager [] - "
		d := lastnight.Document{
			ID: fmt.Sprintf("3f2a9c01d4e5b6a7.0018a2f3b4c5d6e7-1a2b3c4d.%x", round*n+i), Kind: lastnight.DocumentRecord, Time: night.Add(time.Duration(i) * time.Millisecond),
			Text: head + fmt.Sprintf("Failed to trigger or complete checkpoint %d for job 00000000000000000000000000000abc. (%d consecutive failed attempts so far)", i, i%7), MessageAt: len(head),
			Level: "WARN", Logger: "org.apache.flink.runtime.checkpoint.CheckpointFailureManager", Thread: "Checkpoint Timer", Cluster: "prod", Namespace: "flink",
			Pod: fmt.Sprintf("orders-taskmanager-1-%d", i%50), PodUID: fmt.Sprintf("uid-%d", i%50), Container: "flink-main-container", Node: fmt.Sprintf("node-%d", i%5), Job: "orders", Component: "taskmanager",
			Template: fmt.Sprintf("t%02d", i%40), Alike: 1,
		}
		if i%5 == 0 {
			d.Text += trace
			d.Exception = []string{"java.util.concurrent.TimeoutException"}
		}
		docs[i] = d
	}
	return docs
}

// BenchmarkIndex is documents into one node; BenchmarkBulkIndexer is what the client's own
// bulk indexer does with documents of the same texts and fields as JSON, without our words and terms.
func BenchmarkIndex(b *testing.B) {
	s := open(b, config(b))
	const n = 10_000
	round := 0
	for b.Loop() {
		if err := s.Index(b.Context(), benchDocuments(n, round)); err != nil {
			b.Fatal(err)
		}
		round++
	}
	b.ReportMetric(float64(n*round)/b.Elapsed().Seconds(), "docs/s")
}

func BenchmarkBulkIndexer(b *testing.B) {
	cfg := config(b)
	client, err := elastic.New(elastic.WithAddresses(cfg.Addresses...))
	if err != nil {
		b.Fatal(err)
	}
	const n = 10_000
	round := 0
	for b.Loop() {
		bi, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: client, Index: cfg.Prefix + "-items-plain", NumWorkers: 2})
		if err != nil {
			b.Fatal(err)
		}
		docs := benchDocuments(n, round)
		for i := range docs {
			body, err := json.Marshal(&docs[i])
			if err == nil {
				err = bi.Add(b.Context(), esutil.BulkIndexerItem{Action: "index", DocumentID: docs[i].ID, Body: bytes.NewReader(body)})
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := bi.Close(context.WithoutCancel(b.Context())); err != nil || bi.Stats().NumFailed > 0 {
			b.Fatal(err, bi.Stats())
		}
		round++
	}
	b.ReportMetric(float64(n*round)/b.Elapsed().Seconds(), "docs/s")
}

func BenchmarkSearchFirstPage(b *testing.B) {
	s := open(b, config(b))
	if err := s.Index(b.Context(), benchDocuments(20_000, 0)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		for _, err := range s.Search(b.Context(), lastnight.SearchRequest{Query: "exception:timeoutexception", Job: "orders", Limit: 100}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100 {
			b.Fatal(n)
		}
	}
}
