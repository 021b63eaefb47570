package tail_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/collector/tail"
)

// archive is an Ingester in memory that checks the contract of spans.
type archive struct {
	t    *testing.T
	mu   sync.Mutex
	to   map[string]int64
	text map[lastnight.LineID]string
	gens map[lastnight.LineID]lastnight.Generation
	down bool // Ingest says unavailable
	asks int  // Ingest calls while down
}

func newArchive(t *testing.T) *archive {
	return &archive{t: t, to: map[string]int64{}, text: map[lastnight.LineID]string{}, gens: map[lastnight.LineID]lastnight.Generation{}}
}

func key(s lastnight.Stream, g lastnight.Generation) string { return string(s.ID()) + "." + g.String() }

func (a *archive) Position(s lastnight.Stream, g lastnight.Generation) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.to[key(s, g)]
}

func (a *archive) Ingest(_ context.Context, b lastnight.Batch) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		a.asks++
		return lastnight.Errorf(lastnight.CodeUnavailable, "", "disk full")
	}
	for _, s := range b.Spans {
		k := key(*s.Stream, s.Generation)
		if s.From != a.to[k] {
			a.t.Errorf("%s %s: span from %d, want %d", s.Stream.Pod, s.Generation, s.From, a.to[k])
		}
		a.to[k] = s.To
		for i := range s.Records {
			for _, l := range s.Records[i].Lines {
				id := lastnight.NewLineID(s.Stream.ID(), s.Generation, l.Offset)
				if _, double := a.text[id]; double {
					a.t.Errorf("line %s %q came twice", id, l.Text)
				}
				if l.Partial {
					continue
				}
				a.text[id] = string(l.Text)
				a.gens[id] = s.Generation
			}
		}
	}
	return nil
}

// lines gives the texts in the order of generations and offsets.
func (a *archive) lines() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	type line struct {
		g    lastnight.Generation
		off  int64
		text string
	}
	var all []line
	for id, text := range a.text {
		_, g, off, _ := id.Parse()
		all = append(all, line{g, off, text})
	}
	slices.SortFunc(all, func(x, y line) int {
		if c := x.g.Compare(y.g); c != 0 {
			return c
		}
		return int(x.off - y.off)
	})
	texts := make([]string, 0, len(all))
	for _, l := range all {
		texts = append(texts, l.text)
	}
	return texts
}

func (a *archive) waitFor(want ...string) {
	a.t.Helper()
	var diff string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if diff = cmp.Diff(want, a.lines()); diff == "" {
			return
		}
	}
	a.t.Fatalf("lines (-want +got):\n%s", diff)
}

// pod is a container's directory to write log files in.
type pod struct {
	t   *testing.T
	dir string
	n   int
}

func newPod(t *testing.T) (root string, p *pod) {
	root = t.TempDir()
	p = &pod{t: t, dir: filepath.Join(root, "shop_orders-taskmanager-1-1_0b7c", "main")}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return root, p
}

func (p *pod) cri(tag, text string) string {
	p.n++
	return fmt.Sprintf("2026-11-21T12:00:%02d.%09dZ stdout %s %s", p.n/1000, p.n, tag, text)
}

// write appends raw text to a file.
func (p *pod) write(name, raw string) {
	p.t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString(raw); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pod) line(name, text string) { p.t.Helper(); p.write(name, p.cri("F", text)+"\n") }

func (p *pod) rename(from, to string) {
	p.t.Helper()
	if err := os.Rename(filepath.Join(p.dir, from), filepath.Join(p.dir, to)); err != nil {
		p.t.Fatal(err)
	}
}

// compress does what the kubelet does with older rotated files.
func (p *pod) compress(name string) {
	p.t.Helper()
	raw, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(raw)
	_ = w.Close()
	if err := os.WriteFile(filepath.Join(p.dir, name+".tmp"), z.Bytes(), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.rename(name+".tmp", name+".gz")
	p.remove(name)
}

func (p *pod) remove(name string) {
	p.t.Helper()
	if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
		p.t.Fatal(err)
	}
}

