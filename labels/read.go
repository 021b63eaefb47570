package labels

import (
	"context"
	"maps"
	"slices"
	"strings"

	"lastnight"
)

// Labels implements lastnight.LabelReader.
func (l *Labels) Labels(ctx context.Context, req lastnight.LabelsRequest) ([]lastnight.Label, error) {
	for _, s := range req.States {
		if !slices.Contains(states, s) {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "draft, proposed, approved or retired", "a label is never %q", string(s))
		}
	}
	if req.Template != "" {
		if err := l.know(ctx, []string{req.Template}); err != nil {
			return nil, err
		}
	}
	text := strings.ToLower(req.Text)
	found := []lastnight.Label{}
	l.mu.RLock()
	defer l.mu.RUnlock()
	template := ""
	if req.Template != "" {
		template = l.resolver.final(req.Template)
	}
	for _, id := range slices.Sorted(maps.Keys(l.labels)) {
		c := &l.labels[id].current
		switch {
		case id <= req.After && req.After != "", len(req.States) > 0 && !slices.Contains(req.States, c.State):
			continue
		case template != "" && !slices.ContainsFunc(targetIDs(&c.Target), func(id string) bool { return l.resolver.final(id) == template }):
			continue
		case text != "" && !mentions(c, text):
			continue
		}
		if found = append(found, *c); len(found) == req.Limit {
			break
		}
	}
	return found, nil
}

func mentions(c *lastnight.Label, text string) bool {
	for _, s := range []string{c.ID, c.Title, c.Cause, c.Advice, c.Author} {
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return false
}

// Label implements lastnight.LabelReader.
func (l *Labels) Label(_ context.Context, id string) (*lastnight.Label, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e := l.labels[id]
	if e == nil {
		return nil, l.unknown(id)
	}
	c := e.current
	return &c, nil
}

// unknown names the nearest ids. The caller holds l.mu.
func (l *Labels) unknown(id string) error {
	hint := "lastnight labels list shows what there is"
	const compared = 5000 // more would take long, and there is a list
	if len(l.labels) <= compared {
		if near := lastnight.Nearest(id, slices.Sorted(maps.Keys(l.labels)), 3); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, ", ") + "?"
		}
	}
	return lastnight.Errorf(lastnight.CodeNotFound, hint, "there is no label %.80q", id)
}

// LabelHistory implements lastnight.LabelReader.
func (l *Labels) LabelHistory(ctx context.Context, id string) ([]lastnight.LabelChange, error) {
	if _, err := l.Label(ctx, id); err != nil {
		return nil, err
	}
	return l.changes(ctx, id)
}

// Causes implements lastnight.LabelReader.
func (l *Labels) Causes(context.Context) ([]lastnight.Cause, error) {
	return slices.Clone(l.cfg.Causes), nil
}
