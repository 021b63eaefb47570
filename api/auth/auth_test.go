package auth

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
)

// memory is a Keeper.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.values[key]; ok {
		return v, nil
	}
	return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "no %s", key)
}

func (m *memory) Put(_ context.Context, key string, value []byte, ifVersion int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.values[key]; ok && ifVersion == 0 {
		return lastnight.Errorf(lastnight.CodeConflict, "", "there is %s", key)
	}
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	m.values[key] = value
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	return nil
}

func (m *memory) List(_ context.Context, prefix string) iter.Seq2[KeyValue, error] {
	m.mu.Lock()
	all := maps.Clone(m.values)
	m.mu.Unlock()
	return func(yield func(KeyValue, error) bool) {
		for _, k := range slices.Sorted(maps.Keys(all)) {
			if strings.HasPrefix(k, prefix) && !yield(KeyValue{k, all[k]}, nil) {
				return
			}
		}
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// soon lets a watched file be looked at again at once.
func soon[T any](w *watched[T]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = time.Time{}
}

func entry(name, hash, role, namespaces, more string) string {
	return fmt.Sprintf("  - {name: %s, hash: %q, role: %s, namespaces: [%s]%s}\n", name, hash, role, namespaces, more)
}

type shown struct{ token, user, remote, cookie string }

func request(t testing.TB, s shown) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	if s.user != "" {
		r.Header.Set("X-Forwarded-User", s.user)
		r.Header.Set("X-Forwarded-Groups", "sre, team-a")
	}
	if s.remote != "" {
		r.RemoteAddr = s.remote
	}
	if s.cookie != "" {
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: s.cookie})
	}
	return r
}

