// Package apitest has what people ask of lastnight, answered from memory: for tests of
// the API, its client and whatever else stands on lastnight.Searcher and lastnight.Investigator.
//
// It keeps the contracts of those interfaces on the few documents that a test gives it,
// except that a query is only words, each of which the text must contain.
package apitest

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"lastnight"
)

// Memory answers from its fields, which must not change while it is asked.
type Memory struct {
	Documents     []lastnight.Document
	Lines         []lastnight.RawLine
	StreamInfos   []lastnight.StreamInfo
	JobList       []lastnight.Job
	Counts        []lastnight.TemplateCount
	TemplateTexts []lastnight.Template
	IncidentList  []lastnight.Incident

	// Fail, if not nil, is asked before each document or line is given, with how many
	// were given already, and before every other answer with 0. Its error becomes the answer's.
	Fail func(given int) error
}

var (
	_ lastnight.Searcher     = (*Memory)(nil)
	_ lastnight.Investigator = (*Memory)(nil)
)

func (m *Memory) fails(ctx context.Context, given int) error {
	if m.Fail != nil {
		if err := m.Fail(given); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// within tells whether t is in [start, end), zero bounds left out.
func within(t, start, end time.Time) bool {
	return (start.IsZero() || !t.Before(start)) && (end.IsZero() || t.Before(end))
}

// either tells whether want is empty or one of have.
func either(want string, have ...string) bool { return want == "" || slices.Contains(have, want) }

func byTimeAndID(a, b lastnight.Document) int {
	return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
}

// Search streams the documents that match.
func (m *Memory) Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		docs := slices.SortedFunc(slices.Values(m.Documents), byTimeAndID)
		if !req.Oldest {
			slices.Reverse(docs)
		}
		after := lastnight.Document{}
		if req.Cursor != "" {
			var err error
			if after.Time, after.ID, err = lastnight.ParseCursor(req.Cursor); err != nil {
				yield(lastnight.Document{}, err)
				return
			}
		}
		given := 0
		for _, d := range docs {
			side := byTimeAndID(d, after)
			if req.Cursor != "" && (side == 0 || (side < 0) == req.Oldest) || !matches(&d, &req) {
				continue
			}
			if req.Limit > 0 && given == req.Limit {
				return
			}
			if err := m.fails(ctx, given); err != nil {
				yield(lastnight.Document{}, err)
				return
			}
			if !yield(d, nil) {
				return
			}
			given++
		}
		if err := m.fails(ctx, given); err != nil {
			yield(lastnight.Document{}, err)
		}
	}
}

func matches(d *lastnight.Document, req *lastnight.SearchRequest) bool {
	for word := range strings.FieldsSeq(req.Query) {
		if !strings.Contains(d.Text, word) {
			return false
		}
	}
	return within(d.Time, req.Start, req.End) &&
		either(req.Namespace, d.Namespace) && either(req.Job, d.Job, d.FlinkJob) && either(req.Pod, d.Pod) && either(req.PodUID, d.PodUID) &&
		either(req.Container, d.Container) && either(req.Node, d.Node) &&
		(req.Restart == nil || *req.Restart == d.Restart) &&
		(!req.Important || len(d.Signals) > 0 || d.Kind == lastnight.DocumentEvent) &&
		(len(req.Kinds) == 0 || slices.Contains(req.Kinds, d.Kind)) &&
		(len(req.Signals) == 0 || slices.ContainsFunc(req.Signals, func(s string) bool { return slices.Contains(d.Signals, s) }))
}

// RawLines gives the lines of a pod in the order that they have in Lines.
func (m *Memory) RawLines(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.RawLine, error] {
	return func(yield func(lastnight.RawLine, error) bool) {
		given := 0
		for _, l := range m.Lines {
			s := l.Stream
			if !within(l.Time, req.Start, req.End) || !either(req.Namespace, s.Namespace) || !either(req.Pod, s.Pod) || !either(req.PodUID, s.PodUID) ||
				!either(req.Container, s.Container) || !either(req.Node, s.Node) || (req.Restart != nil && *req.Restart != s.Restart) ||
				!either(req.Job, m.jobOf(s)) {
				continue
			}
			if req.Limit > 0 && given == req.Limit {
				return
			}
			if err := m.fails(ctx, given); err != nil {
				yield(lastnight.RawLine{}, err)
				return
			}
			if !yield(l, nil) {
				return
			}
			given++
		}
		if err := m.fails(ctx, given); err != nil {
			yield(lastnight.RawLine{}, err)
		}
	}
}

func (m *Memory) jobOf(s lastnight.Stream) string {
	for _, i := range m.StreamInfos {
		if i.Stream == s {
			return i.Job
		}
	}
	return ""
}

// Context gives the documents around a record, of its pod, container and restart.
func (m *Memory) Context(ctx context.Context, id lastnight.LineID, before, after int) ([]lastnight.Document, error) {
	if err := m.fails(ctx, 0); err != nil {
		return nil, err
	}
	at := slices.IndexFunc(m.Documents, func(d lastnight.Document) bool { return d.ID == string(id) })
	if at < 0 {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "there is no record %s", id)
	}
	d := m.Documents[at]
	same := slices.SortedFunc(slices.Values(m.Documents), byTimeAndID)
	same = slices.DeleteFunc(same, func(x lastnight.Document) bool {
		return x.Kind != lastnight.DocumentRecord || x.PodUID != d.PodUID || x.Container != d.Container || x.Restart != d.Restart
	})
	at = slices.IndexFunc(same, func(x lastnight.Document) bool { return x.ID == d.ID })
	return same[max(0, at-before):min(len(same), at+after+1)], nil
}

