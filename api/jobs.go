package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// jobs answers what there is.
type jobs struct {
	env *env
	ask lastnight.Searcher
}

// Routes gives the resource's routes.
func (j jobs) Routes() chi.Router {
	r := chi.NewRouter()
	j.env.get(r, "/", endpoint{params: append([]string{"namespace", "name"}, intervalParams...), handle: j.list})
	return r
}

func (j jobs) list(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.JobsRequest{Namespace: p.text("namespace"), Name: p.text("name"), Start: in.Start, End: in.End}
	if p.err != nil {
		return p.err
	}
	items, err := j.ask.Jobs(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, newList(items, "", in))
}
