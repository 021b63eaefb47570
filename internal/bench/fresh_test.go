//go:build unix

package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkFresh sends a corpus by collect to a server and asks it at once, when the last line has been acknowledged, while
// segments are still being compacted; then, as "chunks", the same of a server that has imported it. Where CALM is set it
// waits until compaction has nothing to do before it asks: what is left are segments for less than a chunk.
func BenchmarkFresh(b *testing.B) {
	bin := binary(b)
	tree := os.Getenv("CORPUS")
	if tree == "" {
		b.Skip("CORPUS names no tree of pod logs with a truth.json")
	}
	f := readFacts(b, tree)
	b.Run("arrived", func(b *testing.B) {
		base := serve(b, bin, filepath.Join(b.TempDir(), "data"))
		send(b, bin, base, tree)
		for _, q := range questions(b, base, f) {
			b.Run(q.name, func(b *testing.B) {
				segments, raw := metric(b, base, "lastnight_uncompacted_segments"), metric(b, base, "lastnight_uncompacted_bytes")
				ask(b, base, q)
				b.ReportMetric(segments, "segments")
				b.ReportMetric(raw/1e6, "in-segments-MB")
			})
		}
	})
	b.Run("chunks", func(b *testing.B) {
		base := serve(b, bin, imported(b, bin, tree))
		for _, q := range questions(b, base, f) {
			b.Run(q.name, func(b *testing.B) { ask(b, base, q) })
		}
	})
}

// send lets a collector send the tree, and says what that cost.
func send(b *testing.B, bin, base, tree string) {
	b.Helper()
	metrics := freeAddress(b)
	cmd := exec.CommandContext(b.Context(), bin, "collect", "--pods-dir", filepath.Join(tree, "pods"), "--server", base, "--node", "n1",
		"--checkpoint", filepath.Join(b.TempDir(), "checkpoint"), "--metrics-listen", metrics)
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
	}()
	most := 0.0
	var acked float64
	for calm := 0; calm < 3; time.Sleep(100 * time.Millisecond) {
		most = max(most, metric(b, base, "lastnight_uncompacted_bytes"))
		if _, _, _, err := get(b.Context(), "http://"+metrics, question{path: "/metrics"}); err != nil {
			continue // it does not listen yet
		}
		acked = metric(b, "http://"+metrics, "lastnight_collector_acked_bytes_total")
		if calm++; acked == 0 || metric(b, "http://"+metrics, "lastnight_collector_lag_bytes") > 0 {
			calm = 0
		}
		if time.Since(began) > 30*time.Minute {
			b.Fatal("the collector does not come to an end")
		}
	}
	took := time.Since(began)
	b.Logf("%.0f MB in %s (%.1f MB/s), the server's CPU %.1f s/GB; in segments at most %.0f MB; now %.0f segments of %.0f MB",
		acked/1e6, took.Round(time.Millisecond), acked/1e6/took.Seconds(), serverCPU(b, base)/acked*1e9, most/1e6,
		metric(b, base, "lastnight_uncompacted_segments"), metric(b, base, "lastnight_uncompacted_bytes")/1e6)
	if os.Getenv("CALM") != "" {
		for until := time.Now().Add(time.Minute); metric(b, base, "lastnight_uncompacted_bytes") > 64<<20 && time.Now().Before(until); {
			time.Sleep(100 * time.Millisecond)
		}
	}
}
