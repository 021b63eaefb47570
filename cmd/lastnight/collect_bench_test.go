package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lastnight/internal/corpus"
	"lastnight/internal/testenv/usage"
)

// bench is a collect process against a serve process: the binary as it is shipped.
type bench struct {
	b                *testing.B
	addr, metrics    string
	server, agent    *exec.Cmd
	root, checkpoint string
}

// newBench starts the server; LASTNIGHT_BIN names a binary, else one is built.
func newBench(b *testing.B, root string) *bench {
	b.Helper()
	bin := os.Getenv("LASTNIGHT_BIN")
	if bin == "" {
		bin = filepath.Join(b.TempDir(), "lastnight")
		if out, err := exec.CommandContext(b.Context(), "go", "build", "-ldflags", "-s -w", "-o", bin, ".").CombinedOutput(); err != nil {
			b.Fatalf("build: %v: %s", err, out)
		}
	}
	x := &bench{b: b, root: root, checkpoint: filepath.Join(b.TempDir(), "checkpoint"), addr: benchAddress(b), metrics: benchAddress(b)}
	x.server = exec.CommandContext(b.Context(), bin, "serve", "--data", filepath.Join(b.TempDir(), "data"), "--listen", x.addr)
	x.agent = exec.CommandContext(b.Context(), bin, "collect", "--pods-dir", root, "--server", "http://"+x.addr, "--checkpoint", x.checkpoint,
		"--node", "n1", "--metrics-listen", x.metrics)
	x.start(x.server)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := getText(b.Context(), "http://"+x.addr+"/readyz"); err == nil {
			return x
		}
		if time.Now().After(end) {
			b.Fatal("the server does not come up")
		}
	}
}

func benchAddress(b *testing.B) string {
	b.Helper()
	a, err := findAddress(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return a
}

func (x *bench) start(c *exec.Cmd) {
	x.b.Helper()
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 20 * time.Second
	if os.Getenv("BENCH_VERBOSE") != "" {
		c.Stderr = os.Stderr
	}
	if err := c.Start(); err != nil {
		x.b.Fatal(err)
	}
	x.b.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait() // however it ends
	})
}

// metric gives one of the collector's metrics; -1 as long as it does not answer.
func (x *bench) metric(name string) float64 {
	text, err := getText(x.b.Context(), "http://"+x.metrics+"/metrics")
	if err != nil {
		return -1
	}
	for l := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(l, name+" "); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(v), 64)
			return n
		}
	}
	return -1
}

// statusMiB gives a field of /proc/PID/status in MiB, such as VmHWM.
func statusMiB(pid int, field string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(l, field+":"); ok {
			n, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return n / 1024
		}
	}
	return 0
}

// BenchmarkCollectFile is a collector process from file to acknowledgement: CPU seconds a GB, and its memory; and a
// server's until it has nothing to do any more with what arrived: compaction, detection and packing are done.
// CORPUS names a directory of pod logs, else CORPUS_MB (256) are made.
func BenchmarkCollectFile(b *testing.B) {
	root := os.Getenv("CORPUS")
	if root == "" {
		root = b.TempDir()
		c, err := corpus.New(b.Context(), corpus.Options{Bytes: int64(numberOf("CORPUS_MB", 256)) << 20, Pods: 40, Span: time.Hour, Seed: 7})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Write(b.Context(), root); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		x := newBench(b, podsBelow(root))
		began := time.Now()
		x.start(x.agent)
		calm := 0
		for calm < 4 {
			time.Sleep(250 * time.Millisecond)
			if x.metric("lastnight_collector_acked_bytes_total") > 0 && x.metric("lastnight_collector_lag_bytes") == 0 {
				calm++
			} else {
				calm = 0
			}
		}
		gb := x.metric("lastnight_collector_acked_bytes_total") / 1e9
		pid := x.agent.Process.Pid
		b.ReportMetric(usage.CPU(pid).Seconds()/gb, "cpu-s/GB")
		b.ReportMetric(statusMiB(pid, "VmHWM"), "peak-RSS-MiB")
		b.ReportMetric(x.metric("lastnight_collector_sent_bytes_total")/gb/1e9, "sent/raw")
		b.ReportMetric(gb*1e9/1e6/time.Since(began).Seconds(), "MB/s")
		b.ReportMetric(atRest(x.server.Process.Pid).Seconds()/gb, "server-cpu-s/GB")
		b.ReportMetric(statusMiB(x.server.Process.Pid, "VmHWM"), "server-peak-RSS-MiB")
	}
}

// atRest gives what a process has used once it has used next to nothing for three seconds.
func atRest(pid int) time.Duration {
	used := usage.CPU(pid)
	for calm := 0; calm < 3; {
		time.Sleep(time.Second)
		now := usage.CPU(pid)
		if calm++; now-used > 30*time.Millisecond {
			calm = 0
		}
		used = now
	}
	return used
}

