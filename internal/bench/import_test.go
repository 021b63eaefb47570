//go:build unix

package bench_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"lastnight/internal/corpus"
)

// BenchmarkImport imports a corpus with a fresh process into an empty data directory.
func BenchmarkImport(b *testing.B) {
	bin := binary(b)
	if tree := os.Getenv("CORPUS"); tree != "" {
		b.Run("corpus="+filepath.Base(tree), func(b *testing.B) { measure(b, bin, tree, countTree(b, tree)) })
		return
	}
	mb := 256
	if s := os.Getenv("CORPUS_MB"); s != "" {
		var err error
		if mb, err = strconv.Atoi(s); err != nil || mb <= 0 {
			b.Fatalf("CORPUS_MB=%s is no size in MiB, such as 256", s)
		}
	}
	for _, pods := range []int{40, 2000} {
		b.Run(fmt.Sprintf("mb=%d/pods=%d", mb, pods), func(b *testing.B) {
			c, err := corpus.New(b.Context(), corpus.Options{Bytes: int64(mb) << 20, Pods: pods})
			if err != nil {
				b.Fatal(err)
			}
			tree := b.TempDir()
			stats, err := c.Write(b.Context(), tree)
			if err != nil {
				b.Fatal(err)
			}
			measure(b, bin, tree, stats)
		})
	}
}

// binary builds lastnight, or gives the one of LASTNIGHT_BIN.
func binary(b *testing.B) string {
	b.Helper()
	if bin := os.Getenv("LASTNIGHT_BIN"); bin != "" {
		abs, err := filepath.Abs(bin)
		if err != nil {
			b.Fatal(err)
		}
		return abs
	}
	bin := filepath.Join(b.TempDir(), "lastnight")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", bin, "lastnight/cmd/lastnight").CombinedOutput(); err != nil {
		b.Fatalf("build lastnight: %v\n%s", err, out)
	}
	return bin
}

// measure imports the tree and reports what it took. All figures but B/s are of the last run.
func measure(b *testing.B, bin, tree string, stats corpus.Stats) {
	b.Helper()
	data := filepath.Join(b.TempDir(), "data")
	var usage *syscall.Rusage
	for b.Loop() {
		if err := os.RemoveAll(data); err != nil {
			b.Fatal(err)
		}
		cmd := exec.CommandContext(b.Context(), bin, "import", "--data", data, tree)
		cmd.Env = append(os.Environ(), "LASTNIGHT_SERVER=")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("import: %v\n%s", err, out)
		}
		usage, _ = cmd.ProcessState.SysUsage().(*syscall.Rusage)
	}
	took := b.Elapsed().Seconds() / float64(b.N)
	lines, raw := float64(stats.Lines), float64(stats.RawBytes)
	archive := float64(size(b, filepath.Join(data, "archive")))
	b.SetBytes(stats.RawBytes)
	b.ReportMetric(lines/took, "lines/s")
	b.ReportMetric(archive/lines, "archive-B/line")
	b.ReportMetric(100*archive/raw, "archive-%-of-raw")
	b.ReportMetric(float64(size(b, data))/lines, "disk-B/line")
	b.ReportMetric(100*float64(size(b, filepath.Join(data, "store")))/raw, "store-%-of-raw")
	b.ReportMetric(100*float64(size(b, data))/raw, "disk-%-of-raw")
	if usage != nil {
		b.ReportMetric(peakBytes(usage)/(1<<20), "peak-RSS-MiB")
		cpu := seconds(usage.Utime) + seconds(usage.Stime)
		b.ReportMetric(cpu, "cpu-s")
		b.ReportMetric(cpu/raw*1e9, "cpu-s/GB")
	}
}

// peakBytes is the largest resident set; Linux counts it in KiB.
func peakBytes(u *syscall.Rusage) float64 {
	if runtime.GOOS == "darwin" {
		return float64(u.Maxrss)
	}
	return float64(u.Maxrss) * 1024
}

func seconds(t syscall.Timeval) float64 { return float64(t.Nano()) / 1e9 }

// size sums the files below dir.
func size(b *testing.B, dir string) int64 {
	b.Helper()
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}

// countTree counts the lines of the plain log files below dir.
func countTree(b *testing.B, dir string) corpus.Stats {
	b.Helper()
	var stats corpus.Stats
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".log") {
			return err
		}
		stats.Pods++
		return countFile(p, &stats)
	})
	if err != nil {
		b.Fatal(err)
	}
	if stats.Lines == 0 {
		b.Fatalf("CORPUS=%s: no lines in files named *.log", dir)
	}
	return stats
}

func countFile(file string, stats *corpus.Stats) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		row, err := r.ReadSlice('\n')
		stats.RawBytes += int64(len(row))
		if len(row) > 0 {
			stats.Parts++
			if fields := bytes.SplitN(row[:min(len(row), 64)], []byte(" "), 4); len(fields) == 4 && string(fields[2]) == "F" {
				stats.Lines++
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("count lines of %s: %w", file, err)
		}
	}
}
