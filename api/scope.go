package api

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"lastnight"
)

// scope restricts what is read to the namespaces of who asks. It stands between all
// routes and what answers them, so that no route can forget it: requests are narrowed
// where that is possible, and every answer is checked again, one by one. Whose context
// has no actor reads nothing.
//
// What belongs to no namespace (events of nodes) is for those who may read them all,
// unless cluster is set.
type scope struct {
	cluster bool
}

// view is what one actor may read.
type view struct {
	actor   lastnight.Actor
	cluster bool
}

func (s scope) of(ctx context.Context) view {
	a, _ := lastnight.ActorOf(ctx) // the zero actor reads nothing
	return view{a, s.cluster && len(a.Namespaces) > 0}
}

func (v view) sees(namespace string) bool {
	return v.actor.Sees(namespace) || namespace == "" && v.cluster
}

func (v view) seesDocument(d *lastnight.Document) bool {
	return v.sees(d.Namespace) && (d.Event == nil || v.seesObject(&d.Event.Object))
}

// seesObject judges the object of what stands in a namespace that the actor sees. Of a node the
// namespace says nothing: it has one or not, depending on who reported it.
func (v view) seesObject(o *lastnight.ObjectRef) bool {
	return o.Kind == "Node" || o.Namespace == "" || v.sees(o.Namespace)
}

// may refuses a namespace that is asked for by name. The refusal says the same whether it exists or not.
func (v view) may(namespace string) error {
	if namespace == "" || v.actor.Sees(namespace) {
		return nil
	}
	return lastnight.Errorf(lastnight.CodeForbidden, "you may read: "+strings.Join(v.actor.Namespaces, ", "), "you may not read the namespace %s", clip(namespace))
}

// namespaces gives those to ask one after the other in place of the one asked for.
func (v view) namespaces(asked string) []string {
	if asked != "" {
		return []string{asked}
	}
	all := slices.Compact(slices.Sorted(slices.Values(v.actor.Namespaces)))
	return slices.DeleteFunc(all, func(n string) bool { return n == "" }) // which would ask for all of them
}

// scopedSearcher is a Searcher that obeys namespaces.
type scopedSearcher struct {
	scope
	inner lastnight.Searcher
}

var _ lastnight.Searcher = scopedSearcher{}

// narrow gives the request as the actor may ask it, for documents when cluster is true.
func (s scopedSearcher) narrow(v view, req lastnight.SearchRequest, cluster bool) (lastnight.SearchRequest, error) {
	if err := v.may(req.Namespace); err != nil {
		return req, err
	}
	if req.Namespace == "" && len(v.actor.Namespaces) == 1 && !cluster {
		req.Namespace = v.actor.Namespaces[0]
	}
	req.Limit = 0 // counted after what is left out
	return req, nil
}

// Search leaves out what the actor may not read.
func (s scopedSearcher) Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.inner.Search(ctx, req)
	}
	return func(yield func(lastnight.Document, error) bool) {
		if len(v.actor.Namespaces) == 0 {
			return
		}
		narrowed, err := s.narrow(v, req, v.cluster)
		if err != nil {
			yield(lastnight.Document{}, err)
			return
		}
		given := 0
		for d, err := range s.inner.Search(ctx, narrowed) {
			if err == nil && !v.seesDocument(&d) {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
			if given++; given == req.Limit {
				return
			}
		}
	}
}

// RawLines leaves out what the actor may not read.
func (s scopedSearcher) RawLines(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.RawLine, error] {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.inner.RawLines(ctx, req)
	}
	return func(yield func(lastnight.RawLine, error) bool) {
		if len(v.actor.Namespaces) == 0 {
			return
		}
		narrowed, err := s.narrow(v, req, false)
		if err != nil {
			yield(lastnight.RawLine{}, err)
			return
		}
		given := 0
		for l, err := range s.inner.RawLines(ctx, narrowed) {
			if err == nil && !v.sees(l.Stream.Namespace) {
				continue
			}
			if !yield(l, err) || err != nil {
				return
			}
			if given++; given == req.Limit {
				return
			}
		}
	}
}

