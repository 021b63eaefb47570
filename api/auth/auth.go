// Package auth finds out who asks: by a bearer token from a file, by a header that a trusted
// proxy sets, or by a session that began with a sign-in (OpenID Connect, or a token typed into
// the UI). Without any of them everybody is taken for an administrator, which is for loopback only;
// then a name may be given, which labels and the audit log bear.
//
//	Authorization: Bearer ln_…  ─▶ Tokens   ─┐
//	Cookie: lastnight_session=… ─▶ Sessions ─┼─▶ Grants (role, namespaces) ─▶ lastnight.Actor
//	X-Forwarded-User: ann       ─▶ Header   ─┘
//
// The first of these that a request has decides, right or wrong: a bad token is never made
// good by a cookie. What somebody may do is looked up at each request, so that a token struck off
// the file, or a group that lost its role, counts from then on, in sessions too.
//
// Secrets are never logged and are kept only as hashes. Files are read again when they
// change; one that no longer parses is reported and the last good one counts until it does.
package auth

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
)

const (
	maxName  = 256                // bytes of a name
	nameHead = "X-Lastnight-User" // the name, without authentication
	// NameCookie keeps the name that was given once, without authentication.
	NameCookie = "lastnight_user"
)

// Config says how people are known. All nil: not at all, everybody is a local administrator.
type Config struct {
	Tokens   *Tokens
	Header   *Header
	OIDC     *OIDC
	Sessions *Sessions             // needed by OIDC, and for tokens in the UI
	Log      *slog.Logger          // nil: none
	Now      func() time.Time      // nil: time.Now
	Metrics  prometheus.Registerer // nil: none
}

// Auth tells who asks. It may be used by any number of goroutines.
type Auth struct {
	cfg Config
	// lastnight_auth_requests_total: by how they said who asks (token, session, header, local, none) and whether
	// they are known, unknown (nothing was said) or refused (it was wrong). A rise of refused is an attack or a token that expired.
	requests *prometheus.CounterVec
}

// New makes an Auth.
func New(c Config) (*Auth, error) {
	if c.OIDC != nil && c.Sessions == nil {
		return nil, errors.New("auth: OpenID Connect needs sessions")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &Auth{cfg: c, requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lastnight_auth_requests_total", Help: "Requests by how they said who asks, and whether that was right.",
	}, []string{"via", "outcome"})}
	if c.Metrics != nil {
		if err := c.Metrics.Register(a.requests); err != nil {
			return nil, fmt.Errorf("auth: %w", err)
		}
	}
	return a, nil
}

// Required tells whether there is authentication at all.
func (a *Auth) Required() bool {
	return a.cfg.Tokens != nil || a.cfg.Header != nil || a.cfg.OIDC != nil
}

// Authenticate tells who sent the request, or an error of CodeUnauthenticated.
func (a *Auth) Authenticate(r *http.Request) (lastnight.Actor, error) {
	who, via, err := a.authenticate(r)
	outcome := "known"
	if err != nil {
		outcome = "refused"
		if via == "" {
			outcome = "unknown"
		}
	}
	a.requests.WithLabelValues(cmp.Or(via, "none"), outcome).Inc()
	return who, err
}

func (a *Auth) authenticate(r *http.Request) (who lastnight.Actor, via string, err error) {
	if !a.Required() {
		who, err = local(r)
		return who, "local", err
	}
	if values := r.Header.Values("Authorization"); len(values) > 0 {
		who, err = a.bearer(values)
		return who, "token", err
	}
	if a.cfg.Sessions != nil {
		se, ok, err := a.cfg.Sessions.find(r)
		if err != nil {
			return who, "session", err
		}
		if ok {
			who, err = a.ofSession(&se)
			return who, "session", err
		}
	}
	if a.cfg.Header != nil && a.cfg.Header.present(r) {
		who, err = a.cfg.Header.actor(r)
		return who, "header", err
	}
	return who, "", lastnight.Errorf(lastnight.CodeUnauthenticated, "sign in in the UI, or send the header Authorization: Bearer TOKEN (commands: $LASTNIGHT_TOKEN)", "who are you?")
}

// bearer tells whose token it is. What it says of a wrong one is the same whatever is wrong.
func (a *Auth) bearer(values []string) (lastnight.Actor, error) {
	scheme, secret, _ := strings.Cut(values[0], " ")
	if len(values) == 1 && strings.EqualFold(scheme, "Bearer") && a.cfg.Tokens != nil {
		if t, ok := a.cfg.Tokens.find(strings.TrimSpace(secret)); ok {
			return t.grant.actor(t.name, "token"), nil
		}
	}
	return lastnight.Actor{}, lastnight.Errorf(lastnight.CodeUnauthenticated, "send Authorization: Bearer TOKEN with a token of this server that has not expired", "that token is not known here")
}

