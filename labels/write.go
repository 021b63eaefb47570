package labels

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"lastnight"
)

// require gives who asks, or an error if nobody with a name does or the role is not enough.
func require(ctx context.Context, least lastnight.Role, doing string) (lastnight.Actor, error) {
	a, ok := lastnight.ActorOf(ctx)
	switch {
	case !ok || a.Name == "":
		return a, lastnight.Errorf(lastnight.CodeUnauthenticated, "say who you are: --as NAME, or the header X-Lastnight-User", "to %s, say who you are", doing)
	case !a.Role.AtLeast(least):
		return a, lastnight.Errorf(lastnight.CodeForbidden, "ask somebody who is "+string(least), "%s is %s; to %s one must be %s", a.Name, a.Role, doing, least)
	case strings.EqualFold(a.Name, lastnight.SystemActor):
		return a, lastnight.Errorf(lastnight.CodeForbidden, "use a name of your own", "the name %s is lastnight's own", a.Name)
	case checkLine("name", a.Name, maxName) != nil:
		return a, lastnight.Errorf(lastnight.CodeInvalid, "", "%.80q is no name", a.Name)
	}
	return a, nil
}

// CreateLabel implements lastnight.LabelWriter.
func (l *Labels) CreateLabel(ctx context.Context, n lastnight.Label, why string) (*lastnight.Label, error) {
	a, err := require(ctx, lastnight.RoleLabeler, "make a label")
	if err != nil {
		return nil, err
	}
	state := n.State
	if state == "" {
		state = lastnight.LabelDraft
	}
	if state != lastnight.LabelDraft && state != lastnight.LabelProposed {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "make it a draft or a proposal, then have it reviewed", "a new label cannot be %s", state)
	}
	given := n.ID
	if n.ID == "" {
		n.ID = idOf(n.Title + " " + n.Cause)
		if n.Title != "" {
			n.ID = idOf(n.Title)
		}
	}
	if err := l.prepare(ctx, &n, why); err != nil {
		return nil, err
	}
	n.State, n.Version, n.Author, n.Created = state, 1, a.Name, l.cfg.Now().UTC()
	n.Updated = n.Created
	base := n.ID
	for i := 2; ; i++ {
		if given == "" {
			n.ID, i = l.freeID(base, i)
		}
		made, err := l.add(ctx, lastnight.LabelChange{Action: lastnight.ActionCreate, By: a.Name, At: n.Created, Why: why, Label: n})
		if lastnight.CodeOf(err) != lastnight.CodeConflict || given != "" || i > maxLabels {
			return made, err
		}
	}
}

// freeID gives base, or base with the first number from i on that no label has yet.
func (l *Labels) freeID(base string, i int) (string, int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for id := base; ; i++ {
		if l.labels[id] == nil {
			return id, i
		}
		id = fmt.Sprintf("%s-%d", base, i)
	}
}

// prepare checks what a person set, and fills in the texts of templates.
func (l *Labels) prepare(ctx context.Context, n *lastnight.Label, why string) error {
	*n = content(*n)
	if f := checkLabel(n); f != nil {
		return invalid(f)
	}
	if err := checkWhy(why); err != nil {
		return err
	}
	l.mu.RLock()
	full := len(l.labels) >= maxLabels
	l.mu.RUnlock()
	if full {
		return lastnight.Errorf(lastnight.CodeTooLarge, "use signatures that match more", "there are %d labels already", maxLabels)
	}
	return l.fillTexts(ctx, &n.Target)
}

// fillTexts notes how the templates read now. The target is copied before.
func (l *Labels) fillTexts(ctx context.Context, t *lastnight.LabelTarget) error {
	ids := targetIDs(t)
	if len(ids) == 0 {
		return nil
	}
	ts, err := l.cfg.Templates.Templates(ctx, ids)
	if err != nil {
		return fmt.Errorf("read templates of a label: %w", err)
	}
	texts := map[string]string{}
	for i := range ts {
		texts[ts[i].ID] = cut(ts[i].Text, maxText)
	}
	fill := func(r lastnight.TemplateRef) lastnight.TemplateRef {
		if text := texts[r.ID]; text != "" {
			r.Text = text
		}
		return r
	}
	if t.Template != nil {
		r := fill(*t.Template)
		t.Template = &r
	}
	if t.Signature != nil {
		s := *t.Signature
		s.Templates = slices.Clone(s.Templates)
		for i := range s.Templates {
			s.Templates[i] = fill(s.Templates[i])
		}
		t.Signature = &s
	}
	return nil
}

