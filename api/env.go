package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
	"lastnight/api/auth"
)

const (
	questionTimeout = 60 * time.Second // for an answer that is no stream
	writeTimeout    = 60 * time.Second // for the reader of a stream to take something, and on top of questionTimeout
	maxAtOnce       = 128              // questions under way
	maxBodyBytes    = 1 << 20          // of a request, unless its route says more
)

// env is what all resources share. It is immutable once made.
type env struct {
	log     *slog.Logger
	now     func() time.Time
	slots   chan struct{} // one taken by each question under way
	refused prometheus.Counter
	waiting prometheus.Gauge
	auth    *auth.Auth
	access  map[string]access // accessTable
	auditor lastnight.Auditor // nil: nothing is written down
	denials *denials

	slowReader time.Duration // how long a stream's reader may take nothing

	searches, exports *turns // of those that look through the archive: pages, and streams
}

// endpoint is one route: the query parameters that it accepts, and its handler, which
// returns an error only as long as it has written nothing.
type endpoint struct {
	env     *env
	params  []string
	loose   bool                     // other parameters are let pass, where somebody else makes the address
	streams func(*http.Request) bool // answers for as long as it takes; nil: never
	looks   func(*http.Request) bool // looks through the archive, and so waits for its turn; nil: never
	handle  func(w http.ResponseWriter, r *http.Request, p *params) error
}

// get adds a route that answers GET (and so HEAD).
func (e *env) get(r chi.Router, pattern string, ep endpoint) { e.route(r, http.MethodGet, pattern, ep) }

// route adds a route. Who may use it is told by accessTable.
func (e *env) route(r chi.Router, method, pattern string, ep endpoint) {
	ep.env = e
	r.Method(method, pattern, &ep)
}

// ServeHTTP checks who asks and the parameters, asks within the time allowed, and tells of errors.
func (ep *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r, err := ep.env.authorize(r)
	if err != nil {
		ep.env.denied(r, err)
		ep.env.fail(w, r, err)
		return
	}
	if ep.loose {
		r = onlyKnown(r, ep.params)
	}
	p, err := parseParams(r, ep.params, ep.env.now())
	if err != nil {
		ep.env.fail(w, r, err)
		return
	}
	streams := ep.streams != nil && ep.streams(r)
	switch {
	case streams && r.Method == http.MethodHead:
		return // Reading it all to send nothing would be a waste.
	case streams: // It may take long to find the first line; see timedWriter.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	default:
		ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
		defer cancel()
		r = r.WithContext(ctx) //nolint:contextcheck // it is the request's own, through authorize
	}
	leave, err := ep.turn(r, streams)
	if err != nil {
		ep.env.fail(w, r, err)
		return
	}
	defer leave()
	if err := ep.handle(w, r, p); err != nil {
		if lastnight.CodeOf(err) == lastnight.CodeForbidden {
			ep.env.denied(r, err)
		}
		ep.env.fail(w, r, err)
	}
}

// headAsGet sends HEAD to the routes of GET; net/http leaves the body out. (chi's own does not look into mounted routers.)
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := chi.RouteContext(r.Context()); r.Method == http.MethodHead && c != nil {
			c.RouteMethod = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// fewAtOnce refuses questions when too many are under way already.
func (e *env) fewAtOnce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case e.slots <- struct{}{}:
			defer func() { <-e.slots }()
			next.ServeHTTP(w, r)
		default:
			e.refused.Inc()
			e.fail(w, r, lastnight.Errorf(lastnight.CodeUnavailable, "try again in a few seconds", "%d questions are under way already", maxAtOnce))
		}
	})
}

// limits caps what is read and how long an answer may take; streams move their own deadline.
func (e *env) limits(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := int64(maxBodyBytes)
		if r.URL.Path == importPath {
			most = maxImportBytes
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		// Not every writer has deadlines (those of tests do not): then there is none.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(questionTimeout + writeTimeout))
		next.ServeHTTP(w, r)
	})
}

// recoverPanic turns a defect into a 500 that tells nothing of the inside.
func (e *env) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so: it is never wrapped.
				panic(v)
			}
			e.log.Error("panic in a handler", "route", routeOf(r), "err", fmt.Sprint(v), "stack", string(debug.Stack()))
			if ow, ok := w.(middleware.WrapResponseWriter); ok && ow.Status() != 0 {
				panic(http.ErrAbortHandler) // Half an answer must not look like a whole one.
			}
			writeProblem(w, problemOf(fmt.Errorf("panic: %v", v)))
		}()
		next.ServeHTTP(w, r)
	})
}

// elsewhere answers what no route does: the UI, but for paths of the API a problem.
func (e *env) elsewhere(ui http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if ui != nil && r.URL.Path != "/api" && !strings.HasPrefix(r.URL.Path, "/api/") {
			ui.ServeHTTP(w, r)
			return
		}
		e.fail(w, r, lastnight.Errorf(lastnight.CodeNotFound, prefix+"/openapi.yaml lists what there is", "there is no %s here", clip(r.URL.Path)))
	}
}

func (e *env) wrongMethod(w http.ResponseWriter, r *http.Request) {
	allowed := e.methods(r)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	err := lastnight.Errorf(lastnight.CodeInvalid, "use "+strings.Join(allowed, " or "), "%s is not allowed here", clip(r.Method))
	e.fail(w, r, refusal{err, http.StatusMethodNotAllowed})
}

// methods gives those that the path of the request knows.
func (e *env) methods(r *http.Request) []string {
	var known []string
	for key := range e.access {
		method, pattern, _ := strings.Cut(key, " ")
		if fits(pattern, r.URL.Path) {
			known = append(known, method)
			if method == http.MethodGet {
				known = append(known, http.MethodHead)
			}
		}
	}
	slices.Sort(known)
	return known
}

// fits tells whether a path is one of the pattern's.
func fits(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(strings.TrimSuffix(path, "/"), "/")
	if len(want) != len(have) {
		return false
	}
	for i, w := range want {
		if w != have[i] && !strings.HasPrefix(w, "{") {
			return false
		}
	}
	return true
}

// routeOf gives the pattern of the route that was taken, "" if none was.
func routeOf(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil {
		return strings.TrimSuffix(strings.ReplaceAll(c.RoutePattern(), "/*", ""), "/")
	}
	return ""
}

// clip keeps short what an answer repeats of its request.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
