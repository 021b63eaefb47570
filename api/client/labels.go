package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lastnight"
	"lastnight/api"
)

var _ lastnight.Labeler = (*Client)(nil)

const (
	labelsPage    = 1000
	importTimeout = 30 * time.Minute // each label is made durable by itself
)

// body is what a request that changes something sends.
type body struct {
	method  string
	path    string
	query   query
	version int // of If-Match; 0: none
	json    any
	yaml    io.Reader // instead of json
}

// send asks with a body and decodes the answer into v.
func (c *Client) send(ctx context.Context, b body, v any) error {
	timeout := answerTimeout
	data, kind := b.yaml, "application/yaml"
	if data == nil {
		j, err := json.Marshal(b.json)
		if err != nil {
			return lastnight.Errorf(lastnight.CodeInternal, "", "encode a question: %w", err)
		}
		data, kind = bytes.NewReader(j), "application/json"
	} else {
		timeout = importTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	target := c.base + "/api/v1" + b.path
	if len(b.query) > 0 {
		target += "?" + url.Values(b.query).Encode()
	}
	req, err := http.NewRequestWithContext(limited, b.method, target, data)
	if err != nil {
		return lastnight.Errorf(lastnight.CodeInvalid, "", "ask %s: %w", c.base, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", kind)
	if b.version > 0 {
		req.Header.Set("If-Match", strconv.Quote(strconv.Itoa(b.version)))
	}
	c.identify(req)
	if a, ok := lastnight.ActorOf(ctx); ok && a.Name != "" {
		req.Header.Set("X-Lastnight-User", a.Name) // servers that know better take no notice
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.broken(limited, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return c.problem(resp)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return c.broken(limited, err)
	}
	if err := json.Unmarshal(answer, v); err != nil {
		return lastnight.Errorf(lastnight.CodeInternal, "are both of the same version?", "read the answer of %s: %w", c.base, err)
	}
	return nil
}

// Labels lists labels by id, page after page until there are req.Limit, all if that is 0.
func (c *Client) Labels(ctx context.Context, req lastnight.LabelsRequest) ([]lastnight.Label, error) {
	states := make([]string, len(req.States))
	for i, s := range req.States {
		states[i] = string(s)
	}
	cursor := ""
	if req.After != "" {
		cursor = lastnight.CursorOf(time.Time{}, req.After)
	}
	var all []lastnight.Label
	for {
		n := labelsPage
		if req.Limit > 0 {
			n = min(n, req.Limit-len(all))
		}
		q := query{}.text("state", strings.Join(states, ",")).text("q", req.Text).text("template_id", req.Template).text("limit", strconv.Itoa(n)).text("cursor", cursor)
		var page api.List[lastnight.Label]
		if err := c.ask(ctx, "/labels", q, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" || len(page.Items) == 0 || len(all) == req.Limit {
			return all, nil
		}
	}
}

// Label gives one, or an error of CodeNotFound.
func (c *Client) Label(ctx context.Context, id string) (*lastnight.Label, error) {
	return one[lastnight.Label](ctx, c, "/labels/"+pathPart(id), query{})
}

// one asks for one document.
func one[T any](ctx context.Context, c *Client, path string, q query) (*T, error) {
	v := new(T)
	if err := c.ask(ctx, path, q, v); err != nil {
		return nil, err
	}
	return v, nil
}

// items asks for a list that has one page.
func items[T any](ctx context.Context, c *Client, path string, q query) ([]T, error) {
	var l api.List[T]
	if err := c.ask(ctx, path, q, &l); err != nil {
		return nil, err
	}
	return l.Items, nil
}

// changed sends a change and gives what became of it.
func changed[T any](ctx context.Context, c *Client, b body) (*T, error) {
	v := new(T)
	if err := c.send(ctx, b, v); err != nil {
		return nil, err
	}
	return v, nil
}

// LabelHistory gives all changes, oldest first.
func (c *Client) LabelHistory(ctx context.Context, id string) ([]lastnight.LabelChange, error) {
	return items[lastnight.LabelChange](ctx, c, "/labels/"+pathPart(id)+"/history", query{})
}

// LabelSettings gives the settings.
func (c *Client) LabelSettings(ctx context.Context) (lastnight.LabelSettings, error) {
	var s lastnight.LabelSettings
	return s, c.ask(ctx, "/labels/settings", query{}, &s)
}

// Causes lists the catalogue of causes.
func (c *Client) Causes(ctx context.Context) ([]lastnight.Cause, error) {
	return items[lastnight.Cause](ctx, c, "/causes", query{})
}

type labelBody struct {
	Label lastnight.Label `json:"label"`
	Why   string          `json:"why"`
}

// CreateLabel makes a draft or a proposal.
func (c *Client) CreateLabel(ctx context.Context, l lastnight.Label, why string) (*lastnight.Label, error) {
	return changed[lastnight.Label](ctx, c, body{method: http.MethodPost, path: "/labels", json: labelBody{l, why}})
}

// EditLabel sets what a label says.
func (c *Client) EditLabel(ctx context.Context, l lastnight.Label, version int, why string) (*lastnight.Label, error) {
	return changed[lastnight.Label](ctx, c, body{method: http.MethodPut, path: "/labels/" + pathPart(l.ID), version: version, json: labelBody{l, why}})
}

// ReviewLabel moves a label to another state.
func (c *Client) ReviewLabel(ctx context.Context, id string, version int, action lastnight.LabelAction, why string) (*lastnight.Label, error) {
	return changed[lastnight.Label](ctx, c, body{
		method: http.MethodPost, path: "/labels/" + pathPart(id) + "/review", version: version, json: map[string]any{"action": action, "why": why},
	})
}

// UndoLabel makes a new version that says what an earlier one said.
func (c *Client) UndoLabel(ctx context.Context, id string, version, to int, why string) (*lastnight.Label, error) {
	return changed[lastnight.Label](ctx, c, body{
		method: http.MethodPost, path: "/labels/" + pathPart(id) + "/undo", version: version, json: map[string]any{"to": to, "why": why},
	})
}

// SetLabelSettings changes the settings.
func (c *Client) SetLabelSettings(ctx context.Context, s lastnight.LabelSettings) error {
	_, err := changed[lastnight.LabelSettings](ctx, c, body{method: http.MethodPut, path: "/labels/settings", json: s})
	return err
}

// ExportLabels writes all labels as YAML.
func (c *Client) ExportLabels(ctx context.Context, w io.Writer) error {
	r, err := c.get(ctx, "/labels/export", query{}, "application/yaml")
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	if _, err := io.Copy(w, r); err != nil {
		return c.broken(ctx, err)
	}
	return nil
}

// ImportLabels sends a file of labels.
func (c *Client) ImportLabels(ctx context.Context, r io.Reader, req lastnight.ImportRequest) (*lastnight.ImportResult, error) {
	q := query{}.text("name", req.Name).text("why", req.Why)
	if req.DryRun {
		q.text("dry_run", "true")
	}
	return changed[lastnight.ImportResult](ctx, c, body{method: http.MethodPost, path: "/labels/import", query: q, yaml: r})
}
