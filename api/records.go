package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// records answers what stood around a record.
type records struct {
	env *env
	ask lastnight.Searcher
}

// Routes gives the resource's routes.
func (c records) Routes() chi.Router {
	r := chi.NewRouter()
	c.env.get(r, "/{id}/context", endpoint{params: []string{"before", "after"}, looks: always, handle: c.context})
	return r
}

func (c records) context(w http.ResponseWriter, r *http.Request, p *params) error {
	before, after := p.integer("before", 25, 0, 1000), p.integer("after", 25, 0, 1000)
	if p.err != nil {
		return p.err
	}
	text, err := pathText(r, "id")
	if err != nil {
		return err
	}
	id := lastnight.LineID(text)
	if _, _, _, err := id.Parse(); err != nil {
		return err
	}
	docs, err := c.ask.Context(r.Context(), id, before, after)
	if err != nil {
		return err
	}
	if docs == nil {
		docs = []lastnight.Document{}
	}
	return writeJSON(w, List[lastnight.Document]{Items: docs})
}
