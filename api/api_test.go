package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"lastnight"
	"lastnight/api"
	"lastnight/api/apitest"
)

func serve(t testing.TB, c api.Config) *httptest.Server {
	t.Helper()
	if c.Searcher == nil {
		m := apitest.Sample()
		c.Searcher, c.Investigator = m, m
	}
	h, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

// do asks and gives the answer with its body read; header is names and values in turn.
func do(t testing.TB, srv *httptest.Server, method, target string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func problem(t testing.TB, body string) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("no problem: %v in %.300s", err, body)
	}
	return p
}

func TestWrongRequests(t *testing.T) {
	t.Parallel()
	srv := serve(t, api.Config{})
	for _, c := range []struct {
		target string
		status int
		code   lastnight.Code
		says   string // in detail or hint
	}{
		{"/api/v1/search?namspace=a", 400, lastnight.CodeInvalid, "did you mean namespace?"},
		{"/api/v1/search?since=-2h", 400, lastnight.CodeInvalid, "did you mean"},
		{"/api/v1/incidents/in-1?x=1", 400, lastnight.CodeInvalid, "this route has none"},
		{"/api/v1/search?job=a&job=b", 400, lastnight.CodeInvalid, "given 2 times"},
		{"/api/v1/search?limit=0", 400, lastnight.CodeInvalid, "from 1 to 10000"},
		{"/api/v1/search?limit=10001", 400, lastnight.CodeInvalid, "from 1 to 10000"},
		{"/api/v1/search?limit=99999999999999999999", 400, lastnight.CodeInvalid, "whole number"},
		{"/api/v1/search?restart=-1", 400, lastnight.CodeInvalid, "whole number"},
		{"/api/v1/search?scope=all", 400, lastnight.CodeInvalid, "everything, important"},
		{"/api/v1/search?order=up", 400, lastnight.CodeInvalid, "newest, oldest"},
		{"/api/v1/search?kind=record,thing", 400, lastnight.CodeInvalid, "thing"},
		{"/api/v1/search?signal=" + strings.Repeat("a,", 100), 400, lastnight.CodeInvalid, "at most 64"},
		{"/api/v1/search?cursor=nonsense", 400, lastnight.CodeInvalid, "next_cursor"},
		{"/api/v1/search?q=%00", 400, lastnight.CodeInvalid, "no text"},
		{"/api/v1/search?q=%ff%fe", 400, lastnight.CodeInvalid, "no text"},
		{"/api/v1/search?q=%zz", 400, lastnight.CodeInvalid, "does not parse"},
		{"/api/v1/search?q=a;b", 400, lastnight.CodeInvalid, "does not parse"},
		{"/api/v1/search?q=" + strings.Repeat("a", 9000), 413, lastnight.CodeTooLarge, "at most"},
		{"/api/v1/search?" + strings.Repeat("a", 17000), 413, lastnight.CodeTooLarge, "at most"},
		{"/api/v1/search?start=soon", 400, lastnight.CodeInvalid, `"soon" is not a time`},
		{"/api/v1/search?start=now&end=-1h", 400, lastnight.CodeInvalid, "is empty"},
		{"/api/v1/search?zone=Europe/Nowhere", 400, lastnight.CodeInvalid, "Europe/Berlin"},
		{"/api/v1/search?zone=Local", 400, lastnight.CodeInvalid, "unknown time zone"},
		{"/api/v1/search?zone=../../../../etc/passwd", 400, lastnight.CodeInvalid, "unknown time zone"},
		{"/api/v1/incidents?planned=maybe", 400, lastnight.CodeInvalid, "false, true"},
		{"/api/v1/incidents/none", 404, lastnight.CodeNotFound, "no incident"},
		{"/api/v1/incidents/%2e%2e%2f%00", 400, lastnight.CodeInvalid, "no text"},
		{"/api/v1/incidents/..%2f..%2fetc", 404, lastnight.CodeNotFound, `no incident "../../etc"`},
		{"/api/v1/why", 400, lastnight.CodeInvalid, "which job"},
		{"/api/v1/why?job=nothing", 404, lastnight.CodeNotFound, "orders-enrich"},
		{"/api/v1/why?job=a&when=yesterday&start=-2h", 400, lastnight.CodeInvalid, "either"},
		{"/api/v1/why?job=a&when=someday", 400, lastnight.CodeInvalid, "last night"},
		{"/api/v1/records/abc/context", 400, lastnight.CodeInvalid, "malformed"},
		{"/api/v1/records/3f2a9c01d4e5b6a7.0018a2f3b4c5d6e7-1a2b3c4d.1f40/context", 404, lastnight.CodeNotFound, "no record"},
		{"/api/v1/records/3f2a9c01d4e5b6a7.0018a2f3b4c5d6e7-1a2b3c4d.1f40/context?before=1001", 400, lastnight.CodeInvalid, "0 to 1000"},
		{"/api/v1/logs/raw", 400, lastnight.CodeInvalid, "whose lines"},
		{"/api/v1/jobs?cursor=nonsense", 400, lastnight.CodeInvalid, "next_cursor"},
		{"/api/v1/jobs?limit=0", 400, lastnight.CodeInvalid, "from 1 to 10000"},
		{"/api/v1/streams?order=up", 400, lastnight.CodeInvalid, "name, newest"},
		{"/api/v1/streams?cursor=nonsense", 400, lastnight.CodeInvalid, "next_cursor"},
		{"/api/v1/rates", 400, lastnight.CodeInvalid, "start and end"},
		{"/api/v1/rates?start=2000-01-01&end=now&step=1s", 400, lastnight.CodeInvalid, "more than 5000"},
		{"/api/v1/histogram?template_id=t1&step=90s", 400, lastnight.CodeInvalid, "whole minutes"},
		{"/api/v1/histogram?step=0m", 400, lastnight.CodeInvalid, "whole minutes"},
		{"/api/v1/histogram?start=2000-01-01&step=1m", 400, lastnight.CodeInvalid, "more than 5000"},
		{"/api/v1/histogram?start=now%2B1h", 400, lastnight.CodeInvalid, "empty"},
		{"/api/v1/nothing", 404, lastnight.CodeNotFound, "openapi.yaml"},
		{"/api/v1/incidents/a/b", 404, lastnight.CodeNotFound, "openapi.yaml"},
		{"/api", 404, lastnight.CodeNotFound, "openapi.yaml"},
		{"/api/v2/jobs", 404, lastnight.CodeNotFound, "openapi.yaml"},
		{"/anything", 404, lastnight.CodeNotFound, "openapi.yaml"},
		{"/version?x=1", 400, lastnight.CodeInvalid, "unknown parameter"},
	} {
		resp, body := do(t, srv, http.MethodGet, c.target)
		p := problem(t, body)
		if resp.StatusCode != c.status || p.Status != c.status || p.Code != c.code || !strings.Contains(p.Detail+" "+p.Hint, c.says) {
			t.Errorf("%.80s: status %d, %+v; want %d %s saying %q", c.target, resp.StatusCode, p, c.status, c.code, c.says)
		}
		if len(body) > 1500 {
			t.Errorf("%.80s: the problem has %d bytes", c.target, len(body))
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	srv := serve(t, api.Config{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		resp, body := do(t, srv, method, "/api/v1/jobs")
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" || problem(t, body).Code != lastnight.CodeInvalid {
			t.Errorf("%s: status %d, Allow %q, %s", method, resp.StatusCode, resp.Header.Get("Allow"), body)
		}
	}
	for _, target := range []string{"/api/v1/jobs", "/healthz", "/api/v1/logs/raw?job=a"} {
		if resp, body := do(t, srv, http.MethodHead, target); resp.StatusCode != http.StatusOK || body != "" {
			t.Errorf("HEAD %s: status %d, body %q", target, resp.StatusCode, body)
		}
	}
}

// TestPages walks through pages of every size and finds every item once, in order.
func TestPages(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	for i := range 40 { // Many that begin in the same second.
		m.IncidentList = append(m.IncidentList, lastnight.Incident{ID: fmt.Sprintf("same-%02d", i), Namespace: "n", Job: "j", Start: apitest.Night, End: apitest.Night})
	}
	for i := range 30 { // Half of them began at once, two and two have the same number of incidents.
		s := lastnight.Stream{Namespace: "n", Pod: fmt.Sprintf("pod-%02d", i%10), PodUID: "u", Container: "c", Restart: i / 10}
		m.StreamInfos = append(m.StreamInfos, lastnight.StreamInfo{Stream: s, ID: s.ID(), Job: "j", First: apitest.Night.Add(time.Duration(max(0, i-15)) * time.Hour), Last: apitest.Night.Add(48 * time.Hour), Lines: 1})
		m.JobList = append(m.JobList, lastnight.Job{Namespace: "n", Name: fmt.Sprintf("job-%02d", i), Workload: "w", Incidents: i / 2, FirstSeen: apitest.Night, LastSeen: apitest.Night})
	}
	srv := serve(t, api.Config{Searcher: m, Investigator: m})
	walk := func(target string, limit int) (ids []string) {
		cursor := ""
		for range 100 {
			_, body := do(t, srv, http.MethodGet, fmt.Sprintf("%s&limit=%d&cursor=%s", target, limit, cursor))
			var page api.List[struct {
				ID   string `json:"id"`
				Name string `json:"name"`
			}]
			if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Items) > limit {
				t.Fatalf("%s: %v, %d items: %.300s", target, err, len(page.Items), body)
			}
			for _, i := range page.Items {
				ids = append(ids, i.ID+i.Name)
			}
			if cursor = page.NextCursor; cursor == "" {
				return ids
			}
		}
		t.Fatalf("%s: no end", target)
		return nil
	}
	for target, n := range map[string]int{
		"/api/v1/incidents?planned=true": 43, "/api/v1/incidents?end=2026-11-21T04:00:00Z": 41,
		"/api/v1/search?order=newest": 11, "/api/v1/search?order=oldest": 11,
		"/api/v1/jobs?order=name": 32, "/api/v1/jobs?order=incidents": 32, "/api/v1/jobs?find=JOB-1": 10,
		"/api/v1/streams?order=name": 31, "/api/v1/streams?order=newest": 31, "/api/v1/streams?find=od-03": 3,
	} {
		want := walk(target, 1000)
		if len(want) != n {
			t.Errorf("%s: %d items, want %d", target, len(want), n)
		}
		for _, limit := range []int{1, 2, 3, 7, n - 1, n, n + 1} {
			if got := walk(target, limit); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s by %d:\n got %v\nwant %v", target, limit, got, want)
			}
		}
	}
}

