package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

const (
	fewBuckets  = 120  // that the default step gives at most
	maxBuckets  = 5000 // that may be asked for
	histogramOf = 24 * time.Hour
)

// histogram counts records over time.
type histogram struct {
	env *env
	ask lastnight.Searcher
}

// Routes gives the resource's routes.
func (h histogram) Routes() chi.Router {
	r := chi.NewRouter()
	h.env.get(r, "/", endpoint{
		params: slices.Concat([]string{"step", "namespace", "job", "template_id"}, countable, intervalParams),
		looks:  scans, handle: h.count,
	})
	return r
}

// histogramList is the answer: its buckets are one step apart.
type histogramList struct {
	List[lastnight.HistogramBucket]
	StepSeconds int64      `json:"step_seconds"`
	Partial     bool       `json:"partial,omitempty"` // not all were counted, only the newest, from CountedFrom on
	CountedFrom *time.Time `json:"counted_from,omitempty"`
}

func (h histogram) count(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	if in.End.IsZero() {
		in.End = p.now.UTC()
	}
	if in.Start.IsZero() {
		in.Start = in.End.Add(-histogramOf)
	}
	search, scan := counted(p, in)
	length := in.End.Sub(in.Start)
	least := time.Minute
	if scan || (p.text("step") != "" && p.text("template_id") == "") {
		least = time.Second // Only what is counted anew can be finer than a minute.
	}
	req := lastnight.HistogramRequest{
		Start: in.Start, End: in.End, Step: step(p, length, least),
		Namespace: p.text("namespace"), Job: p.text("job"), Template: p.text("template_id"),
	}
	switch {
	case !in.Start.Before(in.End):
		p.fail("give an end too", "the interval is empty")
	case scan && req.Template != "":
		p.fail("search for template:ID in q", "template_id does not go with q, pod, container, node and restart")
	}
	if p.err != nil {
		return p.err
	}
	answer := histogramList{StepSeconds: int64(req.Step / time.Second)}
	var buckets []lastnight.HistogramBucket
	var err error
	if scan || req.Step%time.Minute != 0 {
		var since time.Time
		if buckets, answer.Partial, since, err = h.scan(r.Context(), search, req.Step); answer.Partial {
			answer.CountedFrom = &since
		}
	} else {
		buckets, err = h.ask.Histogram(r.Context(), req)
	}
	if err != nil {
		return err
	}
	for i := range buckets {
		if buckets[i].Levels == nil {
			buckets[i].Levels = map[string]int64{}
		}
	}
	answer.List = newList(buckets, "", in)
	return writeJSON(w, answer)
}

// sortBuckets puts the oldest first.
func sortBuckets(buckets []lastnight.HistogramBucket) {
	slices.SortFunc(buckets, func(a, b lastnight.HistogramBucket) int { return a.Start.Compare(b.Start) })
}

// step reads the step, or chooses a round one that gives few buckets.
func step(p *params, length, least time.Duration) time.Duration {
	if s := p.text("step"); s != "" {
		d, err := lastnight.ParseDuration(s)
		switch {
		case err != nil || d < least || d%least != 0:
			p.fail("try 5m or 1h", "step=%s is not a number of whole minutes, or seconds where records are counted anew", clip(s))
			return time.Minute
		case length/d >= maxBuckets:
			p.fail("take a longer step", "a step of %s gives more than %d buckets", d, maxBuckets)
		}
		return d
	}
	const day = 24 * time.Hour
	for _, d := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 7 * day, 30 * day,
	} {
		if d >= least && length/d < fewBuckets {
			return d
		}
	}
	return 365 * day
}
