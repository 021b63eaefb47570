package elasticstore_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"lastnight"
)

// What dashboards and administrators see of documents: daily indices behind an alias, fields by the names of ECS too, and mappings
// that take no field that is not ours. Retention drops whole indices.
func TestMappings(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	docs := documents(4)
	docs[0].Exception, docs[0].Pod, docs[0].Thread = []string{"java.io.IOException"}, "orders-1", "main"
	docs[3].Time = docs[3].Time.AddDate(0, 0, -1)
	must(t, s.Index(t.Context(), docs))
	must(t, s.PutCounts(t.Context(), "source", []lastnight.TemplateCount{{Namespace: "flink", Job: "orders", Template: "t", Minute: night, Count: 1}}))
	base := cfg.Addresses[0] + "/" + cfg.Prefix
	behind := func(kind string) (names []string) {
		t.Helper()
		var found map[string]json.RawMessage
		must(t, json.Unmarshal([]byte(do(t.Context(), t, http.MethodGet, base+"-"+kind+"/_alias", "")), &found))
		for name := range found {
			names = append(names, strings.TrimPrefix(name, cfg.Prefix+"-"))
		}
		return names
	}
	if days, counts := behind("documents"), behind("counts"); len(days) != 2 || len(counts) != 1 || counts[0] != "counts-v2-2026.11.21" {
		t.Errorf("behind the aliases are %q and %q", days, counts)
	}
	do(t.Context(), t, http.MethodPost, base+"-documents/_refresh", "")
	for field, value := range map[string]string{
		"k8s.pod.name": "orders-1", "kubernetes.pod.name": "orders-1", "error.type": "java.io.IOException", "exception.type": "java.io.IOException",
		"process.thread.name": "main", "tokens": "record", "kubernetes.namespace": docs[0].Namespace,
	} {
		query, err := json.Marshal(map[string]any{"query": map[string]any{"term": map[string]any{field: value}}})
		must(t, err)
		var said struct{ Count int }
		must(t, json.Unmarshal([]byte(do(t.Context(), t, http.MethodPost, base+"-documents/_count", string(query))), &said))
		if said.Count == 0 {
			t.Errorf("%s:%s finds nothing", field, value)
		}
	}
	for _, kind := range []string{"documents-v2-2026.11.21", "counts-v2-2026.11.21", "sources-v2", "templates-v2", "pods-v2", "jobs-v2", "incidents-v2", "items-v2"} {
		if code := status(t, http.MethodPost, base+"-"+kind+"/_doc/x", `{"surprise":1}`); code != http.StatusBadRequest {
			t.Errorf("%s took a field that is not ours: %d", kind, code)
		}
	}
	if n, err := s.DropDocuments(t.Context(), night.Truncate(24*3600e9)); n != 1 || err != nil {
		t.Errorf("dropped %d, %v, want one", n, err)
	}
	if days := behind("documents"); len(days) != 1 || days[0] != "documents-v2-2026.11.21" {
		t.Errorf("after retention the days are %q", days)
	}
	if code := status(t, http.MethodGet, base+"-documents-v2-2026.11.20", ""); code != http.StatusNotFound {
		t.Errorf("the day before is still there: %d", code)
	}
}

// What comes again is not written again: nothing is deleted in its stead, whatever server sends it.
func TestAgainWritesNothing(t *testing.T) {
	cfg := config(t)
	one, other := open(t, cfg), open(t, cfg)
	docs := documents(200)
	counts := []lastnight.TemplateCount{{Namespace: "flink", Job: "orders", Template: "t", Minute: night, Count: 1}}
	must(t, one.Index(t.Context(), docs))
	must(t, other.Index(t.Context(), docs[50:]))
	must(t, one.PutCounts(t.Context(), "source", counts))
	must(t, one.Index(t.Context(), docs))
	grown := docs[7]
	grown.Alike = 9
	must(t, other.Index(t.Context(), []lastnight.Document{grown}))
	base := cfg.Addresses[0] + "/" + cfg.Prefix
	for kind, want := range map[string]int{"documents": 200 + 1, "counts": 1, "sources": 1 + 1} { // the mark of a source is put twice
		do(t.Context(), t, http.MethodPost, base+"-"+kind+"/_refresh", "")
		var said struct {
			All struct {
				Primaries struct {
					Indexing struct {
						Total int `json:"index_total"`
					} `json:"indexing"`
				} `json:"primaries"`
			} `json:"_all"`
		}
		must(t, json.Unmarshal([]byte(do(t.Context(), t, http.MethodGet, base+"-"+kind+"/_stats/indexing", "")), &said))
		if got := said.All.Primaries.Indexing.Total; got != want {
			t.Errorf("%s: %d writes, want %d", kind, got, want)
		}
	}
	docs[7] = grown
	wantAll(t, one, docs)
}
