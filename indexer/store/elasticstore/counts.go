package elasticstore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/query"
)

// The counts of a source lie in the index of the day in which the source ends, so that
// retention drops whole indices, in at most maxParts documents: those of jobs whose names
// hash alike. A document of the sources says that they are there, and which.
const (
	maxParts       = 32
	maxSourceBytes = 4 << 10
	nanosPerMinute = int64(time.Minute)
)

// sourceMark is what is noted of a source. Before anything is written it tells all parts that
// there may be from then on, so that none is left behind when a put is cut off.
type sourceMark struct {
	Source string `json:"source"`
	Day    string `json:"day"`
	Parts  []int  `json:"parts"`
	First  int64  `json:"first"` // minutes since 1970
	Last   int64  `json:"last"`
	Done   bool   `json:"done"`
}

// part is the counts of the jobs of one part.
type part struct {
	Source    string   `json:"source"`
	First     int64    `json:"first"`
	Last      int64    `json:"last"`
	Jobs      []string `json:"jobs"`
	Templates []string `json:"templates"`
	Body      string   `json:"body"` // JSON: rows
}

// row is the counts of one template and level of one job.
type row struct {
	Namespace string  `json:"n,omitempty"`
	Job       string  `json:"j,omitempty"`
	Template  string  `json:"t"`
	Level     string  `json:"l,omitempty"`
	Minutes   []int64 `json:"m"` // after the first of the part
	Counts    []int64 `json:"c"`
}

func partID(source string, n int) string { return hashID(source, fmt.Sprint(n)) }

func (s *Store) countsOf(day string) string { return s.index(kindCounts) + "-" + day }

// PutCounts sets the counts that come from a source, replacing those it gave before.
// It returns when they are durable.
func (s *Store) PutCounts(ctx context.Context, source string, counts []lastnight.TemplateCount) error {
	if source == "" || len(source) > maxSourceBytes {
		return lastnight.Errorf(lastnight.CodeInvalid, "", "the source of counts has a name of %d bytes, must have 1 to %d", len(source), maxSourceBytes)
	}
	if err := s.putCounts(ctx, source, counts); err != nil {
		return fmt.Errorf("put counts of %s: %w", source, err)
	}
	return nil
}

func (s *Store) putCounts(ctx context.Context, source string, counts []lastnight.TemplateCount) error {
	parts, first, last := partsOf(source, counts)
	m := sourceMark{Source: source, Day: dayOf(last * nanosPerMinute), First: first, Last: last}
	var ops []*op
	for n, p := range parts {
		if p == nil {
			continue
		}
		body, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		m.Parts = append(m.Parts, n)
		ops = append(ops, &op{action: "create", index: s.countsOf(m.Day), id: partID(source, n), source: body})
	}
	err := s.putMark(ctx, m, url.Values{"op_type": {"create"}})
	switch {
	case err == nil: // nothing was there: each part comes into being here
	case statusOf(err) == http.StatusConflict:
		return s.replaceCounts(ctx, m, ops)
	default:
		return err
	}
	if err := s.putParts(ctx, m, ops); err != nil {
		return err
	}
	m.Done = true
	return s.putMark(ctx, m, nil)
}

// replaceCounts puts the parts of a source that gave counts before, or that began to.
func (s *Store) replaceCounts(ctx context.Context, m sourceMark, ops []*op) error {
	old, found, err := s.mark(ctx, m.Source)
	if err != nil {
		return err
	}
	for _, o := range ops {
		o.action = "index"
	}
	if !found || old.Day == m.Day {
		intent := m
		intent.Parts = slices.Compact(slices.Sorted(slices.Values(slices.Concat(old.Parts, m.Parts))))
		if err := s.putMark(ctx, intent, nil); err != nil {
			return err
		}
	} else if err := s.dropParts(ctx, old, nil); err != nil { // it moves to another day: first away with what was there
		return err
	}
	if err := s.putParts(ctx, m, ops); err != nil {
		return err
	}
	if old.Day == m.Day {
		if err := s.dropParts(ctx, old, m.Parts); err != nil {
			return err
		}
	}
	m.Done = true
	return s.putMark(ctx, m, nil)
}

// putParts puts the parts of a source. One that is to be created and is there was put by a try whose answer was lost.
func (s *Store) putParts(ctx context.Context, m sourceMark, ops []*op) error {
	if len(ops) == 0 {
		return nil
	}
	if err := s.ensure(ctx, s.countsOf(m.Day)); err != nil {
		return err
	}
	if err := s.bulk(ctx, ops); err != nil {
		return err
	}
	for _, o := range ops {
		if o.action == "create" && o.err != nil && o.err.Status == http.StatusConflict {
			o.err = nil
		}
	}
	return firstRefused(ops)
}

// dropParts removes the parts that a mark tells of, but those to keep.
func (s *Store) dropParts(ctx context.Context, m sourceMark, keep []int) error {
	var ops []*op
	for _, n := range m.Parts {
		if !slices.Contains(keep, n) {
			ops = append(ops, &op{action: "delete", index: s.countsOf(m.Day), id: partID(m.Source, n)})
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return s.bulkAll(ctx, ops)
}

func (s *Store) mark(ctx context.Context, source string) (m sourceMark, found bool, err error) {
	have, err := s.getMany(ctx, s.index(kindSources), []string{hashID(source)})
	if err != nil {
		return m, false, err
	}
	if !have[0].Found {
		return m, false, nil
	}
	if err := json.Unmarshal(have[0].Source, &m); err != nil {
		return m, false, fmt.Errorf("decode mark of source: %w", err)
	}
	m.Source = source
	return m, true, nil
}

func (s *Store) putMark(ctx context.Context, m sourceMark, how url.Values) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode mark of source: %w", err)
	}
	_, err = s.call(ctx, request{method: http.MethodPut, path: "/" + s.index(kindSources) + "/_doc/" + hashID(m.Source), query: how, body: b})
	return err
}

