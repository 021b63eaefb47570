package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lastnight"
	"lastnight/api"
	"lastnight/api/apitest"
)

// growing is a Searcher whose documents become more while it is asked.
type growing struct {
	*apitest.Memory
	mu      sync.Mutex
	docs    []lastnight.Document
	arrived map[string]time.Time // by id
}

func (g *growing) add(at time.Time, id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.docs = append(g.docs, lastnight.Document{ID: id, Kind: lastnight.DocumentRecord, Time: at, Text: "line " + id})
	if g.arrived == nil {
		g.arrived = map[string]time.Time{}
	}
	g.arrived[id] = time.Now()
}

func (g *growing) Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	g.mu.Lock()
	defer g.mu.Unlock()
	docs := slices.DeleteFunc(slices.Clone(g.docs), func(d lastnight.Document) bool {
		return !req.ArrivedSince.IsZero() && g.arrived[d.ID].Before(req.ArrivedSince)
	})
	return (&apitest.Memory{Documents: docs}).Search(ctx, req)
}

type tailEvent struct{ id, data string }

// openTail reads events until the test ends.
func openTail(t *testing.T, url, last string) (events <-chan tailEvent, cancel context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("content type %q", kind)
	}
	out := make(chan tailEvent, 100)
	go func() {
		defer func() { _ = resp.Body.Close() }()
		var e tailEvent
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "id":
				e.id = value
			case "data":
				e.data = value
				out <- e
			}
		}
		close(out)
	}()
	return out, cancel
}

func idOf(t *testing.T, e tailEvent) string {
	t.Helper()
	var d lastnight.Document
	if err := json.Unmarshal([]byte(e.data), &d); err != nil {
		t.Fatalf("%v in %q", err, e.data)
	}
	return d.ID
}

// TestTailTellsEachOnce: those that arrive late by a few seconds too, and goes on where another tail ended.
func TestTailTellsEachOnce(t *testing.T) {
	t.Parallel()
	g := &growing{Memory: apitest.Sample()}
	srv := serve(t, api.Config{Searcher: g, Investigator: g})
	now := time.Now().Add(time.Second)
	g.add(now.Add(-time.Hour), "old")
	events, cancel := openTail(t, srv.URL+"/api/v1/tail", "")
	defer cancel()
	g.add(now.Add(2*time.Second), "b")
	first := <-events
	g.add(now.Add(time.Second), "a-late")
	g.add(now.Add(3*time.Second), "c")
	got := []string{idOf(t, first), idOf(t, <-events), idOf(t, <-events)}
	if want := []string{"b", "a-late", "c"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	cancel()
	g.add(now.Add(10*time.Second), "d")
	again, stop := openTail(t, srv.URL+"/api/v1/tail", first.id)
	defer stop()
	known := []string{}
	for e := range again {
		if known = append(known, idOf(t, e)); known[len(known)-1] == "d" {
			break
		}
	}
	if !slices.Contains(known, "c") || !slices.Contains(known, "a-late") || slices.Contains(known, "old") {
		t.Errorf("after coming again: %v", known)
	}
}

// TestTailTellsWhatIsLate: lines of long ago that arrive now come too, once, but not those that were there before; and a
// reader that comes again goes on at the newest, not at the late one that it was told last.
func TestTailTellsWhatIsLate(t *testing.T) {
	t.Parallel()
	g := &growing{Memory: apitest.Sample()}
	srv := serve(t, api.Config{Searcher: g, Investigator: g})
	now := time.Now()
	g.add(now.Add(-10*time.Minute), "was there")
	events, cancel := openTail(t, srv.URL+"/api/v1/tail", "")
	defer cancel()
	g.add(now.Add(time.Second), "new")
	first := <-events
	g.add(now.Add(-5*time.Minute), "late")
	g.add(now.Add(-2*time.Hour), "too late")
	late := <-events
	g.add(now.Add(-4*time.Minute), "later")
	later := <-events
	if got := []string{idOf(t, first), idOf(t, late), idOf(t, later)}; !slices.Equal(got, []string{"new", "late", "later"}) {
		t.Errorf("told %v", got)
	}
	if later.id != first.id {
		t.Errorf("after a late one the reader would go on at %s, not at %s", later.id, first.id)
	}
	select {
	case e := <-events:
		t.Errorf("told again: %s", idOf(t, e))
	case <-time.After(5 * time.Second):
	}
}

// TestTailOfAFlood gives all of more documents than one look does, each once.
func TestTailOfAFlood(t *testing.T) {
	t.Parallel()
	g := &growing{Memory: apitest.Sample()}
	srv := serve(t, api.Config{Searcher: g, Investigator: g})
	const n = 30_000
	base := time.Now()
	for i := range n {
		g.docs = append(g.docs, lastnight.Document{ID: fmt.Sprintf("%06d", i), Kind: lastnight.DocumentRecord, Time: base.Add(time.Duration(i) * 100 * time.Microsecond)})
	}
	events, cancel := openTail(t, srv.URL+fmt.Sprintf("/api/v1/tail?start=%s&limit=%d", base.UTC().Format("2006-01-02T15:04:05.999999999Z"), n), "")
	defer cancel()
	seen := map[string]bool{}
	for e := range events {
		seen[idOf(t, e)] = true
	}
	if len(seen) != n {
		t.Errorf("told %d of %d", len(seen), n)
	}
}

func TestTailRefuses(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	srv := serve(t, api.Config{Searcher: m, Investigator: m})
	for _, query := range []string{"cursor=nonsense", "limit=0", "order=newest", "start=soon"} {
		if resp, body := do(t, srv, http.MethodGet, "/api/v1/tail?"+query); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, resp.StatusCode, body)
		}
	}
}

