package indexer

import (
	"context"
	"iter"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/query"
)

// Search implements lastnight.Searcher: important documents come from the store,
// everything comes from the archive, with the events of the store in between.
func (x *Indexer) Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		node, err := query.Parse(req.Query)
		if err == nil {
			err = query.CheckTimeRange(node, &req)
		}
		if err != nil {
			yield(lastnight.Document{}, err)
			return
		}
		if req.Important {
			for d, err := range x.cfg.Store.Search(ctx, req) {
				if !yield(d, err) || err != nil {
					return
				}
			}
			return
		}
		n := 0
		for d, err := range x.everything(ctx, req, node) {
			if !yield(d, err) || err != nil {
				return
			}
			if n++; req.Limit > 0 && n >= req.Limit {
				return
			}
		}
	}
}

func (x *Indexer) everything(ctx context.Context, req lastnight.SearchRequest, node query.Node) iter.Seq2[lastnight.Document, error] {
	records, events := wants(req)
	if len(req.Signals) > 0 { // signals are known to the store only
		records = false
		events = true
	}
	var sources []iter.Seq2[lastnight.Document, error]
	if records {
		sources = append(sources, x.records(ctx, req, node))
	}
	if events {
		r := req
		if len(req.Signals) == 0 {
			r.Kinds = []lastnight.DocumentKind{lastnight.DocumentEvent}
		}
		sources = append(sources, x.cfg.Store.Search(ctx, r))
	}
	switch len(sources) {
	case 0:
		return func(func(lastnight.Document, error) bool) {}
	case 1:
		return sources[0]
	}
	return merge(sources[0], sources[1], req.Oldest)
}

func (x *Indexer) records(ctx context.Context, req lastnight.SearchRequest, node query.Node) iter.Seq2[lastnight.Document, error] {
	var match func(*lastnight.Document) bool
	if req.Query != "" {
		match = func(d *lastnight.Document) bool { return query.Match(node, d) }
	}
	r := req
	r.Job = x.workloadName(ctx, req.Namespace, req.Job)
	return x.cfg.Archive.Search(ctx, r, match, archive.NeedOf(node))
}

// workloadName gives the workload of a job: a session cluster's job shares the streams of its cluster.
func (x *Indexer) workloadName(ctx context.Context, namespace, job string) string {
	if job == "" {
		return ""
	}
	jobs, err := x.cfg.Store.Jobs(ctx, lastnight.JobsRequest{Namespace: namespace, Name: job})
	if err != nil || len(jobs) == 0 {
		return job
	}
	for _, j := range jobs {
		if j.Name == job {
			return j.Workload
		}
	}
	return jobs[0].Workload
}

// wants tells which kinds of documents are asked for.
func wants(req lastnight.SearchRequest) (records, events bool) {
	if len(req.Kinds) == 0 {
		return true, true
	}
	for _, k := range req.Kinds {
		switch k {
		case lastnight.DocumentRecord:
			records = true
		case lastnight.DocumentEvent:
			events = true
		}
	}
	return records, events
}

// merge interleaves two streams that are each in order.
func merge(a, b iter.Seq2[lastnight.Document, error], oldest bool) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		nextB, stop := iter.Pull2(b)
		defer stop()
		db, errB, okB := nextB()
		for da, err := range a {
			for okB && (errB != nil || err != nil || before(&db, &da, oldest)) {
				if !yield(db, errB) || errB != nil {
					return
				}
				db, errB, okB = nextB()
			}
			if !yield(da, err) || err != nil {
				return
			}
		}
		for okB {
			if !yield(db, errB) || errB != nil {
				return
			}
			db, errB, okB = nextB()
		}
	}
}

// before tells whether b comes before a in the order asked for. Of the same moment the
// event comes first: its clock has only seconds, and it tends to be the reason.
func before(b, a *lastnight.Document, oldest bool) bool {
	if oldest {
		return !b.Time.After(a.Time)
	}
	return b.Time.After(a.Time)
}

// RawLines implements lastnight.Searcher.
func (x *Indexer) RawLines(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.RawLine, error] {
	req.Job = x.workloadName(ctx, req.Namespace, req.Job)
	return x.cfg.Archive.RawLines(ctx, req)
}

// Context implements lastnight.Searcher.
func (x *Indexer) Context(ctx context.Context, id lastnight.LineID, before, after int) ([]lastnight.Document, error) {
	return x.cfg.Archive.Context(ctx, id, before, after)
}

// Streams implements lastnight.Searcher.
func (x *Indexer) Streams(ctx context.Context, req lastnight.StreamsRequest) ([]lastnight.StreamInfo, error) {
	req.Job = x.workloadName(ctx, req.Namespace, req.Job)
	return x.cfg.Archive.Streams(ctx, req)
}
