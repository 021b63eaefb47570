package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// queue answers what is worth labeling.
type queue struct {
	env *env
	ask lastnight.LabelQueue
}

// Routes gives the resource's routes.
func (q queue) Routes() chi.Router {
	r := chi.NewRouter()
	q.env.get(r, "/", endpoint{params: append([]string{"kind", "namespace", "limit"}, intervalParams...), handle: q.list})
	return r
}

func (q queue) list(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.QueueRequest{
		Kind: p.choice("kind", "", lastnight.QueueTemplate, lastnight.QueueIncident), Namespace: p.text("namespace"),
		Start: in.Start, End: in.End, Limit: p.integer("limit", 50, 1, 1000),
	}
	if p.err != nil {
		return p.err
	}
	items, err := q.ask.Queue(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, newList(items, "", in))
}

// coverage answers which share of the failovers is explained.
type coverage struct {
	env *env
	ask lastnight.LabelQueue
}

// Routes gives the resource's routes.
func (c coverage) Routes() chi.Router {
	r := chi.NewRouter()
	c.env.get(r, "/", endpoint{params: append([]string{"namespace", "job"}, intervalParams...), handle: c.share})
	return r
}

func (c coverage) share(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.CoverageRequest{Namespace: p.text("namespace"), Job: p.text("job"), Start: in.Start, End: in.End}
	if p.err != nil {
		return p.err
	}
	found, err := c.ask.Coverage(r.Context(), req)
	if err != nil {
		return err
	}
	found.Interval.Zone = in.Zone
	return writeJSON(w, found)
}
