package api

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
	"lastnight/api/audit"
)

const (
	deniedEvery = time.Minute // one entry of the same denial at most so often
	maxDenied   = 10_000      // denials that are told apart
)

// audits answers who did what.
type audits struct {
	env *env
	ask lastnight.AuditReader // nil: nothing is written down
}

// Routes gives the resource's routes.
func (a audits) Routes() chi.Router {
	r := chi.NewRouter()
	a.env.get(r, "/", endpoint{params: append([]string{"actor", "action", "limit", "cursor"}, intervalParams...), handle: a.list})
	return r
}

func (a audits) list(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.AuditRequest{
		Start: in.Start, End: in.End, Actor: p.text("actor"), Action: p.text("action"),
		Limit: p.integer("limit", 100, 1, 1000), Cursor: p.text("cursor"),
	}
	p.position()
	if p.err != nil {
		return p.err
	}
	if a.ask == nil {
		return lastnight.Errorf(lastnight.CodeNotFound, "", "this server keeps no audit log")
	}
	limit := req.Limit
	req.Limit++
	items, err := a.ask.Audits(r.Context(), req)
	if err != nil {
		return err
	}
	next := ""
	if len(items) > limit {
		items = items[:limit]
		next = audit.CursorOf(&items[limit-1])
	}
	a.env.audit(r, lastnight.AuditEntry{Action: "admin.read-audit"})
	return writeJSON(w, newList(items, next, in))
}

// audit writes down what somebody did, with the address that it came from.
func (e *env) audit(r *http.Request, entry lastnight.AuditEntry) {
	if e.auditor == nil {
		return
	}
	entry.Remote = remoteOf(r)
	e.auditor.Audit(r.Context(), entry)
}

// exported writes down that somebody took lines without a limit away.
func (e *env) exported(r *http.Request, action string) {
	e.audit(r, lastnight.AuditEntry{Action: action, Target: routeOf(r), Detail: map[string]string{"query": r.URL.RawQuery}})
}

func remoteOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// denials writes denied attempts down, the same ones together.
type denials struct {
	// lastnight_denied_total: requests refused for want of a role, of a namespace, or with something
	// wrong to show (a token, a signature), by code. Those that showed nothing are not in it.
	total *prometheus.CounterVec

	mu    sync.Mutex
	known map[deniedKey]*deniedCount
}

type deniedKey struct {
	remote, actor, route string
	code                 lastnight.Code
}

type deniedCount struct {
	told time.Time
	more int // since then
}

func newDenials(reg prometheus.Registerer) (*denials, error) {
	d := &denials{known: map[deniedKey]*deniedCount{}, total: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lastnight_denied_total", Help: "Requests refused to whoever sent them, by code.",
	}, []string{"code"})}
	return d, reg.Register(d.total)
}

// due tells whether a denial is to be written down now, and how many like it were not.
func (d *denials) due(k deniedKey, now time.Time) (more int, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.known[k]
	if c == nil {
		if len(d.known) >= maxDenied {
			d.forget(now)
		}
		if len(d.known) >= maxDenied {
			return 0, false // The counter has it.
		}
		d.known[k] = &deniedCount{told: now}
		return 0, true
	}
	if now.Sub(c.told) < deniedEvery {
		c.more++
		return 0, false
	}
	more, c.told, c.more = c.more, now, 0
	return more, true
}

// forget drops denials that are over. d.mu is held.
func (d *denials) forget(now time.Time) {
	for k, c := range d.known {
		if now.Sub(c.told) >= deniedEvery {
			delete(d.known, k)
		}
	}
}

// denied writes a refused request down, unless it is no refusal of who asks.
func (e *env) denied(r *http.Request, err error) {
	code := lastnight.CodeOf(err)
	if code != lastnight.CodeForbidden && code != lastnight.CodeUnauthenticated {
		return
	}
	c := callerOf(r.Context())
	k := deniedKey{remoteOf(r), c.actor.Name, r.Method + " " + routeOf(r), code}
	if code == lastnight.CodeUnauthenticated && !shows(r) {
		return // Only not signed in yet.
	}
	e.denials.total.WithLabelValues(string(code)).Inc()
	more, due := e.denials.due(k, time.Now())
	if !due {
		return
	}
	entry := lastnight.AuditEntry{
		Action: "denied", Target: k.route, Outcome: lastnight.AuditRefused, Actor: c.actor.Name, Role: c.actor.Role, Via: c.actor.Via,
		Detail: map[string]string{"reason": err.Error()},
	}
	if more > 0 {
		entry.Detail["alike_before"] = strconv.Itoa(more)
	}
	e.audit(r, entry)
}

// shows tells whether a request showed something to be known by.
func shows(r *http.Request) bool {
	return r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || r.Method == http.MethodPost || routeOf(r) == "/auth/callback" ||
		r.Header.Get("X-Slack-Signature") != ""
}
