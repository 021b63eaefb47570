package watch_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"lastnight"
	"lastnight/collector/kube/watch"
)

// sink keeps what arrives. An event whose id came before must be the same event.
type sink struct {
	t    *testing.T
	down atomic.Bool // refuse everything

	mu     sync.Mutex
	events map[string]lastnight.Event
	order  []lastnight.Event
	pods   map[string]lastnight.Pod
}

func newSink(t *testing.T) *sink {
	return &sink{t: t, events: map[string]lastnight.Event{}, pods: map[string]lastnight.Pod{}}
}

func (s *sink) Ingest(_ context.Context, b lastnight.Batch) error {
	if s.down.Load() {
		return errors.New("the sink is down")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range b.Events {
		if had, ok := s.events[e.ID]; ok {
			if diff := cmp.Diff(had, e); diff != "" {
				s.t.Errorf("one id, two events:\n%s", diff)
			}
			continue
		}
		s.events[e.ID] = e
		s.order = append(s.order, e)
	}
	for _, p := range b.Pods {
		s.pods[p.UID] = p
	}
	return nil
}

// find gives the events of an object with a reason.
func (s *sink) find(object, reason string) []lastnight.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []lastnight.Event
	for _, e := range s.order {
		if e.Object.Name == object && e.Reason == reason {
			found = append(found, e)
		}
	}
	return found
}

// await waits until there are n events of an object with a reason, and fails when there are more.
func (s *sink) await(object, reason string, n int, atMost time.Duration) []lastnight.Event {
	s.t.Helper()
	begin := time.Now()
	for {
		found := s.find(object, reason)
		if len(found) > n || len(found) < n && time.Since(begin) > atMost {
			s.t.Fatalf("%d events %s of %s, want %d within %v; there are %s", len(found), reason, object, n, atMost, s.told())
		}
		if len(found) == n {
			return found
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *sink) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, e := range s.order {
		b.WriteString("\n  " + e.Object.Kind + " " + e.Object.Name + " " + e.Reason + " " + e.Message)
	}
	return b.String()
}

func (s *sink) pod(uid string) lastnight.Pod {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pods[uid]
}

// run starts a watcher that ends with the test, or when stop is called.
func run(t *testing.T, cfg watch.Config) (w *watch.Watcher, stop func()) {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	cfg.Cluster = "test"
	w, err := watch.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(stop)
	return w, stop
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// proxy is a connection to the API server that can be cut.
type proxy struct {
	to  string
	cut atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// through gives access by way of a proxy.
func through(t *testing.T, cfg *rest.Config) (*rest.Config, *proxy) {
	t.Helper()
	u, err := url.Parse(cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{to: u.Host, conns: map[net.Conn]bool{}}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(); p.set(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.pipe(t.Context(), c)
		}
	}()
	cfg = rest.CopyConfig(cfg)
	cfg.Host = "https://" + l.Addr().String()
	return cfg, p
}

func (p *proxy) pipe(ctx context.Context, in net.Conn) {
	defer func() { _ = in.Close() }()
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.to)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	p.mu.Lock()
	p.conns[in], p.conns[out] = true, true
	p.mu.Unlock()
	if p.cut.Load() {
		return
	}
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	_, _ = io.Copy(in, out)
}

// set cuts the connections that there are and those that come, or lets them through again.
func (p *proxy) set(cut bool) {
	p.cut.Store(cut)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}
