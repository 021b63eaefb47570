package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lastnight"
)

// scopedLabeler is a Labeler that obeys namespaces. Labels themselves are the house's knowledge,
// for everybody with a role; what they are shown with (samples, incidents, counts) is its namespace's.
type scopedLabeler struct {
	scope
	lastnight.Labeler // what is passed on as it is
	searcher          lastnight.Searcher
	investigator      lastnight.Investigator
}

// visible leaves out references to incidents that the actor may not read.
func (v view) visible(refs []lastnight.IncidentRef) []lastnight.IncidentRef {
	seen := make([]lastnight.IncidentRef, 0, len(refs))
	for _, i := range refs {
		if v.sees(i.Namespace) {
			seen = append(seen, i)
		}
	}
	return seen
}

// sum counts the jobs and failovers of incidents.
func sum(refs []lastnight.IncidentRef) (jobs, failovers, explained int) {
	names := map[string]bool{}
	for _, i := range refs {
		names[i.Namespace+"/"+i.Job] = true
		failovers += i.Failovers
		if i.Explained {
			explained++
		}
	}
	return len(names), failovers, explained
}

// TemplateDetail does not tell a template that occurs only where the actor may not read from one that is not there.
func (s scopedLabeler) TemplateDetail(ctx context.Context, id string) (*lastnight.TemplateDetail, error) {
	v := s.of(ctx)
	d, err := s.Labeler.TemplateDetail(ctx, id)
	if v.actor.SeesAll() {
		return d, err
	}
	if err != nil && lastnight.CodeOf(err) != lastnight.CodeNotFound {
		return nil, err
	}
	if err == nil {
		seen := *d
		seen.Example = ""
		seen.Samples = slices.DeleteFunc(slices.Clone(d.Samples), func(x lastnight.Document) bool { return !v.seesDocument(&x) })
		seen.Incidents = v.visible(d.Incidents)
		seen.Jobs, seen.Failovers, _ = sum(seen.Incidents)
		known, err := s.occurs(ctx, id)
		if err != nil {
			return nil, err
		}
		if known || len(seen.Samples) > 0 || len(seen.Incidents) > 0 {
			return &seen, nil
		}
	}
	return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "there is no template %s in the namespaces that you may read", clip(id))
}

// occurs tells whether a template was counted where the actor may read.
func (s scopedLabeler) occurs(ctx context.Context, id string) (bool, error) {
	const day = 24 * time.Hour
	now := time.Now().UTC()
	buckets, err := s.searcher.Histogram(ctx, lastnight.HistogramRequest{Start: now.Add(-400 * day), End: now.Add(day), Step: 100 * day, Template: id})
	return len(buckets) > 0, err
}

// Queue ranks what is worth labeling in each of the actor's namespaces.
func (s scopedLabeler) Queue(ctx context.Context, req lastnight.QueueRequest) ([]lastnight.QueueItem, error) {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.Labeler.Queue(ctx, req)
	}
	if err := v.may(req.Namespace); err != nil {
		return nil, err
	}
	var all []lastnight.QueueItem
	at := map[string]int{}
	for _, req.Namespace = range v.namespaces(req.Namespace) {
		items, err := s.Labeler.Queue(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			if i.Incidents = v.visible(i.Incidents); len(i.Incidents) == 0 {
				continue
			}
			key := i.Kind + " " + i.ID
			k, twice := at[key]
			if !twice {
				at[key] = len(all)
				all = append(all, i)
				continue
			}
			all[k].Impact += i.Impact
			all[k].Failovers += i.Failovers
			all[k].Jobs += i.Jobs
			all[k].Explained += i.Explained
			all[k].Incidents = append(all[k].Incidents, i.Incidents...)
			if i.Last.After(all[k].Last) {
				all[k].Last = i.Last
			}
		}
	}
	slices.SortStableFunc(all, func(a, b lastnight.QueueItem) int {
		return cmp.Or(cmp.Compare(b.Impact, a.Impact), strings.Compare(a.ID, b.ID))
	})
	if req.Limit > 0 {
		all = all[:min(len(all), req.Limit)]
	}
	return all, nil
}

