package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lastnight"
	"lastnight/api"
	"lastnight/api/apitest"
	"lastnight/api/client"
)

// connect gives a client of a real server that answers from m.
func connect(t testing.TB, m *apitest.Memory) *client.Client {
	t.Helper()
	h, err := api.New(api.Config{Searcher: m, Investigator: m})
	if err != nil {
		t.Fatal(err)
	}
	return dial(t, h)
}

func dial(t testing.TB, h http.Handler) *client.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func collect[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// same asks both ends the same and compares what they say.
func same[Req, Ans any](t *testing.T, what string, near, far func(context.Context, Req) (Ans, error), reqs ...Req) {
	t.Helper()
	for _, req := range reqs {
		want, wantErr := near(t.Context(), req)
		got, err := far(t.Context(), req)
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s %+v: - in process + over HTTP:\n%s", what, req, d)
		}
		if lastnight.CodeOf(err) != lastnight.CodeOf(wantErr) || lastnight.HintOf(err) != lastnight.HintOf(wantErr) ||
			(wantErr != nil && err.Error() != wantErr.Error()) {
			t.Errorf("%s %+v: error %v, in process %v", what, req, err, wantErr)
		}
	}
}

// TestSameAnswers: a command must not notice which of the two it asks.
func TestSameAnswers(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	for i := range 450 { // More than a page of them, many in the same second.
		m.IncidentList = append(m.IncidentList, lastnight.Incident{
			ID: fmt.Sprintf("many-%03d", i), Namespace: "n", Job: "j", Start: apitest.Night.Add(time.Duration(i/100) * time.Second), End: apitest.Night,
		})
	}
	for i := range m.Documents { // Over JSON, times lose their location and text its odd bytes.
		m.Documents[i].Text = strings.ToValidUTF8(m.Documents[i].Text, "\ufffd")
	}
	c, n := connect(t, m), apitest.Night
	same(t, "Incidents", m.Incidents, c.Incidents,
		lastnight.IncidentsRequest{}, lastnight.IncidentsRequest{Planned: true}, lastnight.IncidentsRequest{Limit: 1}, lastnight.IncidentsRequest{Limit: 333},
		lastnight.IncidentsRequest{Limit: 200}, lastnight.IncidentsRequest{Namespace: "flink", Job: "orders-enrich"}, lastnight.IncidentsRequest{Job: "none"},
		lastnight.IncidentsRequest{Start: n.Add(1), End: n.Add(2 * time.Second)})
	same(t, "Incident", m.Incident, c.Incident, "in-1", "in-2", "many-001", "none", "a/b", "..", ".", "ü ?&#%", "in-1/")
	same(t, "Why", m.Why, c.Why,
		lastnight.WhyRequest{Job: "orders-enrich"}, lastnight.WhyRequest{Job: "shop/front end", Namespace: "web", Start: n, End: n.Add(time.Hour), Zone: "Europe/Berlin"},
		lastnight.WhyRequest{Job: "orders-enrich", Zone: "Local"}, lastnight.WhyRequest{Job: "orders-enrich", Start: n, End: n.Add(time.Hour), Zone: "not a zone"},
		lastnight.WhyRequest{Job: "5f2b0c1d5f2b0c1d5f2b0c1d5f2b0c1d", Start: n.Add(1), End: n.Add(2)}, lastnight.WhyRequest{Job: "nothing"})
	same(t, "Jobs", m.Jobs, c.Jobs,
		lastnight.JobsRequest{}, lastnight.JobsRequest{Namespace: "web"}, lastnight.JobsRequest{Name: "shop/front end"}, lastnight.JobsRequest{Start: n.Add(30 * time.Minute)})
	same(t, "Streams", m.Streams, c.Streams,
		lastnight.StreamsRequest{}, lastnight.StreamsRequest{Namespace: "flink", Job: "orders-enrich", Pod: "orders-enrich-taskmanager-1-1", Start: n, End: n.Add(1)})
	same(t, "Templates", m.Templates, c.Templates,
		lastnight.TemplatesRequest{}, lastnight.TemplatesRequest{Limit: 1}, lastnight.TemplatesRequest{Namespace: "flink", Job: "orders-enrich", Start: n, End: n.Add(time.Minute)})
	same(t, "Histogram", m.Histogram, c.Histogram,
		lastnight.HistogramRequest{Start: n, End: n.Add(time.Hour), Step: time.Minute},
		lastnight.HistogramRequest{Start: n, End: n.Add(time.Hour), Step: time.Hour, Namespace: "flink", Job: "orders-enrich", Template: "t1"})
	around := func(s lastnight.Searcher) func(context.Context, [3]any) ([]lastnight.Document, error) {
		return func(ctx context.Context, a [3]any) ([]lastnight.Document, error) {
			return s.Context(ctx, lastnight.LineID(a[0].(string)), a[1].(int), a[2].(int))
		}
	}
	same(t, "Context", around(m), around(c), [3]any{m.Documents[4].ID, 2, 3}, [3]any{m.Documents[0].ID, 0, 0},
		[3]any{"3f2a9c01d4e5b6a7.0018a2f3b4c5d6e7-1a2b3c4d.1f40", 1, 1})
}

