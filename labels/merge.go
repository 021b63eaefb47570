package labels

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"lastnight"
)

const (
	maxMerged     = 100 // templates in one merge
	maxReread     = 500 // incidents that the preview of a split reads again; of more it tells what is remembered
	countedFor    = 30 * 24 * time.Hour
	maxDetailRefs = 20
	maxSamples    = 5
	samplesWithin = 30 * 24 * time.Hour
)

// storedMerge is a merge or split, or that one was undone, as the Store has it.
type storedMerge struct {
	Format int                      `json:"format"`
	Merge  *lastnight.TemplateMerge `json:"merge,omitempty"`
	Undo   string                   `json:"undo,omitempty"` // id of the merge
	By     string                   `json:"by"`
	At     time.Time                `json:"at"`
	Why    string                   `json:"why,omitempty"`
}

// loadMerges reads all of them; ids are their numbers.
func (l *Labels) loadMerges(ctx context.Context) ([]lastnight.TemplateMerge, error) {
	merges := []lastnight.TemplateMerge{}
	for it, err := range l.cfg.Store.List(ctx, mergeBucket, "") {
		if err != nil {
			return nil, err
		}
		var s storedMerge
		if err := decode(it, func(s *storedMerge) int { return s.Format }, &s); err != nil {
			return nil, err
		}
		if s.Merge != nil && len(s.Merge.From) > 0 {
			merges = append(merges, *s.Merge)
		}
		for i := range merges {
			if merges[i].ID == s.Undo && s.Undo != "" {
				merges[i].Undone = true
			}
		}
	}
	return merges, nil
}

// Merges implements lastnight.TemplateMerger.
func (l *Labels) Merges(context.Context) ([]lastnight.TemplateMerge, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.merges), nil
}

// MergeTemplates implements lastnight.TemplateMerger.
func (l *Labels) MergeTemplates(ctx context.Context, req lastnight.MergeRequest) (*lastnight.MergePreview, error) {
	a, err := require(ctx, lastnight.RoleReviewer, "merge templates")
	if err != nil {
		return nil, err
	}
	if len(req.From) == 0 || req.Into == "" || len(req.From) > maxMerged {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "from: templates, at most 100; into: the one that they become", "a merge needs templates and one that they become")
	}
	if err := checkWhy(req.Why); err != nil {
		return nil, err
	}
	ids := append(slices.Clone(req.From), req.Into)
	ts, err := l.existing(ctx, ids)
	if err != nil {
		return nil, err
	}
	l.mu.RLock()
	into, same := l.resolver.final(req.Into), ""
	for _, f := range req.From {
		if l.resolver.final(f) == into {
			same = f
		}
	}
	l.mu.RUnlock()
	if same != "" {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "nothing has to be done", "template %s is %s already", same, req.Into)
	}
	m := lastnight.TemplateMerge{Kind: lastnight.KindMerge, From: req.From, Into: req.Into, By: a.Name, At: l.cfg.Now().UTC(), Why: req.Why}
	return l.perform(ctx, m, ts, req.Preview)
}

// existing gives templates that must exist.
func (l *Labels) existing(ctx context.Context, ids []string) ([]lastnight.Template, error) {
	ts, err := l.cfg.Templates.Templates(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	for _, id := range ids {
		if !slices.ContainsFunc(ts, func(t lastnight.Template) bool { return t.ID == id }) {
			return nil, lastnight.Errorf(lastnight.CodeNotFound, "lastnight templates JOB lists them", "there is no template %.80q", id)
		}
	}
	return ts, l.know(ctx, ids)
}

// SplitTemplate implements lastnight.TemplateMerger.
func (l *Labels) SplitTemplate(ctx context.Context, req lastnight.SplitRequest) (*lastnight.MergePreview, error) {
	a, err := require(ctx, lastnight.RoleReviewer, "split a template")
	if err != nil {
		return nil, err
	}
	if err := checkWhy(req.Why); err != nil {
		return nil, err
	}
	ts, err := l.existing(ctx, []string{req.Template})
	if err != nil {
		return nil, err
	}
	whole := ts[0]
	if len(req.Text) > maxText || req.Text == whole.Text || !form(whole.Text, req.Text, true) {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "give its text with values instead of some <*>", "that is no part of the template %s: %.200s", whole.ID, whole.Text)
	}
	part := lastnight.Template{ID: TemplateID(req.Text, whole.Exception), Text: req.Text, Exception: whole.Exception, Level: whole.Level}
	l.mu.RLock()
	there := slices.ContainsFunc(l.resolver.splits[whole.ID], func(m lastnight.TemplateMerge) bool { return m.Into == part.ID })
	l.mu.RUnlock()
	if there {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "nothing has to be done", "that is split off already, as template %s", part.ID)
	}
	m := lastnight.TemplateMerge{Kind: lastnight.KindSplit, From: []string{whole.ID}, Into: part.ID, Text: req.Text, By: a.Name, At: l.cfg.Now().UTC(), Why: req.Why}
	if !req.Preview {
		if err := l.cfg.Templates.PutTemplates(ctx, []lastnight.Template{part}); err != nil {
			return nil, fmt.Errorf("keep the template that is split off: %w", err)
		}
	}
	if err := l.know(ctx, []string{part.ID}); err != nil {
		return nil, err
	}
	return l.perform(ctx, m, append(ts, part), req.Preview)
}

