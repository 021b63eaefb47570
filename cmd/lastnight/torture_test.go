package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lastnight"
)

// torture is how long and how hard.
type torture struct {
	streams  int
	duration time.Duration
	pause    time.Duration // of a writer between two lines
	seed     uint64
}

func tortureOf(t *testing.T) torture {
	t.Helper()
	x := torture{streams: 12, duration: 6 * time.Second, pause: 2 * time.Millisecond, seed: uint64(time.Now().UnixNano())}
	number := func(name string, set func(int)) {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			set(n)
		}
	}
	number("TORTURE_STREAMS", func(n int) { x.streams = n })
	number("TORTURE_SECONDS", func(n int) { x.duration = time.Duration(n) * time.Second })
	number("TORTURE_SEED", func(n int) { x.seed = uint64(n) })
	return x
}

// gate lets files be removed when that is fair: what was removed can be read by nobody but the collector that holds
// it open. So that one is not killed before it has read it, and while none runs nothing is removed; and a
// file that lives for less than a second does so while the collector is running.
type gate struct {
	holding sync.RWMutex // read: removing what is held open; write: the collector is killed
	seeing  sync.RWMutex // read: a short life; write: the collector does not run
}

const seenAfter = 700 * time.Millisecond // a running collector has opened a new file by then

func (g *gate) remove(f func() error) error {
	g.holding.RLock()
	defer g.holding.RUnlock()
	g.seeing.RLock()
	time.Sleep(seenAfter)
	g.seeing.RUnlock()
	return f()
}

func (g *gate) live(f func() error) error {
	g.holding.RLock()
	defer g.holding.RUnlock()
	g.seeing.RLock()
	defer g.seeing.RUnlock()
	return f()
}

// rack is what is tortured.
type rack struct {
	t                 *testing.T
	rnd               *rand.Rand
	gate              *gate
	server, collector *process
	wire              *proxy
	metrics           string
	checkpoint        string
	disks             []*smallDisk
	said              map[string]int
}

func newRack(t *testing.T, x torture, root string) (r *rack, addr, data string) {
	t.Helper()
	r = &rack{t: t, rnd: rand.New(rand.NewPCG(x.seed, 0)), gate: &gate{}, metrics: freeAddress(t), said: map[string]int{}}
	data, checkpoint := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "checkpoint")
	for _, dir := range []string{data, checkpoint} {
		if d := newSmallDisk(t, dir); d != nil {
			r.disks = append(r.disks, d)
		}
	}
	addr = freeAddress(t)
	r.server = newProcess(t, "serve", "--data", data, "--listen", addr)
	r.wire = newProxy(t, addr)
	r.collector = newProcess(t, "collect", "--pods-dir", root, "--server", "http://"+r.wire.l.Addr().String(),
		"--checkpoint", checkpoint, "--node", "n1", "--patience", "500ms", "--spool-max", "64MiB", "--metrics-listen", r.metrics)
	return r, addr, data
}

