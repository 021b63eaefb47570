package indexer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"lastnight"
	"lastnight/indexer/store"
)

// maxBuckets bounds a histogram.
const maxBuckets = 10_000

// Histogram implements lastnight.Searcher.
func (x *Indexer) Histogram(ctx context.Context, req lastnight.HistogramRequest) ([]lastnight.HistogramBucket, error) {
	step := req.Step.Truncate(time.Minute)
	if step <= 0 {
		step = time.Minute
	}
	if !req.Start.IsZero() && !req.End.IsZero() && req.End.Sub(req.Start)/step > maxBuckets {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "take a larger step", "a histogram of %s in steps of %s has more than %d buckets", req.End.Sub(req.Start), step, maxBuckets)
	}
	buckets := map[int64]map[string]int64{}
	err := x.eachCount(ctx, store.CountsRequest{Start: req.Start, End: req.End, Namespace: req.Namespace, Job: req.Job, Template: req.Template},
		func(c lastnight.TemplateCount) {
			at := c.Minute.Truncate(step).Unix()
			if buckets[at] == nil {
				if len(buckets) >= maxBuckets {
					return
				}
				buckets[at] = map[string]int64{}
			}
			buckets[at][c.Level] += c.Count
		})
	if err != nil {
		return nil, err
	}
	list := make([]lastnight.HistogramBucket, 0, len(buckets))
	for at, levels := range buckets {
		list = append(list, lastnight.HistogramBucket{Start: time.Unix(at, 0).UTC(), Levels: levels})
	}
	slices.SortFunc(list, func(a, b lastnight.HistogramBucket) int { return a.Start.Compare(b.Start) })
	return list, nil
}

// Templates implements lastnight.Searcher.
func (x *Indexer) Templates(ctx context.Context, req lastnight.TemplatesRequest) ([]lastnight.TemplateInfo, error) {
	type seen struct {
		n           int64
		first, last time.Time
		level       string
	}
	counts := map[string]*seen{}
	err := x.eachCount(ctx, store.CountsRequest{Start: req.Start, End: req.End, Namespace: req.Namespace, Job: req.Job},
		func(c lastnight.TemplateCount) {
			s := counts[c.Template]
			if s == nil {
				s = &seen{first: c.Minute, last: c.Minute, level: c.Level}
				counts[c.Template] = s
			}
			s.n += c.Count
			if c.Minute.Before(s.first) {
				s.first = c.Minute
			}
			if c.Minute.After(s.last) {
				s.last = c.Minute
			}
		})
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(counts))
	for id := range counts {
		ids = append(ids, id)
	}
	known, err := x.cfg.Store.Templates(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("get templates: %w", err)
	}
	list := make([]lastnight.TemplateInfo, 0, len(known))
	for _, t := range known {
		s := counts[t.ID]
		if t.Level == "" {
			t.Level = s.level
		}
		t.FirstSeen, t.LastSeen = s.first, s.last
		list = append(list, lastnight.TemplateInfo{Template: t, Count: s.n})
	}
	slices.SortFunc(list, func(a, b lastnight.TemplateInfo) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.ID, b.ID))
	})
	if req.Limit > 0 && len(list) > req.Limit {
		list = list[:req.Limit]
	}
	return list, nil
}

func (x *Indexer) eachCount(ctx context.Context, req store.CountsRequest, f func(lastnight.TemplateCount)) error {
	req.Job = x.workloadName(ctx, req.Namespace, req.Job)
	for c, err := range x.cfg.Store.Counts(ctx, req) {
		if err != nil {
			return fmt.Errorf("read counts: %w", err)
		}
		f(c)
	}
	return nil
}

// Jobs implements lastnight.Searcher. Incidents counts the unplanned ones that begin in the interval.
func (x *Indexer) Jobs(ctx context.Context, req lastnight.JobsRequest) ([]lastnight.Job, error) {
	jobs, err := x.cfg.Store.Jobs(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	incidents, err := x.cfg.Store.Incidents(ctx, lastnight.IncidentsRequest{Namespace: req.Namespace, Start: req.Start, End: req.End})
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	n := map[jobKey]int{}
	for i := range incidents {
		n[jobKey{incidents[i].Namespace, incidents[i].Job}]++
	}
	for i := range jobs {
		jobs[i].Incidents = n[jobKey{jobs[i].Namespace, jobs[i].Name}]
	}
	return jobs, nil
}
