package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"lastnight"
)

// maxCounted is how many documents are read to count those of a query; more would take too long for a picture.
const maxCounted = 200_000

// countable is what the ready-made counts can't tell: records of a query, a pod, or by the second.
var countable = []string{"q", "pod", "pod_uid", "container", "node", "restart", "scope"}

// counted makes the request for the documents to count, and tells whether they must be read:
// counts by minute of a whole job or template are there already.
func counted(p *params, in lastnight.Interval) (req lastnight.SearchRequest, scan bool) {
	for _, name := range countable {
		scan = scan || p.text(name) != "" && name != "scope"
	}
	important := p.choice("scope", "everything", "important") == "important"
	return lastnight.SearchRequest{
		Important: important,
		Query:     p.text("q"), Start: in.Start, End: in.End, Namespace: p.text("namespace"), Job: p.text("job"),
		Pod: p.text("pod"), PodUID: p.text("pod_uid"), Container: p.text("container"), Node: p.text("node"), Restart: p.restart(),
		Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord},
	}, scan || important
}

// scans tells whether a request's answer is counted anew; see counted.
func scans(r *http.Request) bool {
	q := r.URL.Query()
	return slices.ContainsFunc(countable, func(name string) bool { return q.Get(name) != "" })
}

// scan counts what a search finds, newest first, by steps. partial: it stopped at maxCounted,
// and since is the time of the oldest that it counted.
func (h histogram) scan(ctx context.Context, req lastnight.SearchRequest, step time.Duration) (buckets []lastnight.HistogramBucket, partial bool, since time.Time, err error) {
	at := map[int64]map[string]int64{}
	n := 0
	req.Limit = maxCounted + 1
	for d, err := range h.ask.Search(ctx, req) {
		if err != nil {
			return nil, false, time.Time{}, err
		}
		if n++; n > maxCounted {
			partial = true
			break
		}
		since = d.Time
		b := d.Time.Truncate(step).UnixNano()
		if at[b] == nil {
			at[b] = map[string]int64{}
		}
		at[b][d.Level] += max(1, d.Alike) // The store has one for many alike.
	}
	for b, levels := range at {
		buckets = append(buckets, lastnight.HistogramBucket{Start: time.Unix(0, b).UTC(), Levels: levels})
	}
	sortBuckets(buckets)
	return buckets, partial, since, ctx.Err()
}

// recount answers with the templates of the records within the very bounds, which the counts by
// minute can't tell: a failure is over in seconds.
func (t templates) recount(w http.ResponseWriter, r *http.Request, req lastnight.TemplatesRequest, in lastnight.Interval) error {
	counts := map[string]int64{}
	n := 0
	search := lastnight.SearchRequest{
		Start: in.Start, End: in.End, Namespace: req.Namespace, Job: req.Job,
		Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord}, Limit: maxCounted + 1,
	}
	for d, err := range t.ask.Search(r.Context(), search) {
		if err != nil {
			return err
		}
		if n++; n > maxCounted {
			return lastnight.Errorf(lastnight.CodeTooLarge, "ask for a shorter time, or without exact", "more than %d records are in that time", maxCounted)
		}
		if d.Template != "" {
			counts[d.Template]++
		}
	}
	// Their texts come with the counts by minute, whose bounds are wider.
	limit := req.Limit
	req.Limit = maxPage
	known, err := t.ask.Templates(r.Context(), req)
	if err != nil {
		return err
	}
	items := []lastnight.TemplateInfo{}
	for i := range known {
		if c := counts[known[i].ID]; c > 0 {
			known[i].Count = c
			items = append(items, known[i])
		}
	}
	slices.SortFunc(items, func(a, b lastnight.TemplateInfo) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.ID, b.ID))
	})
	return writeJSON(w, newList(items[:min(limit, len(items))], "", in))
}