func TestSameStreams(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	c, n, one, two := connect(t, m), apitest.Night, 1, 2
	search := func(s lastnight.Searcher) func(context.Context, lastnight.SearchRequest) ([]lastnight.Document, error) {
		return func(ctx context.Context, req lastnight.SearchRequest) ([]lastnight.Document, error) {
			return collect(s.Search(ctx, req))
		}
	}
	raw := func(s lastnight.Searcher) func(context.Context, lastnight.SearchRequest) ([]lastnight.RawLine, error) {
		return func(ctx context.Context, req lastnight.SearchRequest) ([]lastnight.RawLine, error) {
			return collect(s.RawLines(ctx, req))
		}
	}
	pod := lastnight.SearchRequest{Namespace: "flink", Pod: "orders-enrich-taskmanager-1-1"}
	all := []lastnight.SearchRequest{
		pod,
		{Job: "orders-enrich"},
		{Pod: pod.Pod, Restart: &one},
		{Pod: pod.Pod, Restart: &two},
		{Pod: pod.Pod, PodUID: "8c1f", Container: "flink-main-container", Node: "node-a", Start: n.Add(time.Second), End: n.Add(5 * time.Second), Limit: 3},
	}
	same(t, "RawLines", raw(m), raw(c), all...)
	same(t, "Search", search(m), search(c), append(all,
		lastnight.SearchRequest{}, lastnight.SearchRequest{Limit: 20_000}, lastnight.SearchRequest{Query: "line <b>", Oldest: true},
		lastnight.SearchRequest{Query: "+&=;%20#\u2028"}, lastnight.SearchRequest{Important: true},
		lastnight.SearchRequest{Kinds: []lastnight.DocumentKind{lastnight.DocumentEvent}},
		lastnight.SearchRequest{Kinds: []lastnight.DocumentKind{lastnight.DocumentEvent, lastnight.DocumentRecord}, Limit: 5},
		lastnight.SearchRequest{Signals: []string{lastnight.SignalException, lastnight.SignalLifecycle}},
		lastnight.SearchRequest{Cursor: lastnight.CursorOf(m.Documents[5].Time, m.Documents[5].ID)},
		lastnight.SearchRequest{Cursor: lastnight.CursorOf(m.Documents[5].Time, m.Documents[5].ID), Oldest: true, Limit: 1},
		lastnight.SearchRequest{Cursor: "nonsense"},
	)...)
}

// TestErrorsComeBack: whatever code the server's error has, and wherever in a stream it comes.
func TestErrorsComeBack(t *testing.T) {
	t.Parallel()
	for _, code := range []lastnight.Code{
		lastnight.CodeInvalid, lastnight.CodeNotFound, lastnight.CodeConflict, lastnight.CodeTooLarge, lastnight.CodeUnavailable, lastnight.CodeInternal,
	} {
		for when := range 11 {
			m := apitest.Sample()
			m.Fail = func(given int) error {
				if given == when {
					return fmt.Errorf("doing this: %w", lastnight.Errorf(code, "try that", "it is %s", code))
				}
				return nil
			}
			c := connect(t, m)
			docs, err := collect(c.Search(t.Context(), lastnight.SearchRequest{}))
			check := func(what string, n int, err error) {
				e, ok := errors.AsType[*lastnight.Error](err)
				if !ok || e.Code != code || e.Hint != "try that" || e.Message != "it is "+string(code) || n != when {
					t.Errorf("%s failing with %s after %d: got %d and %#v", what, code, when, n, err)
				}
			}
			check("Search", len(docs), err)
			if when < 11 {
				lines, err := collect(c.RawLines(t.Context(), lastnight.SearchRequest{Job: "orders-enrich"}))
				check("RawLines", len(lines), err)
			}
			if when == 0 {
				_, err := c.Jobs(t.Context(), lastnight.JobsRequest{})
				check("Jobs", 0, err)
			}
		}
	}
}

