// Package api answers over HTTP what package lastnight's interfaces answer in
// process: a thin layer of routes that decode a request, ask, and encode.
//
// The routes, their parameters and their answers are written down in openapi.yaml,
// which is served too and which the tests hold true. Package client is the other end
// and implements the same interfaces, so that a command does not care where it asks.
//
// Limits: a query string 16 KiB, a page of a search 10,000 documents or 32 MiB of
// text, a question 60 s, 128 questions at once. Of those that look through the archive 8 at once, or 4 a processor where that is
// more, and four times as many streams; the others wait for their turn, half a minute at most. Streams (NDJSON, raw logs) have no
// limit of length or time, but end when the reader goes or takes nothing for a minute.
//
// How it fails: every error is an RFC 9457 problem made from the error's code by one
// table (problem.go). What is internal is logged and not told. An error in the middle
// of a stream comes as its last line; raw logs, which have no place for one, cut the
// connection instead, so that a part is never taken for the whole.
//
// Who asks is found out by package auth; accessTable (access.go) says who may use which
// route, and all that is read goes through scope.go, which holds back namespaces that the
// asker may not read. Because browsers run other people's programs, Host and Origin are
// checked too, on loopback as well (guard.go).
package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
	"lastnight/api/auth"
)

// The prefix of all questions.
const prefix = "/api/v1"

// Config is what a handler needs. Searcher and Investigator must be set; the rest has defaults.
type Config struct {
	Searcher     lastnight.Searcher
	Investigator lastnight.Investigator
	Labeler      lastnight.Labeler    // nil: no labels
	UI           http.Handler         // answers what is no route of the API; nil: not found
	Version      string               // for /version
	Logger       *slog.Logger         // nil: no log
	Now          func() time.Time     // for relative times; nil: time.Now
	Ready        func() error         // why it can't answer yet, or nil; nil: always ready. Called at every /readyz, from several goroutines
	AllowedHosts []string             // hosts besides loopback that requests may name, "logs.example.org" (any port) or "logs.example.org:8443"
	Metrics      *prometheus.Registry // shown at /metrics, and gets the metrics of the API; nil: one of its own

	Auth          *auth.Auth // who asks; nil: everybody is a local administrator
	ClusterEvents bool       // events that belong to no namespace are for everybody with a role, not only for those who may read all namespaces

	Auditor lastnight.Auditor     // writes down who did what; nil: nobody
	Audits  lastnight.AuditReader // answers it to administrators; nil: nobody
	Leases  lastnight.LeaseReader // which server does what only one may; nil: this one shares nothing
	Chat    ChatConfig

	slowReader time.Duration // how long a stream's reader may take nothing; 0: writeTimeout. Tests have no minute
	turnWait   time.Duration // how long a search waits for its turn; 0: half a minute
	searches   int           // that have their turn at once; 0: 8, or 4 a processor
}

// New makes the handler of all routes: /api/v1, /metrics, /healthz, /readyz,
// /version and the UI. It may be used by any number of goroutines.
func New(c Config) (http.Handler, error) {
	if c.Searcher == nil || c.Investigator == nil {
		return nil, errors.New("api: Config needs a Searcher and an Investigator")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.slowReader == 0 {
		c.slowReader = writeTimeout
	}
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	if c.Auth == nil {
		var err error
		if c.Auth, err = auth.New(auth.Config{}); err != nil {
			return nil, fmt.Errorf("api: %w", err)
		}
	}
	by := scope{cluster: c.ClusterEvents}
	c.Searcher, c.Investigator = scopedSearcher{by, c.Searcher}, scopedInvestigator{by, c.Investigator}
	if c.Labeler != nil {
		if c.Auditor != nil {
			c.Labeler = auditedLabeler{c.Labeler, c.Auditor}
		}
		c.Labeler = scopedLabeler{by, c.Labeler, c.Searcher, c.Investigator}
	}
	return newRouter(c)
}

// newRouter puts the resources in their places.
func newRouter(c Config) (*chi.Mux, error) {
	m, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, err
	}
	d, err := newDenials(c.Metrics)
	if err != nil {
		return nil, err
	}
	e := &env{
		log: c.Logger, now: c.Now, slots: make(chan struct{}, maxAtOnce), refused: m.refused, waiting: m.waiting, slowReader: c.slowReader,
		auth: c.Auth, access: accessTable(), auditor: c.Auditor, denials: d,
		searches: newTurns(c.searches, 1, c.turnWait), exports: newTurns(c.searches, 4, c.turnWait),
	}
	talk, err := newChat(e, c.Chat, c.Investigator, c.Metrics)
	if err != nil {
		return nil, err
	}
	g := guard{env: e, allowed: c.AllowedHosts}

	r := chi.NewRouter()
	r.Use(m.observe, e.recoverPanic, e.limits, g.check, e.identify, headAsGet)
	// Before anything is mounted: chi hands these down to what is mounted later.
	r.NotFound(e.elsewhere(c.UI))
	r.MethodNotAllowed(e.wrongMethod)

	r.Route(prefix, func(r chi.Router) {
		r.Use(e.fewAtOnce, compress())
		r.Mount("/incidents", incidents{e, c.Investigator}.Routes())
		r.Mount("/why", why{e, c.Investigator}.Routes())
		r.Mount("/jobs", jobs{e, c.Searcher}.Routes())
		r.Mount("/streams", streams{e, c.Searcher}.Routes())
		r.Mount("/search", search{e, c.Searcher}.Routes())
		r.Mount("/records", records{e, c.Searcher}.Routes())
		r.Mount("/logs", logs{e, c.Searcher}.Routes())
		r.Mount("/histogram", histogram{e, c.Searcher}.Routes())
		r.Mount("/templates", templates{e, c.Searcher}.Routes())
		r.Mount("/rates", rates{e, c.Searcher}.Routes())
		r.Mount("/tail", newTail(e, c.Searcher).Routes())
		r.Mount("/fields", fields{e, c.Searcher}.Routes())
		if c.Labeler != nil {
			mountLabels(r, e, c.Labeler)
		}
		r.Mount("/audit", audits{e, c.Audits}.Routes())
		r.Mount("/leases", leases{e, c.Leases}.Routes())
		r.Mount("/session", session{e, c.Auth}.Routes())
		r.Mount("/openapi.yaml", document{e}.Routes())
	})
	r.Group(func(r chi.Router) {
		r.Use(e.fewAtOnce)
		session{e, c.Auth}.mountLogin(r)
		talk.mount(r)
	})
	server{e, c.Version, c.Ready, c.Metrics}.mount(r)
	return r, nil
}

// NewServer gives an HTTP server for the handler with the time-outs and caps that
// all servers of ours have. Writing has its deadlines from the handler, since streams last long.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
