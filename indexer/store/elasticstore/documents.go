package elasticstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/query"
)

const maxIDBytes = 512

// dropBatch is how many documents are removed in one call of bulk.
const dropBatch = 10_000

// Index adds documents; it returns when they are durable. After an error some of them
// may be: put all again. A document that Elasticsearch refuses for what it is goes to the dead letters.
//
// They are created. Only of what turns out to be there already it is looked whether it has grown.
func (s *Store) Index(ctx context.Context, docs []lastnight.Document) error {
	if err := ctx.Err(); err != nil || len(docs) == 0 {
		return err
	}
	ops, err := s.indexOps(docs)
	if err != nil {
		return err
	}
	for _, name := range indicesOf(ops) {
		if err := s.ensure(ctx, name); err != nil {
			return err
		}
	}
	if err := s.bulk(ctx, ops); err != nil {
		return fmt.Errorf("put %d documents: %w", len(docs), err)
	}
	there := map[string]map[string]*lastnight.Document{} // by index and _id
	for _, o := range ops {
		if o.err != nil && o.err.Status == http.StatusConflict {
			if o.err = nil; there[o.index] == nil {
				there[o.index] = map[string]*lastnight.Document{}
			}
			there[o.index][o.id] = o.doc
		}
	}
	for index, by := range there {
		err := s.change(ctx, index, slices.Sorted(maps.Keys(by)), func(id string, held *lastnight.Document) bool { return store.Grow(held, by[id]) })
		if err != nil {
			return fmt.Errorf("put %d documents: %w", len(docs), err)
		}
	}
	return s.bury(ctx, ops)
}

// indexOps makes the operations; of several documents with the same id and day, one for what they know together.
func (s *Store) indexOps(docs []lastnight.Document) ([]*op, error) {
	type place struct{ index, id string }
	at := make(map[place]int, len(docs))
	ops := make([]*op, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		if d.ID == "" || len(d.ID) > maxIDBytes {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "the id of a document has %d bytes, must have 1 to %d", len(d.ID), maxIDBytes)
		}
		o := &op{action: "create", index: s.documentsOf(d.Time), id: documentID(d.ID), doc: d}
		p := place{o.index, o.id}
		if j, ok := at[p]; ok {
			both := *ops[j].doc
			store.Grow(&both, d)
			ops[j].doc = &both
			continue
		}
		at[p] = len(ops)
		ops = append(ops, o)
	}
	return ops, nil
}

// documentsOf names the index of the documents of a time.
func (s *Store) documentsOf(t time.Time) string {
	return s.index(kindDocuments) + "-" + dayOf(query.Nanos(t))
}

// PutAlike says for how many records documents stand; it returns when that is durable.
func (s *Store) PutAlike(ctx context.Context, alike []store.Alike) error {
	if err := ctx.Err(); err != nil || len(alike) == 0 {
		return err
	}
	days, err := s.indices(ctx, kindDocuments)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(days))
	for _, name := range days {
		there[s.dayOfName(name)] = true
	}
	want := map[string]map[string]int64{} // by index and _id
	for i := range alike {
		a := &alike[i]
		name := s.documentsOf(a.Time)
		if !there[s.dayOfName(name)] {
			continue
		}
		if want[name] == nil {
			want[name] = map[string]int64{}
		}
		id := documentID(a.ID)
		want[name][id] = max(want[name][id], a.N)
	}
	for name, of := range want {
		err := s.ensure(ctx, name) // it may be of an older format
		if err == nil {
			err = s.change(ctx, name, slices.Sorted(maps.Keys(of)), func(id string, held *lastnight.Document) bool {
				more := of[id] > held.Alike
				held.Alike = max(held.Alike, of[id])
				return more
			})
		}
		if err != nil {
			return fmt.Errorf("put how many records %d documents stand for: %w", len(alike), err)
		}
	}
	return nil
}

// change puts documents of an index that are there, as change makes them; it tells those that are to be put. Who changes
// the same at the same time is noticed, and it is called again.
func (s *Store) change(ctx context.Context, index string, ids []string, change func(id string, held *lastnight.Document) bool) error {
	for range maxRaces {
		have, err := s.getMany(ctx, index, ids)
		if err != nil {
			return err
		}
		var ops []*op
		for i := range have {
			h := &have[i]
			if !h.Found { // retention was quicker
				continue
			}
			d, err := decodeDocument(h.Source)
			if err != nil {
				return err
			}
			if change(ids[i], &d) {
				ops = append(ops, &op{action: "index", index: index, id: ids[i], doc: &d, seq: h.Seq, term: h.Term})
			}
		}
		if err := s.bulk(ctx, ops); err != nil {
			return err
		}
		ids = nil
		ops = slices.DeleteFunc(ops, func(o *op) bool {
			raced := o.err != nil && o.err.Status == http.StatusConflict
			if raced {
				ids = append(ids, o.id)
			}
			return raced
		})
		if err := s.bury(ctx, ops); err != nil || len(ids) == 0 {
			return err
		}
	}
	return lastnight.Errorf(lastnight.CodeConflict, "try again", "%d documents were changed by others each time", len(ids))
}