// TestListsAreInOrder holds jobs and container instances to the orders that can be asked for.
func TestListsAreInOrder(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	for i, n := range []int{0, 3, 1} {
		s := lastnight.Stream{Namespace: "n", Pod: fmt.Sprintf("pod-%d", i), PodUID: "u", Container: "c", Restart: 10 - i}
		m.StreamInfos = append(m.StreamInfos, lastnight.StreamInfo{Stream: s, ID: s.ID(), First: apitest.Night.Add(time.Duration(n) * time.Hour), Last: apitest.Night.Add(48 * time.Hour)})
		m.JobList = append(m.JobList, lastnight.Job{Namespace: "n", Name: fmt.Sprintf("job-%d", i), Workload: "w", Incidents: n, FirstSeen: apitest.Night, LastSeen: apitest.Night})
	}
	srv := serve(t, api.Config{Searcher: m, Investigator: m})
	for target, want := range map[string]string{
		"jobs":                         "orders-enrich job-0 job-1 job-2 shop/front end",
		"jobs?order=incidents":         "job-1 orders-enrich job-2 job-0 shop/front end",
		"jobs?find=5F2B":               "orders-enrich",
		"streams?namespace=n":          "pod-0 pod-1 pod-2",
		"streams?order=newest":         "pod-1 pod-2 orders-enrich-taskmanager-1-1 pod-0",
		"streams?find=node-A":          "orders-enrich-taskmanager-1-1",
		"streams?find=nonsuch":         "",
		"streams?order=newest&limit=1": "pod-1",
	} {
		_, body := do(t, srv, http.MethodGet, "/api/v1/"+target)
		var page api.List[struct{ Name, Pod string }]
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, i := range page.Items {
			names = append(names, i.Name+i.Pod)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}

func TestIntervalIsRepeated(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 8, 30, 0, 0, time.UTC)
	srv := serve(t, api.Config{Now: func() time.Time { return now }})
	for target, want := range map[string]string{
		"/api/v1/jobs":           `"interval":{"zone":"UTC"}`,
		"/api/v1/jobs?start=-2h": `"interval":{"start":"2026-11-21T06:30:00Z","zone":"UTC"}`,
		"/api/v1/incidents?start=03:00&end=now&zone=Europe/Berlin":      `"interval":{"start":"2026-11-21T02:00:00Z","end":"2026-11-21T08:30:00Z","zone":"Europe/Berlin"}`,
		"/api/v1/why?job=orders-enrich&when=last+night&zone=Asia/Tokyo": `"interval":{"start":"2026-11-20T09:00:00Z","end":"2026-11-20T23:00:00Z","zone":"Asia/Tokyo"}`,
		"/api/v1/histogram": `"interval":{"start":"2026-11-20T08:30:00Z","end":"2026-11-21T08:30:00Z","zone":"UTC"},"step_seconds":900`,
		"/api/v1/histogram?start=2026-11-21T08:00:00Z&end=now&step=1h":   `"step_seconds":3600`,
		"/api/v1/histogram?start=2026-11-21T07:00:00%2B01:00&zone=Japan": `"interval":{"start":"2026-11-21T06:00:00Z","end":"2026-11-21T08:30:00Z","zone":"Japan"},"step_seconds":120`,
	} {
		if resp, body := do(t, srv, http.MethodGet, target); resp.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: status %d, want %s in %s", target, resp.StatusCode, want, body)
		}
	}
}

