package api

import (
	_ "embed" // for openapi.yaml
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"lastnight"
)

//go:embed openapi.yaml
var openapi []byte

// OpenAPI gives the document that describes this API, OpenAPI 3.1 as YAML.
func OpenAPI() []byte { return append([]byte(nil), openapi...) }

// document serves openapi.yaml.
type document struct{ env *env }

// Routes gives the resource's routes.
func (d document) Routes() chi.Router {
	r := chi.NewRouter()
	d.env.get(r, "/", endpoint{handle: func(w http.ResponseWriter, _ *http.Request, _ *params) error {
		w.Header().Set("Content-Type", yamlType)
		w.Header().Set("Cache-Control", "no-cache")
		// The reader may have gone; nobody is left to tell.
		_, _ = w.Write(openapi)
		return nil
	}})
	return r
}

// server answers how the server itself is. It stands outside the prefix.
type server struct {
	env     *env
	version string
	ready   func() error
	metrics prometheus.Gatherer
}

// mount adds its routes to r; they share no prefix.
func (s server) mount(r chi.Router) {
	show := promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	s.env.get(r, "/metrics", endpoint{handle: func(w http.ResponseWriter, r *http.Request, _ *params) error {
		show.ServeHTTP(w, r)
		return nil
	}})
	s.env.get(r, "/healthz", endpoint{handle: func(w http.ResponseWriter, _ *http.Request, _ *params) error {
		return writeJSON(w, map[string]string{"status": "ok"})
	}})
	s.env.get(r, "/readyz", endpoint{handle: s.isReady})
	s.env.get(r, "/version", endpoint{handle: func(w http.ResponseWriter, _ *http.Request, _ *params) error {
		return writeJSON(w, map[string]string{"version": s.version, "api": "v1"})
	}})
}

func (s server) isReady(w http.ResponseWriter, _ *http.Request, _ *params) error {
	if err := s.ready(); err != nil {
		return lastnight.Errorf(lastnight.CodeUnavailable, lastnight.HintOf(err), "not ready: %w", err)
	}
	return writeJSON(w, map[string]string{"status": "ok"})
}
