package auth

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

// provider is a small OpenID Connect provider: discovery, JWKS, authorization endpoint, token endpoint with
// PKCE (S256 only), ID tokens signed with RS256. Nobody has to type a password.
type provider struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]url.Values // what was asked for, by code
	claims map[string]any        // more of them, or others
	signer *rsa.PrivateKey       // nil: key
	alg    string                // "": RS256
}

const (
	clientID     = "lastnight-test"
	clientSecret = "of-a-test"
)

func newProvider(t testing.TB) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		n, e := base64.RawURLEncoding.EncodeToString(key.N.Bytes()), base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())
		p.json(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "n": n, "e": e}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != clientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || !strings.Contains(q.Get("scope"), "openid") ||
		q.Get("state") == "" || q.Get("nonce") == "" || len(q.Get("code_challenge")) != 43 {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = q
	p.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}, "session_state": {"x"}}.Encode(), http.StatusFound)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, ok := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	if !ok || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || asked.Get("redirect_uri") != r.FormValue("redirect_uri") ||
		id != clientID || secret != clientSecret || r.FormValue("grant_type") != "authorization_code" {
		w.WriteHeader(http.StatusBadRequest)
		p.json(w, map[string]string{"error": "invalid_grant", "error_description": "SECRETANSWER"})
		return
	}
	claims := map[string]any{
		"iss": p.URL, "aud": clientID, "sub": "u-1", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": asked.Get("nonce"),
		"email": "ann@example.org", "email_verified": true, "groups": []string{"sre", "others"},
	}
	maps.Copy(claims, p.claims)
	p.json(w, map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": p.sign(claims)})
}

func (p *provider) sign(claims map[string]any) string {
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	alg, key := "RS256", p.key
	if p.alg != "" {
		alg = p.alg
	}
	if p.signer != nil {
		key = p.signer
	}
	text := part(map[string]string{"alg": alg, "kid": "k1", "typ": "JWT"}) + "." + part(claims)
	if alg == "none" {
		return text + "."
	}
	sum := sha256.Sum256([]byte(text))
	sig, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// site is a server that signs people in with the provider.
type site struct {
	*httptest.Server
	auth *Auth
	err  error // of the last callback
	keep *memory
}

func newSite(t testing.TB, p *provider, grants *Grants) *site {
	t.Helper()
	s := &site{keep: &memory{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /auth/login", func(w http.ResponseWriter, r *http.Request) {
		if err := s.auth.Login(w, r, r.URL.Query().Get("next")); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})
	mux.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		_, next, err := s.auth.Callback(w, r)
		if s.err = err; err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, next, http.StatusFound)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		who, err := s.auth.Authenticate(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"who": who, "at": r.URL.String()})
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	o, err := NewOIDC(OIDCConfig{Issuer: p.URL, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: s.URL + "/auth/callback", Grants: grants})
	if err != nil {
		t.Fatal(err)
	}
	if s.auth, err = New(Config{OIDC: o, Sessions: NewSessions(s.keep, time.Hour, false)}); err != nil {
		t.Fatal(err)
	}
	return s
}

func browser(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second}
}

type landed struct {
	Who lastnight.Actor
	At  string
}

func visit(t testing.TB, c *http.Client, target string) (int, landed) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var l landed
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&l); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, l
}

func TestOIDC(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	grants := openGrants(t, "groups:\n  sre: {role: reviewer, namespaces: [flink]}\n")
	s := newSite(t, p, grants)
	b := browser(t)
	if status, _ := visit(t, b, s.URL+"/"); status != http.StatusUnauthorized {
		t.Fatalf("not signed in: %d", status)
	}
	want := landed{lastnight.Actor{Name: "ann@example.org", Role: "reviewer", Namespaces: []string{"flink"}, Via: "oidc"}, "/incidents/x?y=1"}
	status, got := visit(t, b, s.URL+"/auth/login?next="+url.QueryEscape("/incidents/x?y=1"))
	if d := cmp.Diff(want, got); status != http.StatusOK || d != "" {
		t.Fatal(status, s.err, d)
	}
	want.At = "/"
	if _, got := visit(t, b, s.URL+"/"); !cmp.Equal(want, got) {
		t.Errorf("the next request: %+v", got)
	}
	// What the group may do is looked up each time.
	write(t, grants.file.paths[0], "groups:\n  sre: {role: viewer, namespaces: [flink]}\n")
	soon(&grants.file)
	if _, got := visit(t, b, s.URL+"/"); got.Who.Role != "viewer" {
		t.Errorf("a role that was taken away counts: %+v", got)
	}
	if status, got := visit(t, b, s.URL+"/auth/login?next=//evil.example/"); status != http.StatusOK || got.At != "/" {
		t.Errorf("sent elsewhere: %d %+v", status, got)
	}
}

