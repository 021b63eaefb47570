package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// feedback takes and tells what people say of diagnoses: "was this right?".
type feedback struct {
	env *env
	ask lastnight.Feedbacker
}

// feedbackBody is an answer to "was this right?".
type feedbackBody struct {
	Incident string `json:"incident"`
	Answer   string `json:"answer"`
	Other    string `json:"other"`
	Comment  string `json:"comment"`
}

// Routes gives the resource's routes.
func (f feedback) Routes() chi.Router {
	r := chi.NewRouter()
	f.env.get(r, "/", endpoint{params: []string{"incident"}, handle: f.list})
	f.env.route(r, http.MethodPost, "/", endpoint{handle: f.put})
	f.env.get(r, "/precision", endpoint{handle: f.precision})
	return r
}

func (f feedback) list(w http.ResponseWriter, r *http.Request, p *params) error {
	id := p.text("incident")
	if id == "" {
		p.fail("add incident=ID", "which incident?")
	}
	if p.err != nil {
		return p.err
	}
	found, err := f.ask.Feedback(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, newPlainList(found))
}

func (f feedback) put(w http.ResponseWriter, r *http.Request, _ *params) error {
	var b feedbackBody
	if err := readJSON(r, &b); err != nil {
		return err
	}
	made, err := f.ask.PutFeedback(r.Context(), lastnight.Feedback{Incident: b.Incident, Answer: b.Answer, Other: b.Other, Comment: b.Comment})
	if err != nil {
		return err
	}
	return writeJSON(w, made)
}

func (f feedback) precision(w http.ResponseWriter, r *http.Request, _ *params) error {
	found, err := f.ask.Precision(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, newPlainList(found))
}
