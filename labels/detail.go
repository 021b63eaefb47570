package labels

import (
	"context"
	"fmt"
	"slices"

	"lastnight"
)

// TemplateDetail implements lastnight.TemplateMerger.
func (l *Labels) TemplateDetail(ctx context.Context, id string) (*lastnight.TemplateDetail, error) {
	ts, err := l.existing(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	t := &lastnight.TemplateDetail{Template: shownTemplates(ctx, ts)[0], Aliases: []string{}, Incidents: []lastnight.IncidentRef{}, Samples: []lastnight.Document{}}
	if t.Labels, err = l.Labels(ctx, lastnight.LabelsRequest{Template: id}); err != nil {
		return nil, err
	}
	l.mu.RLock()
	became := l.resolver.final(id)
	if became != id {
		t.Became = became
	}
	for i := range l.merges {
		m := &l.merges[i]
		for _, f := range append(slices.Clone(m.From), m.Into) {
			if !m.Undone && f != id && l.resolver.final(f) == became && !slices.Contains(t.Aliases, f) {
				t.Aliases = append(t.Aliases, f)
			}
		}
	}
	t.Similar = l.proposals(textWordsOf(t.Text), became)
	l.mu.RUnlock()
	jobs := map[string]struct{}{}
	err = l.recent(ctx, lastnight.Interval{}, func(d *digest) {
		if !slices.ContainsFunc(d.facts.templates, func(x string) bool { return l.resolver.final(x) == became }) {
			return
		}
		t.Failovers += d.ref.Failovers
		jobs[d.ref.Namespace+"/"+d.ref.Job] = struct{}{}
		if len(t.Incidents) < maxDetailRefs {
			t.Incidents = append(t.Incidents, d.shown())
		}
	})
	if err != nil {
		return nil, err
	}
	t.Jobs = len(jobs)
	return t, l.sample(ctx, t)
}

func textWordsOf(text string) []string {
	return wordsOf(&lastnight.LabelTarget{Template: &lastnight.TemplateRef{Text: text}})
}

// sample finds a few records of a template in the namespaces that may be seen: important ones at
// once from the store, else from the archive.
func (l *Labels) sample(ctx context.Context, t *lastnight.TemplateDetail) error {
	if l.cfg.Samples == nil {
		return nil
	}
	end := l.cfg.Now().UTC()
	for _, important := range []bool{true, false} {
		for _, ns := range namespacesOf(ctx) {
			req := lastnight.SearchRequest{
				Query: fmt.Sprintf("template:%q", t.ID), Start: end.Add(-samplesWithin), End: end, Important: important, Namespace: ns,
				Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord}, Limit: maxSamples,
			}
			for d, err := range l.cfg.Samples.Search(ctx, req) {
				if err != nil {
					return fmt.Errorf("find records of template %s: %w", t.ID, err)
				}
				if t.Samples = append(t.Samples, d); len(t.Samples) >= maxSamples {
					return nil
				}
			}
		}
		if len(t.Samples) > 0 {
			return nil
		}
	}
	return nil
}
