package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"lastnight"
	"lastnight/indexer/ingest"
	"lastnight/internal/otlp"
)

// sink takes batches, as asked.
type sink struct {
	mu      sync.Mutex
	batches []lastnight.Batch
	err     func(lastnight.Batch) error
	hold    chan struct{} // if not nil, Ingest waits for it
}

func (s *sink) Ingest(ctx context.Context, b lastnight.Batch) error {
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.err != nil {
		if err := s.err(b); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.Spans { // nothing of b may be kept
		x := &b.Spans[i]
		x.Records = slices.Clone(x.Records)
		for j := range x.Records {
			r := &x.Records[j]
			r.Lines = slices.Clone(r.Lines)
			for k := range r.Lines {
				r.Lines[k].Text = bytes.Clone(r.Lines[k].Text)
			}
		}
	}
	s.batches = append(s.batches, b)
	return nil
}

func (s *sink) spans() []lastnight.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []lastnight.Span
	for _, b := range s.batches {
		out = append(out, b.Spans...)
	}
	return out
}

// start runs a handler over HTTP.
func start(t *testing.T, s *sink, cfg ingest.Config) (*ingest.Handler, string) {
	t.Helper()
	cfg.Ingester = s
	h := ingest.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Run(ctx)
	}()
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		cancel()
		<-done
		srv.Close()
	})
	return h, srv.URL
}

func post(t *testing.T, url string, body []byte, headers ...string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, b
}

