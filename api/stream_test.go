package api_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/api"
	"lastnight/api/apitest"
)

func TestRawIsJustTheBytes(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	srv := serve(t, api.Config{Searcher: m, Investigator: m})
	resp, body := do(t, srv, http.MethodGet, "/api/v1/logs/raw?namespace=flink&pod=orders-enrich-taskmanager-1-1&container=flink-main-container&restart=1")
	var want strings.Builder
	for _, l := range m.Lines {
		want.Write(l.Text)
		want.WriteByte('\n')
	}
	if body != want.String() || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%s: got %q, want %q", resp.Header.Get("Content-Type"), body, want.String())
	}
	if _, body := do(t, srv, http.MethodGet, "/api/v1/logs/raw?pod=gone"); body != "" {
		t.Errorf("a pod without lines gives %q", body)
	}
}

// TestRawIsCutNotEnded sees to it that a part of a log is never taken for the whole.
func TestRawIsCutNotEnded(t *testing.T) {
	t.Parallel()
	for _, when := range []int{0, 1, 5, 10} {
		m := apitest.Sample()
		m.Fail = func(given int) error {
			if given == when {
				return errors.New("bit flip at /secret/path")
			}
			return nil
		}
		srv := serve(t, api.Config{Searcher: m, Investigator: m})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/v1/logs/raw?job=orders-enrich", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		switch {
		case strings.Contains(string(b), "secret"):
			t.Errorf("after %d lines: internals are told: %s", when, b)
		case when == 0 && (resp.StatusCode != http.StatusInternalServerError || problem(t, string(b)).Code != lastnight.CodeInternal):
			t.Errorf("failed at once: status %d, %s", resp.StatusCode, b)
		case when > 0 && err == nil:
			t.Errorf("after %d lines: the answer looks whole: %q", when, b)
		}
	}
}

// TestStreamComesAsItIsFound reads the first line while the search still goes on, then
// goes away and sees the search end.
func TestStreamComesAsItIsFound(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/api/v1/search", "/api/v1/logs/raw?job=orders-enrich"} {
		m, block, ended := apitest.Sample(), make(chan struct{}), make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		s := slow{Memory: m, block: block, ended: ended}
		srv := serve(t, api.Config{Searcher: s, Investigator: m})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+target, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "application/x-ndjson")
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.Contains(line, `"id"`) {
			t.Errorf("%s: got %q %v", target, line, err)
		}
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: the search ended with %v", target, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: the search goes on without a reader", target)
		}
		_ = resp.Body.Close()
	}
}

// slow gives one document or line and then waits until the question is cancelled.
type slow struct {
	*apitest.Memory
	block chan struct{}
	ended chan error
}

func (s slow) wait(ctx context.Context) error {
	select {
	case <-s.block:
	case <-ctx.Done():
	}
	s.ended <- ctx.Err()
	return ctx.Err()
}

func (s slow) Search(ctx context.Context, _ lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		if yield(s.Documents[0], nil) {
			yield(lastnight.Document{}, s.wait(ctx))
		}
	}
}

func (s slow) RawLines(ctx context.Context, _ lastnight.SearchRequest) iter.Seq2[lastnight.RawLine, error] {
	return func(yield func(lastnight.RawLine, error) bool) {
		if yield(s.Lines[0], nil) {
			yield(lastnight.RawLine{}, s.wait(ctx))
		}
	}
}

// TestPanicInTheMiddle: half an answer does not look like a whole one.
func TestPanicInTheMiddle(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	m.Fail = func(given int) error {
		if given == 3 {
			panic("odd")
		}
		return nil
	}
	srv := serve(t, api.Config{Searcher: m, Investigator: m})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/v1/search", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/x-ndjson")
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the answer looks whole: %s", b)
	}
}