// TestInternalsStayInside: what is not meant for people goes to the log, panics too.
func TestInternalsStayInside(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(int) error{
		"error": func(int) error { return errors.New("open /secret/path: broken") },
		"panic": func(int) error { panic("at /secret/path") },
	} {
		m := apitest.Sample()
		m.Fail = fail
		var log syncBuilder
		srv := serve(t, api.Config{Searcher: m, Investigator: m, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for _, target := range []string{"/api/v1/jobs", "/api/v1/search", "/api/v1/incidents"} {
			resp, body := do(t, srv, http.MethodGet, target)
			if resp.StatusCode != http.StatusInternalServerError || problem(t, body).Code != lastnight.CodeInternal || strings.Contains(body, "secret") {
				t.Errorf("%s: %s: status %d, %s", name, target, resp.StatusCode, body)
			}
			if !strings.Contains(log.String(), "/secret/path") || !strings.Contains(log.String(), "route="+target) {
				t.Errorf("%s: %s: not in the log: %s", name, target, log.String())
			}
		}
	}
}

type syncBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuilder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuilder) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestServerRoutes(t *testing.T) {
	t.Parallel()
	ready := lastnight.Errorf(lastnight.CodeUnavailable, "wait", "the archive is being opened")
	srv := serve(t, api.Config{
		Version: "v1.2.3", Ready: func() error { return ready },
		UI: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "UI at "+r.URL.Path) }),
	})
	for _, c := range []struct {
		target string
		status int
		says   string
	}{
		{"/healthz", 200, `{"status":"ok"}`},
		{"/readyz", 503, "the archive is being opened"},
		{"/version", 200, `{"api":"v1","version":"v1.2.3"}`},
		{"/metrics", 200, `lastnight_http_requests_total{method="GET",route="/healthz",status="200"} 1`},
		{"/metrics", 200, "lastnight_http_request_seconds_bucket"},
		{"/api/v1/openapi.yaml", 200, "openapi: 3.1.0"},
		{"/", 200, "UI at /"},
		{"/incidents/abc", 200, "UI at /incidents/abc"},
		{"/metricsandmore", 200, "UI at /metricsandmore"},
		{"/apiary", 200, "UI at /apiary"},
		{"/api/v1/x", 404, "there is no /api/v1/x"},
	} {
		if resp, body := do(t, srv, http.MethodGet, c.target); resp.StatusCode != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: status %d, want %d with %q in %.2000s", c.target, resp.StatusCode, c.status, c.says, body)
		}
	}
	if _, err := api.New(api.Config{}); err == nil {
		t.Error("a handler with nobody to ask was made")
	}
}

