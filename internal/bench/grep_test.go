//go:build unix

package bench_test

import (
	"context"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// grepRatio is how much of the CPU time of `zstd -dc | rg` a regex over everything may cost.
const grepRatio = .6

// BenchmarkAgainstGrep asks regexes over everything, and lets zstd and ripgrep look for the same in the same logs,
// compressed by `zstd -3`, in the same run. It fails where the server's CPU time is more than grepRatio of
// theirs, and is skipped where one of them is missing. CORPUS and DATA are those of BenchmarkQuestions.
func BenchmarkAgainstGrep(b *testing.B) {
	for _, name := range []string{"zstd", "rg"} {
		if _, err := exec.LookPath(name); err != nil {
			b.Skipf("%s is missing: apt install zstd ripgrep", name)
		}
	}
	tree := os.Getenv("CORPUS")
	if tree == "" {
		b.Skip("CORPUS names no tree of pod logs with a truth.json")
	}
	bin, f := binary(b), readFacts(b, tree)
	base := serve(b, bin, imported(b, bin, tree))
	packed := filepath.Join(b.TempDir(), "logs.zst")
	compress(b, tree, packed)
	for name, expr := range map[string]string{
		"literal": `req-[0-9a-f]{8}-0dd5-4bad`, "shape": `Transitioned from [A-Z]+ to FAILED`,
		"variable": `blk_-?16089[0-9]+ .*size`, "bare": `[0-9]{3}77[0-9]{2}99[0-9]`,
	} {
		b.Run(name, func(b *testing.B) {
			q := question{"", "/api/v1/search", url.Values{"start": {f.From.Format(time.RFC3339)}, "end": {f.To.Format(time.RFC3339)}, "q": {"/" + expr + "/"}}, true}
			if _, _, _, err := get(b.Context(), base, q); err != nil {
				b.Fatal(err)
			}
			var theirs, theirWall, wall time.Duration
			before := serverCPU(b, base)
			for b.Loop() {
				cpu, took := grep(b, packed, expr)
				theirs, theirWall = theirs+cpu, theirWall+took
				_, _, whole, err := get(b.Context(), base, q)
				if err != nil {
					b.Fatal(err)
				}
				wall += whole
			}
			n := float64(b.N)
			ours, others := 1000*(serverCPU(b, base)-before)/n, float64(theirs.Milliseconds())/n
			b.ReportMetric(ours, "cpu-ms")
			b.ReportMetric(others, "zstd+rg-cpu-ms")
			b.ReportMetric(float64(wall.Milliseconds())/n, "ms")
			b.ReportMetric(float64(theirWall.Milliseconds())/n, "zstd+rg-ms")
			b.ReportMetric(ours/others, "ratio")
			b.ReportMetric(0, "ns/op")
			if ours > grepRatio*others {
				b.Errorf("/%s/ costs %.0f CPU ms, zstd -dc | rg %.0f: more than %g of it", expr, ours, others, grepRatio)
			}
		})
	}
}

// compress puts all logs of a tree into one file.
func compress(b *testing.B, tree, to string) {
	b.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(tree, "pods"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".log") {
			files = append(files, p)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), "sh", append([]string{"-c", `cat "$@" | zstd -q -3 -T1 >"$0"`, to}, files...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("compress: %v\n%s", err, out)
	}
}

// grep gives CPU time and time of looking for an expression.
func grep(b *testing.B, packed, expr string) (cpu, took time.Duration) {
	b.Helper()
	began := time.Now()
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), "sh", "-c", `zstd -q -dc "$0" | rg -c -- "$1" || [ $? = 1 ]`, packed, expr)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("zstd -dc | rg: %v\n%s", err, out)
	}
	took = time.Since(began)
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok { // of sh and of those it waited for
		cpu = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return cpu, took
}