// Context does not tell a record that the actor may not read from one that is not there.
func (s scopedSearcher) Context(ctx context.Context, id lastnight.LineID, before, after int) ([]lastnight.Document, error) {
	v := s.of(ctx)
	docs, err := s.inner.Context(ctx, id, before, after)
	if v.actor.SeesAll() {
		return docs, err
	}
	hidden := slices.ContainsFunc(docs, func(d lastnight.Document) bool { return !v.seesDocument(&d) })
	if hidden || lastnight.CodeOf(err) == lastnight.CodeNotFound {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "there is no record %s in the namespaces that you may read", clip(string(id)))
	}
	return docs, err
}

// Histogram sums the counts of the namespaces that the actor may read.
func (s scopedSearcher) Histogram(ctx context.Context, req lastnight.HistogramRequest) ([]lastnight.HistogramBucket, error) {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.inner.Histogram(ctx, req)
	}
	if err := v.may(req.Namespace); err != nil {
		return nil, err
	}
	sums := map[time.Time]map[string]int64{}
	for _, req.Namespace = range v.namespaces(req.Namespace) {
		buckets, err := s.inner.Histogram(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, b := range buckets {
			if sums[b.Start] == nil {
				sums[b.Start] = map[string]int64{}
			}
			for level, n := range b.Levels {
				sums[b.Start][level] += n
			}
		}
	}
	all := make([]lastnight.HistogramBucket, 0, len(sums))
	for start, levels := range sums {
		all = append(all, lastnight.HistogramBucket{Start: start, Levels: levels})
	}
	slices.SortFunc(all, func(a, b lastnight.HistogramBucket) int { return a.Start.Compare(b.Start) })
	return all, nil
}

// Jobs leaves out those of other namespaces.
func (s scopedSearcher) Jobs(ctx context.Context, req lastnight.JobsRequest) ([]lastnight.Job, error) {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.inner.Jobs(ctx, req)
	}
	if err := v.may(req.Namespace); err != nil {
		return nil, err
	}
	var all []lastnight.Job
	for _, req.Namespace = range v.namespaces(req.Namespace) {
		jobs, err := s.inner.Jobs(ctx, req)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(slices.Clone(jobs), func(j lastnight.Job) bool { return !v.sees(j.Namespace) })...)
	}
	return all, nil
}

// Streams leaves out those of other namespaces.
func (s scopedSearcher) Streams(ctx context.Context, req lastnight.StreamsRequest) ([]lastnight.StreamInfo, error) {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.inner.Streams(ctx, req)
	}
	if err := v.may(req.Namespace); err != nil {
		return nil, err
	}
	var all []lastnight.StreamInfo
	for _, req.Namespace = range v.namespaces(req.Namespace) {
		streams, err := s.inner.Streams(ctx, req)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(slices.Clone(streams), func(i lastnight.StreamInfo) bool { return !v.sees(i.Namespace) })...)
	}
	return all, nil
}

// Templates sums the counts of the namespaces that the actor may read. Examples are left out: nobody knows
// any more whose they are. A template's text holds only words that all its lines have.
func (s scopedSearcher) Templates(ctx context.Context, req lastnight.TemplatesRequest) ([]lastnight.TemplateInfo, error) {
	v := s.of(ctx)
	if v.actor.SeesAll() {
		return s.inner.Templates(ctx, req)
	}
	if err := v.may(req.Namespace); err != nil {
		return nil, err
	}
	limit, byID := req.Limit, map[string]*lastnight.TemplateInfo{}
	req.Limit = 0 // The most frequent of all may be rare in each namespace.
	for _, req.Namespace = range v.namespaces(req.Namespace) {
		infos, err := s.inner.Templates(ctx, req)
		if err != nil {
			return nil, err
		}
		for i := range infos {
			if have := byID[infos[i].ID]; have != nil {
				have.Count += infos[i].Count
				if infos[i].FirstSeen.Before(have.FirstSeen) {
					have.FirstSeen = infos[i].FirstSeen
				}
				if infos[i].LastSeen.After(have.LastSeen) {
					have.LastSeen = infos[i].LastSeen
				}
				continue
			}
			info := infos[i]
			info.Example = ""
			byID[info.ID] = &info
		}
	}
	all := make([]lastnight.TemplateInfo, 0, len(byID))
	for _, info := range byID {
		all = append(all, *info)
	}
	slices.SortFunc(all, func(a, b lastnight.TemplateInfo) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.ID, b.ID))
	})
	if limit > 0 {
		all = all[:min(len(all), limit)]
	}
	return all, nil
}