// ours gives a request of one of our collectors with one line.
func ours(t testing.TB, pod, text string) []byte {
	t.Helper()
	b := lastnight.Batch{Spans: []lastnight.Span{{
		Stream:     &lastnight.Stream{Namespace: "ns", Pod: pod, PodUID: "u", Container: "c"},
		Generation: lastnight.Generation{Start: 1, Sum: 2}, To: int64(len(text)) + 1, RawBytes: 5,
		Records: []lastnight.Record{{Lines: []lastnight.Line{{Time: 1, Text: []byte(text)}}}},
	}}}
	data, err := new(otlp.Encoder).Append(nil, &b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func compressed(t *testing.T, kind string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if kind == "zstd" {
		z, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestEncodings(t *testing.T) {
	s := &sink{}
	_, url := start(t, s, ingest.Config{Linger: time.Millisecond})
	body := ours(t, "p", "hello")
	for _, kind := range []string{"gzip", "zstd"} {
		if code, _, b := post(t, url, compressed(t, kind, body), "Content-Encoding", kind); code != 200 || len(b) != 0 {
			t.Errorf("%s: %d %q", kind, code, b)
		}
	}
	if code, _, _ := post(t, url, body); code != 200 {
		t.Errorf("plain: %d", code)
	}
	text := `{"resourceLogs":[{"resource":{"attributes":[{"key":"k8s.pod.name","value":{"stringValue":"j"}}]},
	 "scopeLogs":[{"logRecords":[{"timeUnixNano":"7","traceId":"5b8efff798038103d269b633813fc60c","body":{"stringValue":"2026-11-21 03:00:00,123 WARN  a.B - m"}}]}]}], "later": 1}`
	if code, head, b := post(t, url, []byte(text), "Content-Type", "application/json; charset=utf-8"); code != 200 || string(b) != "{}" || head.Get("Content-Type") != "application/json" {
		t.Errorf("JSON: %d %q", code, b)
	}
	spans := s.spans()
	if len(spans) != 4 {
		t.Fatalf("%d spans", len(spans))
	}
	for _, got := range spans[:3] {
		if string(got.Records[0].Lines[0].Text) != "hello" || got.Stream.Pod != "p" {
			t.Errorf("%+v", got)
		}
	}
	if r := spans[3].Records[0]; r.Level != lastnight.LevelWarn || string(r.Message()) != "m" || r.Logger != "a.B" {
		t.Errorf("the header of a foreign line was not seen: %+v", r)
	}
}

func TestRefusals(t *testing.T) {
	s := &sink{}
	h, url := start(t, s, ingest.Config{Linger: time.Millisecond})
	body := ours(t, "p", "hello")
	bomb := compressed(t, "gzip", make([]byte, otlp.MaxRequest+10))
	half := compressed(t, "gzip", body)
	for name, c := range map[string]struct {
		body    []byte
		headers []string
		code    int
	}{
		"no OTLP":          {[]byte("hello"), nil, 400},
		"no JSON":          {[]byte("hello"), []string{"Content-Type", "application/json"}, 400},
		"other type":       {body, []string{"Content-Type", "text/plain"}, 415},
		"unknown encoding": {body, []string{"Content-Encoding", "br"}, 400},
		"no gzip":          {body, []string{"Content-Encoding", "gzip"}, 400},
		"half a gzip":      {half[:len(half)-9], []string{"Content-Encoding", "gzip"}, 400},
		"half a zstd":      {compressed(t, "zstd", body)[:20], []string{"Content-Encoding", "zstd"}, 400},
		"bomb":             {bomb, []string{"Content-Encoding", "gzip"}, 413},
		"a web page":       {body, []string{"Origin", "http://127.0.0.1:7077"}, 403},
	} {
		if code, _, b := post(t, url, c.body, c.headers...); code != c.code || len(b) == 0 {
			t.Errorf("%s: %d %q, want %d", name, code, b, c.code)
		}
	}
	if len(s.spans()) != 0 || h.Metrics().Invalid != 9 {
		t.Errorf("%d spans, %+v", len(s.spans()), h.Metrics())
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/logs", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	// What another version's collector sends is not refused, which it would take for lost: it comes again.
	other := bytes.Replace(ours(t, "q", "hello"), []byte("\x12\x012\x1a"), []byte("\x12\x019\x1a"), 1) // scope's field 2
	if code, head, b := post(t, url, other); code != 503 || head.Get("Retry-After") == "" || !strings.Contains(otlp.FailureText(b), `version "9"`) {
		t.Errorf("another version: %d %v %q", code, head, b)
	}
	// What is malformed inside a request is told, and the rest is taken.
	broken := append(bytes.Replace(ours(t, "q", "hello"), []byte("lastnight.records"), []byte("lastnight.recordz"), 1), body...)
	code, _, b := post(t, url, broken)
	if n, why, err := otlp.Rejected(b); code != 200 || n != 1 || why == "" || err != nil || len(s.spans()) != 1 {
		t.Errorf("%d: %d rejected, %q, %v, %d spans", code, n, why, err, len(s.spans()))
	}
}

func TestAllow(t *testing.T) {
	s := &sink{}
	_, url := start(t, s, ingest.Config{Linger: time.Millisecond, Allow: func(r *http.Request) error {
		switch r.Header.Get("Authorization") {
		case "Bearer right":
			return nil
		case "Bearer other":
			return lastnight.Errorf(lastnight.CodeForbidden, "", "not you")
		}
		return lastnight.Errorf(lastnight.CodeUnauthenticated, "", "who are you?")
	}})
	for token, want := range map[string]int{"right": 200, "other": 403, "": 401} {
		if code, _, _ := post(t, url, ours(t, "p", "x"), "Authorization", "Bearer "+token); code != want {
			t.Errorf("%q: %d, want %d", token, code, want)
		}
	}
}

// Many small requests become few groups, and each is answered after it is durable.
func TestGroups(t *testing.T) {
	s := &sink{}
	h, url := start(t, s, ingest.Config{Linger: 100 * time.Millisecond})
	var wg sync.WaitGroup
	const n = 40
	for i := range n {
		wg.Go(func() {
			pod := fmt.Sprintf("p%d", i)
			if code, _, b := post(t, url, ours(t, pod, "hello")); code != 200 {
				t.Errorf("%d %q", code, b)
			}
			if !slices.ContainsFunc(s.spans(), func(x lastnight.Span) bool { return x.Stream.Pod == pod }) {
				t.Errorf("%s was acknowledged before it was durable", pod)
			}
		})
	}
	wg.Wait()
	if m := h.Metrics(); m.Records != n || m.Groups > n/4 {
		t.Errorf("%+v", m)
	}
}

// One bad request does not take others with it.
// A collector that catches up waits for each acknowledgement: were its requests gathered it would send at the pace of groups.
func TestLargeWaitsForNone(t *testing.T) {
	h, url := start(t, &sink{}, ingest.Config{Linger: time.Hour})
	for i, text := range []string{"the first of all", strings.Repeat("large ", 200<<10), strings.Repeat("again ", 200<<10)} {
		if code, _, b := post(t, url, ours(t, "p", text)); code != 200 {
			t.Errorf("%d: %d %q", i, code, b)
		}
	}
	if groups := h.Metrics().Groups; groups != 3 {
		t.Errorf("%d groups", groups)
	}
}

func TestBadOne(t *testing.T) {
	s := &sink{err: func(b lastnight.Batch) error {
		for _, x := range b.Spans {
			if x.Stream.Pod == "bad" {
				return lastnight.Errorf(lastnight.CodeInvalid, "", "bad")
			}
		}
		return nil
	}}
	_, url := start(t, s, ingest.Config{Linger: 100 * time.Millisecond})
	var wg sync.WaitGroup
	for pod, want := range map[string]int{"a": 200, "bad": 400, "b": 200} {
		wg.Go(func() {
			if code, _, _ := post(t, url, ours(t, pod, "hello")); code != want {
				t.Errorf("%s: %d, want %d", pod, code, want)
			}
		})
	}
	wg.Wait()
	if len(s.spans()) != 2 {
		t.Errorf("%d spans", len(s.spans()))
	}
}

// Whoever comes when there is no room, or no disk, is told when to come again.
func TestBackpressure(t *testing.T) {
	s := &sink{hold: make(chan struct{})}
	h, url := start(t, s, ingest.Config{Linger: time.Millisecond, MaxPending: 300 << 10})
	var wg sync.WaitGroup
	codes := make([]int, 8)
	for i := range codes {
		wg.Go(func() {
			code, head, _ := post(t, url, ours(t, fmt.Sprint(i), strings.Repeat("x", 60<<10)))
			if codes[i] = code; code != 200 && head.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
	for h.Metrics().Refused < 4 {
		time.Sleep(time.Millisecond)
	}
	close(s.hold)
	wg.Wait()
	slices.Sort(codes)
	if codes[0] != 200 || codes[7] != 429 {
		t.Error(codes)
	}
	s.err = func(lastnight.Batch) error { return lastnight.Errorf(lastnight.CodeUnavailable, "", "disk full") }
	if code, head, b := post(t, url, ours(t, "p", "x")); code != 503 || head.Get("Retry-After") == "" || otlp.FailureText(b) != "disk full" {
		t.Errorf("%d %q", code, b)
	}
	s.err = func(lastnight.Batch) error { return io.ErrShortWrite }
	if code, head, b := post(t, url, ours(t, "p", "x")); code != 503 || head.Get("Retry-After") == "" || otlp.FailureText(b) != "internal error" {
		t.Errorf("%d %q", code, b)
	}
}

// Lines of others never fall on each other, whatever the order of their requests.
func TestForeignPlaces(t *testing.T) {
	s := &sink{}
	_, url := start(t, s, ingest.Config{Linger: time.Millisecond})
	for range 3 {
		body := `{"resourceLogs":[{"resource":{"attributes":[{"key":"k8s.pod.name","value":{"stringValue":"j"}}]},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a\nb"}}]}]}]}`
		if code, _, b := post(t, url, []byte(body), "Content-Type", "application/json"); code != 200 {
			t.Fatalf("%d %q", code, b)
		}
	}
	next := int64(0)
	for _, x := range s.spans() {
		if x.From != next || x.Generation != s.spans()[0].Generation || x.Generation.Start == 0 || x.Records[0].Lines[0].Offset != next {
			t.Errorf("span from %d of %v, want %d", x.From, x.Generation, next)
		}
		next = x.To
	}
	if next == 0 {
		t.Error("no spans")
	}
}

// A handler that stops answers those who wait.
func TestStops(t *testing.T) {
	s := &sink{hold: make(chan struct{})}
	h := ingest.New(ingest.Config{Ingester: s, Linger: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.Run(ctx) }()
	answers := make(chan int)
	body := ours(t, "p", "x")
	for range 5 {
		go func() {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/logs", bytes.NewReader(body))
			req.Header.Set("Content-Type", "application/x-protobuf")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			answers <- w.Code
		}()
	}
	time.Sleep(20 * time.Millisecond)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for range 5 {
		if code := <-answers; code != 503 {
			t.Error(code)
		}
	}
}
