package main

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lastnight/collector/kube/watch"
)

// watchMetrics tells what a watch of Kubernetes counts; nothing while there is none.
type watchMetrics struct {
	watcher atomic.Pointer[watch.Watcher]
}

// The metrics of a watch. kind is pods, events, nodes, waiting_pods, down_pods or flinkdeployments.
func watchDescriptions() map[string]*prometheus.Desc {
	all := map[string]*prometheus.Desc{}
	for name, help := range map[string]string{
		"events_total":    "Events that came of what Kubernetes told and that the server has made durable.",
		"pods_total":      "Pods told of, with their labels, owners and images, that the server has made durable.",
		"refused_total":   "Batches of events that the server did not take; they are sent again.",
		"queued_events":   "Events that wait to be sent.",
		"lag_seconds":     "How long the oldest event waits that the server has not made durable yet.",
		"leading":         "1 while this process watches what belongs to no node; of all agents one should.",
		"objects_total":   "Versions of objects that the API server gave, by kind.",
		"lists_total":     "Lists asked of the API server: the first, and those after a gap; by kind.",
		"expired_total":   "Watches that could not go on where they ended (410 Gone), by kind; a list fills the gap.",
		"failures_total":  "Lists and watches that failed otherwise, by kind; they are tried again.",
		"silence_seconds": "Since when the API server said nothing, not even that nothing happened, by kind.",
	} {
		var labels []string
		switch name {
		case "objects_total", "lists_total", "expired_total", "failures_total", "silence_seconds":
			labels = []string{"kind"}
		}
		all[name] = prometheus.NewDesc("lastnight_watch_"+name, help, labels, nil)
	}
	return all
}

// Describe implements prometheus.Collector.
func (m *watchMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range watchDescriptions() {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *watchMetrics) Collect(to chan<- prometheus.Metric) {
	w := m.watcher.Load()
	if w == nil {
		return
	}
	d, s := watchDescriptions(), w.Stats()
	tell := func(t prometheus.ValueType, name string, v float64, kind ...string) {
		to <- prometheus.MustNewConstMetric(d[name], t, v, kind...)
	}
	leading := 0.0
	if s.Leading {
		leading = 1
	}
	tell(prometheus.CounterValue, "events_total", float64(s.Events))
	tell(prometheus.CounterValue, "pods_total", float64(s.Pods))
	tell(prometheus.CounterValue, "refused_total", float64(s.Failed))
	tell(prometheus.GaugeValue, "queued_events", float64(s.Queued))
	tell(prometheus.GaugeValue, "lag_seconds", s.Waiting.Seconds())
	tell(prometheus.GaugeValue, "leading", leading)
	for kind, k := range s.Kinds {
		if k.Lists == 0 {
			continue // not watched by this process
		}
		tell(prometheus.CounterValue, "objects_total", float64(k.Objects), kind)
		tell(prometheus.CounterValue, "lists_total", float64(k.Lists), kind)
		tell(prometheus.CounterValue, "expired_total", float64(k.Expired), kind)
		tell(prometheus.CounterValue, "failures_total", float64(k.Failures), kind)
		tell(prometheus.GaugeValue, "silence_seconds", time.Since(k.Heard).Seconds(), kind)
	}
}