// TemplateID is the id that clusterers give to a text, so that a part that was a template of its own
// before it grew more general gets its old id back.
func TemplateID(text string, exception []string) string {
	h := xxhash.New()
	_, _ = h.WriteString(text)
	for _, e := range exception {
		_, _ = h.WriteString("\x00" + e)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// perform tells what a merge or split touches and, unless that is all, does it.
func (l *Labels) perform(ctx context.Context, m lastnight.TemplateMerge, ts []lastnight.Template, preview bool) (*lastnight.MergePreview, error) {
	p, err := l.touched(ctx, m, ts)
	if err != nil || preview {
		return p, err
	}
	for range 100 {
		l.mu.RLock()
		n := l.written()
		l.mu.RUnlock()
		m.ID = "m" + strconv.Itoa(n+1)
		err = l.keepMerge(ctx, n+1, storedMerge{Format: format, Merge: &m, By: m.By, At: m.At, Why: m.Why})
		if lastnight.CodeOf(err) != lastnight.CodeConflict {
			break
		}
		if err := l.reloadMerges(ctx); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, fmt.Errorf("keep the %s: %w", m.Kind, err)
	}
	p.Merge = m
	return p, l.reloadMerges(ctx)
}

// written counts the items in the merges' bucket. The caller holds l.mu.
func (l *Labels) written() int {
	n := len(l.merges)
	for i := range l.merges {
		if l.merges[i].Undone {
			n++
		}
	}
	return n
}

func (l *Labels) keepMerge(ctx context.Context, n int, s storedMerge) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return l.cfg.Store.Add(ctx, mergeBucket, number(n), b)
}

// reloadMerges reads the merges again and makes everything follow.
func (l *Labels) reloadMerges(ctx context.Context) error {
	merges, err := l.loadMerges(ctx)
	if err != nil {
		return fmt.Errorf("read merges of templates: %w", err)
	}
	var ids []string
	for i := range merges {
		ids = append(append(ids, merges[i].From...), merges[i].Into)
	}
	if err := l.know(ctx, ids); err != nil {
		return err
	}
	l.mu.Lock()
	l.merges = merges
	l.remerge()
	l.mu.Unlock()
	l.digests.forget()
	l.tellFollower(ids)
	return nil
}

// UndoMerge implements lastnight.TemplateMerger.
func (l *Labels) UndoMerge(ctx context.Context, id, why string) (*lastnight.TemplateMerge, error) {
	a, err := require(ctx, lastnight.RoleReviewer, "undo a merge")
	if err != nil {
		return nil, err
	}
	if err := checkWhy(why); err != nil {
		return nil, err
	}
	l.mu.RLock()
	i := slices.IndexFunc(l.merges, func(m lastnight.TemplateMerge) bool { return m.ID == id })
	var m lastnight.TemplateMerge
	if i >= 0 {
		m = l.merges[i]
	}
	n := l.written()
	l.mu.RUnlock()
	switch {
	case i < 0:
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "lastnight labels merge --list shows them", "there is no merge or split %.80q", id)
	case m.Undone:
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "nothing has to be done", "%s is undone already", id)
	}
	if err := l.keepMerge(ctx, n+1, storedMerge{Format: format, Undo: id, By: a.Name, At: l.cfg.Now().UTC(), Why: why}); err != nil {
		return nil, fmt.Errorf("undo %s: %w", id, err)
	}
	m.Undone = true
	return &m, l.reloadMerges(ctx)
}

