package labels

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"lastnight"
)

const (
	halfLife      = 7 * 24 * time.Hour // of recency
	queueLimit    = 50
	maxItemRefs   = 5
	everydayShare = 0.5 // a template in more of the incidents than this …
	everydayLeast = 4   // … of at least so many …
	everydayCause = 3   // … with so many different causes tells no cause
	plainWeight   = .05 // of a template that is only ever what a failure did to the job
)

// item is a queue item being counted.
type item struct {
	lastnight.QueueItem
	jobs   []string // few: a list costs less than a map, and there are very many items
	causes []string
	seen   int // incidents
	plain  int // of them, those in which the template tells no cause
	first  *digest
	newest []*digest // at most maxItemRefs
}

func united(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func (it *item) add(d *digest) {
	it.seen++
	it.Failovers += d.ref.Failovers
	it.jobs = united(it.jobs, d.key)
	cause, explained := d.ref.Cause, d.ref.Explained
	if d.rule != nil {
		cause, explained = causeOf(d.rule.label), true
	}
	if explained {
		it.Explained += d.ref.Failovers
		it.causes = united(it.causes, cause)
	}
	if it.Last.Before(d.ref.Start) {
		it.Last, it.first = d.ref.Start, d
	}
	if len(it.newest) < maxItemRefs {
		it.newest = append(it.newest, d)
	}
}

// impact is failovers × jobs × recency, and little for what never tells a cause.
func (it *item) impact(now time.Time) float64 {
	age := max(now.Sub(it.Last), 0)
	weight := math.Exp2(-float64(age) / float64(halfLife))
	if it.plain == it.seen {
		weight *= plainWeight
	}
	return math.Round(1000*float64(it.Failovers)*float64(len(it.jobs))*weight) / 1000
}

func newItem(kind, id string) *item {
	it := &item{}
	it.Kind, it.ID = kind, id
	return it
}

// Queue implements lastnight.LabelQueue.
func (l *Labels) Queue(ctx context.Context, req lastnight.QueueRequest) ([]lastnight.QueueItem, error) {
	iv, err := l.month(req.Start, req.End)
	if err != nil {
		return nil, err
	}
	if req.Kind != "" && req.Kind != lastnight.QueueTemplate && req.Kind != lastnight.QueueIncident {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "template or incident", "the queue has no %.40q", req.Kind)
	}
	templates, incidents := map[string]*item{}, map[string]*item{}
	all := 0
	err = l.recent(ctx, iv, func(d *digest) {
		if req.Namespace != "" && d.ref.Namespace != req.Namespace {
			return
		}
		all++
		if req.Kind != lastnight.QueueIncident {
			l.countTemplates(templates, d)
		}
		if req.Kind != lastnight.QueueTemplate && !d.shown().Explained {
			key := alike(d)
			if incidents[key] == nil {
				incidents[key] = newItem(lastnight.QueueIncident, d.ref.ID)
			}
			incidents[key].add(d)
		}
	})
	if err != nil {
		return nil, err
	}
	var list []*item
	for _, it := range templates {
		if !it.everyday(all) {
			list = append(list, it)
		}
	}
	for _, it := range incidents {
		list = append(list, it)
	}
	now := l.cfg.Now()
	for _, it := range list {
		it.Impact, it.Jobs = it.impact(now), len(it.jobs)
	}
	limit := req.Limit
	if limit <= 0 {
		limit = queueLimit
	}
	return l.finish(ctx, most(list, limit))
}

// most gives the n items with the most impact, in order; there are far more than are asked for.
func most(list []*item, n int) []*item {
	top := make([]*item, 0, min(n, len(list))+1)
	for _, it := range list {
		if len(top) == n && compareItems(it, top[n-1]) > 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, it, compareItems)
		if top = slices.Insert(top, at, it); len(top) > n {
			top = top[:n]
		}
	}
	return top
}

func compareItems(a, b *item) int {
	switch {
	case a.Impact > b.Impact:
		return -1
	case a.Impact < b.Impact:
		return 1
	}
	return compareText(a.Kind+a.ID, b.Kind+b.ID)
}

// countTemplates adds an incident to its templates that nobody labeled. The caller holds l.mu.
func (l *Labels) countTemplates(items map[string]*item, d *digest) {
	var before []string
	for _, id := range d.facts.templates {
		plain := slices.Contains(d.facts.plain, id)
		id = l.resolver.final(id)
		if l.index.labeled[id] > 0 || slices.Contains(before, id) {
			continue
		}
		before = append(before, id)
		if items[id] == nil {
			items[id] = newItem(lastnight.QueueTemplate, id)
		}
		items[id].add(d)
		if plain {
			items[id].plain++
		}
	}
}

// everyday tells whether a template belongs to failovers as such, like a change of state: a label on it would
// explain everything, and so nothing.
func (it *item) everyday(all int) bool {
	return it.seen >= everydayLeast && len(it.causes) >= everydayCause && float64(it.seen) > everydayShare*float64(all)
}

// alike is what incidents have in common that are one item: all but job and namespace.
func alike(d *digest) string {
	var b strings.Builder
	for _, o := range d.facts.other {
		if !strings.HasPrefix(o, "job:") && !strings.HasPrefix(o, "namespace:") {
			b.WriteString(o + "\x00")
		}
	}
	b.WriteString(strings.Join(d.facts.templates, "\x00"))
	if b.Len() == 0 {
		return d.ref.ID
	}
	return b.String()
}