func TestFieldValues(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	srv := serve(t, api.Config{Searcher: m, Investigator: m})
	for target, want := range map[string]string{
		"level/values?prefix=w":      `"items":[{"value":"WARN"}]`,
		"k8s.pod.name/values":        `{"value":"orders-enrich-taskmanager-1-1","count":1}`,
		"job/values?prefix=enrich":   `{"value":"orders-enrich","count":1}`,
		"nonsuch/values":             `"code":"invalid"`,
		"level%3Ax%20or%20y/values":  `"code":`,
		"namespace/values?limit=1":   `"items":[{"value":"flink","count":1}]`,
		"reason/values?job=nowhere":  `"items":[]`,
		"message/values?prefix=zzzz": `"code":"not_found"`,
	} {
		if _, body := do(t, srv, http.MethodGet, "/api/v1/fields/"+target); !strings.Contains(body, want) {
			t.Errorf("%s: want %s in %.400s", target, want, body)
		}
	}
}

func TestHistogramOfAQuery(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	srv := serve(t, api.Config{Searcher: m, Investigator: m})
	base := "/api/v1/histogram?start=2026-11-21T02:00:00Z&end=2026-11-21T04:00:00Z"
	for query, want := range map[string]string{
		"&q=line":                `"INFO":`,
		"&scope=important":       `"levels":{"INFO":3}`, // one for three alike
		"&scope=x":               `"code":"invalid"`,
		"&q=nothing":             `"items":[]`,
		"&pod=gone":              `"items":[]`,
		"&step=1s":               `"code":"invalid"`, // 7200 of them
		"&step=5s":               `"step_seconds":5`,
		"&step=5s&template_id=x": `"code":"invalid"`,
		"&q=x&template_id=x":     `"code":"invalid"`,
	} {
		if _, body := do(t, srv, http.MethodGet, base+query); !strings.Contains(body, want) {
			t.Errorf("%s: want %s in %.400s", query, want, body)
		}
	}
}

func TestTemplateRates(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	srv := serve(t, api.Config{Searcher: m, Investigator: m})
	_, body := do(t, srv, http.MethodGet, "/api/v1/rates?start=2026-11-21T03:00:00Z&end=2026-11-21T03:00:10Z&step=5s&job=orders-enrich")
	for _, want := range []string{
		`"step_seconds":5`, `"id":"t2","text":"line <*>","count":10`,
		`"points":[{"start":"2026-11-21T03:00:00Z","count":5},{"start":"2026-11-21T03:00:05Z","count":5}]`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("want %s in %.600s", want, body)
		}
	}
}
