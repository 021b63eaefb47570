package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is a command that is killed and started again.
type process struct {
	t      *testing.T
	args   []string
	mu     sync.Mutex
	cmd    *exec.Cmd // guarded by mu
	stderr *os.File
}

func newProcess(t *testing.T, args ...string) *process {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), args[0]+".stderr"))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, args: args, stderr: f}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			b, _ := os.ReadFile(f.Name())
			t.Logf("%s says:\n%s", args[0], b[max(0, len(b)-4000):])
		}
		_ = f.Close()
	})
	return p
}

func (p *process) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = lastnightCommand(p.t.Context(), p.t, p.args...)
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Error(err)
	}
}

// kill is kill -9.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd.Process != nil && p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // killed: an error, as it should be
	}
}

// proxy forwards connections until it is cut.
type proxy struct {
	l    net.Listener
	to   string
	mu   sync.Mutex
	open map[net.Conn]bool // guarded by mu
	cut  bool              // guarded by mu
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, to: to, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = l.Close()
		p.set(true)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(t.Context(), c)
		}
	}()
	return p
}

func (p *proxy) serve(ctx context.Context, c net.Conn) {
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.to)
	if err != nil || !p.add(c, out) {
		_ = c.Close()
		if err == nil {
			_ = out.Close()
		}
		return
	}
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{c, out}, {out, c}} {
		wg.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
			_ = pair[1].Close()
		})
	}
	wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	delete(p.open, out)
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.open[c] = true
	}
	return !p.cut
}

// set cuts all connections, or lets new ones through.
func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.open {
			_ = c.Close()
		}
	}
}

// writer writes numbered lines as a container runtime does, with the kubelet's rotations.
type writer struct {
	dir      string
	rnd      *rand.Rand
	file     *os.File
	restart  int
	size     int64
	number   int
	rotated  []string
	want     bytes.Buffer
	rotateAt int64
}

func newWriter(root string, i int, seed uint64) (*writer, container, error) {
	c := container{namespace: "torture", pod: fmt.Sprintf("pod-%d", i), uid: fmt.Sprintf("uid-%d", i), name: "main"}
	w := &writer{
		dir: filepath.Join(root, c.namespace+"_"+c.pod+"_"+c.uid, c.name),
		rnd: rand.New(rand.NewPCG(seed, uint64(i))), rotateAt: 60_000,
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, c, err
	}
	return w, c, w.openFile()
}

func (w *writer) path() string { return filepath.Join(w.dir, strconv.Itoa(w.restart)+".log") }

