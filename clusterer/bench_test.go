package clusterer_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lastnight"
	"lastnight/clusterer"
	"lastnight/internal/header"
)

// knownLines are messages of about 180 bytes of a few templates, with random values.
func knownLines(n int) [][]byte {
	r := rand.New(rand.NewPCG(3, 4))
	lines := make([][]byte, n)
	for i := range lines {
		switch i % 4 {
		case 0:
			lines[i] = fmt.Appendf(nil, "Source: orders -> enrich -> Sink: audit-sink (%d/4) (%016x%016x_b71731f1c0df9c3076c4a455334d0ad6_0_%d) switched from INITIALIZING to RUNNING on 10.244.%d.%d:%d after a restart.", r.IntN(4), r.Uint64(), r.Uint64(), i, r.IntN(255), r.IntN(255), r.IntN(65535))
		case 1:
			lines[i] = fmt.Appendf(nil, "Completed checkpoint %d for job %016x%016x (%d bytes, checkpointDuration=%d ms, finalizationTime=%d ms) to file:/flink-data/checkpoints/orders/%016x/chk-%d of %d files.", i, r.Uint64(), r.Uint64(), r.IntN(99999), r.IntN(900), r.IntN(50), r.Uint64(), i, r.IntN(100))
		case 2:
			lines[i] = fmt.Appendf(nil, "Failed to renew lease for [DFSClient_NONMAPREDUCE_%d_%d] for %d seconds at /10.251.%d.%d:50010.  Will retry shortly, the writers wait for the namenode that does not answer, see the log of it ...", r.IntN(99999999), r.IntN(9), r.IntN(999), r.IntN(255), r.IntN(255))
		default:
			lines[i] = fmt.Appendf(nil, "Committed batch %d (%d records, %d ms), last key customer-%d, topic=orders partition=%d offset=%d lag=%d; the next commit follows in %dms or when the buffer holds %d.%d MB of rows", i, r.IntN(99), r.IntN(99), r.IntN(999), r.IntN(16), r.IntN(99999999), r.IntN(999), r.IntN(999), r.IntN(99), r.IntN(9))
		}
	}
	return lines
}

// cpuTime is what this process has used so far: on a busy machine the clock on the wall tells little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perCPUSecond runs f, which takes one line, b.N times and reports lines per CPU second.
func perCPUSecond(b *testing.B, lines [][]byte, f func(line []byte)) {
	b.Helper()
	size := 0
	for _, l := range lines {
		f(l)
		size += len(l)
	}
	b.SetBytes(int64(size / len(lines)))
	b.ReportAllocs()
	runtime.GC()
	from := cpuTime(b)
	i := 0
	for b.Loop() {
		f(lines[i])
		if i++; i == len(lines) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/(cpuTime(b)-from).Seconds()/1e6, "Mlines/cpu-s")
	b.ReportMetric(float64(size)/float64(len(lines)), "B/line")
}

func adder() func(line []byte) {
	c := clusterer.New(clusterer.Config{})
	var vars []lastnight.Var
	return func(line []byte) { vars = c.Add(line, nil, vars).Vars }
}

// BenchmarkAddKnown: long messages of known templates.
func BenchmarkAddKnown(b *testing.B) { perCPUSecond(b, knownLines(4096), adder()) }

// BenchmarkRaw: whole lines of about 180 bytes, the header is cut and read too.
func BenchmarkRaw(b *testing.B) {
	lines := knownLines(4096)
	for i, l := range lines {
		lines[i] = fmt.Appendf(nil, "2026-11-21 11:%02d:%02d,%03d INFO  org.apache.flink.runtime.checkpoint.CheckpointCoordinator [] - %.110s", i%60, i%59, i%1000, l)
	}
	add := adder()
	var p header.Parser
	var h header.Header
	perCPUSecond(b, lines, func(line []byte) {
		p.Parse(line, &h)
		add(line[h.MessageAt:])
	})
}

// BenchmarkContent: messages of real programs with random digits: those of Flink, and the labeled sets if
// LOGHUB names their folder.
func BenchmarkContent(b *testing.B) {
	b.Run("flink", func(b *testing.B) { perCPUSecond(b, randomDigits(goldenInput(b), 100_000), adder()) })
	if os.Getenv("LOGHUB") == "" {
		return
	}
	messages, _ := labeled(b)
	var all []string
	for _, lines := range messages {
		all = append(all, lines...)
	}
	b.Run("loghub", func(b *testing.B) { perCPUSecond(b, randomDigits(all, 100_000), adder()) })
}

// randomDigits gives n of the lines in random order, each digit another one.
func randomDigits(lines []string, n int) [][]byte {
	r := rand.New(rand.NewPCG(7, 8))
	out := make([][]byte, n)
	for i := range out {
		out[i] = []byte(lines[r.IntN(len(lines))])
		for k, c := range out[i] {
			if c >= '0' && c <= '9' {
				out[i][k] = byte('0' + r.IntN(10))
			}
		}
	}
	return out
}

// BenchmarkAddMixed: one line in a hundred has words that were never seen.
func BenchmarkAddMixed(b *testing.B) {
	lines := knownLines(4096)
	add := adder()
	n := 0
	var fresh []byte
	perCPUSecond(b, lines, func(line []byte) {
		if n++; n%100 == 0 {
			fresh = fmt.Appendf(fresh[:0], "Handler %s finished its %s on time, %d rows", wordOf(n), wordOf(n/2), n)
			line = fresh
		}
		add(line)
	})
}

// BenchmarkHostile: every line is new, at the cap of templates.
func BenchmarkHostile(b *testing.B) {
	add := adder()
	n := 0
	var fresh []byte
	perCPUSecond(b, knownLines(1), func([]byte) {
		n++
		fresh = fmt.Appendf(fresh[:0], "%s %s %s=%d (%s) %s", wordOf(n*7919), wordOf(n*31), wordOf(n*17), n, wordOf(n*13), wordOf(n))
		add(fresh)
	})
}

// BenchmarkShards: a clusterer a job, on as many goroutines as -cpu says.
func BenchmarkShards(b *testing.B) {
	lines := knownLines(4096)
	procs := runtime.GOMAXPROCS(0)
	b.ReportAllocs()
	var wg sync.WaitGroup
	for range procs {
		add := adder()
		for _, l := range lines {
			add(l)
		}
		wg.Go(func() {
			for i := range b.N {
				add(lines[i&4095])
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(procs)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mlines/s")
}

// BenchmarkMemory: what 2,000 templates of 30 tokens keep alive.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		debug.FreeOSMemory()
		runtime.ReadMemStats(&before)
		c := clusterer.New(clusterer.Config{})
		for i := range 2000 {
			words := make([]string, 30)
			for k := range words {
				words[k] = wordOf(i*31 + k*977)
			}
			c.Add([]byte(strings.Join(words, " ")), nil, nil)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		runtime.KeepAlive(c)
	}
}

// wordOf spells a number in letters.
func wordOf(n int) string {
	w := []byte{'x'}
	for ; n > 0; n /= 26 {
		w = append(w, byte('a'+n%26))
	}
	return string(w)
}
