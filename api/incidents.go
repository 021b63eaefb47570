package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// incidents answers what failed.
type incidents struct {
	env *env
	ask lastnight.Investigator
}

// Routes gives the resource's routes.
func (i incidents) Routes() chi.Router {
	r := chi.NewRouter()
	i.env.get(r, "/", endpoint{
		params: append([]string{"namespace", "job", "planned", "chain", "limit", "cursor"}, intervalParams...),
		handle: i.list,
	})
	i.env.get(r, "/{id}", endpoint{handle: i.one})
	return r
}

func (i incidents) list(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.IncidentsRequest{
		Namespace: p.text("namespace"), Job: p.text("job"), Start: in.Start, End: in.End,
		Planned: p.boolean("planned"), Limit: p.integer("limit", 100, 1, 1000),
	}
	at, id := p.position()
	short := p.choice("chain", "true", "false") == "false"
	if p.err != nil {
		return p.err
	}
	items, next, err := i.page(r.Context(), req, at, id)
	if err != nil {
		return err
	}
	if short {
		items = shortened(items)
	}
	return writeJSON(w, newList(items, next, in))
}

// shortened gives the incidents as lists show them: of the chain only the first evidence of
// the cause, without its text. The chains are nearly all of an answer's bytes.
func shortened(items []lastnight.Incident) []lastnight.Incident {
	items = slices.Clone(items) // Theirs may be shared.
	for i := range items {
		d := &items[i].Diagnosis
		at := slices.IndexFunc(d.Chain, func(e lastnight.Evidence) bool { return e.Role == lastnight.RoleCause })
		if at < 0 {
			d.Chain = nil
			continue
		}
		e := d.Chain[at]
		e.Text = ""
		d.Chain = []lastnight.Evidence{e}
		items[i].Features = nil
	}
	return items
}

// page gives the incidents that come after (at, id), or the first if id is "".
// Many incidents may begin in the same second, so it asks for more until it is past those told before.
func (i incidents) page(ctx context.Context, req lastnight.IncidentsRequest, at time.Time, id string) ([]lastnight.Incident, string, error) {
	limit := req.Limit
	if after := at.Add(1); id != "" && (req.End.IsZero() || after.Before(req.End)) {
		req.End = after
	}
	for req.Limit++; ; req.Limit *= 2 {
		found, err := i.ask.Incidents(ctx, req)
		if err != nil {
			return nil, "", err
		}
		rest := found
		if id != "" {
			rest = slices.DeleteFunc(slices.Clone(found), func(x lastnight.Incident) bool { return order(x.Start, x.ID, at, id) >= 0 })
		}
		if len(rest) > limit {
			last := rest[limit-1]
			return rest[:limit], lastnight.CursorOf(last.Start, last.ID), nil
		}
		if len(found) < req.Limit {
			return rest, "", nil
		}
	}
}

// order compares by (time, id).
func order(aTime time.Time, aID string, bTime time.Time, bID string) int {
	return cmp.Or(aTime.Compare(bTime), strings.Compare(aID, bID))
}

func (i incidents) one(w http.ResponseWriter, r *http.Request, _ *params) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	inc, err := i.ask.Incident(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, inc)
}
