package investigation

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"lastnight"
)

// How much a matched predicate speaks for its cause, before it is weighed by its link.
const (
	strengthLog       = 0.9
	strengthEvent     = 0.9
	strengthContainer = 0.97
	strengthWeak      = 0.3
	namedFrom         = 0.3  // a cause that scores less is not named
	bestConfidence    = 0.97 // nothing is certain
)

// candidate is a cause with what speaks for it.
type candidate struct {
	e          *entry
	score      float64
	onlyWeak   bool
	first      time.Time
	items      []*item // in time order
	suppressed bool
}

// ranking is the causes of a failover, best first.
type ranking struct {
	all  map[string]*candidate
	list []*candidate // those that may be named, best first
}

// top gives the cause to name, or nil.
func (r *ranking) top() *candidate {
	if r == nil || len(r.list) == 0 || r.list[0].score < namedFrom || r.list[0].onlyWeak {
		return nil
	}
	return r.list[0]
}

func (r *ranking) candidate(e *entry) *candidate {
	c := r.all[e.ID]
	if c == nil {
		c = &candidate{e: e, onlyWeak: true}
		r.all[e.ID] = c
	}
	return c
}

func (c *candidate) support(it *item, strength float64, weak bool) {
	if it != nil && !slices.Contains(c.items, it) {
		c.items = append(c.items, it)
		if c.first.IsZero() || it.f.t.Before(c.first) {
			c.first = it.f.t
		}
	}
	if weak {
		strength = math.Min(strength, strengthWeak)
	} else if strength >= namedFrom*0.5 {
		c.onlyWeak = false
	}
	best, rest := math.Max(c.score, strength), math.Min(c.score, strength)
	c.score = math.Min(best+0.02*rest, 0.99)
}

// rankCauses holds the catalogue against what is linked to a failover.
func (x *investigator) rankCauses(tl *timeline, nodes *nodeHistory, fo *failover) {
	r := &ranking{all: map[string]*candidate{}}
	fo.rank = r
	rel := x.relations(tl, nodes, fo)
	for _, e := range x.catalogue.entries {
		for i := range e.Evidence {
			x.hold(r, e, &e.Evidence[i], fo, rel)
		}
	}
	r.settle()
	if !fo.recovered {
		r.stuck()
	}
}

// keepsDown tells whether c came after what took a job down, and may be why it does not come back.
func (c *candidate) keepsDown(top *candidate) bool {
	return c != nil && c.e.ActionNeeded && c.e.Role != roleSymptom && c.score >= 0.6*top.score && c.first.After(top.first)
}

// stuck puts first why a job did not come back, where what took it down is over and done: a process that was
// killed starts again, unless what came to light after it keeps it from that.
func (r *ranking) stuck() {
	top := r.top()
	if top == nil || top.e.ActionNeeded {
		return
	}
	for i, c := range r.list {
		if c.keepsDown(top) {
			r.list = slices.Insert(slices.Delete(r.list, i, i+1), 0, c)
			return
		}
	}
}

// hold supports an entry with the items that one predicate matches.
func (x *investigator) hold(r *ranking, e *entry, p *predicate, fo *failover, rel map[string]relation) {
	if p.Relation != "" {
		if hit, ok := rel[p.Relation]; ok {
			c := r.candidate(e)
			c.support(nil, hit.strength, p.Weak)
			for _, it := range hit.items {
				c.support(it, hit.strength, p.Weak)
			}
		}
		return
	}
	var hits []*item
	for _, it := range fo.links.items {
		if p.matches(it) {
			hits = append(hits, it)
		}
	}
	if len(hits) == 0 || !enough(p, hits) {
		return
	}
	c := r.candidate(e)
	for _, it := range hits {
		c.support(it, it.link*p.strength(), p.Weak)
	}
}

// enough tells whether there are as many hits, as near together, as the predicate wants.
func enough(p *predicate, hits []*item) bool {
	if p.Min <= 1 {
		return true
	}
	for i, it := range hits {
		n := 0
		for _, o := range hits[i:] {
			if p.Within == 0 || o.f.t.Sub(it.f.t) <= p.Within {
				n += max(1, countOf(o.f.doc))
			}
		}
		if n >= p.Min {
			return true
		}
	}
	return false
}

