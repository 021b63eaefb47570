package api

import (
	"fmt"
	"net/http"
	"slices"

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
	s.env.get(r, "/", endpoint{params: append([]string{"namespace", "job", "pod", "find", "order", "limit", "cursor"}, intervalParams...), handle: s.list})
	return r
}

func (s streams) list(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.StreamsRequest{Namespace: p.text("namespace"), Job: p.text("job"), Pod: p.text("pod"), Start: in.Start, End: in.End}
	find, newest := p.text("find"), p.choice("order", "name", "newest") == "newest"
	limit := p.integer("limit", usualList, 1, maxPage)
	p.position() // A bad cursor is told before anything is asked.
	if p.err != nil {
		return p.err
	}
	items, err := s.ask.Streams(r.Context(), req)
	if err != nil {
		return err
	}
	items = slices.DeleteFunc(slices.Clone(items), func(x lastnight.StreamInfo) bool { return !found(find, x.Pod, x.Container, x.Node) })
	page, next := paged(p, items, limit, func(x *lastnight.StreamInfo) place {
		names := []string{x.Namespace, x.Pod, x.PodUID, x.Container, fmt.Sprintf("%010d", x.Restart)}
		if newest {
			return placeOf(-x.First.UnixNano(), names...)
		}
		return placeOf(0, names...)
	})
	return writeJSON(w, newList(page, next, in))
}