func TestTokens(t *testing.T) {
	t.Parallel()
	ann, annHash, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	bob, bobHash, err := NewToken()
	if err != nil || ann == bob || len(ann) < 40 || strings.Contains(annHash, ann) {
		t.Fatal(ann, bob, err)
	}
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	write(t, path, "tokens:\n"+entry("ann", annHash, "reviewer", "a, b", "")+entry("bob", bobHash, "viewer", "'*'", ", expires: 2020-01-01"))
	var failures []string
	tokens, err := OpenTokens(path, func(err error) { failures = append(failures, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{Tokens: tokens, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	who, err := a.Authenticate(request(t, shown{token: ann}))
	if d := cmp.Diff(lastnight.Actor{Name: "ann", Role: "reviewer", Namespaces: []string{"a", "b"}, Via: "token"}, who); err != nil || d != "" {
		t.Error(err, d)
	}
	for _, wrong := range []string{bob, ann + "x", ann[:len(ann)-1], "", " ", annHash, strings.Repeat("x", 1<<20)} {
		if who, err := a.Authenticate(request(t, shown{token: wrong})); lastnight.CodeOf(err) != lastnight.CodeUnauthenticated || who.Role != "" {
			t.Errorf("%.20q is %v, %v", wrong, who, err)
		}
	}
	two := request(t, shown{token: ann})
	two.Header.Add("Authorization", "Bearer x")
	basic := request(t, shown{})
	basic.Header.Set("Authorization", "Basic "+ann)
	for _, r := range []*http.Request{two, basic} {
		if _, err := a.Authenticate(r); lastnight.CodeOf(err) != lastnight.CodeUnauthenticated {
			t.Errorf("%v: %v", r.Header, err)
		}
	}

	// A file that no longer parses does not count, a good one does at once.
	write(t, path, "tokens:\n  - {name: ann, token: "+ann+"}\n")
	soon(&tokens.file)
	if _, err := a.Authenticate(request(t, shown{token: ann})); err != nil || len(failures) != 1 || strings.Contains(failures[0], ann) {
		t.Errorf("%v; told %q", err, failures)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	soon(&tokens.file)
	if _, err := a.Authenticate(request(t, shown{token: ann})); err != nil || len(failures) != 2 {
		t.Errorf("%v; told %q", err, failures)
	}
	write(t, path, "tokens:\n"+entry("bob", bobHash, "viewer", "'*'", ""))
	soon(&tokens.file)
	if _, err := a.Authenticate(request(t, shown{token: ann})); err == nil {
		t.Error("a token that was struck off counts")
	}
	if _, err := a.Authenticate(request(t, shown{token: bob})); err != nil {
		t.Error(err)
	}
}

func TestTokenFileErrors(t *testing.T) {
	t.Parallel()
	_, hash, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"tokens:\n" + entry("ann", hash, "root", "a", ""):                                           "role",
		"tokens:\n" + entry("ann", hash, "viewer", "", ""):                                          "namespaces",
		"tokens:\n" + entry("ann", hash, "viewer", "''", ""):                                        "namespaces",
		"tokens:\n" + entry("ann", "sha256:00:00", "viewer", "a", ""):                               "hash",
		"tokens:\n" + entry("ann", "md5"+hash[6:], "viewer", "a", ""):                               "hash",
		"tokens:\n" + entry("ann", hash, "viewer", "a", ", expires: soon"):                          "expires",
		"tokens:\n" + entry("lastnight", hash, "viewer", "a", ""):                                   "called so",
		"tokens:\n" + entry("ann", hash, "viewer", "a", "") + entry("ann", hash, "viewer", "a", ""): "taken",
		"tokens:\n  - name: x\n    secret: TOPSECRET":                                               "line 3",
		"tokens: TOPSECRET":           "line 1",
		"tokens: []\n---\ntokens: []": "more than one",
	} {
		_, err := parseTokens([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "TOPSECRET") || strings.Contains(err.Error(), hash) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if all, err := parseTokens(nil); err != nil || len(all) != 0 {
		t.Errorf("an empty file: %v, %v", all, err)
	}
}

const grantsFile = `
groups:
  sre: {role: admin, namespaces: [kube-system]}
  team-a: {role: viewer, namespaces: [a]}
users:
  ann: {role: labeler, namespaces: ["*"]}
`

func openGrants(t testing.TB, text string) *Grants {
	t.Helper()
	path := filepath.Join(t.TempDir(), "grants.yaml")
	write(t, path, text)
	g, err := OpenGrants(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestHeader(t *testing.T) {
	t.Parallel()
	h, err := NewHeader("x-forwarded-user", "X-Forwarded-Groups", []string{"10.0.0.0/8", "192.0.2.7", "fd00::/8"}, openGrants(t, grantsFile))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{Header: h})
	if err != nil {
		t.Fatal(err)
	}
	for remote, known := range map[string]bool{
		"10.1.2.3:99": true, "192.0.2.7:1": true, "[fd00::1]:1": true, "[::ffff:10.1.2.3]:1": true,
		"192.0.2.8:1": false, "11.0.0.1:1": false, "[::1]:1": false, "": false, "10.1.2.3": false, "@": false,
	} {
		r := request(t, shown{user: "ann", remote: remote})
		r.RemoteAddr = remote
		who, err := a.Authenticate(r)
		if known != (err == nil) {
			t.Errorf("from %q: %v, %v", remote, who, err)
		}
		if d := cmp.Diff(lastnight.Actor{Name: "ann", Role: "admin", Namespaces: []string{"*", "a", "kube-system"}, Via: "header"}, who); known && d != "" {
			t.Error(d)
		}
	}
	for _, name := range []string{"", "a\x00b", "a\nb", strings.Repeat("x", 1000), "\xff", "Lastnight", "a\u202eb"} {
		r := request(t, shown{remote: "10.1.2.3:99"})
		r.Header["X-Forwarded-User"] = []string{name}
		if _, err := a.Authenticate(r); lastnight.CodeOf(err) != lastnight.CodeUnauthenticated {
			t.Errorf("%q: %v", name, err)
		}
	}
	r := request(t, shown{remote: "10.1.2.3:99"})
	r.Header["X-Forwarded-User"] = []string{"bob", "ann"}
	if _, err := a.Authenticate(r); err == nil {
		t.Error("two names are one too many")
	}
	if who, err := h.actor(func() *http.Request {
		r := request(t, shown{user: "stranger", remote: "10.1.2.3:99"})
		r.Header.Del("X-Forwarded-Groups")
		return r
	}()); err != nil || who.Role != lastnight.RoleNone || len(who.Namespaces) != 0 {
		t.Errorf("%v, %v", who, err)
	}
	for _, p := range [][]string{nil, {"10.0.0.0/33"}, {"proxy"}} {
		if _, err := NewHeader("X", "", p, openGrants(t, grantsFile)); lastnight.CodeOf(err) != lastnight.CodeInvalid {
			t.Errorf("%q: %v", p, err)
		}
	}
}

// TestSessions signs in with a token, and out, and strikes the token off.
func TestSessions(t *testing.T) {
	t.Parallel()
	ann, hash, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	write(t, path, "tokens:\n"+entry("ann", hash, "admin", "a", ""))
	tokens, err := OpenTokens(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	keep := &memory{}
	sessions := NewSessions(keep, time.Hour, false)
	a, err := New(Config{Tokens: tokens, Sessions: sessions})
	if err != nil {
		t.Fatal(err)
	}
	signIn := func() string {
		w := httptest.NewRecorder()
		if who, err := a.SignIn(w, request(t, shown{}), " "+ann+"\n"); err != nil || who.Name != "ann" {
			t.Fatal(who, err)
		}
		c := w.Result().Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Name != sessionCookie || c.MaxAge < 3500 {
			t.Errorf("%+v", c)
		}
		if v := fmt.Sprint(keep.values); strings.Contains(v, c.Value) || strings.Contains(v, ann) {
			t.Error("the keeper has the cookie or the token")
		}
		return c.Value
	}
	cookie, other := signIn(), signIn()
	if who, err := a.Authenticate(request(t, shown{cookie: cookie})); err != nil || who.Role != "admin" || cookie == other {
		t.Error(who, err)
	}
	if _, err := a.Authenticate(request(t, shown{cookie: cookie, token: "wrong"})); err == nil {
		t.Error("a session makes a wrong token good")
	}
	for _, wrong := range []string{cookie + "x", strings.Repeat("y", 4000), "session/x"} {
		if _, err := a.Authenticate(request(t, shown{cookie: wrong})); lastnight.CodeOf(err) != lastnight.CodeUnauthenticated {
			t.Errorf("%.20q: %v", wrong, err)
		}
	}
	w := httptest.NewRecorder()
	if err := a.SignOut(w, request(t, shown{cookie: cookie})); err != nil || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Error(err, w.Header())
	}
	if _, err := a.Authenticate(request(t, shown{cookie: cookie})); err == nil {
		t.Error("signed out and still in")
	}
	if _, err := a.Authenticate(request(t, shown{cookie: other})); err != nil {
		t.Error("signing out here signed out there")
	}
	now := time.Now()
	sessions.now = func() time.Time { return now.Add(2 * time.Hour) }
	if _, err := a.Authenticate(request(t, shown{cookie: other})); err == nil {
		t.Error("a session outlives its time")
	}
	third := signIn()
	if len(keep.values) != 1 {
		t.Errorf("sessions that are over are kept: %d", len(keep.values))
	}
	write(t, path, "tokens: []")
	soon(&tokens.file)
	if _, err := a.Authenticate(request(t, shown{cookie: third})); lastnight.CodeOf(err) != lastnight.CodeUnauthenticated {
		t.Errorf("the session of a token that was struck off: %v", err)
	}
	if _, err := a.SignIn(httptest.NewRecorder(), request(t, shown{}), ann); err == nil {
		t.Error("a token that was struck off signs in")
	}
}

func TestLocalNames(t *testing.T) {
	t.Parallel()
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := request(t, shown{})
	if who, err := a.Authenticate(r); err != nil || who.Name != "" || who.Role != lastnight.RoleAdmin || !who.SeesAll() {
		t.Error(who, err)
	}
	w := httptest.NewRecorder()
	if _, err := a.Introduce(w, "Änn; =x"); err != nil {
		t.Fatal(err)
	}
	r.AddCookie(w.Result().Cookies()[0])
	if who, err := a.Authenticate(r); err != nil || who.Name != "Änn; =x" {
		t.Error(who, err)
	}
	r.Header.Set("X-Lastnight-User", "bob")
	if who, err := a.Authenticate(r); err != nil || who.Name != "bob" {
		t.Error(who, err)
	}
	if _, err := a.Introduce(httptest.NewRecorder(), "lastnight"); err == nil {
		t.Error("somebody may be called lastnight")
	}
}

func FuzzTokenFile(f *testing.F) {
	_, hash, err := NewToken()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("tokens:\n" + entry("ann", hash, "viewer", "a", ", expires: 2030-01-01")))
	f.Add([]byte(grantsFile))
	f.Add([]byte("a: &a [*a, *a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parseTokens(b)
		for _, e := range all {
			if err != nil || e.name == "" || len(e.hash) != 32 || !e.grant.Role.AtLeast(lastnight.RoleViewer) || len(e.grant.Namespaces) == 0 {
				t.Errorf("%+v, %v", e, err)
			}
		}
		g, err := parseGrants(b)
		for name, gr := range g.Groups {
			if err != nil || !gr.Role.AtLeast(lastnight.RoleViewer) {
				t.Errorf("%s: %+v, %v", name, gr, err)
			}
		}
	})
}

func FuzzRequest(f *testing.F) {
	path := filepath.Join(f.TempDir(), "tokens.yaml")
	secret, hash, err := NewToken()
	if err != nil {
		f.Fatal(err)
	}
	write(f, path, "tokens:\n"+entry("ann", hash, "viewer", "a", ""))
	tokens, err := OpenTokens(path, nil)
	if err != nil {
		f.Fatal(err)
	}
	h, err := NewHeader("X-Forwarded-User", "X-Forwarded-Groups", []string{"10.0.0.0/8"}, openGrants(f, grantsFile))
	if err != nil {
		f.Fatal(err)
	}
	a, err := New(Config{Tokens: tokens, Header: h, Sessions: NewSessions(&memory{}, time.Hour, false)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Bearer x", "lastnight_session=y; lastnight_login=z", "ann", "sre,,x", "10.0.0.1:1")
	f.Add("bearer  ", "a=\"", "\x00", "", "[::1%a]:1")
	f.Fuzz(func(t *testing.T, authorization, cookie, user, groups, remote string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Header = http.Header{"Cookie": {cookie}, "X-Forwarded-Groups": {groups}}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if user != "" {
			r.Header.Set("X-Forwarded-User", user)
		}
		r.RemoteAddr = remote
		who, err := a.Authenticate(r)
		if err == nil && (who.Name == "" || who.Via == "token" && !strings.Contains(authorization, secret) || who.Via == "header" && !h.trusts(remote)) {
			t.Errorf("%v", who)
		}
		if err := a.cfg.Sessions.unseal(t.Context(), cookie, &login{}); err == nil {
			t.Error("a made-up login opens")
		}
		if p := localPath(user); !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.HasPrefix(p, "/\\") {
			t.Errorf("%q leads elsewhere", p)
		}
	})
}
