package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// merging shows templates one by one, and merges and splits them by hand.
type merging struct {
	env *env
	ask lastnight.Labeler
}

// whyBody is why something was done.
type whyBody struct {
	Why string `json:"why"`
}

// mount adds its routes, which lie beside the list of templates.
func (m merging) mount(r chi.Router) {
	m.env.get(r, "/templates/{id}", endpoint{handle: m.template})
	m.env.route(r, http.MethodPost, "/templates/{id}/split", endpoint{params: []string{"preview"}, handle: m.split})
	m.env.get(r, "/merges", endpoint{handle: m.list})
	m.env.route(r, http.MethodPost, "/merges", endpoint{params: []string{"preview"}, handle: m.merge})
	m.env.route(r, http.MethodPost, "/merges/{id}/undo", endpoint{handle: m.undo})
	m.env.get(r, "/causes", endpoint{handle: m.causes})
}

func (m merging) template(w http.ResponseWriter, r *http.Request, _ *params) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	found, err := m.ask.TemplateDetail(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, found)
}

func (m merging) split(w http.ResponseWriter, r *http.Request, p *params) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	var req lastnight.SplitRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	req.Template, req.Preview = id, p.boolean("preview")
	if p.err != nil {
		return p.err
	}
	made, err := m.ask.SplitTemplate(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, made)
}

func (m merging) list(w http.ResponseWriter, r *http.Request, _ *params) error {
	found, err := m.ask.Merges(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, newPlainList(found))
}

func (m merging) merge(w http.ResponseWriter, r *http.Request, p *params) error {
	var req lastnight.MergeRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.Preview = p.boolean("preview"); p.err != nil {
		return p.err
	}
	made, err := m.ask.MergeTemplates(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, made)
}

func (m merging) undo(w http.ResponseWriter, r *http.Request, _ *params) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	var b whyBody
	if err := readJSON(r, &b); err != nil {
		return err
	}
	made, err := m.ask.UndoMerge(r.Context(), id, b.Why)
	if err != nil {
		return err
	}
	return writeJSON(w, made)
}

func (m merging) causes(w http.ResponseWriter, r *http.Request, _ *params) error {
	found, err := m.ask.Causes(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, newPlainList(found))
}
