package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"lastnight/collector/send"
	"lastnight/collector/tail"
)

// collectorMetric is one of a collector's metrics.
type collectorMetric struct {
	name, help string
	gauge      bool // else it counts
	value      func(t *tail.Stats, s *send.Stats) float64
}

var collectorMetrics = []collectorMetric{
	{"files", "Log files followed.", true, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Files) }},
	{"open_files", "Of the files followed, those with an open descriptor.", true, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Open) }},
	{"unwatched_directories", "Directories that inotify does not watch (a limit of the kernel): they are scanned.", true, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Unwatched) }},
	{"scans_total", "Times that all directories were listed.", false, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Scans) }},
	{"lag_bytes", "Bytes of log files that are there and not yet taken by the server or the spool; of compressed files their size.", true, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Behind) }},
	{"lag_seconds", "How long the file that waits the longest has had something to read.", true, func(t *tail.Stats, _ *send.Stats) float64 { return t.Lag.Seconds() }},
	{"at_risk_bytes", "Of lag_bytes those in files that rotation has renamed or removed: they will be lost next.", true, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.AtRisk) }},
	{"held_bytes", "Bytes of removed files that are held open, until what was read of them is safe.", true, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Held) }},
	{"limited_bytes_total", "Bytes that waited because their pod was above --rate-limit.", false, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Limited) }},
	{"redacted_total", "Places in lines that were masked.", false, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Redacted) }},
	{"lines_total", "Lines handed on.", false, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Lines) }},
	{"read_bytes_total", "Bytes of log files handed on.", false, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Bytes) }},
	{"damaged_total", "Lines and files that could not be read as they should.", false, func(t *tail.Stats, _ *send.Stats) float64 { return float64(t.Damaged) }},
	{"acked_bytes_total", "Bytes of log files that the server has made durable.", false, func(_ *tail.Stats, s *send.Stats) float64 { return float64(s.RawBytes) }},
	{"sent_bytes_total", "Compressed bytes of requests that the server has taken.", false, func(_ *tail.Stats, s *send.Stats) float64 { return float64(s.SentBytes) }},
	{"requests_total", "Requests to the server, repeated ones included.", false, func(_ *tail.Stats, s *send.Stats) float64 { return float64(s.Requests) }},
	{"retries_total", "Requests that were repeated.", false, func(_ *tail.Stats, s *send.Stats) float64 { return float64(s.Retries) }},
	{"lost_bytes_total", "Bytes of log files that will never arrive; an event tells of which pod.", false, func(_ *tail.Stats, s *send.Stats) float64 { return float64(s.LostBytes) }},
	{"spool_bytes", "Bytes of the spool on disk.", true, func(_ *tail.Stats, s *send.Stats) float64 { return float64(s.SpoolBytes) }},
	{"spool_requests", "Requests in the spool.", true, func(_ *tail.Stats, s *send.Stats) float64 { return float64(s.SpoolFrames) }},
	{"servers", "Servers that are known: the addresses given, and all that their names stand for.", true, func(_ *tail.Stats, s *send.Stats) float64 { return float64(s.Replicas) }},
	{"servers_down", "Servers that do not answer; their streams go to others.", true, func(_ *tail.Stats, s *send.Stats) float64 { return float64(s.Down) }},
	{"server_away", "1 while no server answers.", true, func(_ *tail.Stats, s *send.Stats) float64 {
		if s.Away {
			return 1
		}
		return 0
	}},
}

// Describe implements prometheus.Collector: it is unchecked, as all values are of one moment.
func (p *collectorParts) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (p *collectorParts) Collect(out chan<- prometheus.Metric) {
	t, s := p.tailer.Stats(), p.sender.Stats()
	for _, m := range collectorMetrics {
		kind := prometheus.CounterValue
		if m.gauge {
			kind = prometheus.GaugeValue
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("lastnight_collector_"+m.name, m.help, nil, nil), kind, m.value(&t, &s))
	}
}

// metrics answers /metrics and /healthz.
func (p *collectorParts) metrics() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(p)
	if p.kube.metrics != nil {
		reg.MustRegister(p.kube.metrics)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	return mux
}
