package api

import (
	"context"
	"time"

	"lastnight"
)

// maxCounted is how many documents are read to count those of a query; more would take too long for a picture.
const maxCounted = 200_000

// countable is what the ready-made counts can't tell: records of a query, a pod, or by the second.
var countable = []string{"q", "pod", "pod_uid", "container", "node", "restart"}

// counted makes the request for the documents to count, and tells whether they must be read:
// counts by minute of a whole job or template are there already.
func counted(p *params, in lastnight.Interval) (req lastnight.SearchRequest, scan bool) {
	for _, name := range countable {
		scan = scan || p.text(name) != ""
	}
	return lastnight.SearchRequest{
		Query: p.text("q"), Start: in.Start, End: in.End, Namespace: p.text("namespace"), Job: p.text("job"),
		Pod: p.text("pod"), PodUID: p.text("pod_uid"), Container: p.text("container"), Node: p.text("node"), Restart: p.restart(),
		Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord},
	}, scan
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
		at[b][d.Level]++
	}
	for b, levels := range at {
		buckets = append(buckets, lastnight.HistogramBucket{Start: time.Unix(0, b).UTC(), Levels: levels})
	}
	sortBuckets(buckets)
	return buckets, partial, since, ctx.Err()
}
