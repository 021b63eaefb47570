package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// send asks with a method, a body and headers, as ann.
func send(t testing.TB, srv *httptest.Server, method, target, body string, headers ...string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Lastnight-User", "ann")
	req.Header.Set(requestHeader, "1")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
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
	return resp.StatusCode, resp.Header, b
}

// TestChangesAreAsDocumented validates bodies and answers of every route that changes something.
func TestChangesAreAsDocumented(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	srv := httptest.NewServer(newTestRouter(t, Config{}))
	t.Cleanup(srv.Close)
	label := `{"label": {"title": "The disk is full", "links": ["https://example.org"], "target": {"template": {"id": "t1"}}}, "why": "seen"}`
	for _, c := range []struct{ method, route, target, body string }{
		{"post", "/api/v1/labels", "/api/v1/labels", label},
		{"put", "/api/v1/labels/{id}", "/api/v1/labels/disk-full", label},
		{"post", "/api/v1/labels/{id}/review", "/api/v1/labels/disk-full/review", `{"action": "approve", "why": "yes"}`},
		{"post", "/api/v1/labels/{id}/undo", "/api/v1/labels/disk-full/undo", `{"to": 1}`},
		{"post", "/api/v1/labels/preview", "/api/v1/labels/preview", label},
		{"put", "/api/v1/labels/settings", "/api/v1/labels/settings", `{"one_person": true, "min_votes": 3}`},
		{"post", "/api/v1/labels/import", "/api/v1/labels/import?dry_run=true&name=a.yaml&why=git", "version: 1\n"},
		{"post", "/api/v1/feedback", "/api/v1/feedback", `{"incident": "in-1", "answer": "other", "other": "a cable", "comment": "x"}`},
		{"post", "/api/v1/merges", "/api/v1/merges?preview=true", `{"from": ["t1"], "into": "t2", "why": "same"}`},
		{"post", "/api/v1/merges/{id}/undo", "/api/v1/merges/m-1/undo", `{"why": "not the same"}`},
		{"post", "/api/v1/templates/{id}/split", "/api/v1/templates/t1/split", `{"text": "disk sda"}`},
	} {
		op := s.at(s.root, "paths", c.route, c.method)
		kind := "application/json"
		if schema := s.at(op, "requestBody", "content", kind, "schema"); schema != nil {
			if err := s.validateJSON(schema, []byte(c.body)); err != nil {
				t.Errorf("%s %s: the body of the test is not as documented: %v", c.method, c.target, err)
			}
		} else {
			kind = yamlType
		}
		status, header, body := send(t, srv, strings.ToUpper(c.method), c.target, c.body, "If-Match", `"3"`, "Content-Type", kind)
		if status != http.StatusOK {
			t.Errorf("%s %s: status %d: %s", c.method, c.target, status, body)
			continue
		}
		if err := s.validateJSON(s.at(op, "responses", "200", "content", "application/json", "schema"), body); err != nil {
			t.Errorf("%s %s: %v in %s", c.method, c.target, err, body)
		}
		if s.at(op, "responses", "200", "headers", "ETag") != nil && header.Get("ETag") == "" {
			t.Errorf("%s %s: no ETag", c.method, c.target)
		}
	}
}

// TestConflictHasBothVersions is what an editor needs to lose nothing.
func TestConflictHasBothVersions(t *testing.T) {
	t.Parallel()
	s := loadSpec(t)
	srv := httptest.NewServer(newTestRouter(t, Config{}))
	t.Cleanup(srv.Close)
	body := `{"label": {"title": "mine", "target": {"template": {"id": "t1"}}}}`
	status, _, b := send(t, srv, http.MethodPut, "/api/v1/labels/disk-full", body, "If-Match", `"2"`)
	var p Problem
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	if status != http.StatusPreconditionFailed || p.Conflict == nil || p.Conflict.Current.Version != 3 || p.Conflict.Yours.Title != "mine" {
		t.Errorf("status %d: %s", status, b)
	}
	if err := s.validateJSON(s.at(s.root, "components", "schemas", "Problem"), b); err != nil {
		t.Error(err)
	}
}

// TestChangesThatAreRefused go no further than the API.
func TestChangesThatAreRefused(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(newTestRouter(t, Config{}))
	t.Cleanup(srv.Close)
	label := `{"label": {"title": "x", "target": {"template": {"id": "t1"}}}}`
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
	}{
		{"no version", "PUT", "/api/v1/labels/disk-full", label, nil, http.StatusPreconditionRequired},
		{"a strange version", "PUT", "/api/v1/labels/disk-full", label, []string{"If-Match", "*"}, http.StatusBadRequest},
		{"another id", "PUT", "/api/v1/labels/disk-full", `{"label": {"id": "other", "target": {}}}`, []string{"If-Match", `"3"`}, http.StatusBadRequest},
		{"unknown label", "PUT", "/api/v1/labels/none", label, []string{"If-Match", `"3"`}, http.StatusNotFound},
		{"unknown field", "POST", "/api/v1/labels", `{"label": {"titel": "x"}}`, nil, http.StatusBadRequest},
		{"two objects", "POST", "/api/v1/labels", label + label, nil, http.StatusBadRequest},
		{"no JSON", "POST", "/api/v1/labels", "title=x", []string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType},
		{"too large", "POST", "/api/v1/labels", `{"why": "` + strings.Repeat("x", maxBodyBytes) + `"}`, nil, http.StatusRequestEntityTooLarge},
		{"no name", "POST", "/api/v1/labels", label, []string{"X-Lastnight-User", ""}, http.StatusUnauthorized},
		{"no request header", "POST", "/api/v1/labels", label, []string{requestHeader, ""}, http.StatusForbidden},
		{"a page from elsewhere", "POST", "/api/v1/labels", label, []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"another method", "DELETE", "/api/v1/labels/disk-full", "", nil, http.StatusMethodNotAllowed},
	} {
		if status, _, b := send(t, srv, c.method, c.target, c.body, c.headers...); status != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.name, status, c.status, b)
		}
	}
}
