package elasticstore_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	elastic "github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esutil"

	"lastnight"
	"lastnight/indexer/store/elasticstore"
	"lastnight/internal/testenv/elasticsearch"
	"lastnight/internal/testenv/usage"
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

// BenchmarkIndex puts documents into one node of 1 GB heap, in turn with Index and with the client's own
// bulk indexer, which is handed the same documents, encoded already, under the same ids, into indices
// of the same mapping and settings. "ratio" is Index's documents a second over the bulk indexer's;
// "encoding" the same with a bulk indexer whose caller encodes them in its loop. "node-ms" is
// the node's CPU for a thousand documents, "own-ms" that of this process.
func BenchmarkIndex(b *testing.B) {
	node := elasticsearch.StartLarge(b)
	ours, plain := open(b, elasticstore.Config{Addresses: []string{node.URL}, Prefix: "ours"}), open(b, elasticstore.Config{Addresses: []string{node.URL}, Prefix: "plain"})
	client, err := elastic.New(elastic.WithAddresses(node.URL))
	if err != nil {
		b.Fatal(err)
	}
	const n = 10_000
	round := 0
	ways := []*way{
		{name: "index", put: func(docs []lastnight.Document, _ []elasticstore.Sent) error { return ours.Index(b.Context(), docs) }},
		{name: "bulkindexer", put: func(_ []lastnight.Document, sent []elasticstore.Sent) error {
			return bulkIndexer(b.Context(), client, slices.Values(sent))
		}},
		{name: "encoding", put: func(docs []lastnight.Document, _ []elasticstore.Sent) error {
			return bulkIndexer(b.Context(), client, func(yield func(elasticstore.Sent) bool) {
				for i := range docs {
					sent, err := plain.Encode(docs[i : i+1])
					if err != nil || !yield(sent[0]) {
						return
					}
				}
			})
		}},
	}
	step := func(warm bool) {
		for i := range ways {
			w := ways[(i+round)%len(ways)]
			docs := benchDocuments(n, 3*round+i)
			sent, err := plain.Encode(docs)
			if err != nil {
				b.Fatal(err)
			}
			if err := w.run(node.PID(), docs, sent); err != nil {
				b.Fatal(err)
			}
			if warm {
				w.took, w.node, w.own = 0, 0, 0
			}
		}
		round++
	}
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	must(plain.Index(b.Context(), benchDocuments(1, 0))) // makes the index
	for range 12 {
		step(true)
	}
	rounds := 0
	for b.Loop() {
		step(false)
		rounds++
	}
	for _, w := range ways {
		b.ReportMetric(float64(rounds*n)/w.took.Seconds(), w.name+"-docs/s")
		b.ReportMetric(1000*w.node.Seconds()*1000/float64(rounds*n), w.name+"-node-ms")
		b.ReportMetric(1000*w.own.Seconds()*1000/float64(rounds*n), w.name+"-own-ms")
	}
	b.ReportMetric(ways[1].took.Seconds()/ways[0].took.Seconds(), "ratio")
	b.ReportMetric(ways[2].took.Seconds()/ways[0].took.Seconds(), "ratio-encoding")
}

// way is a way to put documents, and what it took.
type way struct {
	name            string
	put             func([]lastnight.Document, []elasticstore.Sent) error
	took, node, own time.Duration
}

func (w *way) run(pid int, docs []lastnight.Document, sent []elasticstore.Sent) error {
	began, node, own := time.Now(), usage.CPU(pid), usage.CPU(os.Getpid())
	err := w.put(docs, sent)
	w.took += time.Since(began)
	w.node += usage.CPU(pid) - node
	w.own += usage.CPU(os.Getpid()) - own
	return err
}

// bulkIndexer is the loop that one writes with the client.
func bulkIndexer(ctx context.Context, client *elastic.Client, all iter.Seq[elasticstore.Sent]) error {
	bi, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: client, NumWorkers: 2})
	if err != nil {
		return err
	}
	for s := range all {
		if err := bi.Add(ctx, esutil.BulkIndexerItem{Index: s.Index, Action: "create", DocumentID: s.ID, Body: bytes.NewReader(s.Source)}); err != nil {
			return err
		}
	}
	if err := bi.Close(ctx); err != nil {
		return err
	}
	if n := bi.Stats().NumFailed; n > 0 {
		return fmt.Errorf("%d were refused", n)
	}
	return nil
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
