package send_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lastnight"
	"lastnight/collector/checkpoint"
	"lastnight/collector/send"
	"lastnight/collector/spool"
	"lastnight/indexer/ingest"
	"lastnight/internal/vfs"
)

// sink is what is behind the server.
type sink struct {
	mu     sync.Mutex
	lines  map[lastnight.LineID]int // how often
	events []lastnight.Event
	pods   map[string]int // spans by pod
	strays int            // batches whose streams another server may have had
	spans  int
	bad    string // pod whose spans are refused
}

func (s *sink) Ingest(_ context.Context, b lastnight.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range b.Spans {
		if s.bad != "" && x.Stream.Pod == s.bad {
			return lastnight.Errorf(lastnight.CodeInvalid, "", "bad span")
		}
	}
	if b.Elsewhere {
		s.strays++
	}
	if s.pods == nil {
		s.pods = map[string]int{}
	}
	for _, x := range b.Spans {
		s.spans++
		s.pods[x.Stream.Pod]++
		for _, r := range x.Records {
			for _, l := range r.Lines {
				s.lines[lastnight.NewLineID(x.Stream.ID(), x.Generation, l.Offset)]++
			}
		}
	}
	s.events = append(s.events, b.Events...)
	return nil
}

func (s *sink) count() (lines, twice int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.lines {
		if n > 1 {
			twice++
		}
	}
	return len(s.lines), twice
}

// server is a server that can be away.
type server struct {
	*httptest.Server
	sink   *sink
	status atomic.Int32 // answered instead; 0: none
	drop   atomic.Bool  // cut the connection after the request was taken
	seen   atomic.Pointer[http.Header]
}

func newServer(t *testing.T, tls bool) *server {
	t.Helper()
	s := unstarted(t, "")
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	return s
}

// unstarted makes a server, one of several if it has a name.
func unstarted(t *testing.T, replica string) *server {
	t.Helper()
	s := &server{sink: &sink{lines: map[lastnight.LineID]int{}}}
	h := ingest.New(ingest.Config{Ingester: s.sink, Linger: time.Millisecond, Replica: replica})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Run(ctx)
	}()
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := r.Header.Clone()
		s.seen.Store(&head)
		if code := s.status.Load(); code != 0 {
			w.WriteHeader(int(code))
			return
		}
		if s.drop.Load() {
			h.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		cancel()
		<-done
		s.Close()
	})
	return s
}

type parts struct {
	fs     *vfs.Mem
	check  *checkpoint.Checkpoint
	spool  *spool.Spool
	sender *send.Sender
}