// documentID is the _id of a document: its own, unless JSON could not tell it from another.
func documentID(id string) string {
	if strings.ToValidUTF8(id, "") == id {
		return id
	}
	return hashID("document", id)
}

func indicesOf(ops []*op) []string {
	var names []string
	for _, o := range ops {
		if !slices.Contains(names, o.index) {
			names = append(names, o.index)
		}
	}
	return names
}

// bury keeps among the dead letters what was refused for what it is.
func (s *Store) bury(ctx context.Context, ops []*op) error {
	var refused []DeadLetter
	for _, o := range ops {
		if o.err != nil {
			refused = append(refused, letterOf(o, time.Now()))
		}
	}
	s.metrics.documents.Add(int64(len(ops) - len(refused)))
	if len(refused) == 0 {
		return nil
	}
	if err := s.letters.put(ctx, refused); err != nil {
		return err
	}
	s.metrics.dead.Add(int64(len(refused)))
	l := &refused[0]
	s.cfg.Logger.Error("documents refused by Elasticsearch, kept among the dead letters", "documents", len(refused), "id", l.ID, "err", l.Type+": "+l.Reason, "file", s.cfg.DeadLetters)
	return nil
}

// DropDocuments removes those older than t and tells how many: whole indices, and what is
// older of the one that t cuts.
func (s *Store) DropDocuments(ctx context.Context, t time.Time) (int, error) {
	limit := query.Nanos(t)
	days, err := s.indices(ctx, kindDocuments)
	if err != nil {
		return 0, err
	}
	dropped := 0
	for _, name := range days {
		day := s.dayOfName(name)
		var n int
		switch {
		case day < dayOf(limit):
			n, err = s.dropIndex(ctx, name)
		case day == dayOf(limit):
			n, err = s.dropFound(ctx, name, object{"range": object{"time_ns": object{"lt": limit}}})
		}
		dropped += n
		if err != nil {
			return dropped, fmt.Errorf("drop documents of %s: %w", day, err)
		}
	}
	if err := s.dropLeftBehind(ctx, kindDocuments, dayOf(limit)); err != nil {
		return dropped, fmt.Errorf("drop documents: %w", err)
	}
	return dropped, nil
}

// dropIndex removes an index and tells how many documents it had.
func (s *Store) dropIndex(ctx context.Context, name string) (int, error) {
	n, err := s.countFound(ctx, name, nil)
	if err != nil {
		return 0, err
	}
	return n, s.removeIndex(ctx, name)
}

// removeIndex removes an index; a missing one is no error.
func (s *Store) removeIndex(ctx context.Context, name string) error {
	s.forget(name)
	_, err := s.call(ctx, request{method: http.MethodDelete, path: "/" + name, query: url.Values{"ignore_unavailable": {"true"}}})
	if statusOf(err) == http.StatusNotFound {
		return nil
	}
	return err
}

// countFound counts what a query finds in an index; nil finds all.
func (s *Store) countFound(ctx context.Context, index string, q object) (int, error) {
	if err := s.refresh(ctx, []string{index}); err != nil {
		return 0, err
	}
	r := request{method: http.MethodPost, path: "/" + index + "/_count", query: url.Values{"ignore_unavailable": {"true"}}}
	if q != nil {
		var err error
		if r.body, err = json.Marshal(object{"query": q}); err != nil {
			return 0, fmt.Errorf("count: encode: %w", err)
		}
	}
	b, err := s.call(ctx, r)
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	var said struct {
		Count  int    `json:"count"`
		Shards shards `json:"_shards"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	return said.Count, said.Shards.err()
}

// dropFound removes what a query finds, one by one.
func (s *Store) dropFound(ctx context.Context, index string, q object) (int, error) {
	dropped := 0
	var ops []*op
	flush := func() error {
		if err := s.bulk(ctx, ops); err != nil {
			return err
		}
		if err := firstRefused(ops); err != nil {
			return err
		}
		dropped += len(ops)
		ops = nil
		return nil
	}
	for h, err := range s.find(ctx, []string{index}, find{query: q, sort: byDoc, fields: false}) {
		if err != nil {
			return dropped, err
		}
		if ops = append(ops, &op{action: "delete", index: h.Index, id: h.ID}); len(ops) == dropBatch {
			if err := flush(); err != nil {
				return dropped, err
			}
		}
	}
	return dropped, flush()
}

// firstRefused gives the error of the first operation that has one.
func firstRefused(ops []*op) error {
	for _, o := range ops {
		if o.err != nil {
			return fmt.Errorf("%s %q: %w", o.action, o.id, o.err)
		}
	}
	return nil
}