// TestOIDCRefuses is about tokens that are not good, each by one fault.
func TestOIDCRefuses(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*provider){
		"another key":         func(p *provider) { p.signer = other },
		"no signature":        func(p *provider) { p.alg = "none" },
		"HMAC with the key":   func(p *provider) { p.alg = "HS256" },
		"another audience":    func(p *provider) { p.claims = map[string]any{"aud": "somebody"} },
		"another issuer":      func(p *provider) { p.claims = map[string]any{"iss": "https://evil.example"} },
		"expired":             func(p *provider) { p.claims = map[string]any{"exp": time.Now().Add(-time.Hour).Unix()} },
		"another nonce":       func(p *provider) { p.claims = map[string]any{"nonce": "x"} },
		"no nonce":            func(p *provider) { p.claims = map[string]any{"nonce": ""} },
		"name of the machine": func(p *provider) { p.claims = map[string]any{"email": "lastnight"} },
	} {
		p := newProvider(t)
		spoil(p)
		s := newSite(t, p, openGrants(t, "default: {role: admin, namespaces: ['*']}"))
		status, got := visit(t, browser(t), s.URL+"/auth/login")
		if status != http.StatusUnauthorized || lastnight.CodeOf(s.err) != lastnight.CodeUnauthenticated {
			t.Errorf("%s: %d %v %v", name, status, got, s.err)
		}
		if len(s.keep.values) != 1 { // the key of sign-ins
			t.Errorf("%s: a session began", name)
		}
	}
}

func TestOIDCNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		claims map[string]any
		want   string
		groups []string
	}{
		{map[string]any{"email_verified": false}, "u-1", nil},
		{map[string]any{"email_verified": false, "preferred_username": "ann"}, "ann", nil},
		{map[string]any{"email": nil, "groups": "sre"}, "u-1", nil},
		{map[string]any{"groups": nil}, "ann@example.org", nil},
		{map[string]any{"groups": map[string]any{"sre": true}}, "ann@example.org", nil},
		{map[string]any{"groups": []any{1, "sre"}}, "ann@example.org", nil},
	} {
		p := newProvider(t)
		p.claims = c.claims
		s := newSite(t, p, openGrants(t, "default: {role: viewer, namespaces: [a]}\ngroups: {sre: {role: admin, namespaces: [a]}}"))
		if status, got := visit(t, browser(t), s.URL+"/auth/login"); status != http.StatusOK || got.Who.Name != c.want {
			t.Errorf("%v: %d %+v %v", c.claims, status, got, s.err)
		}
	}
}

// TestOIDCFlow attacks the way between the browser and the provider.
func TestOIDCFlow(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	s := newSite(t, p, openGrants(t, "default: {role: admin, namespaces: ['*']}"))
	stop := func(b *http.Client) {
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	// begin gives the address of the callback that the provider would send the browser to.
	begin := func(b *http.Client) string {
		stop(b)
		target := s.URL + "/auth/login"
		for range 2 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := b.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			target = resp.Header.Get("Location")
		}
		return target
	}
	mine, theirs := browser(t), browser(t)
	callback := begin(theirs)
	if status, _ := visit(t, mine, callback); status != http.StatusUnauthorized {
		t.Errorf("another browser's answer, without a sign-in of one's own: %d", status)
	}
	begin(mine)
	if status, _ := visit(t, mine, callback); status != http.StatusUnauthorized {
		t.Errorf("another browser's answer: %d", status)
	}
	own := begin(mine)
	u, err := url.Parse(own)
	if err != nil {
		t.Fatal(err)
	}
	theirCode := u.Query()
	cu, _ := url.Parse(callback)
	theirCode.Set("code", cu.Query().Get("code"))
	u.RawQuery = theirCode.Encode()
	if status, _ := visit(t, mine, u.String()); status != http.StatusUnauthorized || strings.Contains(s.err.Error(), "SECRETANSWER") {
		t.Errorf("another's code with one's own state: %d %v (PKCE)", status, s.err)
	}
	own = begin(mine)
	if status, _ := visit(t, mine, own); status != http.StatusFound {
		t.Errorf("one's own: %d %v", status, s.err)
	}
	if status, _ := visit(t, mine, own); status != http.StatusUnauthorized {
		t.Errorf("the same again: %d", status)
	}
	if status, _ := visit(t, mine, s.URL+"/auth/callback?error=access_denied&state=x"); status != http.StatusUnauthorized {
		t.Errorf("refused by the provider: %d", status)
	}
	p.Close()
	fresh := newSite(t, p, openGrants(t, "default: {role: admin, namespaces: ['*']}"))
	if status, _ := visit(t, browser(t), fresh.URL+"/auth/login"); status != http.StatusBadGateway {
		t.Errorf("the provider is away: %d", status)
	}
}