// cut shortens text to at most n bytes of valid UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "�")
}

// EditLabel implements lastnight.LabelWriter.
func (l *Labels) EditLabel(ctx context.Context, n lastnight.Label, version int, why string) (*lastnight.Label, error) {
	a, err := require(ctx, lastnight.RoleLabeler, "change a label")
	if err != nil {
		return nil, err
	}
	if err := l.prepare(ctx, &n, why); err != nil {
		return nil, err
	}
	old, _, err := l.at(n, version)
	if err != nil {
		return nil, err
	}
	if sameContent(&old, &n) {
		return &old, nil
	}
	if old.State == lastnight.LabelRetired {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "restore it first", "label %s is retired", old.ID)
	}
	next := l.next(old, n, a.Name)
	if old.State == lastnight.LabelApproved {
		next.State = lastnight.LabelProposed
	}
	return l.add(ctx, lastnight.LabelChange{Action: lastnight.ActionEdit, By: a.Name, At: next.Updated, Why: why, Label: next})
}

// at gives a label and who wrote it since it was approved, if it still has the version.
func (l *Labels) at(yours lastnight.Label, version int) (lastnight.Label, []string, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e := l.labels[yours.ID]
	switch {
	case e == nil:
		return yours, nil, l.unknown(yours.ID)
	case e.current.Version != version:
		return yours, nil, conflict(e.current, yours)
	case version >= maxVersion:
		return yours, nil, lastnight.Errorf(lastnight.CodeTooLarge, "make a new label", "label %s has %d versions", yours.ID, version)
	}
	return e.current, slices.Clone(e.authors), nil
}

// next is the version after old, with the content of n.
func (l *Labels) next(old, n lastnight.Label, author string) lastnight.Label {
	next := content(n)
	next.ID, next.State, next.Version, next.Created = old.ID, old.State, old.Version+1, old.Created
	next.ApprovedVersion, next.ApprovedBy, next.Author = old.ApprovedVersion, old.ApprovedBy, author
	next.Updated = l.cfg.Now().UTC()
	return next
}

// UndoLabel implements lastnight.LabelWriter.
func (l *Labels) UndoLabel(ctx context.Context, id string, version, to int, why string) (*lastnight.Label, error) {
	a, err := require(ctx, lastnight.RoleLabeler, "undo a change")
	if err != nil {
		return nil, err
	}
	if err := checkWhy(why); err != nil {
		return nil, err
	}
	old, _, err := l.at(lastnight.Label{ID: id}, version)
	if err != nil {
		return nil, err
	}
	if to == 0 {
		to = version - 1
	}
	history, err := l.changes(ctx, id)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(history, func(c lastnight.LabelChange) bool { return c.Label.Version == to })
	if i < 0 || to >= version {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, fmt.Sprintf("lastnight labels history %s lists them", id), "label %s has no version %d before version %d", id, to, version)
	}
	was := history[i].Label
	next := l.next(old, was, was.Author)
	next.State, next.ApprovedVersion, next.ApprovedBy = was.State, was.ApprovedVersion, was.ApprovedBy
	if was.ApprovedVersion != old.ApprovedVersion {
		// What explains changes: that is a reviewer's to decide. It was approved once, by a second person where that is asked for.
		if _, err := require(ctx, lastnight.RoleReviewer, "undo a review"); err != nil {
			return nil, err
		}
	}
	return l.add(ctx, lastnight.LabelChange{Action: lastnight.ActionUndo, By: a.Name, At: next.Updated, Why: why, Label: next})
}
