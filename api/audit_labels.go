package api

import (
	"context"
	"io"
	"strconv"
	"strings"

	"lastnight"
)

// auditedLabeler writes down what changes labels, and exports. What fails changed nothing and is not written
// down, but for refusals, which endpoints tell of.
type auditedLabeler struct {
	lastnight.Labeler
	auditor lastnight.Auditor
}

// Audited gives a Labeler that writes down what changes labels, and exports. New does this for
// what comes over HTTP; a command that changes labels in place does it itself.
func Audited(l lastnight.Labeler, a lastnight.Auditor) lastnight.Labeler { return auditedLabeler{l, a} }

// note writes an act down if it was done.
func (a auditedLabeler) note(ctx context.Context, err error, action, target string, detail ...string) {
	if err != nil {
		return
	}
	e := lastnight.AuditEntry{Action: action, Target: target, Remote: callerOf(ctx).remote}
	for i := 0; i+1 < len(detail); i += 2 {
		if detail[i+1] != "" {
			if e.Detail == nil {
				e.Detail = map[string]string{}
			}
			e.Detail[detail[i]] = detail[i+1]
		}
	}
	a.auditor.Audit(ctx, e)
}

// version gives a label's id and version for an entry.
func version(l *lastnight.Label) (id, version string) {
	if l == nil {
		return "", ""
	}
	return l.ID, strconv.Itoa(l.Version)
}

// CreateLabel writes down label.create.
func (a auditedLabeler) CreateLabel(ctx context.Context, l lastnight.Label, why string) (*lastnight.Label, error) {
	made, err := a.Labeler.CreateLabel(ctx, l, why)
	id, v := version(made)
	a.note(ctx, err, "label.create", id, "version", v, "why", why)
	return made, err
}

// EditLabel writes down label.edit.
func (a auditedLabeler) EditLabel(ctx context.Context, l lastnight.Label, from int, why string) (*lastnight.Label, error) {
	made, err := a.Labeler.EditLabel(ctx, l, from, why)
	id, v := version(made)
	a.note(ctx, err, "label.edit", id, "version", v, "why", why)
	return made, err
}

// ReviewLabel writes down label.approve and so on.
func (a auditedLabeler) ReviewLabel(ctx context.Context, id string, from int, action lastnight.LabelAction, why string) (*lastnight.Label, error) {
	made, err := a.Labeler.ReviewLabel(ctx, id, from, action, why)
	_, v := version(made)
	a.note(ctx, err, "label."+string(action), id, "version", v, "why", why)
	return made, err
}

// UndoLabel writes down label.undo.
func (a auditedLabeler) UndoLabel(ctx context.Context, id string, from, to int, why string) (*lastnight.Label, error) {
	made, err := a.Labeler.UndoLabel(ctx, id, from, to, why)
	_, v := version(made)
	a.note(ctx, err, "label.undo", id, "version", v, "to", strconv.Itoa(to), "why", why)
	return made, err
}

// SetLabelSettings writes down admin.label-settings.
func (a auditedLabeler) SetLabelSettings(ctx context.Context, s lastnight.LabelSettings) error {
	err := a.Labeler.SetLabelSettings(ctx, s)
	a.note(ctx, err, "admin.label-settings", "", "one_person", strconv.FormatBool(s.OnePerson), "proposed_explain", strconv.FormatBool(s.ProposedExplain))
	return err
}

// ExportLabels writes down export.labels.
func (a auditedLabeler) ExportLabels(ctx context.Context, w io.Writer) error {
	err := a.Labeler.ExportLabels(ctx, w)
	a.note(ctx, err, "export.labels", "")
	return err
}

// ImportLabels writes down label.import.
func (a auditedLabeler) ImportLabels(ctx context.Context, r io.Reader, req lastnight.ImportRequest) (*lastnight.ImportResult, error) {
	res, err := a.Labeler.ImportLabels(ctx, r, req)
	if err == nil && !req.DryRun {
		a.note(ctx, nil, "label.import", req.Name, "created", strconv.Itoa(len(res.Created)), "changed", strconv.Itoa(len(res.Changed)), "why", req.Why)
	}
	return res, err
}

// MergeTemplates writes down template.merge.
func (a auditedLabeler) MergeTemplates(ctx context.Context, req lastnight.MergeRequest) (*lastnight.MergePreview, error) {
	p, err := a.Labeler.MergeTemplates(ctx, req)
	if !req.Preview {
		a.note(ctx, err, "template.merge", req.Into, "from", strings.Join(req.From, " "), "why", req.Why)
	}
	return p, err
}

// SplitTemplate writes down template.split.
func (a auditedLabeler) SplitTemplate(ctx context.Context, req lastnight.SplitRequest) (*lastnight.MergePreview, error) {
	p, err := a.Labeler.SplitTemplate(ctx, req)
	if !req.Preview {
		a.note(ctx, err, "template.split", req.Template, "why", req.Why)
	}
	return p, err
}

// UndoMerge writes down template.undo.
func (a auditedLabeler) UndoMerge(ctx context.Context, id, why string) (*lastnight.TemplateMerge, error) {
	m, err := a.Labeler.UndoMerge(ctx, id, why)
	a.note(ctx, err, "template.undo", id, "why", why)
	return m, err
}

// PutFeedback writes down feedback.
func (a auditedLabeler) PutFeedback(ctx context.Context, f lastnight.Feedback) (*lastnight.Feedback, error) {
	made, err := a.Labeler.PutFeedback(ctx, f)
	a.note(ctx, err, "feedback", f.Incident, "answer", f.Answer)
	return made, err
}
