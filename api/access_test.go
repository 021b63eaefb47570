package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/api/apitest"
	"lastnight/api/auth"
)

// oneAudit is an audit log with one entry.
type oneAudit struct{}

func (oneAudit) Audits(context.Context, lastnight.AuditRequest) ([]lastnight.AuditEntry, error) {
	return []lastnight.AuditEntry{{
		Time: apitest.Night, Actor: "ann", Role: lastnight.RoleAdmin, Via: "token", Action: "sign-in", Target: "t", Outcome: lastnight.AuditDone,
		Remote: "192.0.2.1", Detail: map[string]string{"a": "b"},
	}}, nil
}

// oneLease is the leases of servers that share everything.
type oneLease struct{}

func (oneLease) Leases(context.Context) ([]lastnight.Lease, error) {
	return []lastnight.Lease{{Duty: "archive", Holder: "server-1-8f742231", Term: 3, Since: apitest.Night, TTL: "15s"}}, nil
}

const chatSecret = "8f742231b10e8888abcd99yyyzzz85a5" // of a test

// visit is a request to a route that succeeds for who may use it.
type visit struct {
	target, body, ifMatch string
	status                int    // 0: 200
	shared                string // why somebody of another namespace gets an answer too, with nothing in it of namespaces
}

// visits has a request for each operation of openapi.yaml.
func visits() map[string]visit {
	record := apitest.Sample().Documents[3].ID
	const house = "labels are knowledge of the whole house"
	return map[string]visit{
		"GET /api/v1/incidents":             {target: "/api/v1/incidents"},
		"GET /api/v1/incidents/{id}":        {target: "/api/v1/incidents/in-1"},
		"GET /api/v1/why":                   {target: "/api/v1/why?job=orders-enrich&when=2026-11-21"},
		"GET /api/v1/jobs":                  {target: "/api/v1/jobs"},
		"GET /api/v1/streams":               {target: "/api/v1/streams"},
		"GET /api/v1/search":                {target: "/api/v1/search"},
		"GET /api/v1/tail":                  {target: "/api/v1/tail?start=2020-01-01&limit=1"},
		"GET /api/v1/records/{id}/context":  {target: "/api/v1/records/" + record + "/context"},
		"GET /api/v1/logs/raw":              {target: "/api/v1/logs/raw?job=orders-enrich"},
		"GET /api/v1/histogram":             {target: "/api/v1/histogram?start=2026-11-21&end=2026-11-22"},
		"GET /api/v1/templates":             {target: "/api/v1/templates"},
		"GET /api/v1/rates":                 {target: "/api/v1/rates?start=2026-11-21&end=2026-11-22"},
		"GET /api/v1/fields":                {target: "/api/v1/fields", shared: "names of the search language"},
		"GET /api/v1/fields/{name}/values":  {target: "/api/v1/fields/pod/values"},
		"GET /api/v1/leases":                {target: "/api/v1/leases", shared: "names of servers"},
		"GET /api/v1/labels":                {target: "/api/v1/labels", shared: house},
		"POST /api/v1/labels":               {target: "/api/v1/labels", body: `{"label":{"title":"x","target":{"template":{"id":"t1"}}},"why":"y"}`, shared: house},
		"GET /api/v1/labels/{id}":           {target: "/api/v1/labels/disk-full", shared: house},
		"PUT /api/v1/labels/{id}":           {target: "/api/v1/labels/disk-full", body: `{"label":{"title":"x","target":{"template":{"id":"t1"}}},"why":"y"}`, ifMatch: `"3"`, shared: house},
		"GET /api/v1/labels/{id}/history":   {target: "/api/v1/labels/disk-full/history", shared: house},
		"POST /api/v1/labels/{id}/review":   {target: "/api/v1/labels/disk-full/review", body: `{"action":"review"}`, ifMatch: `"3"`, shared: house},
		"POST /api/v1/labels/{id}/undo":     {target: "/api/v1/labels/disk-full/undo", body: `{}`, ifMatch: `"3"`, shared: house},
		"GET /api/v1/labels/export":         {target: "/api/v1/labels/export", shared: house},
		"POST /api/v1/labels/import":        {target: "/api/v1/labels/import?dry_run=true", body: "labels: []", shared: house},
		"POST /api/v1/labels/preview":       {target: "/api/v1/labels/preview", body: `{"label":{"title":"x","target":{"template":{"id":"t1"}}},"why":"y"}`},
		"GET /api/v1/labels/settings":       {target: "/api/v1/labels/settings", shared: house},
		"PUT /api/v1/labels/settings":       {target: "/api/v1/labels/settings", body: `{}`, shared: house},
		"GET /api/v1/queue":                 {target: "/api/v1/queue"},
		"GET /api/v1/coverage":              {target: "/api/v1/coverage?namespace=flink"},
		"GET /api/v1/feedback":              {target: "/api/v1/feedback?incident=in-1"},
		"POST /api/v1/feedback":             {target: "/api/v1/feedback", body: `{"incident":"in-1","answer":"yes"}`},
		"GET /api/v1/feedback/precision":    {target: "/api/v1/feedback/precision", shared: house},
		"GET /api/v1/templates/{id}":        {target: "/api/v1/templates/t1"},
		"POST /api/v1/templates/{id}/split": {target: "/api/v1/templates/t1/split?preview=true", body: `{"text":"x"}`, shared: house},
		"GET /api/v1/merges":                {target: "/api/v1/merges", shared: house},
		"POST /api/v1/merges":               {target: "/api/v1/merges?preview=true", body: `{"from":["t1"],"into":"t2"}`, shared: house},
		"POST /api/v1/merges/{id}/undo":     {target: "/api/v1/merges/m1/undo", body: `{}`, shared: house},
		"GET /api/v1/causes":                {target: "/api/v1/causes", shared: "the catalogue"},
		"GET /api/v1/openapi.yaml":          {target: "/api/v1/openapi.yaml", shared: "this document"},
		"GET /api/v1/audit":                 {target: "/api/v1/audit", shared: "administrators see all acts"},
		"GET /metrics":                      {target: "/metrics", shared: "sums over the whole server"},
		"GET /healthz":                      {target: "/healthz"},
		"GET /readyz":                       {target: "/readyz"},
		"GET /version":                      {target: "/version"},
		"GET /api/v1/session":               {target: "/api/v1/session"},
		"POST /api/v1/session":              {target: "/api/v1/session", body: `{"token":"wrong"}`, status: 400}, // its success is tested in package auth
		"DELETE /api/v1/session":            {target: "/api/v1/session", status: 204},
		"GET /auth/login":                   {target: "/auth/login", status: 404}, // with a provider: package auth
		"GET /auth/callback":                {target: "/auth/callback?session_state=1", status: 404},
		"POST /chat/slack":                  {target: "/chat/slack", body: "text=why+orders-enrich+2026-11-21&user_name=ann"},
	}
}