// HasCounts tells whether the source gave counts already, if only none.
func (s *Store) HasCounts(ctx context.Context, source string) (bool, error) {
	m, found, err := s.mark(ctx, source)
	if err != nil {
		return false, fmt.Errorf("look up source %s: %w", source, err)
	}
	return found && m.Done, nil
}

// Counts streams counts, in no order.
func (s *Store) Counts(ctx context.Context, req store.CountsRequest) iter.Seq2[lastnight.TemplateCount, error] {
	return func(yield func(lastnight.TemplateCount, error) bool) {
		days, err := s.indices(ctx, kindCounts)
		if err != nil {
			yield(lastnight.TemplateCount{}, fmt.Errorf("read counts: %w", err))
			return
		}
		q := []object{}
		if !req.Start.IsZero() { // a source is where it ends
			first := minuteOf(req.Start)
			days = slices.DeleteFunc(days, func(name string) bool { return s.dayOfName(name) < dayOf(first*nanosPerMinute) })
			q = append(q, object{"range": object{"last": object{"gte": first}}})
		}
		if !req.End.IsZero() {
			q = append(q, object{"range": object{"first": object{"lte": minuteOf(req.End)}}})
		}
		if req.Template != "" {
			q = append(q, isTerm("templates", shortTerm(req.Template)))
		}
		if req.Job != "" {
			q = append(q, isTerm("jobs", shortTerm(req.Job)))
		}
		for group := range slices.Chunk(days, maxGroup) {
			for h, err := range s.find(ctx, group, find{query: allOf(q...), sort: byDoc, fields: []string{"first", "body"}}) {
				more := false
				if err == nil {
					more, err = eachCount(h.Source, req, func(c lastnight.TemplateCount) bool { return yield(c, nil) })
				}
				if err != nil {
					yield(lastnight.TemplateCount{}, fmt.Errorf("read counts: %w", err))
				}
				if err != nil || !more {
					return
				}
			}
		}
	}
}

// eachCount yields those of a part that are asked for. more is false if the caller wants no more.
func eachCount(source json.RawMessage, req store.CountsRequest, yield func(lastnight.TemplateCount) bool) (more bool, err error) {
	var p part
	var rows []row
	if err := json.Unmarshal(source, &p); err != nil {
		return false, fmt.Errorf("decode: %w", err)
	}
	if err := json.Unmarshal([]byte(p.Body), &rows); err != nil {
		return false, fmt.Errorf("decode: %w", err)
	}
	is := func(want, have string) bool {
		return want == "" || strings.ToValidUTF8(want, "\ufffd") == have || want == have
	}
	for _, r := range rows {
		if !is(req.Namespace, r.Namespace) || !is(req.Job, r.Job) || !is(req.Template, r.Template) || len(r.Counts) != len(r.Minutes) {
			continue
		}
		for i, m := range r.Minutes {
			at := time.Unix((p.First+m)*60, 0).UTC()
			if !req.Start.IsZero() && !at.Add(time.Minute).After(req.Start) || !req.End.IsZero() && !at.Before(req.End) {
				continue
			}
			c := lastnight.TemplateCount{Namespace: r.Namespace, Job: r.Job, Template: r.Template, Level: r.Level, Minute: at, Count: r.Counts[i]}
			if !yield(c) {
				return false, nil
			}
		}
	}
	return true, nil
}

// DropCounts removes the counts of sources that end before t: whole indices of days before,
// single documents of the day that t cuts.
func (s *Store) DropCounts(ctx context.Context, t time.Time) error {
	if err := s.dropCounts(ctx, minuteOf(t)); err != nil {
		return fmt.Errorf("drop counts: %w", err)
	}
	return nil
}

func (s *Store) dropCounts(ctx context.Context, limit int64) error {
	today := dayOf(limit * nanosPerMinute)
	days, err := s.indices(ctx, kindCounts)
	if err != nil {
		return err
	}
	for _, name := range days {
		switch day := s.dayOfName(name); {
		case day < today:
			_, err = s.dropIndex(ctx, name)
		case day == today:
			_, err = s.dropFound(ctx, name, object{"range": object{"last": object{"lt": limit}}})
		}
		if err != nil {
			return err
		}
	}
	if err := s.dropLeftBehind(ctx, kindCounts, today); err != nil {
		return err
	}
	// The marks last: a put that is under way at the same time finds out what there was.
	_, err = s.dropFound(ctx, s.index(kindSources), object{"range": object{"last": object{"lt": limit}}})
	return err
}

// minuteOf gives the minute in which t is, since 1970 UTC.
func minuteOf(t time.Time) int64 {
	ns := query.Nanos(t)
	m := ns / nanosPerMinute
	if ns%nanosPerMinute < 0 {
		m--
	}
	return m
}
