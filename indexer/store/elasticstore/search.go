package elasticstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/indexer/store/terms"
	"lastnight/query"
)

const (
	// pageSize is how many hits are read at once; fewer where they are large.
	pageSize = 500
	// keepAlive is how long a point in time lives between two pages: a caller may think.
	keepAlive = "5m"
	// closeTimeout is how long a reader waits for its point in time to be closed.
	closeTimeout = 5 * time.Second
	// maxGroup is how many days are asked at once at most.
	maxGroup = 32
)

// byDoc is the order in which Elasticsearch reads quickest.
var byDoc = []object{{"_doc": "asc"}}

// Search streams documents that match, in order of (time, id). Where the query does not
// parse, it yields an error of CodeInvalid.
func (s *Store) Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	return store.Select(req, func(f *query.Filter) iter.Seq2[lastnight.Document, error] { return s.candidates(ctx, f) })
}

// candidates yields documents among which are all that match, in order: days in groups
// that grow, so that the first are found at once and all of them in few requests.
func (s *Store) candidates(ctx context.Context, f *query.Filter) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		sp := spanOf(f)
		days, err := s.indices(ctx, kindDocuments)
		if err != nil {
			yield(lastnight.Document{}, err)
			return
		}
		days = slices.DeleteFunc(days, func(name string) bool { return !sp.touches(s.dayOfName(name)) })
		if !f.Request.Oldest {
			slices.Reverse(days)
		}
		order := "asc"
		if !f.Request.Oldest {
			order = "desc"
		}
		find := find{
			query: allOf(planQuery(terms.PlanOf(f)), sp.query()), sort: []object{{"time_ns": object{"order": order}}, {"id": object{"order": order}}},
			size: pageOf(f),
		}
		for size := 1; len(days) > 0; size = min(2*size, maxGroup) {
			n := min(size, len(days))
			for h, err := range s.find(ctx, days[:n], find) {
				var d lastnight.Document
				if err == nil {
					d, err = decodeDocument(h.Source)
				}
				if !yield(d, err) || err != nil {
					return
				}
			}
			days = days[n:]
		}
	}
}

// pageOf is how many hits the first page should have: where few are wanted and all
// candidates match, no more than those.
func pageOf(f *query.Filter) int {
	if l := f.Request.Limit; l > 0 && l < pageSize {
		return max(l, 10)
	}
	return pageSize
}

// span is an interval of time_ns, both ends included.
type span struct {
	from, to       int64
	hasFrom, hasTo bool
	none           bool // it is empty
}

func spanOf(f *query.Filter) span {
	r := &f.Request
	var sp span
	atLeast := func(ns int64) {
		if !sp.hasFrom || ns > sp.from {
			sp.from, sp.hasFrom = ns, true
		}
	}
	atMost := func(ns int64) {
		if !sp.hasTo || ns < sp.to {
			sp.to, sp.hasTo = ns, true
		}
	}
	if !r.Start.IsZero() {
		atLeast(query.Nanos(r.Start))
	}
	if !r.End.IsZero() {
		atMost(query.Nanos(r.End))
	}
	if at, _, ok := f.Cursor(); ok { // those of the same time are told apart by f.Match
		if r.Oldest {
			atLeast(query.Nanos(at))
		} else {
			atMost(query.Nanos(at))
		}
	}
	sp.none = sp.hasFrom && sp.hasTo && sp.from > sp.to
	return sp
}

// touches tells whether a day may have documents of the span.
func (sp span) touches(day string) bool {
	return !sp.none && (!sp.hasFrom || dayOf(sp.from) <= day) && (!sp.hasTo || day <= dayOf(sp.to))
}

func (sp span) query() object {
	bounds := object{}
	if sp.hasFrom {
		bounds["gte"] = sp.from
	}
	if sp.hasTo {
		bounds["lte"] = sp.to
	}
	if len(bounds) == 0 {
		return nil
	}
	return object{"range": object{"time_ns": bounds}}
}

// indices lists the indices of a kind, of all formats, by day: those behind its alias.
func (s *Store) indices(ctx context.Context, kind string) ([]string, error) {
	names, err := s.named(ctx, s.aliasOf(kind))
	if err != nil {
		return nil, fmt.Errorf("list indices of %s: %w", kind, err)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(s.dayOfName(a), s.dayOfName(b)) })
	return names, nil
}