// people are known by a header: nobody has no grant, each role has namespaces flink (NAME) and web-only (NAME-web).
const people = `users:
  viewer: {role: viewer, namespaces: [flink]}
  labeler: {role: labeler, namespaces: [flink]}
  reviewer: {role: reviewer, namespaces: [flink]}
  admin: {role: admin, namespaces: [flink]}
  viewer-elsewhere: {role: viewer, namespaces: [elsewhere, nowhere]}
  labeler-elsewhere: {role: labeler, namespaces: [elsewhere]}
  reviewer-elsewhere: {role: reviewer, namespaces: [elsewhere]}
  admin-elsewhere: {role: admin, namespaces: [elsewhere]}
`

func guarded(t testing.TB, c Config) http.Handler {
	t.Helper()
	path := filepath.Join(t.TempDir(), "grants.yaml")
	if err := os.WriteFile(path, []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	grants, err := auth.OpenGrants(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	header, err := auth.NewHeader("X-Forwarded-User", "", []string{"192.0.2.0/24"}, grants)
	if err != nil {
		t.Fatal(err)
	}
	if c.Auth, err = auth.New(auth.Config{Header: header}); err != nil {
		t.Fatal(err)
	}
	c.Chat = ChatConfig{SigningSecret: []byte(chatSecret), Namespaces: []string{"flink"}}
	return newTestRouter(t, c)
}

// go asks as somebody; "" is nobody known.
func (v visit) ask(t testing.TB, h http.Handler, method, who string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+v.target, strings.NewReader(v.body))
	if who != "" {
		r.Header.Set("X-Forwarded-User", who)
	}
	r.Header.Set(requestHeader, "1")
	switch {
	case strings.Contains(v.target, "/import"):
		r.Header.Set("Content-Type", "application/yaml")
	case strings.HasPrefix(v.target, "/chat"):
		if who != "" {
			sign(r, v.body, time.Now())
		}
	case v.body != "":
		r.Header.Set("Content-Type", "application/json")
	}
	if v.ifMatch != "" {
		r.Header.Set("If-Match", v.ifMatch)
	}
	ctx, cancel := context.WithTimeout(r.Context(), 300*time.Millisecond) // a live tail of nothing ends so
	defer cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(ctx))
	return w
}