// Coverage sums over the actor's namespaces.
func (s scopedLabeler) Coverage(ctx context.Context, req lastnight.CoverageRequest) (*lastnight.Coverage, error) {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.Labeler.Coverage(ctx, req)
	}
	if err := v.may(req.Namespace); err != nil {
		return nil, err
	}
	var total *lastnight.Coverage
	for _, req.Namespace = range v.namespaces(req.Namespace) {
		c, err := s.Labeler.Coverage(ctx, req)
		if err != nil {
			return nil, err
		}
		if total == nil {
			total = c
			continue
		}
		both := *total
		both.Failovers += c.Failovers
		both.Explained += c.Explained
		both.ByLabel += c.ByLabel
		both.ByCatalogue += c.ByCatalogue
		both.Share = 1
		if both.Failovers > 0 {
			both.Share = float64(both.Explained) / float64(both.Failovers)
		}
		both.Summary = fmt.Sprintf("%d of %d failovers in your namespaces are explained", both.Explained, both.Failovers)
		total = &both
	}
	if total == nil {
		return &lastnight.Coverage{Share: 1, Interval: lastnight.Interval{Start: req.Start, End: req.End}, Summary: "you may read no namespace"}, nil
	}
	return total, nil
}

// PreviewLabel counts only what the actor may read, of the incidents that are listed.
func (s scopedLabeler) PreviewLabel(ctx context.Context, l lastnight.Label) (*lastnight.LabelPreview, error) {
	p, err := s.Labeler.PreviewLabel(ctx, l)
	v := s.of(ctx)
	if err != nil || v.actor.SeesAll() {
		return p, err
	}
	seen := lastnight.LabelPreview{Incidents: v.visible(p.Incidents)}
	seen.Matches = len(seen.Incidents)
	_, seen.Failovers, seen.Replaces = sum(seen.Incidents)
	return &seen, nil
}

// MergeTemplates shows only what the actor may read of what a merge touches.
func (s scopedLabeler) MergeTemplates(ctx context.Context, req lastnight.MergeRequest) (*lastnight.MergePreview, error) {
	p, err := s.Labeler.MergeTemplates(ctx, req)
	return s.of(ctx).preview(p), err
}

// SplitTemplate shows only what the actor may read of what a split touches.
func (s scopedLabeler) SplitTemplate(ctx context.Context, req lastnight.SplitRequest) (*lastnight.MergePreview, error) {
	p, err := s.Labeler.SplitTemplate(ctx, req)
	return s.of(ctx).preview(p), err
}

func (v view) preview(p *lastnight.MergePreview) *lastnight.MergePreview {
	if p == nil || v.actor.SeesAll() {
		return p
	}
	seen := *p
	seen.Incidents = v.visible(p.Incidents)
	seen.Touched, seen.Counts = len(seen.Incidents), []lastnight.TemplateTotal{}
	seen.Templates = slices.Clone(p.Templates)
	for i := range seen.Templates {
		seen.Templates[i].Example = ""
	}
	return &seen
}

// PutFeedback refuses incidents that the actor may not read as if they were not there.
func (s scopedLabeler) PutFeedback(ctx context.Context, f lastnight.Feedback) (*lastnight.Feedback, error) {
	if err := s.readable(ctx, f.Incident); err != nil {
		return nil, err
	}
	return s.Labeler.PutFeedback(ctx, f)
}

// Feedback refuses incidents that the actor may not read as if they were not there.
func (s scopedLabeler) Feedback(ctx context.Context, incident string) ([]lastnight.Feedback, error) {
	if err := s.readable(ctx, incident); err != nil {
		return nil, err
	}
	return s.Labeler.Feedback(ctx, incident)
}

func (s scopedLabeler) readable(ctx context.Context, incident string) error {
	if s.of(ctx).actor.SeesAll() {
		return nil
	}
	_, err := s.investigator.Incident(ctx, incident)
	return err
}
