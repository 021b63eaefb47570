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
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
	Sessions *Sessions        // needed by OIDC, and for tokens in the UI
	Log      *slog.Logger     // nil: none
	Now      func() time.Time // nil: time.Now
}

// Auth tells who asks. It may be used by any number of goroutines.
type Auth struct {
	cfg Config
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
	return &Auth{c}, nil
}

// Required tells whether there is authentication at all.
func (a *Auth) Required() bool {
	return a.cfg.Tokens != nil || a.cfg.Header != nil || a.cfg.OIDC != nil
}

// Authenticate tells who sent the request, or an error of CodeUnauthenticated.
func (a *Auth) Authenticate(r *http.Request) (lastnight.Actor, error) {
	if !a.Required() {
		return local(r)
	}
	return lastnight.Actor{}, a.nobody()
}

// nobody is the error for those who did not say who they are.
func (a *Auth) nobody() error {
	return lastnight.Errorf(lastnight.CodeUnauthenticated, "sign in in the UI, or send the header Authorization: Bearer TOKEN", "who are you?")
}

// local is anybody who can reach a server without authentication.
func local(r *http.Request) (lastnight.Actor, error) {
	a := lastnight.Actor{Role: lastnight.RoleAdmin, Namespaces: []string{lastnight.EveryNamespace}, Via: "local"}
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
