package api

import (
	"context"
	"maps"
	"net/http"

	"lastnight"
)

// requestHeader must come with every request that changes something and names its
// actor by what browsers send by themselves (a cookie, a proxy's sign-in): pages of other
// servers can't set it without asking first, which is refused.
const requestHeader = "X-Lastnight-Request"

// access says who may use a route.
type access struct {
	least  lastnight.Role // RoleNone with public
	public bool           // everybody, known or not: tells nothing that is anybody's
	signed bool           // the request proves itself by a signature; needs no requestHeader
}

// accessTable is who may use which route, by method and pattern. HEAD is as GET. A route that
// is not in it is refused, and a test fails.
func accessTable() map[string]access {
	viewer, admin := access{least: lastnight.RoleViewer}, access{least: lastnight.RoleAdmin}
	public := access{public: true}
	table := map[string]access{
		"GET /api/v1/incidents":            viewer,
		"GET /api/v1/incidents/{id}":       viewer,
		"GET /api/v1/why":                  viewer,
		"GET /api/v1/jobs":                 viewer,
		"GET /api/v1/streams":              viewer,
		"GET /api/v1/search":               viewer,
		"GET /api/v1/records/{id}/context": viewer,
		"GET /api/v1/logs/raw":             viewer,
		"GET /api/v1/histogram":            viewer,
		"GET /api/v1/templates":            viewer,
		"GET /api/v1/rates":                viewer,
		"GET /api/v1/openapi.yaml":         viewer,
		"GET /api/v1/tail":                 viewer,
		"GET /api/v1/fields":               viewer,
		"GET /api/v1/fields/{name}/values": viewer,
		"GET /api/v1/audit":                admin,
		"GET /api/v1/leases":               viewer, // as /metrics, which names the replicas too
		"GET /metrics":                     viewer,
		"GET /healthz":                     public,
		"GET /readyz":                      public,
		"GET /version":                     public,
		"GET /api/v1/session":              public, // says how to sign in
		"POST /api/v1/session":             public, // signs in
		"DELETE /api/v1/session":           public, // signs out
		"GET /auth/login":                  public,
		"GET /auth/callback":               public,
		"POST /chat/slack":                 {public: true, signed: true},
	}
	maps.Copy(table, labelAccess())
	return table
}

// labelAccess is who may use the routes of labels. What needs a higher role depending on the label
// (approving and retiring are for reviewers) is refused by the Labeler itself.
func labelAccess() map[string]access {
	viewer, labeler := access{least: lastnight.RoleViewer}, access{least: lastnight.RoleLabeler}
	reviewer, admin := access{least: lastnight.RoleReviewer}, access{least: lastnight.RoleAdmin}
	return map[string]access{
		"GET /api/v1/labels":                viewer,
		"POST /api/v1/labels":               labeler,
		"GET /api/v1/labels/export":         viewer,
		"POST /api/v1/labels/import":        admin,
		"POST /api/v1/labels/preview":       labeler,
		"GET /api/v1/labels/settings":       viewer,
		"PUT /api/v1/labels/settings":       admin,
		"GET /api/v1/labels/{id}":           viewer,
		"PUT /api/v1/labels/{id}":           labeler,
		"GET /api/v1/labels/{id}/history":   viewer,
		"POST /api/v1/labels/{id}/review":   labeler,
		"POST /api/v1/labels/{id}/undo":     labeler,
		"GET /api/v1/templates/{id}":        viewer,
		"POST /api/v1/templates/{id}/split": reviewer,
		"GET /api/v1/merges":                viewer,
		"POST /api/v1/merges":               reviewer,
		"POST /api/v1/merges/{id}/undo":     reviewer,
		"GET /api/v1/causes":                viewer,
		"GET /api/v1/queue":                 viewer,
		"GET /api/v1/coverage":              viewer,
		"GET /api/v1/feedback":              viewer,
		"POST /api/v1/feedback":             labeler,
		"GET /api/v1/feedback/precision":    viewer,
	}
}

// caller is what is known of who asks: an actor, or why there is none.
type caller struct {
	actor  lastnight.Actor
	err    error
	remote string // address that the request came from
}

type callerKey struct{}

// identify finds out who asks, for authorize to judge: some routes are for everybody.
func (e *env) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := caller{remote: remoteOf(r)}
		c.actor, c.err = e.auth.Authenticate(r)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

func callerOf(ctx context.Context) caller {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		c.err = lastnight.Errorf(lastnight.CodeUnauthenticated, "", "nobody asked who you are")
	}
	return c
}

// authorize tells whether the caller may use the route that was taken, and gives the request
// with its actor.
func (e *env) authorize(r *http.Request) (*http.Request, error) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	route := routeOf(r)
	a, known := e.access[method+" "+route]
	if !known { // a defect, and a test finds it; until then nobody gets in
		return r, lastnight.Errorf(lastnight.CodeForbidden, "", "nobody was allowed to use this route")
	}
	if method != http.MethodGet && !a.signed && r.Header.Get("Authorization") == "" && r.Header.Get(requestHeader) == "" {
		return r, lastnight.Errorf(lastnight.CodeForbidden, "send the header "+requestHeader+": 1", "a request that changes something lacks the header %s", requestHeader)
	}
	c := callerOf(r.Context())
	if c.err == nil {
		r = r.WithContext(lastnight.WithActor(r.Context(), c.actor))
	}
	if a.public {
		return r, nil
	}
	return r, permitted(c, a.least, method != http.MethodGet)
}

// permitted tells whether the caller may do what least may. What changes something needs a name, too.
func permitted(c caller, least lastnight.Role, changes bool) error {
	switch {
	case c.err != nil:
		return c.err
	case c.actor.Role == lastnight.RoleNone:
		return lastnight.Errorf(lastnight.CodeForbidden, "ask an administrator of lastnight for a role", "%s was granted nothing here", clip(c.actor.Name))
	case !c.actor.Role.AtLeast(least):
		return lastnight.Errorf(lastnight.CodeForbidden, "ask an administrator of lastnight for the role", "this needs the role %s; %s is %s",
			least, clip(c.actor.Name), c.actor.Role)
	case c.actor.Name == "" && changes:
		return lastnight.Errorf(lastnight.CodeUnauthenticated, "tell it with the header X-Lastnight-User, or once with POST "+prefix+"/session",
			"say who you are: what is changed bears a name")
	}
	return nil
}
