package blevestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/blevesearch/bleve/v2/search"
	index "github.com/blevesearch/bleve_index_api"
	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/indexer/store/terms"
	"lastnight/query"
)

const (
	// pageDocuments and pageBytes bound what is read in one transaction: none stays
	// open while a caller thinks.
	pageDocuments, pageBytes = 256, 1 << 20
	// scanDocuments is how many documents in the interval are read through rather than looked up.
	scanDocuments = 1024
	// maxTimes is how many candidates of a day are kept in memory; where there are more,
	// reading through finds the first ones as quickly.
	maxTimes = 200_000
)

// span is a part of a day: keys in [from, to), to nil is the end.
type span struct {
	from, to []byte
	newest   bool // from the end
}

// Search streams documents that match, in order of (time, id). Where the query does not
// parse, it yields an error of CodeInvalid.
func (s *Store) Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	return store.Select(req, func(f *query.Filter) iter.Seq2[lastnight.Document, error] { return s.candidates(ctx, f) })
}

// candidates yields, day by day, documents among which are all that match, in order.
func (s *Store) candidates(ctx context.Context, f *query.Filter) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		sp := spanOf(f)
		p := terms.PlanOf(f)
		may := mayHave(p)
		days := s.allDays()
		if sp.newest {
			slices.Reverse(days)
		}
		for _, d := range days {
			if !sp.touches(d.name) {
				continue
			}
			if err := s.packForSearch(ctx, d); err != nil {
				yield(lastnight.Document{}, err)
				return
			}
			times, indexed, err := s.lookUp(ctx, d, p, sp)
			if err != nil {
				yield(lastnight.Document{}, err)
				return
			}
			docs := s.scan(ctx, d.name, reading{span: sp, may: may, keep: wanted(f)})
			if indexed {
				docs = s.fetch(ctx, d.name, sp, times, may)
			}
			for doc, err := range docs {
				if !yield(doc, err) || err != nil {
					return
				}
			}
		}
	}
}

// spanOf gives the keys that a request asks for.
func spanOf(f *query.Filter) span {
	r := &f.Request
	sp := span{newest: !r.Oldest}
	if !r.Start.IsZero() {
		sp.from = keyOf(query.Nanos(r.Start), "")
	}
	if !r.End.IsZero() {
		sp.to = keyOf(query.Nanos(r.End), "")
	}
	if at, id, ok := f.Cursor(); ok {
		key := keyOf(query.Nanos(at), id)
		if sp.newest && (sp.to == nil || bytes.Compare(key, sp.to) < 0) {
			sp.to = key
		}
		if key = append(key, 0); !sp.newest && bytes.Compare(key, sp.from) > 0 {
			sp.from = key
		}
	}
	return sp
}

// touches tells whether a day may have keys of the span.
func (sp span) touches(day string) bool {
	at := func(key []byte) string {
		ns, _, err := splitKey(key)
		if err != nil {
			return day
		}
		return dayOf(ns)
	}
	return (sp.from == nil || at(sp.from) <= day) && (sp.to == nil || day <= at(sp.to))
}

// has tells whether the span may have keys of a time, given as a key begins.
func (sp span) has(time string) bool {
	return time >= string(sp.from[:min(8, len(sp.from))]) && (sp.to == nil || time <= string(sp.to[:min(8, len(sp.to))]))
}

// only is the part of the span that is of one time.
func (sp span) only(time uint64) span {
	from := binary.BigEndian.AppendUint64(nil, time)
	if bytes.Compare(from, sp.from) > 0 {
		sp.from = from
	}
	if time != math.MaxUint64 {
		if to := binary.BigEndian.AppendUint64(nil, time+1); sp.to == nil || bytes.Compare(to, sp.to) < 0 {
			sp.to = to
		}
	}
	return sp
}

// lookUp asks the index of a day for candidates and gives their times (as keys begin) in
// order, each once. indexed is false where reading the span through is as good.
func (s *Store) lookUp(ctx context.Context, d *day, p terms.Plan, sp span) (times []uint64, indexed bool, err error) {
	if p == nil || d.small() {
		return nil, false, nil
	}
	few, err := s.few(d.name, sp)
	if err != nil || few {
		return nil, false, err
	}
	r, pending, err := s.reader(ctx, d)
	if err != nil || r == nil {
		return nil, false, err
	}
	defer func() { _ = r.Close() }()
	times, all, err := collect(ctx, r, p, sp)
	if err != nil || !all {
		return nil, false, err
	}
	for _, k := range pending {
		if sp.has(k[:8]) {
			times = append(times, binary.BigEndian.Uint64([]byte(k)))
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	if sp.newest {
		slices.Reverse(times)
	}
	return times, true, nil
}

// reader gives a reader of the day's index, and the keys that it lacks; nil if the day is gone.
func (s *Store) reader(ctx context.Context, d *day) (index.IndexReader, []string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := s.refresh(ctx, d, s.maxPending); err != nil || d.gone {
		return nil, nil, err
	}
	pending, _ := d.lacking() // before the reader is made, so that none is in neither
	r, err := d.idx.Reader()
	if err != nil {
		return nil, nil, fmt.Errorf("read search index of %s: %w", d.name[1:], err)
	}
	return r, pending, nil
}

// collect gives the times in the span that the plan finds, in no order; all is false if
// they are more than are kept.
func collect(ctx context.Context, r index.IndexReader, p terms.Plan, sp span) (times []uint64, all bool, err error) {
	defer func() {
		if p := recover(); p != nil { // damaged files
			err = fmt.Errorf("ask search index: panic: %v", p)
		}
	}()
	found, err := searcherOf(ctx, r, p)
	if err != nil {
		return nil, false, fmt.Errorf("ask search index: %w", err)
	}
	defer func() { _ = found.Close() }()
	sc := &search.SearchContext{DocumentMatchPool: search.NewDocumentMatchPool(found.DocumentMatchPoolSize()+1, 0), IndexReader: r}
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		m, err := found.Next(sc)
		if err != nil {
			return nil, false, fmt.Errorf("ask search index: %w", err)
		}
		if m == nil {
			return times, true, nil
		}
		key, err := r.ExternalID(m.IndexInternalID)
		if err != nil {
			return nil, false, fmt.Errorf("ask search index: %w", err)
		}
		sc.DocumentMatchPool.Put(m)
		if len(key) != indexedIDBytes || !sp.has(key[:8]) {
			continue
		}
		if len(times) == maxTimes {
			return nil, false, nil
		}
		times = append(times, binary.BigEndian.Uint64([]byte(key)))
	}
}

// few tells whether the span has at most scanDocuments documents.
func (s *Store) few(day string, sp span) (few bool, err error) {
	err = s.documents.View(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(day))
		if b == nil {
			few = true
			return nil
		}
		n := 0
		for range sp.walk(b.Bucket(docBucket).Cursor()) {
			if n++; n > s.scanDocuments {
				return nil
			}
		}
		packed, err := s.packedIn(b, sp, s.scanDocuments-n)
		n += packed
		few = n <= s.scanDocuments
		return err
	})
	return few, err
}

// packedIn tells how many documents lie in packs that may have some of the span; where they are more than enough, some of them.
func (s *Store) packedIn(b *bolt.Bucket, sp span, enough int) (n int, err error) {
	r, err := s.readDay(b, nil)
	if err != nil {
		return 0, err
	}
	for _, source := range r.lanes(sp, nil) {
		for more := true; more && n <= enough; {
			if more, err = source.pass(); err != nil {
				return n, err
			}
			if more {
				n += source.part.part.documents(source.row)
			}
		}
	}
	return n, nil
}