// numberOf gives a number from the environment, else what it is without.
func numberOf(name string, without int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return without
}

// podsBelow finds the pods directory of a corpus.
func podsBelow(root string) string {
	for _, sub := range []string{"pods", "."} {
		if entries, err := os.ReadDir(filepath.Join(root, sub)); err == nil && len(entries) > 0 && strings.Count(entries[0].Name(), "_") >= 2 {
			return filepath.Join(root, sub)
		}
	}
	found := root
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Count(d.Name(), "_") >= 2 {
			found = filepath.Dir(path)
			return filepath.SkipAll
		}
		return nil
	})
	return found
}

// BenchmarkCollectQuiet is a collector process with many streams of which one writes a line every second.
func BenchmarkCollectQuiet(b *testing.B) {
	for _, streams := range []int{500, 5000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			for b.Loop() {
				root := b.TempDir()
				quiet := quietPods(b, root, streams)
				x := newBench(b, root)
				x.start(x.agent)
				for x.metric("lastnight_collector_acked_bytes_total") <= 0 || x.metric("lastnight_collector_lag_bytes") != 0 {
					time.Sleep(200 * time.Millisecond)
				}
				time.Sleep(5 * time.Second)
				pid := x.agent.Process.Pid
				used, began := usage.CPU(pid).Seconds(), time.Now()
				for i := range 30 {
					quiet(i)
					time.Sleep(time.Second)
				}
				b.ReportMetric(100*(usage.CPU(pid).Seconds()-used)/time.Since(began).Seconds(), "cpu-%")
				b.ReportMetric(statusMiB(pid, "VmRSS"), "RSS-MiB")
				b.ReportMetric(statusMiB(pid, "RssAnon"), "anon-MiB")
				b.ReportMetric(statusMiB(pid, "VmHWM"), "peak-RSS-MiB")
				b.ReportMetric(x.metric("lastnight_collector_open_files"), "open-files")
			}
		})
	}
}

// quietPods makes pods with a little log each; the function given back has one of them write a line.
func quietPods(b *testing.B, root string, streams int) (line func(i int)) {
	b.Helper()
	path := func(i int) string {
		return filepath.Join(root, fmt.Sprintf("bench_quiet-%d_%08x-0000-4000-8000-%012x", i, i, i), "main", "0.log")
	}
	write := func(i int, text string) {
		f, err := os.OpenFile(path(i), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = fmt.Fprintf(f, "%s stdout F %s\n", time.Now().UTC().Format(time.RFC3339Nano), text)
		}
		if err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
	}
	for i := range streams {
		if err := os.MkdirAll(filepath.Dir(path(i)), 0o755); err != nil {
			b.Fatal(err)
		}
		write(i, fmt.Sprintf("INFO  org.acme.Quiet - stream %d has begun", i))
	}
	return func(i int) { write(i*7919%streams, fmt.Sprintf("INFO  org.acme.Quiet - tick %d", i)) }
}

// BenchmarkSearchable is the time from a line's write to the moment that a search over HTTP finds it: SEARCHABLE (60)
// lines, each of another of 500 streams.
func BenchmarkSearchable(b *testing.B) {
	root := b.TempDir()
	quietPods(b, root, 500)
	lines := numberOf("SEARCHABLE", 60)
	for b.Loop() {
		x := newBench(b, root)
		x.start(x.agent)
		for x.metric("lastnight_collector_acked_bytes_total") <= 0 || x.metric("lastnight_collector_lag_bytes") != 0 {
			time.Sleep(200 * time.Millisecond)
		}
		var took []time.Duration
		for i := range lines {
			word := fmt.Sprintf("needle%dx%d", i, time.Now().UnixNano())
			name := filepath.Join(root, fmt.Sprintf("bench_quiet-%d_%08x-0000-4000-8000-%012x", i%500, i%500, i%500), "main", "0.log")
			f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0o644)
			if err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			_, err = fmt.Fprintf(f, "%s stdout F INFO  org.acme.Quiet - %s\n", began.UTC().Format(time.RFC3339Nano), word)
			if err != nil {
				b.Fatal(err)
			}
			_ = f.Close()
			for !x.finds(b.Context(), word) {
				if time.Since(began) > time.Minute {
					b.Fatalf("%s is never found", word)
				}
				time.Sleep(20 * time.Millisecond)
			}
			took = append(took, time.Since(began))
			time.Sleep(time.Duration(i*37%400) * time.Millisecond) // at various moments of its looks
		}
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d.Milliseconds()) }
		b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
		b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
		b.ReportMetric(ms(took[len(took)-1]), "max-ms")
	}
}

func (x *bench) finds(ctx context.Context, word string) bool {
	text, err := getText(ctx, "http://"+x.addr+"/api/v1/search?"+url.Values{"q": {word}, "start": {"now-1h"}, "limit": {"1"}}.Encode())
	if err != nil {
		return false
	}
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	return json.Unmarshal(text, &page) == nil && len(page.Items) > 0
}