// touched tells what a merge or split changes.
func (l *Labels) touched(ctx context.Context, m lastnight.TemplateMerge, ts []lastnight.Template) (*lastnight.MergePreview, error) {
	p := &lastnight.MergePreview{Merge: m, Templates: shownTemplates(ctx, ts), Labels: []lastnight.LabelTouched{}, Incidents: []lastnight.IncidentRef{}, Counts: []lastnight.TemplateTotal{}}
	l.mu.RLock()
	after := l.resolver
	after.merge(append(slices.Clone(l.merges), m))
	takesPart := map[string]bool{m.Into: true, l.resolver.final(m.Into): true}
	for _, f := range m.From {
		takesPart[f], takesPart[l.resolver.final(f)] = true, true
	}
	later := newIndex(nil)
	entries := map[string]*entry{}
	for id := range takesPart {
		for e := range l.index.users[id] {
			entries[e.current.ID] = e
		}
	}
	for _, e := range entries {
		if e.rule != nil {
			later.place(after.rule(e.rule.label, e.rule.approved))
		}
	}
	l.mu.RUnlock()
	counts := map[string][2]int{}
	var reread []string // a split depends on what records say, which is not remembered
	err := l.recent(ctx, lastnight.Interval{}, func(d *digest) {
		if d.rule != nil && entries[d.rule.label.ID] != nil {
			n := counts[d.rule.label.ID]
			n[0]++
			counts[d.rule.label.ID] = n
		}
		f := d.facts
		if m.Kind == lastnight.KindSplit && slices.Contains(f.templates, m.From[0]) && len(reread) < maxReread {
			reread = append(reread, d.ref.ID)
		} else if r := later.find(&f, &after); r != nil {
			n := counts[r.label.ID]
			n[1]++
			counts[r.label.ID] = n
		}
		if slices.ContainsFunc(d.facts.templates, func(id string) bool { return takesPart[id] || takesPart[l.resolver.final(id)] }) {
			p.Touched++
			if len(p.Incidents) < maxTouched {
				p.Incidents = append(p.Incidents, d.shown())
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, id := range reread {
		in, err := l.cfg.Incidents.Incident(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("read incident %s: %w", id, err)
		}
		l.mu.RLock()
		f := after.factsOf(in)
		if r := later.find(&f, &after); r != nil {
			n := counts[r.label.ID]
			n[1]++
			counts[r.label.ID] = n
		}
		l.mu.RUnlock()
	}
	for id, e := range entries {
		c := &e.current
		p.Labels = append(p.Labels, lastnight.LabelTouched{
			Label: lastnight.LabelRef{ID: id, Author: c.Author, State: string(c.State)}, Title: first(c.Title, c.Cause), Before: counts[id][0], After: counts[id][1],
		})
	}
	slices.SortFunc(p.Labels, func(a, b lastnight.LabelTouched) int { return compareText(a.Label.ID, b.Label.ID) })
	return p, l.count(ctx, p, ts)
}

// count tells how often the templates occurred lately.
func (l *Labels) count(ctx context.Context, p *lastnight.MergePreview, ts []lastnight.Template) error {
	if l.cfg.Samples == nil {
		return nil
	}
	end := l.cfg.Now().UTC().Truncate(time.Hour).Add(time.Hour)
	for i := range ts {
		total := lastnight.TemplateTotal{Template: ts[i].ID}
		for _, ns := range namespacesOf(ctx) {
			buckets, err := l.cfg.Samples.Histogram(ctx, lastnight.HistogramRequest{Start: end.Add(-countedFor), End: end, Step: 24 * time.Hour, Template: ts[i].ID, Namespace: ns})
			if err != nil {
				return fmt.Errorf("count template %s: %w", ts[i].ID, err)
			}
			for _, b := range buckets {
				for _, n := range b.Levels {
					total.Count += n
				}
			}
		}
		p.Counts = append(p.Counts, total)
	}
	return nil
}

// namespacesOf gives the namespaces to ask for in place of all of them; "" is all.
func namespacesOf(ctx context.Context) []string {
	a, named := lastnight.ActorOf(ctx)
	if !named || a.SeesAll() {
		return []string{""}
	}
	return slices.DeleteFunc(slices.Clone(a.Namespaces), func(s string) bool { return strings.TrimSpace(s) == "" })
}

// shownTemplates leaves out examples, which are records of any namespace, for those who may not read all.
func shownTemplates(ctx context.Context, ts []lastnight.Template) []lastnight.Template {
	ts = slices.Clone(ts)
	if a, named := lastnight.ActorOf(ctx); named && !a.SeesAll() {
		for i := range ts {
			ts[i].Example = ""
		}
	}
	return ts
}
