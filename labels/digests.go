package labels

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"lastnight"
)

// keptFor is how far back incidents are remembered for queue, coverage and previews.
const keptFor = 90 * 24 * time.Hour

// digest is what the queue needs of an incident.
type digest struct {
	ref       lastnight.IncidentRef // Explained and Cause as the catalogue says
	workload  string
	key       string // of the job
	title     string
	facts     facts
	recovered bool
	gen       uint64 // of the index when rule was found
	rule      *rule
}

// digests remembers incidents of keptFor, so that queue and coverage read none.
type digests struct {
	mu     sync.Mutex // all below
	loaded bool
	byID   map[string]*digest
	sorted []*digest // newest first; nil: to be sorted anew
}

// IncidentsPut is told of incidents after they were put into the store.
func (l *Labels) IncidentsPut(is []lastnight.Incident) {
	l.digests.mu.Lock()
	defer l.digests.mu.Unlock()
	if !l.digests.loaded {
		return
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := range is {
		l.digests.put(l.digestOf(&is[i]))
	}
}

// IncidentsGone is told of incidents that were removed from the store.
func (l *Labels) IncidentsGone(ids []string) {
	l.digests.mu.Lock()
	defer l.digests.mu.Unlock()
	for _, id := range ids {
		delete(l.digests.byID, id)
	}
	l.digests.sorted = nil
}

// IncidentsElsewhere is told that another process put or removed incidents.
func (l *Labels) IncidentsElsewhere() { l.digests.forget() }

func (s *digests) put(d *digest) {
	if d == nil {
		return
	}
	s.byID[d.ref.ID] = d
	s.sorted = nil
}

// digestOf gives nil for what was planned. The caller holds l.mu.
func (l *Labels) digestOf(in *lastnight.Incident) *digest {
	if in.Planned {
		return nil
	}
	d := &in.Diagnosis
	return &digest{
		ref: lastnight.IncidentRef{
			ID: in.ID, Namespace: in.Namespace, Job: in.Job, Start: in.Start, Failovers: max(in.Failovers, 1), Explained: d.Explained, Cause: d.Cause,
		},
		workload: in.Workload, key: in.Namespace + "/" + in.Job, title: d.Verdict, facts: l.resolver.factsOf(in), recovered: in.Recovered,
	}
}

// recent calls f with the incidents of an interval that may be seen, newest first, each with the
// rule that explains it. It holds l.mu for reading while it does.
func (l *Labels) recent(ctx context.Context, iv lastnight.Interval, f func(*digest)) error {
	s := &l.digests
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := l.load(ctx); err != nil {
		return err
	}
	if s.sorted == nil {
		for _, d := range s.byID {
			s.sorted = append(s.sorted, d)
		}
		slices.SortFunc(s.sorted, func(a, b *digest) int {
			if c := b.ref.Start.Compare(a.ref.Start); c != 0 {
				return c
			}
			return compareText(a.ref.ID, b.ref.ID)
		})
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	a, named := lastnight.ActorOf(ctx)
	for _, d := range s.sorted {
		if named && !a.Sees(d.ref.Namespace) || !within(d.ref.Start, iv) {
			continue
		}
		if d.gen != l.index.gen {
			d.rule, d.gen = l.index.find(&d.facts, &l.resolver), l.index.gen
			d.facts.set = nil
		}
		f(d)
	}
	return nil
}

func within(t time.Time, iv lastnight.Interval) bool {
	return (iv.Start.IsZero() || !t.Before(iv.Start)) && (iv.End.IsZero() || t.Before(iv.End))
}

// load reads the incidents once, and follows their templates. The caller holds digests.mu.
func (l *Labels) load(ctx context.Context) error {
	s := &l.digests
	if !s.loaded {
		is, err := l.cfg.Incidents.Incidents(ctx, lastnight.IncidentsRequest{Start: l.cfg.Now().Add(-keptFor)})
		if err != nil {
			return fmt.Errorf("list incidents: %w", err)
		}
		s.byID, s.sorted = make(map[string]*digest, len(is)), nil
		l.mu.RLock()
		for i := range is {
			s.put(l.digestOf(&is[i]))
		}
		l.mu.RUnlock()
		s.loaded = true
	}
	if s.sorted != nil {
		return nil
	}
	var ids []string
	for _, d := range s.byID {
		ids = append(append(ids, d.facts.templates...), d.facts.near...)
	}
	slices.Sort(ids)
	return l.know(ctx, slices.Compact(ids))
}

// forget makes the incidents to be read again, since splits changed what they are made of.
func (s *digests) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded, s.byID, s.sorted = false, nil, nil
}

// shown gives the reference to an incident as it is explained now.
func (d *digest) shown() lastnight.IncidentRef {
	r := d.ref
	if d.rule != nil {
		r.Explained, r.Cause = true, causeOf(d.rule.label)
	}
	return r
}

// month gives an interval, by default the last 30 days.
func (l *Labels) month(start, end time.Time) (lastnight.Interval, error) {
	if end.IsZero() {
		end = l.cfg.Now().UTC()
	}
	if start.IsZero() {
		start = end.AddDate(0, 0, -30)
	}
	if !start.Before(end) {
		return lastnight.Interval{}, lastnight.Errorf(lastnight.CodeInvalid, "a start before the end", "the interval is empty")
	}
	return lastnight.Interval{Start: start, End: end}, nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
