package labels

import (
	"context"
	"fmt"
	"io"
	"slices"

	"lastnight"
)

// planned is what an import does to one label.
type planned struct {
	id    string
	isNew bool
	made  []lastnight.LabelChange // one, or two where a change waits
}

// ImportLabels implements lastnight.LabelExchange. The file is read and checked whole before the
// first change. Changes then go one by one: if one fails, those before it stay, and importing
// again does the rest.
func (l *Labels) ImportLabels(ctx context.Context, in io.Reader, req lastnight.ImportRequest) (*lastnight.ImportResult, error) {
	a, err := require(ctx, lastnight.RoleAdmin, "import labels")
	if err != nil {
		return nil, err
	}
	if err := checkWhy(req.Why); err != nil {
		return nil, err
	}
	f, err := readFile(in, req.Name)
	if err != nil {
		return nil, err
	}
	res := &lastnight.ImportResult{DryRun: req.DryRun, Created: []string{}, Changed: []string{}}
	var todo []planned
	l.mu.RLock()
	for i := range f.labels {
		p := l.plan(&f.labels[i], a.Name, req.Why)
		switch {
		case len(p.made) == 0:
			res.Unchanged++
			continue
		case p.isNew:
			res.Created = append(res.Created, p.id)
		default:
			res.Changed = append(res.Changed, p.id)
		}
		todo = append(todo, p)
	}
	total := len(l.labels) + len(res.Created)
	merges := l.newMerges(f, a.Name)
	l.mu.RUnlock()
	res.Merges = len(merges)
	if total > maxLabels {
		return nil, lastnight.Errorf(lastnight.CodeTooLarge, "retire what is not needed", "there would be %d labels, at most %d are kept", total, maxLabels)
	}
	if req.DryRun {
		return res, nil
	}
	for _, p := range todo {
		for _, c := range p.made {
			if _, err := l.add(ctx, c); err != nil {
				return nil, fmt.Errorf("import label %s (importing again does the rest): %w", p.id, err)
			}
		}
	}
	for i := range merges {
		if err := l.importMerge(ctx, &merges[i]); err != nil {
			return nil, fmt.Errorf("import merge %d of the file (importing again does the rest): %w", i+1, err)
		}
	}
	return res, nil
}

// plan compares a label of a file with what is there. The caller holds l.mu.
func (l *Labels) plan(y *labelYAML, by, why string) planned {
	p := planned{id: y.ID}
	want := y.label()
	e := l.labels[y.ID]
	p.isNew = e == nil
	if e != nil && e.says(y) {
		return p
	}
	now := l.cfg.Now().UTC()
	next := content(want)
	next.ID, next.State, next.Version, next.Created, next.Updated = y.ID, want.State, 1, now, now
	next.Author = first(want.Author, by)
	if e != nil {
		next.Version, next.Created = e.current.Version+1, e.current.Created
	}
	if next.State == lastnight.LabelApproved {
		next.ApprovedVersion, next.ApprovedBy = next.Version, first(want.ApprovedBy, by)
	}
	p.made = []lastnight.LabelChange{{Action: lastnight.ActionImport, By: by, At: now, Why: why, Label: next}}
	if y.Change != nil {
		waits := y.Change.label()
		edit := content(waits)
		edit.ID, edit.State, edit.Version, edit.Created, edit.Updated = y.ID, waits.State, next.Version+1, next.Created, now
		edit.ApprovedVersion, edit.ApprovedBy, edit.Author = next.ApprovedVersion, next.ApprovedBy, first(waits.Author, by)
		p.made = append(p.made, lastnight.LabelChange{Action: lastnight.ActionImport, By: by, At: now, Why: why, Label: edit})
	}
	return p
}

// says tells whether a label is as the file says.
func (e *entry) says(y *labelYAML) bool {
	is := e.yaml()
	same := func(a, b *labelYAML) bool {
		x, z := a.label(), b.label()
		return x.State == z.State && sameContent(&x, &z)
	}
	if !same(&is, y) || (is.Change == nil) != (y.Change == nil) {
		return false
	}
	return is.Change == nil || same(is.Change, y.Change)
}

// newMerges gives those of a file that do not hold yet. The caller holds l.mu.
func (l *Labels) newMerges(f *file, by string) []lastnight.TemplateMerge {
	var out []lastnight.TemplateMerge
	for _, y := range f.merges {
		m := lastnight.TemplateMerge{Kind: y.Kind, From: y.From, Into: y.Into, Text: y.Text, By: first(y.By, by), At: l.cfg.Now().UTC(), Why: y.Why}
		holds := func(o lastnight.TemplateMerge) bool {
			return !o.Undone && o.Kind == m.Kind && o.Into == m.Into && o.Text == m.Text && slices.Equal(o.From, m.From)
		}
		if !slices.ContainsFunc(l.merges, holds) && !slices.ContainsFunc(out, holds) {
			out = append(out, m)
		}
	}
	return out
}

// importMerge makes a merge of templates that need not be known here yet.
func (l *Labels) importMerge(ctx context.Context, m *lastnight.TemplateMerge) error {
	there, err := l.cfg.Templates.Templates(ctx, []string{m.Into})
	if err != nil {
		return fmt.Errorf("read templates: %w", err)
	}
	if m.Kind == lastnight.KindSplit && len(there) == 0 { // what is known keeps its text
		if err := l.cfg.Templates.PutTemplates(ctx, []lastnight.Template{{ID: m.Into, Text: m.Text}}); err != nil {
			return fmt.Errorf("keep the template that is split off: %w", err)
		}
	}
	_, err = l.perform(ctx, *m, nil, false)
	return err
}