func countOf(d *lastnight.Document) int {
	if d.Event != nil {
		return d.Event.Count
	}
	return int(d.Alike)
}

func (p *predicate) strength() float64 {
	switch {
	case p.Container != "":
		return strengthContainer
	case p.Log != "":
		return strengthLog
	}
	return strengthEvent
}

// matches tells whether a predicate holds for one item.
func (p *predicate) matches(it *item) bool {
	e := it.f.doc.Event
	if p.From != "" && it.from != p.From || it.why == whyUpstream {
		return false // what another service says is no evidence of this job's failures by itself
	}
	switch {
	case p.Log != "":
		if e != nil {
			return false
		}
		return p.pattern.matchText(it.text) && (p.Unless == "" || !strings.Contains(it.text, p.Unless))
	case e == nil:
		return false
	case p.Event != "":
		if e.Kind != lastnight.EventKubernetes || e.Reason != p.Event || p.Object != "" && e.Object.Kind != p.Object {
			return false
		}
		return p.Message == "" || p.pattern.matchText(it.text)
	case p.Container != "":
		if e.Kind != lastnight.EventContainer || e.Reason != p.Container {
			return false
		}
		if it.f.kind == factContainerEnd && it.f.p != nil && !it.f.p.asked.IsZero() && !it.f.p.asked.After(it.f.t) && e.Reason == "Error" && !bySignal(it.f.exit) {
			return false // killed because its grace period was over
		}
		return len(p.ExitCodes) == 0 || e.ExitCode != nil && slices.Contains(p.ExitCodes, *e.ExitCode)
	case p.Pod != "":
		return e.Kind == lastnight.EventPod && e.Reason == p.Pod
	case p.Node != "":
		return e.Object.Kind == "Node" && e.Reason == p.Node
	}
	return false
}

// settle decides which candidates may be named: none on weak evidence alone, none that must yield
// to another, no entry of which a cause has evidence; and orders them.
func (r *ranking) settle() {
	for _, id := range slices.Sorted(maps.Keys(r.all)) {
		c := r.all[id]
		for _, o := range r.all {
			if o == c || o.onlyWeak || o.score < namedFrom {
				continue
			}
			switch {
			case slices.Contains(c.e.NotWhen, o.e.ID), slices.Contains(c.e.NotWhen, anyOtherCause) && o.e.Role != roleSymptom && !o.e.below[c.e.ID]:
				c.suppressed = c.suppressed || o.score >= 0.5*c.score
			case c.e.below[o.e.ID] && !o.e.below[c.e.ID]:
				enough := 0.5
				if o.e.Role == roleSymptom { // that a symptom is nearer to the cause needs less
					enough = 0.4
				}
				c.suppressed = c.suppressed || o.score >= enough*c.score
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.all)) {
		c := r.all[id]
		slices.SortStableFunc(c.items, func(a, b *item) int { return a.f.t.Compare(b.f.t) })
		if !c.onlyWeak && !c.suppressed {
			r.list = append(r.list, c)
		}
	}
	slices.SortStableFunc(r.list, func(a, b *candidate) int {
		switch {
		case math.Abs(a.score-b.score) > 0.04 && a.score > b.score:
			return -1
		case math.Abs(a.score-b.score) > 0.04:
			return 1
		case (a.e.Role == roleSymptom) != (b.e.Role == roleSymptom):
			if b.e.Role == roleSymptom {
				return -1
			}
			return 1
		case !a.first.Equal(b.first):
			return a.first.Compare(b.first)
		}
		return strings.Compare(a.e.ID, b.e.ID)
	})
}

// confidence is how sure the first of the list is: how strong its evidence, and how far ahead it is.
func (r *ranking) confidence() float64 {
	top := r.top()
	if top == nil {
		return 0
	}
	c := top.score
	if len(r.list) > 1 {
		c *= 1 - 0.3*r.list[1].score/top.score
	}
	if top.e.Role == roleSymptom {
		c *= 0.8
	}
	return math.Round(100*math.Min(c, bestConfidence)) / 100
}
