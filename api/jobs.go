package api

import (
	"net/http"
	"slices"

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
	j.env.get(r, "/", endpoint{params: append([]string{"namespace", "name", "find", "order", "limit", "cursor"}, intervalParams...), handle: j.list})
	return r
}

func (j jobs) list(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.JobsRequest{Namespace: p.text("namespace"), Name: p.text("name"), Start: in.Start, End: in.End}
	find, failing := p.text("find"), p.choice("order", "name", "incidents") == "incidents"
	limit := p.integer("limit", usualList, 1, maxPage)
	p.position() // A bad cursor is told before anything is asked.
	if p.err != nil {
		return p.err
	}
	items, err := j.ask.Jobs(r.Context(), req)
	if err != nil {
		return err
	}
	items = slices.DeleteFunc(slices.Clone(items), func(x lastnight.Job) bool {
		return !found(find, append([]string{x.Namespace + "/" + x.Name, x.Workload}, x.FlinkIDs...)...)
	})
	page, next := paged(p, items, limit, func(x *lastnight.Job) place {
		if failing {
			return placeOf(-int64(x.Incidents), x.Namespace, x.Name, x.Cluster)
		}
		return placeOf(0, x.Namespace, x.Name, x.Cluster)
	})
	return writeJSON(w, newList(page, next, in))
}
