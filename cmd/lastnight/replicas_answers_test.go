package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/api"
	"lastnight/internal/recorded"
	"lastnight/internal/testenv/elasticsearch"
	"lastnight/internal/testenv/s3"
)

// TestElasticsearchEitherAnswers: two servers that were there before a third process wrote give the same answers to whatever is
// asked, at once.
func TestElasticsearchEitherAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Elasticsearch and an S3 server")
	}
	where := tierFlags{store: elasticsearch.Start(t).URL, prefix: "either", archive: s3.Start(t).Bucket(t, "either")}
	open := func() http.Handler {
		n, err := openNode(t.Context(), nodeConfig{tiers: where, log: slog.New(slog.DiscardHandler), serves: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeTest(t, n) })
		h, err := api.New(api.Config{Searcher: n.indexer, Investigator: n.investigator, Labeler: n.labels, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	one, other := open(), open()
	ask := func(h http.Handler, path string) string {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, http.NoBody))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	const all = "start=2020-01-01T00:00:00Z&end=2040-01-01T00:00:00Z"
	paths := []string{
		"/api/v1/jobs?" + all, "/api/v1/incidents?" + all, "/api/v1/labels", "/api/v1/templates?" + all,
		"/api/v1/search?limit=200&q=level:error+or+kind:event&" + all, "/api/v1/search?limit=500&" + all, "/api/v1/histogram?step=24h&start=2026-01-01T00:00:00Z&end=2027-01-01T00:00:00Z", "/api/v1/streams?" + all,
	}
	empty := map[string]string{}
	for _, path := range paths {
		empty[path] = ask(one, path)
	}
	files := filepath.Join(t.TempDir(), "case")
	if err := recorded.Extract(t.Context(), recorded.Names()[0], files); err != nil {
		t.Fatal(err)
	}
	tell(t, "import", files, "--store", where.store, "--store-prefix", where.prefix, "--archive", where.archive)
	var jobs struct {
		Items []lastnight.Job `json:"items"`
	}
	if err := json.Unmarshal([]byte(ask(other, paths[0])), &jobs); err != nil || len(jobs.Items) == 0 {
		t.Fatalf("no jobs: %v", err)
	}
	for _, j := range jobs.Items {
		paths = append(paths, "/api/v1/why?job="+url.QueryEscape(j.Name)+"&"+all)
	}
	for _, path := range paths {
		got := ask(one, path)
		if diff := cmp.Diff(got, ask(other, path)); diff != "" {
			t.Errorf("%s (-one +other):\n%s", path, diff)
		}
		if path != "/api/v1/labels" && got == empty[path] {
			t.Errorf("%s says nothing of what was written: %s", path, got)
		}
	}
}
