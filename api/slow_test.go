package api

import (
	"context"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/api/apitest"
)

// flood gives lines without end, and tells when it was stopped.
type flood struct {
	*apitest.Memory
	stopped chan struct{}
}

func (f flood) RawLines(ctx context.Context, _ lastnight.SearchRequest) iter.Seq2[lastnight.RawLine, error] {
	return func(yield func(lastnight.RawLine, error) bool) {
		defer close(f.stopped)
		l := lastnight.RawLine{Text: []byte(strings.Repeat("x", 4096))}
		for ctx.Err() == nil && yield(l, nil) {
			continue
		}
	}
}

// TestReaderThatTakesNothing must not hold a search and its memory for ever.
func TestReaderThatTakesNothing(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{ndjsonType, "text/plain"} {
		f := flood{apitest.Sample(), make(chan struct{})}
		srv := httptest.NewServer(newTestRouter(t, Config{Searcher: f, Investigator: f, slowReader: 200 * time.Millisecond}))
		t.Cleanup(srv.Close)
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := fmt.Fprintf(conn, "GET /api/v1/logs/raw?job=x HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\n\r\n", accept); err != nil {
			t.Fatal(err)
		}
		select {
		case <-f.stopped:
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the stream goes on although nobody reads it", accept)
		}
	}
}

// TestReaderThatWaits may take its time between lines: a search that finds nothing for long is no reason to cut.
func TestReaderThatWaits(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	m.Fail = func(given int) error {
		if given == 3 {
			time.Sleep(700 * time.Millisecond)
		}
		return nil
	}
	srv := httptest.NewServer(newTestRouter(t, Config{Searcher: m, Investigator: m, slowReader: 200 * time.Millisecond}))
	t.Cleanup(srv.Close)
	status, _, body := fetch(t, srv, "/api/v1/logs/raw?job=orders-enrich", ndjsonType)
	if n := strings.Count(string(body), "\n"); status != http.StatusOK || n != len(m.Lines) {
		t.Errorf("status %d, %d lines of %d", status, n, len(m.Lines))
	}
}