func (w *writer) openFile() (err error) {
	w.size = 0
	w.file, err = os.OpenFile(w.path(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return err
}

func (w *writer) raw(s string) error {
	n, err := w.file.WriteString(s)
	w.size += int64(n)
	return err
}

func (w *writer) head(stream, tag string) string {
	return time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z") + " " + stream + " " + tag + " "
}

// line writes one line: whole, in parts, or as two writes with time in between; now and then with a stack trace.
func (w *writer) line() error {
	w.number++
	text := fmt.Sprintf("%s INFO  org.acme.Writer - line %d %s", time.Now().UTC().Format("2006-01-02 15:04:05,000"), w.number, strings.Repeat("x", w.rnd.IntN(200)))
	lines := []string{text}
	if w.rnd.IntN(20) == 0 {
		lines = append(lines, "java.lang.IllegalStateException: "+strconv.Itoa(w.number), "\tat org.acme.Writer.run(Writer.java:1)")
	}
	for _, l := range lines {
		w.want.WriteString(l + "\n")
		var err error
		switch cut := w.rnd.IntN(len(l)); w.rnd.IntN(10) {
		case 0:
			if err = w.raw(w.head("stdout", "P") + l[:cut] + "\n"); err == nil {
				err = w.raw(w.head("stdout", "F") + l[cut:] + "\n")
			}
		case 1:
			whole := w.head("stdout", "F") + l + "\n"
			if err = w.raw(whole[:cut]); err == nil {
				time.Sleep(time.Duration(w.rnd.IntN(3)) * time.Millisecond)
				err = w.raw(whole[cut:])
			}
		default:
			err = w.raw(w.head("stdout", "F") + l + "\n")
		}
		if err != nil {
			return err
		}
	}
	return w.rotate()
}

// rotate does now and then what the kubelet does with a file that is too large, and what a restart does.
func (w *writer) rotate() error {
	if w.size < w.rotateAt {
		return nil
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	if w.rnd.IntN(5) == 0 {
		w.restart++
		w.rotated = nil
		return w.openFile()
	}
	name := w.path() + "." + time.Now().UTC().Format("20060102-150405.000000")
	if err := os.Rename(w.path(), name); err != nil {
		return err
	}
	if n := len(w.rotated); n > 0 {
		if err := compressFile(w.rotated[n-1]); err != nil {
			return err
		}
	}
	w.rotated = append(w.rotated, name)
	return w.openFile()
}

func compressFile(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	if _, err := g.Write(b); err != nil {
		return err
	}
	if err := g.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(name+".tmp", z.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.Rename(name+".tmp", name+".gz"); err != nil {
		return err
	}
	return os.Remove(name)
}

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

// Numbered lines of many streams are written while files are rotated, server and collector are killed and
// the connection is cut, at random: each line is there once. TORTURE_SECONDS, TORTURE_STREAMS and TORTURE_SEED say how.
func TestTorture(t *testing.T) {
	x := tortureOf(t)
	t.Logf("TORTURE_SEED=%d", x.seed)
	root, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	addr := freeAddress(t)
	server := newProcess(t, "serve", "--data", data, "--listen", addr)
	wire := newProxy(t, addr)
	collector := newProcess(t, "collect", "--pods-dir", root, "--server", "http://"+wire.l.Addr().String(),
		"--checkpoint", filepath.Join(t.TempDir(), "checkpoint"), "--node", "n1", "--patience", "500ms", "--spool-max", "64MiB")

	ctx, cancel := context.WithTimeout(t.Context(), x.duration)
	defer cancel()
	writers := make([]*writer, x.streams)
	want := make([]container, x.streams)
	var wg sync.WaitGroup
	for i := range writers {
		var err error
		if writers[i], want[i], err = newWriter(root, i, x.seed); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := writers[i].line(); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(x.pause)
			}
		})
	}
	done := chaos(ctx, rand.New(rand.NewPCG(x.seed, 0)), server, collector, wire)
	wg.Wait()
	t.Logf("%s", done)

	expected := map[container][]byte{}
	total := 0
	for i, w := range writers {
		_ = w.file.Close()
		expected[want[i]] = w.want.Bytes()
		total += bytes.Count(w.want.Bytes(), []byte("\n"))
	}
	t.Logf("%d lines of %d streams", total, x.streams)
	arrived := func(c container) bool {
		u := "http://" + addr + "/api/v1/logs/raw?" + url.Values{"namespace": {c.namespace}, "pod": {c.pod}, "container": {c.name}}.Encode()
		b, err := getText(t.Context(), u)
		return err == nil && len(b) >= len(expected[c])
	}
	for end := time.Now().Add(time.Minute + x.duration/2); ; time.Sleep(200 * time.Millisecond) {
		missing := slices.IndexFunc(want, func(c container) bool { return !arrived(c) })
		if missing < 0 {
			break
		}
		if time.Now().After(end) {
			t.Errorf("%s has not arrived", want[missing].pod)
			break
		}
	}
	time.Sleep(300 * time.Millisecond) // should something come twice, let it come
	collector.kill()
	server.kill()
	compare(t, data, expected)
}

// chaos kills, cuts and starts again until ctx is done, and leaves everything running.
func chaos(ctx context.Context, rnd *rand.Rand, server, collector *process, wire *proxy) string {
	said := map[string]int{}
	for {
		select {
		case <-ctx.Done():
			return fmt.Sprint(said)
		case <-time.After(time.Duration(200+rnd.IntN(600)) * time.Millisecond):
		}
		pause := time.Duration(rnd.IntN(1500)) * time.Millisecond
		switch rnd.IntN(3) {
		case 0:
			said["server killed"]++
			server.kill()
			time.Sleep(pause)
			server.start() //nolint:contextcheck // the process outlives ctx
		case 1:
			said["collector killed"]++
			collector.kill()
			time.Sleep(pause)
			collector.start() //nolint:contextcheck // the process outlives ctx
		case 2:
			said["connection cut"]++
			wire.set(true)
			time.Sleep(pause)
			wire.set(false)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func getText(ctx context.Context, u string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", resp.Status)
	}
	return io.ReadAll(resp.Body)
}
