package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// streams answers which container instances wrote logs, living and gone.
type streams struct {
	env *env
	ask lastnight.Searcher
}

// Routes gives the resource's routes.
func (s streams) Routes() chi.Router {
	r := chi.NewRouter()
	s.env.get(r, "/", endpoint{params: append([]string{"namespace", "job", "pod"}, intervalParams...), handle: s.list})
	return r
}

func (s streams) list(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.StreamsRequest{Namespace: p.text("namespace"), Job: p.text("job"), Pod: p.text("pod"), Start: in.Start, End: in.End}
	if p.err != nil {
		return p.err
	}
	items, err := s.ask.Streams(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, newList(items, "", in))
}