// named lists the indices of ours that a name, an alias or a pattern stands for.
func (s *Store) named(ctx context.Context, pattern string) ([]string, error) {
	b, err := s.call(ctx, request{
		method: http.MethodGet, path: "/" + pattern + "/_alias",
		query: url.Values{"ignore_unavailable": {"true"}, "allow_no_indices": {"true"}},
	})
	if statusOf(err) == http.StatusNotFound { // no alias yet
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found map[string]json.RawMessage
	if err := json.Unmarshal(b, &found); err != nil {
		return nil, fmt.Errorf("decode answer of Elasticsearch: %w", err)
	}
	names := make([]string, 0, len(found))
	for name := range found {
		if _, _, _, ok := s.partsOfName(name); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// find is what is looked for, and how.
type find struct {
	query  object // nil: all
	sort   []object
	fields any // of _source; nil: all
	size   int // hits of the first page; 0 is pageSize
}

// hit is one that was found.
type hit struct {
	Index  string            `json:"_index"`
	ID     string            `json:"_id"`
	Source json.RawMessage   `json:"_source"`
	Sort   []json.RawMessage `json:"sort"`
}

// refresh makes what was written to indices before visible to searches.
func (s *Store) refresh(ctx context.Context, indices []string) error {
	b, err := s.call(ctx, request{
		method: http.MethodPost, path: "/" + strings.Join(indices, ",") + "/_refresh",
		query: url.Values{"ignore_unavailable": {"true"}, "allow_no_indices": {"true"}},
	})
	if err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	var said struct {
		Shards shards `json:"_shards"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	return said.Shards.err()
}

// find streams what is found in indices as they are when it is called, page by page.
func (s *Store) find(ctx context.Context, indices []string, f find) iter.Seq2[hit, error] {
	return func(yield func(hit, error) bool) {
		if len(indices) == 0 {
			return
		}
		err := s.refresh(ctx, indices)
		var pit string
		if err == nil {
			pit, err = s.openPIT(ctx, indices)
		}
		if err != nil {
			yield(hit{}, err)
			return
		}
		defer func() { s.closePIT(context.WithoutCancel(ctx), pit) }()
		var after []json.RawMessage
		for size := cmpOr(f.size, pageSize); ; size = min(2*size, pageSize) {
			p, err := s.page(ctx, pit, f, size, after)
			if err != nil {
				yield(hit{}, err)
				return
			}
			pit = cmpOr(p.pit, pit)
			for _, h := range p.hits {
				if !yield(h, nil) {
					return
				}
			}
			if len(p.hits) < p.size {
				return
			}
			size, after = p.size, p.hits[len(p.hits)-1].Sort
		}
	}
}

func cmpOr[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

type page struct {
	hits []hit
	pit  string
	size int // that was asked for in the end
}

// page reads one page, with fewer hits if they are too large for one answer.
func (s *Store) page(ctx context.Context, pit string, f find, size int, after []json.RawMessage) (page, error) {
	for {
		body := object{
			"size": size, "sort": f.sort, "track_total_hits": false,
			"pit": object{"id": pit, "keep_alive": keepAlive},
		}
		if f.query != nil {
			body["query"] = object{"bool": object{"filter": []object{f.query}}}
		}
		if f.fields != nil {
			body["_source"] = f.fields
		}
		if after != nil {
			body["search_after"] = after
		}
		p, err := s.search(ctx, body)
		if errors.Is(err, errAnswerTooLarge) && size > 1 {
			size /= 4
			size = max(size, 1)
			continue
		}
		p.size = size
		return p, err
	}
}

// search sends one search of a point in time.
func (s *Store) search(ctx context.Context, body object) (page, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return page{}, fmt.Errorf("encode search: %w", err)
	}
	if b, err = s.call(ctx, request{method: http.MethodPost, path: "/_search", query: url.Values{"allow_partial_search_results": {"false"}}, body: b}); err != nil {
		return page{}, err
	}
	var said struct {
		PIT      string `json:"pit_id"`
		TimedOut bool   `json:"timed_out"`
		Shards   shards `json:"_shards"`
		Hits     struct {
			Hits []hit `json:"hits"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return page{}, fmt.Errorf("decode answer of Elasticsearch: %w", err)
	}
	if err := said.Shards.err(); err != nil {
		return page{}, err
	}
	if said.TimedOut {
		return page{}, lastnight.Errorf(lastnight.CodeUnavailable, "a shorter interval", "Elasticsearch gave up searching before it had looked at everything")
	}
	return page{hits: said.Hits.Hits, pit: said.PIT}, nil
}

func (s *Store) openPIT(ctx context.Context, indices []string) (string, error) {
	b, err := s.call(ctx, request{
		method: http.MethodPost, path: "/" + strings.Join(indices, ",") + "/_pit",
		query: url.Values{"keep_alive": {keepAlive}, "ignore_unavailable": {"true"}},
	})
	if err != nil {
		return "", fmt.Errorf("open point in time: %w", err)
	}
	var said struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return "", fmt.Errorf("open point in time: %w", err)
	}
	return said.ID, nil
}

// closePIT frees what a point in time holds. One that is not closed ends by itself.
func (s *Store) closePIT(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	body, err := json.Marshal(object{"id": id})
	if err == nil {
		_, err = s.call(ctx, request{method: http.MethodDelete, path: "/_pit", body: body, once: true})
	}
	if err != nil {
		s.cfg.Logger.Debug("close point in time", "err", err)
	}
}