// ofSession tells what the session's person may do now.
func (a *Auth) ofSession(se *session) (lastnight.Actor, error) {
	switch {
	case se.Via == "oidc" && a.cfg.OIDC != nil:
		return a.cfg.OIDC.cfg.Grants.actor(se.Name, se.Groups, "oidc"), nil
	case se.Via == "token" && a.cfg.Tokens != nil:
		if t, ok := a.cfg.Tokens.byHash(se.Name, se.Token); ok {
			return t.grant.actor(t.name, "token"), nil
		}
	}
	return lastnight.Actor{}, lastnight.Errorf(lastnight.CodeUnauthenticated, "sign in again", "what this session began with does not count any more")
}

// SignIn begins a session with a token, for browsers.
func (a *Auth) SignIn(w http.ResponseWriter, r *http.Request, secret string) (lastnight.Actor, error) {
	if a.cfg.Tokens == nil || a.cfg.Sessions == nil {
		return lastnight.Actor{}, lastnight.Errorf(lastnight.CodeInvalid, "GET it to see how to sign in", "this server takes no tokens")
	}
	t, ok := a.cfg.Tokens.find(strings.TrimSpace(secret))
	if !ok {
		return lastnight.Actor{}, lastnight.Errorf(lastnight.CodeUnauthenticated, "is it whole, and has it not expired?", "that token is not known here")
	}
	if err := a.cfg.Sessions.begin(w, r, session{Name: t.name, Via: "token", Token: t.hash}); err != nil {
		return lastnight.Actor{}, err
	}
	return t.grant.actor(t.name, "token"), nil
}

// Introduce keeps the name that somebody gave, on a server without authentication.
func (a *Auth) Introduce(w http.ResponseWriter, name string) (lastnight.Actor, error) {
	if a.Required() {
		return lastnight.Actor{}, lastnight.Errorf(lastnight.CodeInvalid, "GET it to see how to sign in", "on this server a name alone is not enough")
	}
	name, err := CheckName(name)
	if err != nil {
		return lastnight.Actor{}, err
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // no secret, and TLS is not expected on loopback
		Name: NameCookie, Value: url.QueryEscape(name), Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	who := localActor()
	who.Name = name
	return who, nil
}

// SignOut ends the request's session and forgets its name.
func (a *Auth) SignOut(w http.ResponseWriter, r *http.Request) error {
	if a.cfg.Sessions != nil {
		if err := a.cfg.Sessions.end(w, r); err != nil {
			return err
		}
	}
	if _, err := r.Cookie(NameCookie); err == nil {
		http.SetCookie(w, &http.Cookie{Name: NameCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // as above
	}
	return nil
}

// Methods lists how people can sign in: oidc, token, header, name.
func (a *Auth) Methods() []string {
	all := []string{}
	if a.cfg.OIDC != nil {
		all = append(all, "oidc")
	}
	if a.cfg.Tokens != nil {
		all = append(all, "token")
	}
	if a.cfg.Header != nil {
		all = append(all, "header")
	}
	if !a.Required() {
		all = append(all, "name")
	}
	return all
}

func localActor() lastnight.Actor {
	return lastnight.Actor{Role: lastnight.RoleAdmin, Namespaces: []string{lastnight.EveryNamespace}, Via: "local"}
}

// local is anybody who can reach a server without authentication.
func local(r *http.Request) (lastnight.Actor, error) {
	a := localActor()
	name := r.Header.Get(nameHead)
	if name == "" {
		if c, err := r.Cookie(NameCookie); err == nil {
			if name, err = url.QueryUnescape(c.Value); err != nil {
				return a, nil // somebody else's cookie: the name will be asked for again
			}
		}
	}
	if name == "" {
		return a, nil
	}
	var err error
	a.Name, err = CheckName(name)
	return a, err
}

// CheckName refuses what is no name of a person or program: control characters, more than 256
// bytes, and the name under which lastnight itself acts. The error is of CodeInvalid.
func CheckName(name string) (string, error) {
	name = strings.TrimSpace(name)
	bad := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError }
	switch {
	case name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, bad):
		return "", lastnight.Errorf(lastnight.CodeInvalid, "a name has 1 to 256 bytes and no control characters", "that is no name")
	case strings.EqualFold(name, lastnight.SystemActor):
		return "", lastnight.Errorf(lastnight.CodeInvalid, "take another", "lastnight itself is called so")
	}
	return name, nil
}