// TestLeavingEndsTheQuestion: the server must not go on for nobody.
func TestLeavingEndsTheQuestion(t *testing.T) {
	t.Parallel()
	m, gone := apitest.Sample(), make(chan struct{})
	var h http.Handler
	h, err := api.New(api.Config{Searcher: m, Investigator: m})
	if err != nil {
		t.Fatal(err)
	}
	inner := h
	h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		<-r.Context().Done()
		close(gone)
	})
	c := dial(t, h)
	for _, err := range c.Search(t.Context(), lastnight.SearchRequest{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the request is still under way")
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	c := dial(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-block:
		}
	}))
	t.Cleanup(func() { close(block) })
	for what, ask := range map[string]func(context.Context) error{
		"Jobs": func(ctx context.Context) error { _, err := c.Jobs(ctx, lastnight.JobsRequest{}); return err },
		"Search": func(ctx context.Context) error {
			_, err := collect(c.Search(ctx, lastnight.SearchRequest{}))
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if err := ask(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want that it was cancelled", what, err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := ask(ctx); lastnight.CodeOf(err) != lastnight.CodeUnavailable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want unavailable", what, err)
		}
		cancel()
	}
}

// TestHalfAnswers: whatever breaks off is an error, and half a line is never told.
func TestHalfAnswers(t *testing.T) {
	t.Parallel()
	whole := `{"id":"a","kind":"record","time":"2026-11-21T03:00:00Z","text":"x","restart":0}` + "\n"
	for _, sent := range []string{"", whole, whole + whole[:len(whole)-1], whole + whole[:40]} {
		c := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = io.WriteString(w, sent)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		docs, err := collect(c.Search(t.Context(), lastnight.SearchRequest{}))
		if lastnight.CodeOf(err) != lastnight.CodeUnavailable || len(docs) != strings.Count(sent, "\n") {
			t.Errorf("%q: got %d documents and %v", sent, len(docs), err)
		}
	}
}

// TestStrangers: servers that are none of ours, broken ones, and none at all.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, s := range []struct {
		status     int
		kind, body string
		code       lastnight.Code
	}{
		{200, "text/html", "<html>", lastnight.CodeUnavailable},
		{200, "application/json", "{", lastnight.CodeInternal},
		{200, "application/json", `{"items":"x"}`, lastnight.CodeInternal},
		{404, "text/html", "not here", lastnight.CodeNotFound},
		{403, "text/plain", "no", lastnight.CodeForbidden},
		{401, "text/plain", "who?", lastnight.CodeUnauthenticated},
		{429, "text/plain", "slow down", lastnight.CodeUnavailable},
		{502, "text/html", "bad gateway", lastnight.CodeUnavailable},
		{500, "application/problem+json", "{}", lastnight.CodeInternal},
		{418, "application/problem+json", `{"code":"teapot","detail":"x","status":418}`, lastnight.CodeInvalid},
		{500, "application/problem+json", strings.Repeat("[", 1<<20), lastnight.CodeInternal},
	} {
		c := dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", s.kind)
			w.WriteHeader(s.status)
			_, _ = io.WriteString(w, s.body)
		}))
		if _, err := c.Jobs(t.Context(), lastnight.JobsRequest{}); lastnight.CodeOf(err) != s.code {
			t.Errorf("%d %s: got %q %v, want %s", s.status, s.kind, lastnight.CodeOf(err), err, s.code)
		}
		if _, err := collect(c.Search(t.Context(), lastnight.SearchRequest{})); err == nil {
			t.Errorf("%d %s: a search succeeds", s.status, s.kind)
		}
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	c, err := client.New("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Jobs(t.Context(), lastnight.JobsRequest{}); lastnight.CodeOf(err) != lastnight.CodeUnavailable || !strings.Contains(lastnight.HintOf(err), "lastnight run") {
		t.Errorf("nobody listens: got %v", err)
	}
	for _, url := range []string{"", "localhost:7077", "ftp://a", "http://", "http://a?b=c", "http://a#b", "http://%zz", "/x"} {
		if _, err := client.New(url); lastnight.CodeOf(err) != lastnight.CodeInvalid || lastnight.HintOf(err) == "" {
			t.Errorf("%q: got %v", url, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[lastnight.Code][2]int{
		"": {200, 0}, lastnight.CodeInvalid: {400, 2}, lastnight.CodeNotFound: {404, 3}, lastnight.CodeConflict: {409, 1},
		lastnight.CodeTooLarge: {413, 1}, lastnight.CodeUnavailable: {503, 1}, lastnight.CodeInternal: {500, 1}, "other": {500, 1},
	} {
		var err error
		if code != "" {
			err = fmt.Errorf("ask: %w", lastnight.Errorf(code, "", "x"))
		}
		if got := [2]int{api.StatusOf(code), api.ExitCodeOf(err)}; got != want {
			t.Errorf("%q: status and exit code %v, want %v", code, got, want)
		}
	}
	if got := api.ExitCodeOf(errors.New("x")); got != 1 {
		t.Errorf("any error: exit code %d, want 1", got)
	}
}
