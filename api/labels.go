package api

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// labels answers what people know of failures, and takes it in.
type labels struct {
	env *env
	ask lastnight.Labeler
}

// labelBody is a label and why it was written.
type labelBody struct {
	Label lastnight.Label `json:"label"`
	Why   string          `json:"why"`
}

// reviewBody is what happens to a label, and why.
type reviewBody struct {
	Action lastnight.LabelAction `json:"action"`
	Why    string                `json:"why"`
}

// undoBody says which version to go back to; 0: the one before.
type undoBody struct {
	To  int    `json:"to"`
	Why string `json:"why"`
}

// mountLabels adds all routes that need a Labeler.
func mountLabels(r chi.Router, e *env, ask lastnight.Labeler) {
	r.Mount("/labels", labels{e, ask}.Routes())
	r.Mount("/queue", queue{e, ask}.Routes())
	r.Mount("/coverage", coverage{e, ask}.Routes())
	r.Mount("/feedback", feedback{e, ask}.Routes())
	merging{e, ask}.mount(r)
}

// Routes gives the resource's routes.
func (l labels) Routes() chi.Router {
	r := chi.NewRouter()
	l.env.get(r, "/", endpoint{params: []string{"state", "q", "template_id", "limit", "cursor"}, handle: l.list})
	l.env.route(r, http.MethodPost, "/", endpoint{handle: l.create})
	l.env.get(r, "/export", endpoint{handle: l.export})
	l.env.route(r, http.MethodPost, "/import", endpoint{params: []string{"dry_run", "name", "why"}, handle: l.load})
	l.env.route(r, http.MethodPost, "/preview", endpoint{handle: l.preview})
	l.env.get(r, "/settings", endpoint{handle: l.settings})
	l.env.route(r, http.MethodPut, "/settings", endpoint{handle: l.setSettings})
	l.env.get(r, "/{id}", endpoint{handle: l.one})
	l.env.route(r, http.MethodPut, "/{id}", endpoint{handle: l.edit})
	l.env.get(r, "/{id}/history", endpoint{handle: l.history})
	l.env.route(r, http.MethodPost, "/{id}/review", endpoint{handle: l.review})
	l.env.route(r, http.MethodPost, "/{id}/undo", endpoint{handle: l.undo})
	return r
}

func (l labels) list(w http.ResponseWriter, r *http.Request, p *params) error {
	req := lastnight.LabelsRequest{Text: p.text("q"), Template: p.text("template_id"), Limit: p.integer("limit", 100, 1, 1000)}
	for _, s := range p.list("state") {
		req.States = append(req.States, lastnight.LabelState(s))
	}
	_, req.After = p.position()
	if p.err != nil {
		return p.err
	}
	limit := req.Limit
	req.Limit++
	found, err := l.ask.Labels(r.Context(), req)
	if err != nil {
		return err
	}
	next := ""
	if len(found) > limit {
		found = found[:limit]
		next = lastnight.CursorOf(time.Time{}, found[limit-1].ID)
	}
	return writeJSON(w, plainList[lastnight.Label]{Items: found, NextCursor: next})
}

// plainList is a list that is about no interval.
type plainList[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

func newPlainList[T any](items []T) plainList[T] {
	if items == nil {
		items = []T{}
	}
	return plainList[T]{Items: items}
}

func (l labels) create(w http.ResponseWriter, r *http.Request, _ *params) error {
	var b labelBody
	if err := readJSON(r, &b); err != nil {
		return err
	}
	made, err := l.ask.CreateLabel(r.Context(), b.Label, b.Why)
	if err != nil {
		return err
	}
	w.Header().Set("Location", prefix+"/labels/"+made.ID)
	return writeLabel(w, made)
}

func (l labels) one(w http.ResponseWriter, r *http.Request, _ *params) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	found, err := l.ask.Label(r.Context(), id)
	if err != nil {
		return err
	}
	return writeLabel(w, found)
}

func (l labels) edit(w http.ResponseWriter, r *http.Request, _ *params) error {
	var b labelBody
	id, version, err := change(r, &b)
	if err != nil {
		return err
	}
	if b.Label.ID != "" && b.Label.ID != id {
		return lastnight.Errorf(lastnight.CodeInvalid, "an id never changes", "the path names label %s, the body %s", clip(id), clip(b.Label.ID))
	}
	b.Label.ID = id
	made, err := l.ask.EditLabel(r.Context(), b.Label, version, b.Why)
	if err != nil {
		return err
	}
	return writeLabel(w, made)
}

// change reads id, version and body of a change.
func change(r *http.Request, body any) (id string, version int, err error) {
	if id, err = pathText(r, "id"); err != nil {
		return "", 0, err
	}
	if version, err = ifMatch(r); err != nil {
		return "", 0, err
	}
	return id, version, readJSON(r, body)
}

func (l labels) history(w http.ResponseWriter, r *http.Request, _ *params) error {
	id, err := pathText(r, "id")
	if err != nil {
		return err
	}
	found, err := l.ask.LabelHistory(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, newPlainList(found))
}

func (l labels) review(w http.ResponseWriter, r *http.Request, _ *params) error {
	var b reviewBody
	id, version, err := change(r, &b)
	if err != nil {
		return err
	}
	made, err := l.ask.ReviewLabel(r.Context(), id, version, b.Action, b.Why)
	if err != nil {
		return err
	}
	return writeLabel(w, made)
}

func (l labels) undo(w http.ResponseWriter, r *http.Request, _ *params) error {
	var b undoBody
	id, version, err := change(r, &b)
	if err != nil {
		return err
	}
	made, err := l.ask.UndoLabel(r.Context(), id, version, b.To, b.Why)
	if err != nil {
		return err
	}
	return writeLabel(w, made)
}

func (l labels) preview(w http.ResponseWriter, r *http.Request, _ *params) error {
	var b labelBody
	if err := readJSON(r, &b); err != nil {
		return err
	}
	found, err := l.ask.PreviewLabel(r.Context(), b.Label)
	if err != nil {
		return err
	}
	return writeJSON(w, found)
}

func (l labels) settings(w http.ResponseWriter, r *http.Request, _ *params) error {
	s, err := l.ask.LabelSettings(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, s)
}

func (l labels) setSettings(w http.ResponseWriter, r *http.Request, _ *params) error {
	var s lastnight.LabelSettings
	if err := readJSON(r, &s); err != nil {
		return err
	}
	if err := l.ask.SetLabelSettings(r.Context(), s); err != nil {
		return err
	}
	return l.settings(w, r, nil)
}

// export writes all labels. It is made whole first, so that an error is not taken for an end.
func (l labels) export(w http.ResponseWriter, r *http.Request, _ *params) error {
	var b bytes.Buffer
	if err := l.ask.ExportLabels(r.Context(), &b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", yamlType)
	w.Header().Set("Cache-Control", "no-store")
	// The reader may have gone; nobody is left to tell.
	_, _ = w.Write(b.Bytes())
	return nil
}

func (l labels) load(w http.ResponseWriter, r *http.Request, p *params) error {
	req := lastnight.ImportRequest{Name: p.text("name"), DryRun: p.boolean("dry_run"), Why: p.text("why")}
	if p.err != nil {
		return p.err
	}
	if err := bodyIs(r, yamlType, "text/yaml"); err != nil {
		return err
	}
	made, err := l.ask.ImportLabels(r.Context(), r.Body, req)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return lastnight.Errorf(lastnight.CodeTooLarge, "import it in parts", "the file has more than %d bytes", maxImportBytes)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, made)
}
