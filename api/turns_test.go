package api

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/api/apitest"
)

// held is a searcher whose searches last until they are let go, but for those of one document.
type held struct {
	*apitest.Memory
	began, let chan struct{}
}

func (h held) Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		if req.Limit != 1 {
			h.began <- struct{}{}
			select {
			case <-h.let:
			case <-ctx.Done():
			}
		}
		yield(h.Documents[0], ctx.Err())
	}
}

// TestSearchesTakeTurns: as many as may look through the archive at once, the next ones when those are done, in the order in which they
// came; who waits too long is told why; what needs no turn does not wait.
func TestSearchesTakeTurns(t *testing.T) {
	t.Parallel()
	m := held{apitest.Sample(), make(chan struct{}, 100), make(chan struct{})}
	h, err := New(Config{Searcher: m, Investigator: m.Memory, searches: 2, turnWait: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	ask := func(ctx context.Context, target string) (int, string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/api/v1/"+target, http.NoBody)
		if err != nil {
			return 0, err.Error()
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	answers := make(chan int, 10)
	search := func(ctx context.Context) {
		go func() {
			status, _ := ask(ctx, "search?q=x")
			answers <- status
		}()
	}
	search(t.Context())
	search(t.Context())
	<-m.began
	<-m.began
	gone, leave := context.WithCancel(t.Context())
	search(gone) // waits, and is gone before its turn comes
	for _, target := range []string{"search?q=x", "records/" + apitest.Sample().Documents[0].ID + "/context", "histogram?q=x&start=-1h", "rates?start=-1h&end=now", "templates?exact=true&start=-1h&end=now"} {
		if status, body := ask(t.Context(), target); status != http.StatusServiceUnavailable || !strings.Contains(body, "2 searches are under way") || !strings.Contains(body, "try again") {
			t.Errorf("%s, the third: %d %s", target, status, body)
		}
	}
	for _, target := range []string{"jobs", "incidents", "histogram?start=-1h&end=now", "search?q=x&format=ndjson&limit=1"} {
		if status, body := ask(t.Context(), target); status != http.StatusOK {
			t.Errorf("%s while searches are under way: %d %s", target, status, body)
		}
	}
	leave()
	<-answers
	search(t.Context()) // has its turn when the first one is done
	m.let <- struct{}{}
	select {
	case <-m.began:
	case <-time.After(10 * time.Second):
		t.Fatal("the third does not get its turn")
	}
	m.let <- struct{}{}
	m.let <- struct{}{}
	for range 3 {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
}