// run starts a tailer; the function given back stops it and waits.
func run(t *testing.T, root string, a *archive) (*tail.Tailer, func()) {
	t.Helper()
	tailer := tail.New(tail.Config{
		Dir: root, Node: "node-a", Ingester: a, Positions: a,
		Interval: 5 * time.Millisecond, Scan: 200 * time.Millisecond, Quiet: 50 * time.Millisecond, Abandon: time.Second,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tailer.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return tailer, stop
}

func TestGrowingFile(t *testing.T) {
	root, p := newPod(t)
	p.line("0.log", "before the start")
	a := newArchive(t)
	run(t, root, a)
	a.waitFor("before the start")
	p.line("0.log", "one")
	p.write("0.log", p.cri("P", "two, "))
	a.waitFor("before the start", "one")
	p.write("0.log", "cut\n"+p.cri("F", "joined")+"\n")
	a.waitFor("before the start", "one", "two, cutjoined")
}

func TestRecordsAreHeldBackUntilQuiet(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	run(t, root, a)
	p.line("0.log", "2026-11-21 12:00:00,001 ERROR a.B [] - failed")
	p.line("0.log", "java.lang.IllegalStateException: no")
	time.Sleep(20 * time.Millisecond)
	p.line("0.log", "\tat a.B.c(B.java:1)")
	a.waitFor("2026-11-21 12:00:00,001 ERROR a.B [] - failed", "java.lang.IllegalStateException: no", "\tat a.B.c(B.java:1)")
}

func TestRotationAndCompression(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	run(t, root, a)
	var want []string
	for i := range 6 {
		for j := range 200 {
			text := fmt.Sprintf("file %d line %d", i, j)
			want = append(want, text)
			p.line("0.log", text)
		}
		p.rename("0.log", fmt.Sprintf("0.log.20261121-12000%d", i))
		if i > 0 {
			p.compress(fmt.Sprintf("0.log.20261121-12000%d", i-1))
		}
	}
	p.line("0.log", "the last file")
	a.waitFor(append(want, "the last file")...)
}

func TestRemovedWhileOpen(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	p.line("0.log", "first")
	_, stop := run(t, root, a)
	a.waitFor("first")
	a.mu.Lock()
	a.down = true
	a.mu.Unlock()
	p.line("0.log", "second")
	for range 1000 {
		a.mu.Lock()
		asks := a.asks
		a.mu.Unlock()
		if asks > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.line("0.log", "third")
	p.remove("0.log") // the kubelet does not wait for us
	a.mu.Lock()
	a.down = false
	a.mu.Unlock()
	a.waitFor("first", "second", "third")
	stop()
}

func TestRestartAndNewPods(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	run(t, root, a)
	p.line("0.log", "first life")
	a.waitFor("first life")
	p.line("1.log", "second life")
	a.waitFor("first life", "second life")
	q := &pod{t: t, n: 5000, dir: filepath.Join(root, "shop_orders-taskmanager-1-2_77aa", "main")}
	if err := os.MkdirAll(q.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	q.line("0.log", "another pod")
	a.waitFor("first life", "second life", "another pod")
}

func TestStoppedAndStartedAgain(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	var want []string
	for i := range 5 {
		_, stop := run(t, root, a)
		for j := range 50 {
			text := fmt.Sprintf("run %d line %d", i, j)
			want = append(want, text)
			p.line("0.log", text)
		}
		time.Sleep(time.Duration(i) * 10 * time.Millisecond) // stop at various moments
		stop()
		if i == 2 {
			p.rename("0.log", "0.log.20261121-120002")
			p.compress("0.log.20261121-120002")
		}
	}
	run(t, root, a)
	a.waitFor(want...)
}

// TestRandomOperations writes, rotates, compresses, restarts and stops the tailer in
// random order; the kubelet keeps two rotated files, so none is removed before it was seen.
func TestRandomOperations(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 2))
			root, p := newPod(t)
			a := newArchive(t)
			_, stop := run(t, root, a)
			var want, rotated []string
			for i := range 60 {
				for j := range rng.IntN(30) {
					text := fmt.Sprintf("step %d line %d", i, j)
					tag := "F"
					if rng.IntN(5) == 0 {
						tag = "P"
					}
					raw := p.cri(tag, text) + "\n"
					if tag == "P" {
						raw += p.cri("F", "+") + "\n"
						text += "+"
					}
					cut := rng.IntN(len(raw))
					p.write("0.log", raw[:cut])
					p.write("0.log", raw[cut:])
					want = append(want, text)
				}
				switch rng.IntN(6) {
				case 0:
					if _, err := os.Stat(filepath.Join(p.dir, "0.log")); err != nil {
						continue
					}
					name := fmt.Sprintf("0.log.20261121-12%04d", i)
					p.rename("0.log", name)
					if len(rotated) > 0 {
						p.compress(rotated[len(rotated)-1])
					}
					rotated = append(rotated, name)
				case 1:
					stop()
					_, stop = run(t, root, a)
				case 2:
					time.Sleep(time.Duration(rng.IntN(80)) * time.Millisecond)
				}
			}
			a.waitFor(want...)
		})
	}
}

func TestCopyTruncate(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	run(t, root, a)
	p.line("0.log", strings.Repeat("long ", 100))
	a.waitFor(strings.Repeat("long ", 100))
	if err := os.Truncate(filepath.Join(p.dir, "0.log"), 0); err != nil {
		t.Fatal(err)
	}
	p.line("0.log", "after")
	a.waitFor(strings.Repeat("long ", 100), "after")
}

func TestUnavailable(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	a.down = true
	tailer, _ := run(t, root, a)
	p.line("0.log", "waits")
	for range 1000 {
		if tailer.Stats().Retries > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if tailer.Stats().Retries == 0 {
		t.Fatal("no retry")
	}
	a.mu.Lock()
	a.down = false
	a.mu.Unlock()
	a.waitFor("waits")
}
