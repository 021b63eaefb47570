package elasticsearch_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"lastnight/internal/testenv/elasticsearch"
)

func TestNodeKeepsItsDataWhenKilled(t *testing.T) {
	n := elasticsearch.Start(t)
	do(t, http.MethodPut, n.URL+"/x/_doc/1", `{"a":1}`)
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := do(t, http.MethodGet, n.URL+"/x/_doc/1", ""); !strings.Contains(got, `"a":1`) {
		t.Errorf("after kill and restart: %s", got)
	}
}

func do(t *testing.T, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		t.Fatalf("%s %s: %s %v %s", method, url, resp.Status, err, b)
	}
	return string(b)
}
