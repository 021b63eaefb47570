package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// maxRates is how many templates are told of; those with the fewest records are left out.
const maxRates = 1000

// rate is how often one template occurred over time.
type rate struct {
	ID     string      `json:"id"`
	Text   string      `json:"text"` // "" if its counts are not there yet
	Level  string      `json:"level,omitempty"`
	Count  int64       `json:"count"`
	Points []ratePoint `json:"points"` // one step apart, oldest first; empty steps are left out
}

type ratePoint struct {
	Start time.Time `json:"start"`
	Count int64     `json:"count"`
}

// rateList is the answer: its points are one step apart.
type rateList struct {
	List[rate]
	StepSeconds int64 `json:"step_seconds"`
	Partial     bool  `json:"partial,omitempty"` // only the newest records were counted
}

// rates answers how often each template occurred over time.
type rates struct {
	env *env
	ask lastnight.Searcher
}

// Routes gives the resource's routes.
func (t rates) Routes() chi.Router {
	r := chi.NewRouter()
	t.env.get(r, "/", endpoint{params: append([]string{"namespace", "job", "step"}, intervalParams...), looks: always, handle: t.count})
	return r
}

// count counts the records of each template by steps of seconds. The counts by minute are too coarse for
// that: a failure is over in seconds. So the records are read, at most maxCounted of them.
func (t rates) count(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	if p.err == nil && (in.Start.IsZero() || in.End.IsZero() || !in.Start.Before(in.End)) {
		p.fail("give start and end", "rates need an interval")
	}
	step := step(p, in.End.Sub(in.Start), time.Second)
	req := lastnight.SearchRequest{
		Start: in.Start, End: in.End, Namespace: p.text("namespace"), Job: p.text("job"),
		Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord}, Limit: maxCounted + 1,
	}
	if p.err != nil {
		return p.err
	}
	answer := rateList{StepSeconds: int64(step / time.Second)}
	counts := map[string]map[int64]int64{}
	n := 0
	for d, err := range t.ask.Search(r.Context(), req) {
		if err != nil {
			return err
		}
		if n++; n > maxCounted {
			answer.Partial = true
			break
		}
		if d.Template == "" {
			continue
		}
		if counts[d.Template] == nil {
			counts[d.Template] = map[int64]int64{}
		}
		counts[d.Template][d.Time.Truncate(step).UnixNano()]++
	}
	// Their texts come with the counts by minute, whose bounds are wider.
	known, err := t.ask.Templates(r.Context(), lastnight.TemplatesRequest{
		Namespace: req.Namespace, Job: req.Job, Start: in.Start.Truncate(time.Minute), End: in.End.Add(time.Minute), Limit: maxPage,
	})
	if err != nil {
		return err
	}
	answer.List = newList(ratesOf(counts, known), "", in)
	return writeJSON(w, answer)
}

// ratesOf gives the templates with the most records first.
func ratesOf(counts map[string]map[int64]int64, known []lastnight.TemplateInfo) []rate {
	items := make([]rate, 0, len(counts))
	texts := make(map[string]*lastnight.TemplateInfo, len(known))
	for i := range known {
		texts[known[i].ID] = &known[i]
	}
	for id, points := range counts {
		x := rate{ID: id, Points: make([]ratePoint, 0, len(points))}
		if t := texts[id]; t != nil {
			x.Text, x.Level = t.Text, t.Level
		}
		for at, n := range points {
			x.Points = append(x.Points, ratePoint{time.Unix(0, at).UTC(), n})
			x.Count += n
		}
		slices.SortFunc(x.Points, func(a, b ratePoint) int { return a.Start.Compare(b.Start) })
		items = append(items, x)
	}
	slices.SortFunc(items, func(a, b rate) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.ID, b.ID)) })
	return items[:min(len(items), maxRates)]
}