func sign(r *http.Request, body string, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(chatSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
}

// operations lists what openapi.yaml has, such as "GET /api/v1/jobs".
func operations(t testing.TB) []string {
	s := loadSpec(t)
	var all []string
	for path, ops := range s.at(s.root, "paths").(map[string]any) {
		for method := range ops.(map[string]any) {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// ofFlink are words of the namespace flink that nobody from elsewhere may see.
var ofFlink = []string{"orders-enrich", "line 3", "killed", "tm-oomkilled", "switched from", "8c1f", "com.acme", `"flink"`, "in-1", `"INFO":2`, `"text":"line <*>"`}

// TestEveryRouteRefuses walks the OpenAPI document: each route refuses the unknown, the under-privileged
// and the out-of-scope, and lets in who may. A route without an entry in accessTable or visits fails it.
func TestEveryRouteRefuses(t *testing.T) {
	t.Parallel()
	h := guarded(t, Config{})
	table, visits := accessTable(), visits()
	all := operations(t)
	if len(all) < 20 {
		t.Fatalf("openapi.yaml has only %q", all)
	}
	for key := range maps.Keys(table) {
		if !slices.Contains(all, key) {
			t.Errorf("%s is in accessTable, but no operation of openapi.yaml", key)
		}
	}
	for _, key := range all {
		a, ok := table[key]
		v, known := visits[key]
		if !ok || !known {
			t.Errorf("%s: has an entry in accessTable: %v, in visits: %v", key, ok, known)
			continue
		}
		method, _, _ := strings.Cut(key, " ")
		if a.public {
			refusesNobody(t, h, key, method, v, a)
			continue
		}
		if w := v.ask(t, h, method, ""); w.Code != http.StatusUnauthorized || leaks(w) || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: the unknown gets %d %s", key, w.Code, w.Body)
		}
		for _, below := range append([]lastnight.Role{"nobody"}, lastnight.Roles()[:slices.Index(lastnight.Roles(), a.least)]...) {
			if w := v.ask(t, h, method, string(below)); w.Code != http.StatusForbidden || leaks(w) {
				t.Errorf("%s: %s gets %d %s", key, below, w.Code, w.Body)
			}
		}
		w := v.ask(t, h, method, string(a.least)+"-elsewhere")
		switch {
		case v.shared == "" && leaks(w):
			t.Errorf("%s: the out-of-scope gets %d %s", key, w.Code, w.Body)
		case v.shared != "" && w.Code/100 != 2, v.shared == "" && !slices.Contains([]int{200, 403, 404}, w.Code):
			t.Errorf("%s: the out-of-scope gets %d %s", key, w.Code, w.Body)
		}
		want := max(v.status, 200)
		if w := v.ask(t, h, method, string(a.least)); w.Code != want || v.shared == "" && method == http.MethodGet && !leaks(w) && !strings.Contains(key, "coverage") {
			t.Errorf("%s: %s of the namespace gets %d, want %d: %s", key, a.least, w.Code, want, w.Body)
		}
		if method != http.MethodGet {
			needsHeader(t, h, key, method, v, a)
		}
	}
}

func refusesNobody(t *testing.T, h http.Handler, key, method string, v visit, a access) {
	t.Helper()
	who := ""
	if a.signed {
		if w := v.ask(t, h, method, ""); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: unsigned gets %d %s", key, w.Code, w.Body)
		}
		who = "signed"
	}
	if w := v.ask(t, h, method, who); w.Code != max(v.status, 200) || !a.signed && leaks(w) {
		t.Errorf("%s: is public, and gives %d %s", key, w.Code, w.Body)
	}
}

// needsHeader holds that a form of another site's page changes nothing, even if it came with a cookie.
func needsHeader(t *testing.T, h http.Handler, key, method string, v visit, a access) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+v.target, strings.NewReader(v.body))
	r.Header.Set("X-Forwarded-User", string(a.least))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), requestHeader) {
		t.Errorf("%s without %s gets %d %s", key, requestHeader, w.Code, w.Body)
	}
}

// leaks tells whether an answer has something of the namespace flink.
func leaks(w *httptest.ResponseRecorder) bool {
	return slices.ContainsFunc(ofFlink, func(s string) bool { return strings.Contains(w.Body.String(), s) }) && w.Code < 400
}
