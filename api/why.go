package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// why answers why a job failed.
type why struct {
	env *env
	ask lastnight.Investigator
}

// Routes gives the resource's routes.
func (y why) Routes() chi.Router {
	r := chi.NewRouter()
	y.env.get(r, "/", endpoint{params: append([]string{"job", "namespace", "when"}, intervalParams...), handle: y.why})
	return r
}

func (y why) why(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	job, when := p.text("job"), p.text("when")
	switch {
	case job == "":
		p.fail("add job=NAME; "+prefix+"/jobs lists what there is", "which job?")
	case when != "" && (!in.Start.IsZero() || !in.End.IsZero()):
		p.fail("give either when, or start and end", "when and start or end say the same twice")
	case when != "" && p.err == nil:
		in, p.err = lastnight.ParseWhen(when, p.now, p.location())
	}
	req := lastnight.WhyRequest{Job: job, Namespace: p.text("namespace"), Start: in.Start, End: in.End, Zone: in.Zone}
	if p.err != nil {
		return p.err
	}
	answer, err := y.ask.Why(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, answer)
}
