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
	h := levelCounts{step: step, buckets: map[int64][]int64{}}
	err := x.eachCount(ctx, store.CountsRequest{Start: req.Start, End: req.End, Namespace: req.Namespace, Job: req.Job, Template: req.Template}, h.add)
	if err != nil {
		return nil, err
	}
	return h.list(), nil
}

// levelCounts are the counts of a histogram by bucket and level. There are many counts, in runs of one level whose minutes mostly follow
// each other, so neither a map of levels nor one of buckets is asked for each of them.
type levelCounts struct {
	step    time.Duration
	levels  []string
	level   int               // of the last count
	buckets map[int64][]int64 // by where they begin, in seconds since 1970; by level, maybe not of the last ones
	near    [nearBuckets]nearBucket
}

// nearBucket is a bucket that was lately added to.
type nearBucket struct {
	at     int64
	counts []int64 // nil: none
}

const (
	nearBuckets = 1 << 10     // a power of two
	yearOne     = 62135596800 // seconds from the beginning of the year 1, which times are truncated by, to 1970
)

func (h *levelCounts) add(c lastnight.TemplateCount) {
	if h.level >= len(h.levels) || h.levels[h.level] != c.Level {
		if h.level = slices.Index(h.levels, c.Level); h.level < 0 {
			h.level, h.levels = len(h.levels), append(h.levels, c.Level)
		}
	}
	at, step := c.Minute.Unix(), int64(h.step/time.Second)
	at -= (at + yearOne) % step
	b := &h.near[uint64(at/step)%nearBuckets]
	if b.at != at || h.level >= len(b.counts) {
		counts, known := h.buckets[at]
		if !known && len(h.buckets) >= maxBuckets {
			return
		}
		if h.level >= len(counts) {
			counts = append(counts, make([]int64, h.level+1-len(counts))...)
			h.buckets[at] = counts
		}
		*b = nearBucket{at, counts}
	}
	b.counts[h.level] += c.Count
}

// list gives the buckets in order.
func (h *levelCounts) list() []lastnight.HistogramBucket {
	list := make([]lastnight.HistogramBucket, 0, len(h.buckets))
	for at, counts := range h.buckets {
		levels := make(map[string]int64, len(counts))
		for i, n := range counts {
			if n != 0 {
				levels[h.levels[i]] = n
			}
		}
		list = append(list, lastnight.HistogramBucket{Start: time.Unix(at, 0).UTC(), Levels: levels})
	}
	slices.SortFunc(list, func(a, b lastnight.HistogramBucket) int { return a.Start.Compare(b.Start) })
	return list
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