// Numbered lines of many streams are written while their files are rotated, compressed, copied and truncated, removed, short-lived,
// behind symbolic links, and stamped by jumping clocks, and while server and collector are killed and stopped, the
// connection is cut and the disks are full, at random: each line is there once.
// TORTURE_SECONDS, TORTURE_STREAMS and TORTURE_SEED say how.
func TestTorture(t *testing.T) {
	x := tortureOf(t)
	t.Logf("TORTURE_SEED=%d", x.seed)
	root, elsewhere := t.TempDir(), t.TempDir()
	r, _, data := newRack(t, x, root)
	r.awaitCollector()

	ctx, cancel := context.WithTimeout(t.Context(), x.duration)
	defer cancel()
	writers := make([]*writer, x.streams)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			var err error
			writers[i], err = newWriter(root, elsewhere, i, x.seed, r.gate)
			for err == nil && ctx.Err() == nil {
				err = writers[i].line()
				time.Sleep(x.pause)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	r.chaos(ctx)
	wg.Wait()
	did := map[string]int{}
	total := 0
	for _, w := range writers {
		if w == nil || w.file == nil {
			t.Fatal("a writer did not begin")
		}
		_ = w.file.Close()
		for k, n := range w.did {
			did[k] += n
		}
		for _, lines := range w.want {
			total += len(lines)
		}
	}
	t.Logf("%v; %v; %d lines of %d streams", r.said, did, total, x.streams)
	r.settle()
	r.collector.kill()
	r.server.kill()
	holds(t, data, writers)
}

// holds compares what was written with what is stored.
func holds(t *testing.T, data string, writers []*writer) {
	t.Helper()
	n, err := openNode(t.Context(), nodeConfig{dir: data, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	wrong := 0
	for _, w := range writers {
		for c, want := range w.want {
			var got []string
			for l, err := range n.indexer.RawLines(t.Context(), lastnight.SearchRequest{Namespace: c.namespace, Pod: c.pod, PodUID: c.uid, Container: c.name}) {
				if err != nil {
					t.Fatalf("%v: %v", c, err)
				}
				got = append(got, string(l.Text))
			}
			missing, tooMany := differences(want, got)
			slices.SortFunc(missing, func(a, b string) int { return slices.Index(want, a) - slices.Index(want, b) })
			if len(missing)+len(tooMany) == 0 {
				continue
			}
			if wrong++; wrong <= 10 {
				t.Errorf("%s: of %d lines %d are missing, first %.90q, last %.90q; %d are too many, first %.90q",
					c.pod, len(want), len(missing), first(missing), last(missing), len(tooMany), first(tooMany))
				t.Logf("%s:\n%s", c.pod, strings.Join(w.fates[c], "\n"))
			}
		}
	}
	if wrong > 10 {
		t.Errorf("and %d more pods", wrong-10)
	}
}

func first(s []string) string { return strings.Join(s[:min(1, len(s))], "") }
func last(s []string) string  { return strings.Join(s[max(0, len(s)-1):], "") }

// chaos kills, stops, cuts, fills and starts again until ctx is done, and leaves everything running.
func (r *rack) chaos(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(200+r.rnd.IntN(600)) * time.Millisecond):
		}
		pause := time.Duration(r.rnd.IntN(1500)) * time.Millisecond
		switch r.rnd.IntN(6) {
		case 0:
			r.said["server killed"]++
			r.server.kill()
			time.Sleep(pause)
			r.server.start() //nolint:contextcheck // the process outlives ctx
		case 1:
			r.killCollector(pause) //nolint:contextcheck // the process outlives ctx
		case 2:
			r.said["connection cut"]++
			r.wire.set(true)
			time.Sleep(pause)
			r.wire.set(false)
		case 3:
			r.said["server stopped"]++
			r.server.signal(syscall.SIGSTOP)
			time.Sleep(pause)
			r.server.signal(syscall.SIGCONT)
		case 4:
			r.said["collector stopped"]++
			r.gate.seeing.Lock()
			r.collector.signal(syscall.SIGSTOP)
			time.Sleep(pause)
			r.collector.signal(syscall.SIGCONT)
			r.gate.seeing.Unlock()
		case 5:
			if len(r.disks) > 0 {
				r.said["disk full"]++
				d := r.disks[r.rnd.IntN(len(r.disks))]
				d.fill(r.t)
				time.Sleep(pause)
				d.empty(r.t)
			}
		}
	}
}

// killCollector kills the collector as soon as it holds nothing that is nowhere else, or not at all.
func (r *rack) killCollector(pause time.Duration) {
	r.gate.holding.Lock()
	defer r.gate.holding.Unlock()
	time.Sleep(time.Second) // it has been told of the removals
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if m, err := r.metric("held_bytes"); err == nil && m == 0 {
			break
		}
		if time.Now().After(end) {
			r.said["collector spared"]++
			return
		}
	}
	r.said["collector killed"]++
	r.gate.seeing.Lock()
	defer r.gate.seeing.Unlock()
	r.collector.kill()
	time.Sleep(pause)
	r.collector.start()
	r.awaitCollector()
}

// awaitCollector waits until the collector has looked at the directory.
func (r *rack) awaitCollector() {
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if m, err := r.metric("scans_total"); err == nil && m > 0 {
			return
		}
		if time.Now().After(end) {
			r.t.Error("the collector does not come up")
			return
		}
	}
}

// settle waits until nothing is on its way any more, as long as there is progress.
func (r *rack) settle() {
	time.Sleep(3 * time.Second) // what was written last has been looked at
	calm, best, since := 0, -1.0, time.Now()
	for calm < 3 && time.Since(since) < time.Minute {
		time.Sleep(500 * time.Millisecond)
		var sum float64
		for _, name := range []string{"lag_bytes", "held_bytes", "spool_requests"} {
			m, err := r.metric(name)
			if err != nil {
				m = 1
			}
			sum += m
		}
		acked, _ := r.metric("acked_bytes_total")
		if acked > best {
			best, since = acked, time.Now()
		}
		if sum == 0 {
			calm++
		} else {
			calm = 0
		}
	}
	if calm < 3 {
		r.t.Error("it does not come to rest")
	}
	for _, name := range []string{"lost_bytes_total", "retries_total"} {
		if m, err := r.metric(name); err == nil {
			r.t.Logf("%s %.0f", name, m)
		}
	}
}

// metric asks the collector for one of its metrics.
func (r *rack) metric(name string) (float64, error) {
	b, err := getText(r.t.Context(), "http://"+r.metrics+"/metrics")
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(l, "lastnight_collector_"+name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(v), 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}
