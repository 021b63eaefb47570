package client

import (
	"context"
	"net/http"
	"strconv"

	"lastnight"
)

// previewed is the parameter of questions that change nothing.
func previewed(preview bool) query {
	if preview {
		return query{}.text("preview", "true")
	}
	return nil
}

// MergeTemplates makes templates one, or tells what that would touch.
func (c *Client) MergeTemplates(ctx context.Context, req lastnight.MergeRequest) (*lastnight.MergePreview, error) {
	return changed[lastnight.MergePreview](ctx, c, body{method: http.MethodPost, path: "/merges", query: previewed(req.Preview), json: req})
}

// SplitTemplate splits off a part of a template, or tells what that would touch.
func (c *Client) SplitTemplate(ctx context.Context, req lastnight.SplitRequest) (*lastnight.MergePreview, error) {
	path := "/templates/" + pathPart(req.Template) + "/split"
	return changed[lastnight.MergePreview](ctx, c, body{method: http.MethodPost, path: path, query: previewed(req.Preview), json: req})
}

// UndoMerge undoes a merge or split.
func (c *Client) UndoMerge(ctx context.Context, id, why string) (*lastnight.TemplateMerge, error) {
	return changed[lastnight.TemplateMerge](ctx, c, body{method: http.MethodPost, path: "/merges/" + pathPart(id) + "/undo", json: map[string]string{"why": why}})
}

// Merges lists merges and splits, oldest first.
func (c *Client) Merges(ctx context.Context) ([]lastnight.TemplateMerge, error) {
	return items[lastnight.TemplateMerge](ctx, c, "/merges", query{})
}

// TemplateDetail shows a template.
func (c *Client) TemplateDetail(ctx context.Context, id string) (*lastnight.TemplateDetail, error) {
	return one[lastnight.TemplateDetail](ctx, c, "/templates/"+pathPart(id), query{})
}

// Queue lists what is worth labeling.
func (c *Client) Queue(ctx context.Context, req lastnight.QueueRequest) ([]lastnight.QueueItem, error) {
	q := query{}.text("kind", req.Kind).text("namespace", req.Namespace).time("start", req.Start).time("end", req.End)
	if req.Limit > 0 {
		q.text("limit", strconv.Itoa(req.Limit))
	}
	return items[lastnight.QueueItem](ctx, c, "/queue", q)
}

// Coverage tells which share of the failovers is explained.
func (c *Client) Coverage(ctx context.Context, req lastnight.CoverageRequest) (*lastnight.Coverage, error) {
	q := query{}.text("namespace", req.Namespace).text("job", req.Job).time("start", req.Start).time("end", req.End)
	return one[lastnight.Coverage](ctx, c, "/coverage", q)
}

// PreviewLabel tells which incidents a label would explain.
func (c *Client) PreviewLabel(ctx context.Context, l lastnight.Label) (*lastnight.LabelPreview, error) {
	return changed[lastnight.LabelPreview](ctx, c, body{method: http.MethodPost, path: "/labels/preview", json: labelBody{Label: l}})
}

// PutFeedback answers whether a diagnosis was right.
func (c *Client) PutFeedback(ctx context.Context, f lastnight.Feedback) (*lastnight.Feedback, error) {
	b := map[string]string{"incident": f.Incident, "answer": f.Answer, "other": f.Other, "comment": f.Comment}
	return changed[lastnight.Feedback](ctx, c, body{method: http.MethodPost, path: "/feedback", json: b})
}

// Feedback lists what was said of an incident.
func (c *Client) Feedback(ctx context.Context, incident string) ([]lastnight.Feedback, error) {
	return items[lastnight.Feedback](ctx, c, "/feedback", query{}.text("incident", incident))
}

// Precision tells how often each label and each cause was right.
func (c *Client) Precision(ctx context.Context) ([]lastnight.Precision, error) {
	return items[lastnight.Precision](ctx, c, "/feedback/precision", query{})
}
