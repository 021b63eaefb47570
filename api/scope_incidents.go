package api

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"lastnight"
)

// scopedInvestigator is an Investigator that obeys namespaces. An incident is its job's: who may
// read that namespace sees it, but evidence and similar incidents from elsewhere are blacked out.
type scopedInvestigator struct {
	scope
	inner lastnight.Investigator
}

var _ lastnight.Investigator = scopedInvestigator{}

// Incidents lists those of the namespaces that the actor may read.
func (s scopedInvestigator) Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.inner.Incidents(ctx, req)
	}
	if err := v.may(req.Namespace); err != nil {
		return nil, err
	}
	var all []lastnight.Incident
	var unknown error
	found := false
	for _, req.Namespace = range v.namespaces(req.Namespace) {
		is, err := s.inner.Incidents(ctx, req)
		if lastnight.CodeOf(err) == lastnight.CodeNotFound { // no job of that name there
			unknown = better(unknown, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		for _, i := range is {
			if v.sees(i.Namespace) {
				all = append(all, v.blackOut(i))
			}
		}
	}
	if !found && unknown != nil {
		return nil, unknown
	}
	slices.SortFunc(all, func(a, b lastnight.Incident) int {
		return -cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.ID, b.ID))
	})
	if req.Limit > 0 {
		all = all[:min(len(all), req.Limit)]
	}
	return all, nil
}

// better prefers the error that proposes a name.
func better(a, b error) error {
	if a == nil || !strings.HasPrefix(lastnight.HintOf(a), "did you mean") {
		return b
	}
	return a
}

// Incident does not tell one that the actor may not read from one that is not there.
func (s scopedInvestigator) Incident(ctx context.Context, id string) (*lastnight.Incident, error) {
	v := s.of(ctx)
	i, err := s.inner.Incident(ctx, id)
	if v.actor.SeesAll() {
		return i, err
	}
	if lastnight.CodeOf(err) == lastnight.CodeNotFound || err == nil && !v.sees(i.Namespace) {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "lastnight incidents lists what there is", "there is no incident %q in the namespaces that you may read", clip(id))
	}
	if err != nil {
		return nil, err
	}
	seen := v.blackOut(*i)
	return &seen, nil
}

// Why asks in each namespace that the actor may read. If several have such a job, the one that failed last.
func (s scopedInvestigator) Why(ctx context.Context, req lastnight.WhyRequest) (*lastnight.Answer, error) {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.inner.Why(ctx, req)
	}
	if err := v.may(req.Namespace); err != nil {
		return nil, err
	}
	var best *lastnight.Answer
	unknown := error(lastnight.Errorf(lastnight.CodeNotFound, "lastnight jobs lists what there is", "no job %q is known in the namespaces that you may read", clip(req.Job)))
	for _, req.Namespace = range v.namespaces(req.Namespace) {
		a, err := s.inner.Why(ctx, req)
		switch {
		case lastnight.CodeOf(err) == lastnight.CodeNotFound:
			unknown = better(unknown, err)
		case err != nil:
			return nil, err
		case v.sees(a.Namespace) && later(a, best):
			best = a
		}
	}
	if best == nil {
		return nil, unknown
	}
	seen := *best
	seen.Incidents = make([]lastnight.Incident, 0, len(best.Incidents))
	for _, i := range best.Incidents {
		if v.sees(i.Namespace) {
			seen.Incidents = append(seen.Incidents, v.blackOut(i))
		}
	}
	return &seen, nil
}

// later tells whether the last incident of a is later than that of b.
func later(a, b *lastnight.Answer) bool {
	switch {
	case b == nil || len(b.Incidents) == 0:
		return b == nil || len(a.Incidents) > 0
	case len(a.Incidents) == 0:
		return false
	}
	return a.Incidents[len(a.Incidents)-1].Start.After(b.Incidents[len(b.Incidents)-1].Start)
}

// elsewhere stands for evidence that the actor may not read.
const elsewhere = "(evidence from outside the namespaces that you may read)"

// blackOut gives the incident without what comes from namespaces that the actor may not read. Of such
// evidence its time and part in the chain remain.
func (v view) blackOut(i lastnight.Incident) lastnight.Incident {
	i.Similar = slices.DeleteFunc(slices.Clone(i.Similar), func(s lastnight.Similar) bool { return !v.sees(s.Namespace) })
	chain, hidden := slices.Clone(i.Diagnosis.Chain), false
	for k := range chain {
		e := &chain[k]
		if v.sees(e.Source.Namespace) && (e.Object == nil || v.seesObject(e.Object)) {
			continue
		}
		chain[k] = lastnight.Evidence{Time: e.Time, Kind: e.Kind, Role: e.Role, Cause: e.Cause, What: elsewhere}
		hidden = true
	}
	i.Diagnosis.Chain = chain
	if hidden { // The sentence is made of the evidence.
		i.Diagnosis.Verdict = cmp.Or(i.Diagnosis.Title, elsewhere)
		i.Features = nil
	}
	return i
}