// Histogram counts by level.
func (m *Memory) Histogram(ctx context.Context, req lastnight.HistogramRequest) ([]lastnight.HistogramBucket, error) {
	buckets := map[time.Time]map[string]int64{}
	for _, c := range m.Counts {
		if within(c.Minute, req.Start, req.End) && either(req.Namespace, c.Namespace) && either(req.Job, c.Job) && either(req.Template, c.Template) {
			at := c.Minute.Truncate(req.Step)
			if buckets[at] == nil {
				buckets[at] = map[string]int64{}
			}
			buckets[at][c.Level] += c.Count
		}
	}
	var all []lastnight.HistogramBucket
	for at, levels := range buckets {
		all = append(all, lastnight.HistogramBucket{Start: at, Levels: levels})
	}
	slices.SortFunc(all, func(a, b lastnight.HistogramBucket) int { return a.Start.Compare(b.Start) })
	return all, m.fails(ctx, 0)
}

// Jobs lists jobs that were seen in the interval.
func (m *Memory) Jobs(ctx context.Context, req lastnight.JobsRequest) ([]lastnight.Job, error) {
	var all []lastnight.Job
	for _, j := range m.JobList {
		names := append([]string{j.Name, j.Workload}, j.FlinkIDs...)
		if either(req.Namespace, j.Namespace) && either(req.Name, names...) && overlaps(j.FirstSeen, j.LastSeen, req.Start, req.End) {
			all = append(all, j)
		}
	}
	return all, m.fails(ctx, 0)
}

func overlaps(first, last, start, end time.Time) bool {
	return (start.IsZero() || !last.Before(start)) && (end.IsZero() || first.Before(end))
}

// Streams lists container instances.
func (m *Memory) Streams(ctx context.Context, req lastnight.StreamsRequest) ([]lastnight.StreamInfo, error) {
	var all []lastnight.StreamInfo
	for _, s := range m.StreamInfos {
		if either(req.Namespace, s.Namespace) && either(req.Job, s.Job) && either(req.Pod, s.Pod) && overlaps(s.First, s.Last, req.Start, req.End) {
			all = append(all, s)
		}
	}
	return all, m.fails(ctx, 0)
}

// Templates lists templates by how often they occurred.
func (m *Memory) Templates(ctx context.Context, req lastnight.TemplatesRequest) ([]lastnight.TemplateInfo, error) {
	var all []lastnight.TemplateInfo
	for _, t := range m.TemplateTexts {
		info := lastnight.TemplateInfo{Template: t}
		for _, c := range m.Counts {
			if c.Template == t.ID && within(c.Minute, req.Start, req.End) && either(req.Namespace, c.Namespace) && either(req.Job, c.Job) {
				info.Count += c.Count
			}
		}
		if info.Count > 0 {
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b lastnight.TemplateInfo) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.ID, b.ID))
	})
	if req.Limit > 0 {
		all = all[:min(len(all), req.Limit)]
	}
	return all, m.fails(ctx, 0)
}

// Incidents lists incidents, newest first.
func (m *Memory) Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	var all []lastnight.Incident
	for _, i := range m.IncidentList {
		if within(i.Start, req.Start, req.End) && either(req.Namespace, i.Namespace) && either(req.Job, i.Job) && (req.Planned || !i.Planned) {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b lastnight.Incident) int {
		return -cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	if req.Limit > 0 {
		all = all[:min(len(all), req.Limit)]
	}
	return all, m.fails(ctx, 0)
}

// Incident gives one by id.
func (m *Memory) Incident(ctx context.Context, id string) (*lastnight.Incident, error) {
	for _, i := range m.IncidentList {
		if i.ID == id {
			return &i, m.fails(ctx, 0)
		}
	}
	return nil, lastnight.Errorf(lastnight.CodeNotFound, "lastnight incidents lists what there is", "there is no incident %q", id)
}

// Why gives a job's incidents in the interval, oldest first.
func (m *Memory) Why(ctx context.Context, req lastnight.WhyRequest) (*lastnight.Answer, error) {
	jobs, err := m.Jobs(ctx, lastnight.JobsRequest{Namespace: req.Namespace, Name: req.Job})
	if err != nil {
		return nil, err
	}
	if len(jobs) == 0 {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "did you mean orders-enrich?", "no job is called %q", req.Job)
	}
	j := jobs[0]
	found, err := m.Incidents(ctx, lastnight.IncidentsRequest{Namespace: j.Namespace, Job: j.Name, Start: req.Start, End: req.End})
	if err != nil {
		return nil, err
	}
	slices.Reverse(found)
	return &lastnight.Answer{
		Job: j.Name, Namespace: j.Namespace, Incidents: found,
		Interval: lastnight.Interval{Start: req.Start, End: req.End, Zone: req.Zone},
	}, nil
}
