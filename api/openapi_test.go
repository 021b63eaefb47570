package api

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/api/apitest"
)

func newTestRouter(t testing.TB, c Config) *chi.Mux {
	t.Helper()
	if c.Searcher == nil {
		m := apitest.Sample()
		c.Searcher, c.Investigator = m, m
	}
	if c.Labeler == nil {
		c.Labeler = apitest.Labels{}
	}
	if c.Audits == nil {
		c.Audits = oneAudit{}
	}
	if c.Leases == nil {
		c.Leases = oneLease{}
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h.(*chi.Mux)
}

// TestRoutesAreDocumented holds openapi.yaml to the routes, both ways, and to the parameters that each accepts.
func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	paths := s.at(s.root, "paths").(map[string]any)
	served := []string{}
	err := chi.Walk(newTestRouter(t, Config{}), func(method, route string, h http.Handler, _ ...func(http.Handler) http.Handler) error {
		if route != "/" {
			route = strings.TrimSuffix(route, "/")
		}
		served = append(served, route)
		op := s.at(paths[route], strings.ToLower(method))
		if op == nil {
			t.Errorf("%s %s is served but not documented", method, route)
			return nil
		}
		ep, ok := h.(*endpoint)
		if !ok {
			t.Errorf("%s %s is no endpoint: %T", method, route, h)
			return nil
		}
		accepted := slices.Clone(ep.params)
		if accepted == nil {
			accepted = []string{}
		}
		slices.Sort(accepted)
		if d := cmp.Diff(s.params(op, "query"), accepted); d != "" {
			t.Errorf("%s %s: query parameters, - documented + accepted:\n%s", method, route, d)
		}
		inPath := []string{}
		for part := range strings.SplitSeq(route, "/") {
			if strings.HasPrefix(part, "{") {
				inPath = append(inPath, strings.Trim(part, "{}"))
			}
		}
		if d := cmp.Diff(s.params(op, "path"), inPath); d != "" {
			t.Errorf("%s %s: path parameters:\n%s", method, route, d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(served)
	served = slices.Compact(served) // several methods
	if d := cmp.Diff(slices.Sorted(maps.Keys(paths)), served); d != "" {
		t.Errorf("paths, - documented + served:\n%s", d)
	}
}

// every is a request to every route that has answers, with their media types.
var every = []struct{ route, target, accept string }{
	{"/api/v1/incidents", "/api/v1/incidents?planned=true", "application/json"},
	{"/api/v1/incidents", "/api/v1/incidents?limit=1&start=2026-11-21&end=now&zone=Europe/Berlin", "application/json"},
	{"/api/v1/incidents/{id}", "/api/v1/incidents/in-1", "application/json"},
	{"/api/v1/incidents/{id}", "/api/v1/incidents/in-2", "application/json"},
	{"/api/v1/why", "/api/v1/why?job=orders-enrich&when=2026-11-21", "application/json"},
	{"/api/v1/why", "/api/v1/why?job=orders-enrich&start=2020-01-01&end=2020-01-02", "application/json"},
	{"/api/v1/jobs", "/api/v1/jobs", "application/json"},
	{"/api/v1/jobs", "/api/v1/jobs?namespace=none", "application/json"},
	{"/api/v1/jobs", "/api/v1/jobs?order=incidents&find=ORD&limit=1", "application/json"},
	{"/api/v1/streams", "/api/v1/streams", "application/json"},
	{"/api/v1/streams", "/api/v1/streams?order=newest&find=taskmanager&limit=1", "application/json"},
	{"/api/v1/search", "/api/v1/search?limit=3", "application/json"},
	{"/api/v1/search", "/api/v1/search?kind=event", "application/json"},
	{"/api/v1/search", "/api/v1/search", "application/x-ndjson"},
	{"/api/v1/records/{id}/context", "/api/v1/records/RECORD/context", "application/json"},
	{"/api/v1/logs/raw", "/api/v1/logs/raw?job=orders-enrich", "application/x-ndjson"},
	{"/api/v1/logs/raw", "/api/v1/logs/raw?job=orders-enrich", "text/plain"},
	{"/api/v1/histogram", "/api/v1/histogram?start=2026-11-21&end=2026-11-22", "application/json"},
	{"/api/v1/histogram", "/api/v1/histogram", "application/json"},
	{"/api/v1/templates", "/api/v1/templates", "application/json"},
	{"/api/v1/incidents", "/api/v1/incidents?chain=false", "application/json"},
	{"/api/v1/histogram", "/api/v1/histogram?start=2026-11-21&end=2026-11-22&q=line", "application/json"},
	{"/api/v1/histogram", "/api/v1/histogram?start=2026-11-21T03:00:00&end=2026-11-21T03:02:00&step=5s", "application/json"},
	{"/api/v1/histogram", "/api/v1/histogram?start=2026-11-21&end=2026-11-22&scope=important", "application/json"},
	{"/api/v1/rates", "/api/v1/rates?start=2026-11-21T03:00:00&end=2026-11-21T03:02:00&step=5s", "application/json"},
	{"/api/v1/tail", "/api/v1/tail?start=2020-01-01&limit=3", "text/event-stream"},
	{"/api/v1/fields", "/api/v1/fields", "application/json"},
	{"/api/v1/fields/{name}/values", "/api/v1/fields/pod/values?prefix=ord", "application/json"},
	{"/api/v1/fields/{name}/values", "/api/v1/fields/reason/values", "application/json"},
	{"/api/v1/labels", "/api/v1/labels?state=approved,draft&q=disk&template_id=t1&limit=1", "application/json"},
	{"/api/v1/labels/{id}", "/api/v1/labels/disk-full", "application/json"},
	{"/api/v1/labels/{id}/history", "/api/v1/labels/disk-full/history", "application/json"},
	{"/api/v1/labels/export", "/api/v1/labels/export", "application/yaml"},
	{"/api/v1/labels/settings", "/api/v1/labels/settings", "application/json"},
	{"/api/v1/queue", "/api/v1/queue?kind=template&start=2026-11-01", "application/json"},
	{"/api/v1/coverage", "/api/v1/coverage?job=orders-enrich", "application/json"},
	{"/api/v1/feedback", "/api/v1/feedback?incident=in-1", "application/json"},
	{"/api/v1/feedback/precision", "/api/v1/feedback/precision", "application/json"},
	{"/api/v1/templates/{id}", "/api/v1/templates/t1", "application/json"},
	{"/api/v1/merges", "/api/v1/merges", "application/json"},
	{"/api/v1/causes", "/api/v1/causes", "application/json"},
	{"/api/v1/audit", "/api/v1/audit?actor=ann&action=sign-in&start=2026-11-21&limit=1", "application/json"},
	{"/api/v1/leases", "/api/v1/leases", "application/json"},
	{"/api/v1/session", "/api/v1/session", "application/json"},
	{"/api/v1/templates", "/api/v1/templates?exact=true&job=orders-enrich", "application/json"},
	{"/api/v1/search", "/api/v1/search?format=ndjson", "application/x-ndjson"},
	{"/api/v1/logs/raw", "/api/v1/logs/raw?job=orders-enrich&format=ndjson", "application/x-ndjson"},
	{"/api/v1/openapi.yaml", "/api/v1/openapi.yaml", "application/yaml"},
	{"/metrics", "/metrics", "text/plain"},
	{"/healthz", "/healthz", "application/json"},
	{"/readyz", "/readyz", "application/json"},
	{"/version", "/version", "application/json"},
}

// TestAnswersAreAsDocumented validates real answers of every route and media type.
func TestAnswersAreAsDocumented(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	srv := httptest.NewServer(newTestRouter(t, Config{Version: "v0"}))
	t.Cleanup(srv.Close)
	record := apitest.Sample().Documents[3].ID
	seen := map[string]bool{}
	for _, c := range every {
		status, kind, body := fetch(t, srv, strings.Replace(c.target, "RECORD", record, 1), c.accept)
		content := s.at(s.root, "paths", c.route, "get", "responses", "200", "content", c.accept)
		if status != http.StatusOK || kind != c.accept || content == nil {
			t.Errorf("%s as %s: status %d, type %s, documented %v: %.300s", c.target, c.accept, status, kind, content != nil, body)
			continue
		}
		seen[c.route+" "+c.accept] = true
		docs := [][]byte{body}
		if c.accept == ndjsonType {
			docs = bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
		}
		for _, doc := range docs {
			if !strings.Contains(c.accept, "json") {
				continue
			}
			if err := s.validateJSON(s.at(content, "schema"), doc); err != nil {
				t.Errorf("%s as %s: %v in %.2000s", c.target, c.accept, err, doc)
			}
		}
	}
	for route, path := range s.at(s.root, "paths").(map[string]any) {
		kinds, _ := s.at(path, "get", "responses", "200", "content").(map[string]any)
		for kind := range kinds {
			if !seen[route+" "+kind] {
				t.Errorf("%s as %s is documented but not tested", route, kind)
			}
		}
	}
}

// TestProblemsAreAsDocumented validates problems, alone and as the last line of a stream.
func TestProblemsAreAsDocumented(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	m := apitest.Sample()
	m.Fail = func(given int) error {
		if given < 2 {
			return nil
		}
		return lastnight.Errorf(lastnight.CodeUnavailable, "wait", "the archive is away")
	}
	srv := httptest.NewServer(newTestRouter(t, Config{Searcher: m, Investigator: m}))
	t.Cleanup(srv.Close)
	for _, target := range []string{"/api/v1/why", "/api/v1/nothing", "/api/v1/incidents/none", "/api/v1/search?q=line", "/api/v1/search?x=1"} {
		status, kind, body := fetch(t, srv, target, "application/json")
		err := s.validateJSON(s.at(s.root, "components", "responses", "Problem", "content", problemType, "schema"), body)
		var p Problem
		if json.Unmarshal(body, &p) != nil || err != nil || kind != problemType || p.Status != status || status < 400 {
			t.Errorf("%s: status %d, type %s: %v in %s", target, status, kind, err, body)
		}
	}
	for route, target := range map[string]string{"search": "/api/v1/search?q=line", "raw": "/api/v1/logs/raw?job=orders-enrich"} {
		_, _, body := fetch(t, srv, target, ndjsonType)
		lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
		schema := s.at(s.root, "components", "schemas", "StreamError")
		if err := s.validateJSON(schema, []byte(lines[len(lines)-1])); err != nil || len(lines) != 3 {
			t.Errorf("%s: want two lines and a problem, got %v in %s", route, err, body)
		}
	}
}

func fetch(t testing.TB, srv *httptest.Server, target, accept string) (status int, kind string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	kind, _, _ = strings.Cut(resp.Header.Get("Content-Type"), ";")
	return resp.StatusCode, kind, body
}
