package elasticstore_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/store/elasticstore"
)

// recorded answers as Elasticsearch with security gives them, which the build of these
// tests has not.
const (
	recorded401 = `{"error":{"root_cause":[{"type":"security_exception","reason":"unable to authenticate with provided credentials"}],"type":"security_exception","reason":"unable to authenticate with provided credentials"},"status":401}`
	recorded403 = `{"error":{"type":"security_exception","reason":"action [indices:admin/index_template/put] is unauthorized for API key id [x], this action is granted by the cluster privileges [manage_index_templates,manage,all]"},"status":403}`
)

func answering(t *testing.T, f func(w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.Header().Set("Content-Type", "application/json")
		f(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	status := func(code int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	foreign := httptest.NewServer(http.HandlerFunc(status(200, "hello")))
	defer foreign.Close()
	const quick = 50 * time.Millisecond
	for name, test := range map[string]struct {
		cfg  elasticstore.Config
		want string // in message or hint
	}{
		"none":        {elasticstore.Config{}, "--store https://"},
		"no URL":      {elasticstore.Config{Addresses: []string{"elasticsearch:9200"}}, "--store https://"},
		"password":    {elasticstore.Config{Addresses: []string{"https://u:p@host:9200"}}, "LASTNIGHT_STORE_PASSWORD"},
		"away":        {elasticstore.Config{Addresses: []string{"http://127.0.0.1:1"}, MaxWait: quick}, "127.0.0.1:1"},
		"foreign":     {elasticstore.Config{Addresses: []string{foreign.URL}, MaxWait: quick}, "not Elasticsearch"},
		"credentials": {elasticstore.Config{Addresses: []string{answering(t, status(401, recorded401))}, APIKey: "x"}, "LASTNIGHT_STORE_API_KEY"},
		"privileges":  {elasticstore.Config{Addresses: []string{answering(t, status(403, recorded403))}, APIKey: "x"}, "manage_index_templates"},
		"version": {elasticstore.Config{Addresses: []string{answering(t, func(w http.ResponseWriter, r *http.Request) {
			body := "{}"
			if r.URL.Path == "/" {
				body = `{"version":{"number":"7.17.9"}}`
			}
			_, _ = w.Write([]byte(body))
		})}}, "has version 7.17.9"},
		"CA": {elasticstore.Config{Addresses: []string{"https://localhost:9200"}, CACert: []byte("x")}, "BEGIN CERTIFICATE"},
	} {
		_, err := elasticstore.Open(t.Context(), test.cfg)
		if err == nil || !strings.Contains(err.Error()+" "+lastnight.HintOf(err), test.want) {
			t.Errorf("%s: %v (try: %s), want %q in it", name, err, lastnight.HintOf(err), test.want)
		}
		if err != nil && strings.Contains(err.Error(), "u:p@") {
			t.Errorf("%s: the password is in the message", name)
		}
	}
}

func TestFailedShardsAreAnError(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body := "{}"
		switch {
		case strings.HasSuffix(r.URL.Path, "/_alias"):
			body = `{"lastnight-documents-v2-2026.11.21":{}}`
		case strings.HasSuffix(r.URL.Path, "/_search"):
			body = `{"_shards":{"total":2,"failed":1,"failures":[{"index":"x","reason":{"type":"node_not_connected_exception","reason":"gone"}}]},"hits":{"hits":[]}}`
		}
		_, _ = w.Write([]byte(body))
	})
	s := open(t, elasticstore.Config{Addresses: []string{url}})
	n := 0
	for _, err := range s.Search(t.Context(), lastnight.SearchRequest{}) {
		n++
		if lastnight.CodeOf(err) != lastnight.CodeUnavailable || !strings.Contains(err.Error(), "node_not_connected") {
			t.Errorf("a failed shard: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d answers, want one error", n)
	}
}

func TestTLSAndAPIKey(t *testing.T) {
	cfg := config(t)
	var keys []string
	p := &proxy{fault: func(_ http.ResponseWriter, r *http.Request) bool {
		keys = append(keys, r.Header.Get("Authorization"))
		r.Header.Del("Authorization")
		return false
	}}
	s := httptest.NewTLSServer(p.handler(t, cfg.Addresses[0]))
	defer s.Close()
	cfg.Addresses, cfg.MaxWait, cfg.APIKey = []string{s.URL}, 100*time.Millisecond, "c2VjcmV0"
	_, err := elasticstore.Open(t.Context(), cfg)
	if !strings.Contains(lastnight.HintOf(err), "--store-ca") {
		t.Errorf("an unknown CA: %v (try: %s)", err, lastnight.HintOf(err))
	}
	cfg.CACert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	cfg.MaxWait = 30 * time.Second
	open(t, cfg)
	if len(keys) == 0 || !strings.EqualFold(keys[0], "ApiKey c2VjcmV0") {
		t.Errorf("authorization: %q", keys)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	cfg := config(t)
	do(t.Context(), t, "PUT", cfg.Addresses[0]+"/"+cfg.Prefix+"-jobs-v3", `{"mappings":{"_meta":{"lastnight":{"kind":"jobs","format":3}}}}`)
	_, err := elasticstore.Open(t.Context(), cfg)
	if lastnight.CodeOf(err) != lastnight.CodeInvalid || !strings.Contains(err.Error(), "format 3, this lastnight knows formats 1 to 2") {
		t.Errorf("a newer format: %v", err)
	}
}

func TestIndexMode(t *testing.T) {
	cfg := config(t)
	cfg.IndexMode = "logsdb"
	s := open(t, cfg)
	docs := documents(30)
	must(t, s.Index(t.Context(), docs))
	wantAll(t, s, docs)
	n := 0
	for _, err := range s.Search(t.Context(), lastnight.SearchRequest{Query: `record 7 job:orders`}) {
		must(t, err)
		n++
	}
	if got := do(t.Context(), t, "GET", cfg.Addresses[0]+"/"+cfg.Prefix+"-documents/_settings?flat_settings=true", ""); n != 1 || !strings.Contains(got, `"index.mode":"logsdb"`) {
		t.Errorf("found %d, settings %s", n, got)
	}
}

// A component template of the administrator's is part of ours: a lifecycle policy goes there.
func TestCustomSettings(t *testing.T) {
	cfg := config(t)
	custom := cfg.Addresses[0] + "/_component_template/" + cfg.Prefix + "-documents@custom"
	do(t.Context(), t, "PUT", custom, `{"template":{"settings":{"index.routing.allocation.total_shards_per_node":7,"index.codec":"default"}}}`)
	s := open(t, cfg)
	must(t, s.Index(t.Context(), documents(1)))
	got := do(t.Context(), t, "GET", cfg.Addresses[0]+"/"+cfg.Prefix+"-documents/_settings?flat_settings=true", "")
	for _, want := range []string{`total_shards_per_node":"7"`, `"index.codec":"best_compression"`, `"index.sort.field":["job","template.id","time_ns"]`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in the settings: %s", want, got)
		}
	}
	do(t.Context(), t, "DELETE", cfg.Addresses[0]+"/_index_template/"+cfg.Prefix+"-documents-v2", "")
	do(t.Context(), t, "DELETE", custom, "")
}
