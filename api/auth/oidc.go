package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"lastnight"
)

const (
	loginTime       = 10 * time.Minute // between asking for a sign-in and coming back
	providerTimeout = 10 * time.Second
	loginCookie     = "lastnight_login"
)

// OIDCConfig says which provider signs people in.
type OIDCConfig struct {
	Issuer       string
	ClientID     string
	ClientSecret string   // may be empty: a public client
	RedirectURL  string   // of this server: https://…/auth/callback
	Scopes       []string // besides openid; none: profile, email, groups
	NameClaim    string   // "": email, else preferred_username, else sub
	GroupsClaim  string   // "": groups
	Grants       *Grants
	Client       *http.Client // nil: one with a time-out
}

// OIDC signs people in by the authorization code flow with PKCE (RFC 6749, RFC 7636, OpenID Connect
// Core 1.0). What belongs to a sign-in under way (state, nonce, verifier) is in a sealed cookie of
// that browser, so unfinished ones cost the server nothing. The provider is asked for its keys when
// somebody first signs in, not at the start: it may be away then.
type OIDC struct {
	cfg OIDCConfig

	mu       sync.Mutex // all below
	provider *oidc.Provider
}

// NewOIDC makes one. Issuer, ClientID, RedirectURL and Grants are needed.
func NewOIDC(c OIDCConfig) (*OIDC, error) {
	if c.Issuer == "" || c.ClientID == "" || c.RedirectURL == "" || c.Grants == nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--oidc-issuer URL --oidc-client-id ID --public-url URL --auth-grants FILE",
			"OpenID Connect needs an issuer, a client, the public address of this server, and grants")
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: providerTimeout}
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"profile", "email", "groups"}
	}
	c.GroupsClaim = cmp.Or(c.GroupsClaim, "groups")
	return &OIDC{cfg: c}, nil
}

// login is a sign-in under way.
type login struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Next     string    `json:"next"`
	Expires  time.Time `json:"expires"`
}

// discover gives the provider, asking for its configuration the first time.
func (o *OIDC) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	// The provider keeps this context's client, but must outlive the request.
	p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), o.cfg.Client), o.cfg.Issuer)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeUnavailable, "is --oidc-issuer right, and can this server reach it?", "the provider of sign-ins does not answer as it should: %w", err)
	}
	o.provider = p
	return p, nil
}

func (o *OIDC) oauth(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: o.cfg.ClientID, ClientSecret: o.cfg.ClientSecret, Endpoint: p.Endpoint(), RedirectURL: o.cfg.RedirectURL,
		Scopes: append([]string{oidc.ScopeOpenID}, o.cfg.Scopes...),
	}
}

// Login sends the browser to the provider; afterwards it goes on to next, a path of this server.
func (a *Auth) Login(w http.ResponseWriter, r *http.Request, next string) error {
	o := a.cfg.OIDC
	if o == nil {
		return lastnight.Errorf(lastnight.CodeNotFound, "sign in with a token", "this server has no provider of sign-ins")
	}
	p, err := o.discover(r.Context())
	if err != nil {
		return err
	}
	l := login{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: localPath(next), Expires: a.cfg.Now().Add(loginTime)}
	sealed, err := a.cfg.Sessions.seal(r.Context(), l)
	if err != nil {
		return err
	}
	a.cfg.Sessions.set(w, loginCookie, sealed, l.Expires)
	http.Redirect(w, r, o.oauth(p).AuthCodeURL(l.State, oidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)), http.StatusFound)
	return nil
}

// Callback ends a sign-in: it gives the actor whose session begins, and where the browser goes on to.
func (a *Auth) Callback(w http.ResponseWriter, r *http.Request) (who lastnight.Actor, next string, err error) {
	o := a.cfg.OIDC
	if o == nil {
		return who, "", lastnight.Errorf(lastnight.CodeNotFound, "", "this server has no provider of sign-ins")
	}
	again := "begin again at /auth/login"
	var l login
	c, err := r.Cookie(loginCookie)
	if err != nil || a.cfg.Sessions.unseal(r.Context(), c.Value, &l) != nil || !a.cfg.Now().Before(l.Expires) {
		return who, "", lastnight.Errorf(lastnight.CodeUnauthenticated, again, "this browser has no sign-in under way, or it took too long")
	}
	a.cfg.Sessions.unset(w, loginCookie) // It works once.
	q := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(l.State)) != 1 {
		return who, "", lastnight.Errorf(lastnight.CodeUnauthenticated, again, "the answer belongs to another sign-in")
	}
	if q.Get("error") != "" {
		return who, "", lastnight.Errorf(lastnight.CodeUnauthenticated, again, "the provider refused the sign-in")
	}
	se, err := o.exchange(r.Context(), q.Get("code"), &l)
	if err != nil {
		return who, "", err
	}
	if err := a.cfg.Sessions.begin(w, r, se); err != nil {
		return who, "", err
	}
	a.cfg.Sessions.unset(w, loginCookie)
	return o.cfg.Grants.actor(se.Name, se.Groups, "oidc"), l.Next, nil
}

// exchange trades the code for an ID token and reads that.
func (o *OIDC) exchange(ctx context.Context, code string, l *login) (session, error) {
	p, err := o.discover(ctx)
	if err != nil {
		return session{}, err
	}
	refused := func(what string, err error) error {
		return lastnight.Errorf(lastnight.CodeUnauthenticated, "begin again at /auth/login", "%s: %w", what, err)
	}
	t, err := o.oauth(p).Exchange(oidc.ClientContext(ctx, o.cfg.Client), code, oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return session{}, refused("the provider did not take the code", cleaned(err))
	}
	raw, _ := t.Extra("id_token").(string)
	id, err := p.VerifierContext(oidc.ClientContext(ctx, o.cfg.Client), &oidc.Config{ClientID: o.cfg.ClientID}).Verify(ctx, raw)
	if err != nil {
		return session{}, refused("the provider's ID token is not good", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(l.Nonce)) != 1 {
		return session{}, lastnight.Errorf(lastnight.CodeUnauthenticated, "begin again at /auth/login", "the ID token belongs to another sign-in")
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return session{}, refused("the ID token's claims do not parse", err)
	}
	name, err := o.name(claims, id.Subject)
	if err != nil {
		return session{}, err
	}
	return session{Name: name, Via: "oidc", Groups: textList(claims[o.cfg.GroupsClaim])}, nil
}

// cleaned keeps the answer of the token endpoint, which may repeat secrets, out of messages.
func cleaned(err error) error {
	return fmt.Errorf("%T", err)
}

// name finds what people are called.
func (o *OIDC) name(claims map[string]any, subject string) (string, error) {
	text := func(claim string) string {
		s, _ := claims[claim].(string)
		if verified, told := claims["email_verified"].(bool); claim == "email" && told && !verified {
			return "" // anybody could have written it there
		}
		return s
	}
	said := cmp.Or(text("email"), text("preferred_username"), subject)
	if o.cfg.NameClaim != "" {
		said = text(o.cfg.NameClaim)
	}
	name, err := CheckName(said)
	if err != nil {
		return "", lastnight.Errorf(lastnight.CodeUnauthenticated, "set --oidc-name-claim", "the ID token names nobody, or an address that is not verified")
	}
	return name, nil
}

// textList reads a claim that is a list of words or one word.
func textList(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, x := range v {
			if s, ok := x.(string); ok && len(all) < maxGroups {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// localPath gives a path of this server: what leads elsewhere becomes "/".
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || len(next) > 2048 {
		return "/"
	}
	return next
}
