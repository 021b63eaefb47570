package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// templates answers which log patterns a job wrote, and how often.
type templates struct {
	env *env
	ask lastnight.Searcher
}

// Routes gives the resource's routes.
func (t templates) Routes() chi.Router {
	r := chi.NewRouter()
	t.env.get(r, "/", endpoint{params: append([]string{"namespace", "job", "exact", "limit"}, intervalParams...), looks: countsAnew, handle: t.list})
	return r
}

func countsAnew(r *http.Request) bool { return r.URL.Query().Get("exact") != "" }

func (t templates) list(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.TemplatesRequest{
		Namespace: p.text("namespace"), Job: p.text("job"), Start: in.Start, End: in.End,
		Limit: p.integer("limit", 100, 1, maxPage),
	}
	exact := p.boolean("exact")
	if p.err != nil {
		return p.err
	}
	if exact {
		return t.recount(w, r, req, in)
	}
	items, err := t.ask.Templates(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, newList(items, "", in))
}