// finish fills in what is told of an item: its text, what a label on it would apply to, and proposals.
func (l *Labels) finish(ctx context.Context, list []*item) ([]lastnight.QueueItem, error) {
	var ids []string
	for _, it := range list {
		if it.Kind == lastnight.QueueTemplate {
			ids = append(ids, it.ID)
		} else {
			ids = append(ids, it.first.facts.templates...)
		}
	}
	texts, err := l.texts(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]lastnight.QueueItem, 0, len(list))
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, it := range list {
		q := it.QueueItem
		q.Incidents = make([]lastnight.IncidentRef, len(it.newest))
		for i, d := range it.newest {
			q.Incidents[i] = d.shown()
		}
		if q.Kind == lastnight.QueueTemplate {
			q.Title = texts[q.ID]
			q.Target.Template = &lastnight.TemplateRef{ID: q.ID, Text: q.Title}
		} else {
			q.Title = it.first.title
			q.Target.Signature = signatureOf(&it.first.facts, texts)
		}
		q.Proposals = l.proposals(wordsOf(&q.Target), q.ID)
		out = append(out, q)
	}
	return out, nil
}

// signatureOf proposes what a label on an incident might match.
func signatureOf(f *facts, texts map[string]string) *lastnight.Signature {
	s := &lastnight.Signature{}
	for _, o := range f.other {
		kind, value, _ := strings.Cut(o, ":")
		switch {
		case kind == "exception" && !slices.Contains(s.Exceptions, value) && len(s.Exceptions) < 3:
			s.Exceptions = append(s.Exceptions, value)
		case kind == "reason" && !slices.Contains(s.Reasons, value) && len(s.Reasons) < 3:
			s.Reasons = append(s.Reasons, value)
		}
	}
	if len(s.Exceptions)+len(s.Reasons) == 0 {
		for _, id := range f.templates[:min(len(f.templates), 3)] {
			s.Templates = append(s.Templates, lastnight.TemplateRef{ID: id, Text: cut(texts[id], maxText)})
		}
	}
	return s
}

// texts gives the texts of templates by id.
func (l *Labels) texts(ctx context.Context, ids []string) (map[string]string, error) {
	slices.Sort(ids)
	ts, err := l.cfg.Templates.Templates(ctx, slices.Compact(ids))
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	texts := make(map[string]string, len(ts))
	for i := range ts {
		texts[ts[i].ID] = ts[i].Text
	}
	return texts, nil
}

// Coverage implements lastnight.LabelQueue.
func (l *Labels) Coverage(ctx context.Context, req lastnight.CoverageRequest) (*lastnight.Coverage, error) {
	iv, err := l.month(req.Start, req.End)
	if err != nil {
		return nil, err
	}
	c := &lastnight.Coverage{Interval: iv, Share: 1}
	err = l.recent(ctx, iv, func(d *digest) {
		if req.Namespace != "" && d.ref.Namespace != req.Namespace || req.Job != "" && d.ref.Job != req.Job && d.workload != req.Job {
			return
		}
		c.Failovers += d.ref.Failovers
		switch {
		case d.rule != nil:
			c.ByLabel += d.ref.Failovers
		case d.ref.Explained:
			c.ByCatalogue += d.ref.Failovers
		}
	})
	if err != nil {
		return nil, err
	}
	c.Explained = c.ByLabel + c.ByCatalogue
	if c.Failovers > 0 {
		c.Share = float64(c.Explained) / float64(c.Failovers)
	}
	days := int(math.Round(iv.End.Sub(iv.Start).Hours() / 24))
	switch {
	case c.Failovers == 0:
		c.Summary = fmt.Sprintf("No failovers in %d days.", days)
	default: // rounded down: 100 % is all of them
		c.Summary = fmt.Sprintf("%d %% of the %d failovers of the last %d days are explained.", int(100*c.Share), c.Failovers, days)
	}
	return c, nil
}

// PreviewLabel implements lastnight.LabelQueue.
func (l *Labels) PreviewLabel(ctx context.Context, n lastnight.Label) (*lastnight.LabelPreview, error) {
	if f := checkTarget(&n.Target); f != nil {
		return nil, invalid(f)
	}
	if err := l.know(ctx, targetIDs(&n.Target)); err != nil {
		return nil, err
	}
	p := &lastnight.LabelPreview{Incidents: []lastnight.IncidentRef{}}
	alone := newIndex(nil)
	l.mu.RLock()
	resolver := l.resolver
	r := resolver.rule(&n, true)
	l.mu.RUnlock()
	alone.place(r)
	err := l.recent(ctx, lastnight.Interval{}, func(d *digest) {
		f := d.facts
		if alone.find(&f, &resolver) == nil {
			return
		}
		ref := d.shown()
		p.Matches++
		p.Failovers += ref.Failovers
		if ref.Explained && (d.rule == nil || d.rule.label.ID != n.ID) {
			p.Replaces++
		}
		if len(p.Incidents) < maxTouched {
			p.Incidents = append(p.Incidents, ref)
		}
	})
	return p, err
}

// maxTouched is how many incidents a preview shows.
const maxTouched = 100