// TestFewAtOnce holds the cap on questions under way, and that health is told nonetheless.
func TestFewAtOnce(t *testing.T) {
	t.Parallel()
	m, block := apitest.Sample(), make(chan struct{})
	began := make(chan struct{}, 1000)
	m.Fail = func(int) error { began <- struct{}{}; <-block; return nil }
	srv := serve(t, api.Config{Searcher: m, Investigator: m})
	var wg sync.WaitGroup
	for range 128 {
		wg.Go(func() { do(t, srv, http.MethodGet, "/api/v1/jobs") })
	}
	for range 128 {
		<-began
	}
	resp, body := do(t, srv, http.MethodGet, "/api/v1/jobs")
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || problem(t, body).Code != lastnight.CodeUnavailable {
		t.Errorf("status %d, %s", resp.StatusCode, body)
	}
	if resp, _ := do(t, srv, http.MethodGet, "/healthz"); resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz: status %d", resp.StatusCode)
	}
	close(block)
	wg.Wait()
}

func FuzzQuery(f *testing.F) {
	m := apitest.Sample()
	h, err := api.New(api.Config{Searcher: m, Investigator: m})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"q=a&limit=3", "start=-2h&end=now&zone=Europe/Berlin", "kind=record&kind=event,record", "job=a&when=last+night", "cursor=abc", "%zz", "step=5m", "planned=true"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"incidents", "incidents/in-1", "why", "jobs", "streams", "search", "logs/raw", "histogram", "templates", "records/x/context"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.URL, r.Host = &url.URL{Path: "/api/v1/" + path, RawQuery: query}, "localhost"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 200 && w.Code != 400 && w.Code != 404 && w.Code != 413 {
				t.Fatalf("%s?%s: status %d: %s", path, query, w.Code, w.Body)
			}
		}
	})
}
