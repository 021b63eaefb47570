package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"lastnight/indexer/store/elasticstore"
)

// registerMetrics adds what the parts of a node count.
func registerMetrics(reg *prometheus.Registry, n *node) {
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counter := func(name, help string, f func() int64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "lastnight", Name: name, Help: help},
			func() float64 { return float64(f()) }))
	}
	counter("ingested_lines_total", "Lines made durable since the start.", func() int64 { return n.indexer.Metrics().Lines })
	counter("ingested_records_total", "Records made durable since the start.", func() int64 { return n.indexer.Metrics().Records })
	counter("ingested_bytes_total", "Bytes of log files that those lines took.", func() int64 { return n.indexer.Metrics().Bytes })
	counter("indexed_documents_total", "Important records put into the store.", func() int64 { return n.indexer.Metrics().Documents })
	counter("indexed_events_total", "Kubernetes events put into the store.", func() int64 { return n.indexer.Metrics().Events })
	counter("archive_damaged_total", "Blocks of the archive that could not be read and were skipped.", func() int64 { return n.archive.Damaged() })
	if in := n.ingest; in != nil {
		counter("otlp_requests_total", "OTLP requests that were made durable.", func() int64 { return in.Metrics().Requests })
		counter("otlp_refused_total", "OTLP requests answered with 429 or 503; the sender comes again.", func() int64 { return in.Metrics().Refused })
		counter("otlp_invalid_total", "OTLP requests answered with another error; most senders drop what was in them.", func() int64 { return in.Metrics().Invalid })
		counter("otlp_rejected_records_total", "Log records that were malformed and left out of requests that were taken.", func() int64 { return in.Metrics().Rejected })
		counter("otlp_foreign_records_total", "Log records of senders other than lastnight's collector.", func() int64 { return in.Metrics().Foreign })
	}
	if s, ok := n.store.(*elasticstore.Store); ok {
		counter("store_requests_total", "Requests sent to Elasticsearch.", func() int64 { return s.Metrics().Requests })
		counter("store_retries_total", "Requests sent again because Elasticsearch was away or overloaded.", func() int64 { return s.Metrics().Retries })
		counter("store_dead_letters_total", "Documents that Elasticsearch refused for what they are; lastnight dead-letters puts them again.", func() int64 { return s.Metrics().DeadLetters })
	}
	if n.shared() {
		registerLeases(reg, n)
	}
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "lastnight", Name: "unindexed_segments",
		Help: "Segments that are durable but not in the store yet; more than 0 for long means that the store refuses.",
	}, func() float64 { return float64(n.indexer.Metrics().Unindexed) }))
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "lastnight", Name: "uncompacted_segments",
		Help: "Segments of the archive that are in no chunk yet.",
	}, func() float64 { segments, _ := n.archive.Uncompacted(); return float64(segments) }))
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "lastnight", Name: "uncompacted_bytes",
		Help: "Bytes of log files that those segments stand for: a chunk takes 64 MiB, and questions cost more of what is in none.",
	}, func() float64 { _, raw := n.archive.Uncompacted(); return float64(raw) }))
}