func newParts(t *testing.T, fs *vfs.Mem, url string, spoolMax int64) *parts {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	p := &parts{fs: fs}
	var err error
	if p.check, err = checkpoint.Open(fs, log); err != nil {
		t.Fatal(err)
	}
	if p.spool, err = spool.Open(spool.Config{FS: fs, MaxBytes: spoolMax}); err != nil {
		t.Fatal(err)
	}
	client, err := send.NewClient(send.ClientConfig{URL: url, Agent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	p.sender = send.New(send.Config{
		Client: client, Checkpoint: p.check, Spool: p.spool, Node: "n1",
		Patience: 200 * time.Millisecond, Flush: 10 * time.Millisecond,
	})
	return p
}

// run runs the sender until the test ends or stop is called.
func (p *parts) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.sender.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

func stream(pod string) lastnight.Stream {
	return lastnight.Stream{Namespace: "ns", Pod: pod, PodUID: "u", Container: "c"}
}

var gen = lastnight.Generation{Start: 1, Sum: 2}

// spanOf makes a span of n lines of the size given.
func spanOf(pod string, from int64, n, size int) lastnight.Span {
	s := stream(pod)
	x := lastnight.Span{Stream: &s, Generation: gen, From: from, To: from}
	for i := range n {
		x.Records = append(x.Records, lastnight.Record{Lines: []lastnight.Line{{
			Time: int64(i), Offset: x.To, Text: bytes.Repeat([]byte{byte('a' + i%26)}, size),
		}}})
		x.To += int64(size) + 41
	}
	x.RawBytes = x.To - x.From
	return x
}

func (p *parts) ingest(t *testing.T, spans ...lastnight.Span) {
	t.Helper()
	if err := p.sender.Ingest(t.Context(), lastnight.Batch{Spans: spans}); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func TestSends(t *testing.T) {
	srv := newServer(t, false)
	p := newParts(t, vfs.NewMem(), srv.URL, 1<<20)
	stop := p.run(t)
	x := spanOf("p", 0, 100, 50)
	p.ingest(t, x)
	if n, _ := srv.sink.count(); n != 100 {
		t.Errorf("%d lines", n)
	}
	if got := p.sender.Position(stream("p"), gen); got != x.To {
		t.Errorf("position %d, want %d", got, x.To)
	}
	stop()
	again, err := checkpoint.Open(p.fs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Position(stream("p"), gen); got != x.To {
		t.Errorf("the checkpoint says %d, want %d", got, x.To)
	}
	if st := p.sender.Stats(); st.RawBytes != x.RawBytes || st.Requests != 1 || st.SentBytes == 0 || st.Away {
		t.Errorf("%+v", st)
	}
}

// Batches that are too large for a request, and spans that are, go in several, and nothing is missing.
func TestSplits(t *testing.T) {
	srv := newServer(t, false)
	p := newParts(t, vfs.NewMem(), srv.URL, 1<<20)
	big := spanOf("big", 0, 300, 50_000) // 15 MB
	var spans []lastnight.Span
	for i := range 300 {
		spans = append(spans, spanOf(fmt.Sprint("p", i), 0, 10, 3_000))
	}
	p.ingest(t, append(spans, big)...)
	if n, twice := srv.sink.count(); n != 300*10+300 || twice != 0 {
		t.Errorf("%d lines, %d of them twice", n, twice)
	}
	if st := p.sender.Stats(); st.Requests < 5 {
		t.Errorf("%d requests", st.Requests)
	}
	if got := p.sender.Position(stream("big"), gen); got != big.To {
		t.Errorf("position %d, want %d", got, big.To)
	}
	// Lines that reach across are not cut apart.
	wide := spanOf("wide", 0, 200, 50_000)
	last := &wide.Records[199]
	wide.Records[0].Lines = append(wide.Records[0].Lines, last.Lines...)
	wide.Records = wide.Records[:199]
	p.ingest(t, wide)
	if n, twice := srv.sink.count(); n != 300*10+300+200 || twice != 0 {
		t.Errorf("%d lines, %d of them twice", n, twice)
	}
}

// While the server is away, what is handed on is spooled, across a crash of the node, and sent when it is back.
func TestAway(t *testing.T) {
	srv := newServer(t, false)
	fs := vfs.NewMem()
	p := newParts(t, fs, srv.URL, 1<<20)
	stop := p.run(t)
	first := spanOf("p", 0, 10, 50)
	p.ingest(t, first)
	srv.status.Store(503)
	if p.sender.Skip(false) {
		t.Error("skips while the server is there")
	}
	second := spanOf("p", first.To, 10, 50)
	p.ingest(t, second)
	if !p.sender.Skip(false) || p.sender.Skip(true) {
		t.Error("while the server is away, only what is at risk is to be read")
	}
	third := spanOf("p", second.To, 10, 50)
	p.ingest(t, third)
	if err := p.sender.Ingest(t.Context(), lastnight.Batch{Events: []lastnight.Event{{ID: "e", Reason: "r"}}}); err != nil {
		t.Fatal(err)
	}
	if got := p.sender.Position(stream("p"), gen); got != third.To {
		t.Errorf("position %d, want %d", got, third.To)
	}
	stop()
	p = newParts(t, fs.Crash(false), srv.URL, 1<<20)
	if got := p.sender.Position(stream("p"), gen); got != third.To {
		t.Errorf("after a crash: position %d, want %d", got, third.To)
	}
	if n, _ := srv.sink.count(); n != 10 {
		t.Errorf("%d lines before the server is back", n)
	}
	p.run(t)
	srv.status.Store(0)
	eventually(t, "the spool is empty", func() bool { return p.sender.Stats().SpoolBytes == 0 })
	n, twice := srv.sink.count()
	if n != 30 || twice != 0 || len(srv.sink.events) != 1 {
		t.Errorf("%d lines, %d twice, %d events", n, twice, len(srv.sink.events))
	}
	if got := p.check.Position(stream("p"), gen); got != third.To {
		t.Errorf("checkpoint at %d, want %d", got, third.To)
	}
	if p.sender.Skip(false) {
		t.Error("still away")
	}
}

// A spool that is full makes the sender unavailable, and loses nothing.
func TestSpoolFull(t *testing.T) {
	srv := newServer(t, false)
	p := newParts(t, vfs.NewMem(), srv.URL, 3000)
	srv.status.Store(502)
	at, taken := int64(0), 0
	for {
		x := spanOf("p", at, 10, 60)
		err := p.sender.Ingest(t.Context(), lastnight.Batch{Spans: []lastnight.Span{x}})
		if lastnight.CodeOf(err) == lastnight.CodeUnavailable {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		at = x.To
		taken += 10
	}
	if !p.sender.Skip(true) || p.sender.Position(stream("p"), gen) != at || taken == 0 {
		t.Errorf("%d taken, position %d, want %d", taken, p.sender.Position(stream("p"), gen), at)
	}
	srv.status.Store(0)
	p.run(t)
	eventually(t, "the spool is empty", func() bool { return p.sender.Stats().SpoolBytes == 0 })
	if n, _ := srv.sink.count(); n != taken {
		t.Errorf("%d lines of %d", n, taken)
	}
}

// An acknowledgement that is lost on the way costs that the same lines come again, under the same ids.
func TestLostAck(t *testing.T) {
	srv := newServer(t, false)
	p := newParts(t, vfs.NewMem(), srv.URL, 1<<20)
	srv.drop.Store(true)
	time.AfterFunc(50*time.Millisecond, func() { srv.drop.Store(false) })
	p.run(t)
	x := spanOf("p", 0, 10, 50)
	p.ingest(t, x)
	eventually(t, "acknowledged", func() bool { return p.check.Position(stream("p"), gen) == x.To })
	if n, twice := srv.sink.count(); n != 10 || twice != 10 {
		t.Errorf("%d lines, %d came twice", n, twice)
	}
}

// What the server refuses for good is found, measured and told of; the rest arrives, from the spool as well.
func TestRefused(t *testing.T) {
	for _, spooled := range []bool{false, true} {
		t.Run(fmt.Sprint("spooled ", spooled), func(t *testing.T) {
			srv := newServer(t, false)
			srv.sink.bad = "bad"
			p := newParts(t, vfs.NewMem(), srv.URL, 1<<20)
			if spooled {
				srv.status.Store(503)
			}
			bad := spanOf("bad", 0, 3, 50)
			p.ingest(t, spanOf("a", 0, 10, 50), bad, spanOf("b", 0, 10, 50))
			p.run(t)
			srv.status.Store(0)
			eventually(t, "the event of the loss", func() bool {
				srv.sink.mu.Lock()
				defer srv.sink.mu.Unlock()
				return len(srv.sink.events) == 1
			})
			if n, _ := srv.sink.count(); n != 20 {
				t.Errorf("%d lines", n)
			}
			e := srv.sink.events[0]
			want := fmt.Sprintf("about %d bytes of this pod are missing", bad.RawBytes)
			if e.Kind != lastnight.EventCollector || e.Object.Name != "bad" || !strings.Contains(e.Message, want) || e.ID == "" {
				t.Errorf("%+v", e)
			}
			if p.sender.Stats().LostBytes != bad.RawBytes {
				t.Errorf("%+v", p.sender.Stats())
			}
			eventually(t, "an empty spool", func() bool { return p.sender.Stats().SpoolBytes == 0 })
		})
	}
}

// A proxy that answers 400 or 404 in the server's place does not make anything be lost.
func TestNotTheServer(t *testing.T) {
	srv := newServer(t, false)
	p := newParts(t, vfs.NewMem(), srv.URL, 1<<20)
	for _, code := range []int32{400, 401, 403, 404, 413, 500} {
		srv.status.Store(code)
		p.ingest(t, spanOf("p", int64(code)*1000, 1, 50))
	}
	if st := p.sender.Stats(); st.LostBytes != 0 || st.SpoolFrames != 6 {
		t.Errorf("%+v", st)
	}
}

func TestTLSAndToken(t *testing.T) {
	srv := newServer(t, true)
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := cmp.Or(os.WriteFile(ca, cert, 0o600), os.WriteFile(token, []byte("secret\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	check, err := checkpoint.Open(vfs.NewMem(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	try := func(cfg send.ClientConfig, gzip bool) error {
		client, err := send.NewClient(cfg)
		if err != nil {
			return err
		}
		s := send.New(send.Config{Client: client, Checkpoint: check, Patience: time.Millisecond, Gzip: gzip})
		return s.Ingest(t.Context(), lastnight.Batch{Spans: []lastnight.Span{spanOf("p", 0, 5, 50)}})
	}
	if err := try(send.ClientConfig{URL: srv.URL}, false); lastnight.CodeOf(err) != lastnight.CodeUnavailable {
		t.Errorf("a server of an unknown authority was trusted: %v", err)
	}
	if err := try(send.ClientConfig{URL: srv.URL, CAFile: ca, TokenFile: token}, true); err != nil {
		t.Fatal(err)
	}
	head := *srv.seen.Load()
	if head.Get("Authorization") != "Bearer secret" || head.Get("Content-Encoding") != "gzip" {
		t.Errorf("%v", head)
	}
	for _, cfg := range []send.ClientConfig{{URL: "ftp://x"}, {URL: ""}, {URL: srv.URL, CAFile: token}, {URL: srv.URL, TokenFile: ca + "x"}} {
		if err := try(cfg, false); lastnight.CodeOf(err) != lastnight.CodeInvalid {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// Crashing after any operation of the disk, the server away now and then: nothing that was taken is missing at the end.
func TestCrash(t *testing.T) {
	srv := newServer(t, false)
	for after, more := 0, true; more; after++ {
		srv.sink.mu.Lock()
		clear(srv.sink.lines)
		srv.sink.mu.Unlock()
		fs := vfs.NewMem()
		p := newParts(t, fs, srv.URL, 1<<20)
		stop := p.run(t)
		fs.FailAfter(after)
		srv.status.Store(503)
		var spans []lastnight.Span
		at := int64(0)
		for i := range 6 {
			if i == 3 {
				srv.status.Store(0)
			}
			x := spanOf("p", at, 5, 50)
			if p.sender.Ingest(t.Context(), lastnight.Batch{Spans: []lastnight.Span{x}}) != nil {
				break
			}
			spans = append(spans, x)
			at = x.To
		}
		stop()
		srv.status.Store(0)
		more = fs.Ops() > after // the crash was in what is tried here
		disk := fs.CrashTorn()
		if after%3 > 0 {
			disk = fs.Crash(after%3 == 1)
		}
		p = newParts(t, disk, srv.URL, 1<<20)
		stop = p.run(t)
		from := p.sender.Position(stream("p"), gen)
		for _, x := range spans { // what a tailer would read again
			if x.To > from {
				p.ingest(t, x)
			}
		}
		eventually(t, "an empty spool", func() bool { return p.sender.Stats().SpoolFrames == 0 })
		stop()
		srv.sink.mu.Lock()
		for _, x := range spans {
			for _, r := range x.Records {
				if srv.sink.lines[lastnight.NewLineID(x.Stream.ID(), x.Generation, r.Lines[0].Offset)] == 0 {
					t.Fatalf("crash after %d: the line at %d is missing", after, r.Lines[0].Offset)
				}
			}
		}
		srv.sink.mu.Unlock()
	}
}

func TestRetryAfter(t *testing.T) {
	var at []time.Time
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if at = append(at, time.Now()); len(at) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer srv.Close()
	check, err := checkpoint.Open(vfs.NewMem(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	client, err := send.NewClient(send.ClientConfig{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	s := send.New(send.Config{Client: client, Checkpoint: check})
	if err := s.Ingest(t.Context(), lastnight.Batch{Spans: []lastnight.Span{spanOf("p", 0, 1, 1)}}); err != nil {
		t.Fatal(err)
	}
	if len(at) != 2 || at[1].Sub(at[0]) < time.Second || s.Stats().Retries != 1 {
		t.Errorf("%d requests, %+v", len(at), slices.Clone(at))
	}
}
