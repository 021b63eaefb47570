package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
	"lastnight/api/auth"
)

// session says who is signed in, signs in and out.
type session struct {
	env  *env
	auth *auth.Auth
}

// SessionInfo is who asks, and how somebody who is not known can sign in.
type SessionInfo struct {
	SignedIn bool             `json:"signed_in"` // known, with a role or without
	Required bool             `json:"required"`  // whether anything can be asked without signing in
	Actor    *lastnight.Actor `json:"actor,omitempty"`
	Methods  []string         `json:"methods"`         // oidc, token, header, name
	Login    string           `json:"login,omitempty"` // address that signs in with oidc; add ?next=/path
}

const loginPath = "/auth/login"

// Routes gives the resource's routes.
func (s session) Routes() chi.Router {
	r := chi.NewRouter()
	s.env.get(r, "/", endpoint{handle: func(w http.ResponseWriter, r *http.Request, _ *params) error {
		c := callerOf(r.Context())
		return s.tell(w, c.actor, c.err == nil)
	}})
	s.env.route(r, http.MethodPost, "/", endpoint{handle: s.begin})
	s.env.route(r, http.MethodDelete, "/", endpoint{handle: s.end})
	return r
}

// mountLogin adds the routes that browsers are sent to.
func (s session) mountLogin(r chi.Router) {
	s.env.get(r, loginPath, endpoint{params: []string{"next"}, handle: func(w http.ResponseWriter, r *http.Request, p *params) error {
		next := p.text("next")
		if p.err != nil {
			return p.err
		}
		return s.auth.Login(w, r, next)
	}})
	s.env.get(r, "/auth/callback", endpoint{
		params: []string{"code", "state", "error", "error_description"}, loose: true, handle: s.callback,
	})
}

func (s session) tell(w http.ResponseWriter, a lastnight.Actor, known bool) error {
	info := SessionInfo{SignedIn: known && (s.auth.Required() || a.Name != ""), Required: s.auth.Required(), Methods: s.auth.Methods()}
	if known {
		if a.Namespaces == nil {
			a.Namespaces = []string{}
		}
		info.Actor = &a
	}
	for _, m := range info.Methods {
		if m == "oidc" {
			info.Login = loginPath
		}
	}
	return writeJSON(w, info)
}

// beginBody is how to sign in: one of the two.
type beginBody struct {
	Token string `json:"token"` // on a server with tokens
	Name  string `json:"name"`  // on a server without authentication
}

func (s session) begin(w http.ResponseWriter, r *http.Request, _ *params) error {
	var body beginBody
	if err := readJSON(r, &body); err != nil {
		return err
	}
	var a lastnight.Actor
	var err error
	switch {
	case (body.Token == "") == (body.Name == ""):
		return lastnight.Errorf(lastnight.CodeInvalid, `{"token": "ln_…"}, or {"name": "ann"} on a server without authentication`, "give a token or a name")
	case body.Token != "":
		a, err = s.auth.SignIn(w, r, body.Token)
	default:
		a, err = s.auth.Introduce(w, body.Name)
	}
	if err != nil {
		s.env.denied(r, err)
		return err
	}
	s.env.audit(r, lastnight.AuditEntry{Action: "sign-in", Actor: a.Name, Role: a.Role, Via: a.Via})
	return s.tell(w, a, true)
}

func (s session) end(w http.ResponseWriter, r *http.Request, _ *params) error {
	if err := s.auth.SignOut(w, r); err != nil {
		return err
	}
	if c := callerOf(r.Context()); c.err == nil {
		s.env.audit(r, lastnight.AuditEntry{Action: "sign-out"})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s session) callback(w http.ResponseWriter, r *http.Request, _ *params) error {
	a, next, err := s.auth.Callback(w, r)
	if err != nil {
		s.env.denied(r, err)
		return err
	}
	s.env.audit(r, lastnight.AuditEntry{Action: "sign-in", Actor: a.Name, Role: a.Role, Via: a.Via})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, next, http.StatusFound) //nolint:gosec // auth made sure that it is a path of this server
	return nil
}
