package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// leases answers which server of several does what only one may do.
type leases struct {
	env *env
	ask lastnight.LeaseReader // nil: the server shares nothing
}

// Routes gives the resource's routes.
func (l leases) Routes() chi.Router {
	r := chi.NewRouter()
	l.env.get(r, "/", endpoint{handle: l.list})
	return r
}

// leaseList is all there are: a handful, so there is no cursor.
type leaseList struct {
	Items []lastnight.Lease `json:"items"`
}

func (l leases) list(w http.ResponseWriter, r *http.Request, _ *params) error {
	out := leaseList{Items: []lastnight.Lease{}}
	if l.ask != nil {
		items, err := l.ask.Leases(r.Context())
		if err != nil {
			return err
		}
		out.Items = append(out.Items, items...)
	}
	return writeJSON(w, out)
}
