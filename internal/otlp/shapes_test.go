package otlp_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/internal/otlp"
)

// Requests in the shapes that other senders give them: the OpenTelemetry Collector (filelog and k8sattributes, otlphttp in JSON),
// Fluent Bit (kubernetes filter, opentelemetry output) and Vector (kubernetes_logs, opentelemetry sink).
func TestShapes(t *testing.T) {
	cart := lastnight.Stream{Namespace: "shop", Pod: "cart-1", PodUID: "0b7c9a52-1111-4222-8333-444455556666", Container: "app", Node: "n1"}
	collector := cart
	collector.Restart, collector.Cluster = 2, "prod"
	for name, want := range map[string]struct {
		stream lastnight.Stream
		text   string
		stderr bool
		level  lastnight.Level
		time   int64
		attrs  map[string]string
	}{
		"otelcol": {
			collector, "boom", true, lastnight.LevelError, 1795262400123456789,
			map[string]string{"log.file.path": "/var/log/pods/x/0.log", "logtag": "F", "order": "17", "ratio": "0.5", "tags": `["a","b"]`},
		},
		"fluentbit": {
			cart, "hello", false, lastnight.LevelWarn, 1795262400123456789,
			map[string]string{"time": "2026-11-21T12:00:00.123456789Z", "_p": "F"},
		},
		"vector": {cart, "hello", true, lastnight.LevelUnknown, 1795262400123000000, map[string]string{"file": "/var/log/pods/x/0.log", "source_type": "kubernetes_logs"}},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", "shapes", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			r, err := otlp.DecodeJSON(data, now)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Foreign) != 1 || len(r.Foreign[0].Records) != 1 || r.Rejected != 0 {
				t.Fatalf("%+v", r)
			}
			if d := cmp.Diff(want.stream, *r.Foreign[0].Stream); d != "" {
				t.Error(d)
			}
			rec := r.Foreign[0].Records[0]
			line := rec.Lines[0]
			if string(line.Text) != want.text || line.Stderr != want.stderr || rec.Level != want.level || line.Time != want.time {
				t.Errorf("%q, stderr %v, level %s, time %d", line.Text, line.Stderr, rec.Level, line.Time)
			}
			if d := cmp.Diff(want.attrs, rec.Attrs); d != "" {
				t.Error(d)
			}
		})
	}
}
