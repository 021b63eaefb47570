package investigation

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"lastnight"
)

const (
	similarWithin = 90 * 24 * time.Hour // how far back likes are looked for
	maxSimilar    = 5
	minSimilar    = 0.3
	maxCompared   = 2000 // incidents that one is compared with
	likesFresh    = 10 * time.Minute
	likesMargin   = 24 * time.Hour
)

// likes remembers what incidents are compared by, since reading 2,000 of them takes a hundred times as long as
// explaining one. What another process found is seen after likesFresh.
type likes struct {
	read     time.Time // when; zero: never
	from, to time.Time // those that begin in it are known, the newest maxCompared of them
	known    map[string]lastnight.Incident
}

// covers tells whether what is known serves incidents that begin in [first, last], at now.
func (l *likes) covers(first, last, now time.Time) bool {
	return !l.read.IsZero() && now.Sub(l.read) < likesFresh &&
		!first.Add(-similarWithin).Before(l.from) && !last.Before(l.to.Add(-likesMargin)) && !last.After(l.to.Add(likesMargin))
}

// note keeps of an incident what it is compared by.
func (l *likes) note(in *lastnight.Incident) {
	l.known[in.ID] = lastnight.Incident{
		ID: in.ID, Namespace: in.Namespace, Job: in.Job, Start: in.Start, Planned: in.Planned, Features: in.Features,
		Diagnosis: lastnight.Diagnosis{Cause: in.Diagnosis.Cause},
	}
}

// findSimilar fills in the likes of the incidents, from those kept before them.
func (d *Detector) findSimilar(ctx context.Context, found []lastnight.Incident) error {
	first, last := found[0].Start, found[0].Start
	for i := range found {
		if found[i].Start.Before(first) {
			first = found[i].Start
		}
		if found[i].Start.After(last) {
			last = found[i].Start
		}
	}
	if now := d.cfg.Now(); !d.likes.covers(first, last, now) {
		from := first.Add(-similarWithin - likesMargin)
		kept, err := d.cfg.Keeper.Incidents(ctx, lastnight.IncidentsRequest{Start: from, End: last.Add(likesMargin), Limit: maxCompared})
		if err != nil {
			return fmt.Errorf("list incidents to compare with: %w", err)
		}
		d.likes = likes{read: now, from: from, to: last, known: make(map[string]lastnight.Incident, len(kept))}
		for i := range kept {
			d.likes.note(&kept[i])
		}
	}
	for i := range found {
		d.likes.note(&found[i])
	}
	for i := range found {
		found[i].Similar = similarTo(&found[i], maps.Values(d.likes.known))
	}
	return nil
}

// similarTo ranks the incidents that began before one by how much they have in common with it.
func similarTo(to *lastnight.Incident, among iter.Seq[lastnight.Incident]) []lastnight.Similar {
	out := []lastnight.Similar{}
	if to.Planned {
		return out
	}
	for in := range among {
		o := &in
		if o.ID == to.ID || o.Planned || !o.Start.Before(to.Start) {
			continue
		}
		if s := likeness(to, o); s >= minSimilar {
			out = append(out, lastnight.Similar{ID: o.ID, Namespace: o.Namespace, Job: o.Job, Start: o.Start, Cause: o.Diagnosis.Cause, Score: s})
		}
	}
	slices.SortFunc(out, func(a, b lastnight.Similar) int {
		switch {
		case a.Score != b.Score && a.Score > b.Score:
			return -1
		case a.Score != b.Score:
			return 1
		case !a.Start.Equal(b.Start):
			return b.Start.Compare(a.Start)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out[:min(len(out), maxSimilar)]
}

// featureWeights says how much a kind of feature counts in the comparison.
var featureWeights = map[string]float64{"cause": 4, "exception": 3, "frame": 3, "reason": 1.5, "exit": 1.5, "template": 1, "layer": 0.5, "job": 1}

// likeness is the weighted share of common features (Jaccard), in [0, 1], in hundredths.
func likeness(a, b *lastnight.Incident) float64 {
	all := map[string]int{}
	for _, f := range append(slices.Clone(a.Features), "job:"+a.Namespace+"/"+a.Job) {
		all[f] |= 1
	}
	for _, f := range append(slices.Clone(b.Features), "job:"+b.Namespace+"/"+b.Job) {
		all[f] |= 2
	}
	var common, sum float64
	for f, in := range all {
		kind, _, _ := strings.Cut(f, ":")
		w := featureWeights[kind]
		sum += w
		if in == 3 {
			common += w
		}
	}
	if sum == 0 {
		return 0
	}
	return float64(int(100*common/sum+0.5)) / 100
}
