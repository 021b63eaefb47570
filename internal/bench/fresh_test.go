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
		var s sent
		b.Run("sent", func(b *testing.B) {
			if s.acked == 0 { // it runs more than once
				s = send(b, bin, base, tree)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(s.acked/1e6/s.took.Seconds(), "MB/s")
			b.ReportMetric(s.cpu/s.acked*1e9, "server-cpu-s/GB")
			b.ReportMetric(s.most/1e6, "most-in-segments-MB")
		})
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

// sent is what sending a corpus took.
type sent struct {
	took  time.Duration
	acked float64 // bytes of logs
	cpu   float64 // of the server until then, compaction included as far as it went
	most  float64 // bytes of logs that were in segments only
}

// send lets a collector send the tree.
func send(b *testing.B, bin, base, tree string) (s sent) {
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
	for calm := 0; calm < 3; time.Sleep(100 * time.Millisecond) {
		s.most = max(s.most, metric(b, base, "lastnight_uncompacted_bytes"))
		if _, _, _, err := get(b.Context(), "http://"+metrics, question{path: "/metrics"}); err != nil {
			continue // it does not listen yet
		}
		s.acked = metric(b, "http://"+metrics, "lastnight_collector_acked_bytes_total")
		if calm++; s.acked == 0 || metric(b, "http://"+metrics, "lastnight_collector_lag_bytes") > 0 {
			calm = 0
		}
		if time.Since(began) > 30*time.Minute {
			b.Fatal("the collector does not come to an end")
		}
	}
	s.took, s.cpu = time.Since(began), serverCPU(b, base)
	if os.Getenv("CALM") != "" {
		for until := time.Now().Add(time.Minute); metric(b, base, "lastnight_uncompacted_bytes") > 64<<20 && time.Now().Before(until); {
			time.Sleep(100 * time.Millisecond)
		}
	}
	return s
}
