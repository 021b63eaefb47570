package api

import (
	"net/http"
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
	h.env.get(r, "/", endpoint{params: append([]string{"step", "namespace", "job", "template_id"}, intervalParams...), handle: h.count})
	return r
}

// histogramList is the answer: its buckets are one step apart.
type histogramList struct {
	List[lastnight.HistogramBucket]
	StepSeconds int64 `json:"step_seconds"`
}

func (h histogram) count(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	if in.End.IsZero() {
		in.End = p.now.UTC()
	}
	if in.Start.IsZero() {
		in.Start = in.End.Add(-histogramOf)
	}
	req := lastnight.HistogramRequest{
		Start: in.Start, End: in.End, Step: step(p, in.End.Sub(in.Start)),
		Namespace: p.text("namespace"), Job: p.text("job"), Template: p.text("template_id"),
	}
	if !in.Start.Before(in.End) {
		p.fail("give an end too", "the interval is empty")
	}
	if p.err != nil {
		return p.err
	}
	buckets, err := h.ask.Histogram(r.Context(), req)
	if err != nil {
		return err
	}
	for i := range buckets {
		if buckets[i].Levels == nil {
			buckets[i].Levels = map[string]int64{}
		}
	}
	return writeJSON(w, histogramList{newList(buckets, "", in), int64(req.Step / time.Second)})
}

// step reads the step, or chooses a round one that gives few buckets.
func step(p *params, length time.Duration) time.Duration {
	if s := p.text("step"); s != "" {
		d, err := lastnight.ParseDuration(s)
		switch {
		case err != nil || d < time.Minute || d%time.Minute != 0:
			p.fail("try 5m or 1h", "step=%s is not a number of whole minutes", clip(s))
			return time.Minute
		case length/d >= maxBuckets:
			p.fail("take a longer step", "a step of %s gives more than %d buckets", d, maxBuckets)
		}
		return d
	}
	const day = 24 * time.Hour
	for _, d := range []time.Duration{
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 7 * day, 30 * day,
	} {
		if length/d < fewBuckets {
			return d
		}
	}
	return 365 * day
}
