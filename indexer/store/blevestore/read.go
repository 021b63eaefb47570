package blevestore

import (
	"bytes"
	"encoding/binary"
	"iter"

	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store/terms"
	"lastnight/internal/bloom"
	"lastnight/query"
)

// dayReader reads the documents of a day in one transaction, fresh and packed ones as one. Not safe for concurrent use.
type dayReader struct {
	s              *Store
	docs           *bolt.Bucket
	packs, filters *bolt.Bucket // nil: nothing is packed
	first          string       // key of the pack that was read last
	entries        []entry      // of it
}

func (s *Store) readDay(b *bolt.Bucket) *dayReader {
	return &dayReader{s: s, docs: b.Bucket(docBucket), packs: b.Bucket(packBucket), filters: b.Bucket(filterBucket)}
}

// open gives the entries of a pack.
func (r *dayReader) open(first, value []byte) ([]entry, error) {
	if r.entries != nil && r.first == string(first) {
		return r.entries, nil
	}
	r.s.documents.touch(len(value))
	entries, err := r.s.codec.openPack(value)
	if err != nil {
		return nil, err
	}
	r.first, r.entries = string(first), entries
	return entries, nil
}

// get gives the value of a key, nil if there is none.
func (r *dayReader) get(key []byte) ([]byte, error) {
	if v := r.docs.Get(key); v != nil || r.packs == nil {
		return v, nil
	}
	first, value := packAt(r.packs.Cursor(), key)
	if first == nil || !bloom.MayHave(r.filters.Get(first), termHash(keyField, string(key))) {
		return nil, nil
	}
	entries, err := r.open(first, value)
	if err != nil {
		return nil, err
	}
	if i, ok := find(entries, key); ok {
		return entries[i].value, nil
	}
	return nil, nil
}

// walk goes through the span in order. Packs that p leaves out are not read. An error comes with a nil key.
func (r *dayReader) walk(sp span, p terms.Plan) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		next, stop := iter.Pull2(r.walkPacks(sp, p))
		defer stop()
		e, err, more := next()
		before := func(k []byte) bool { // the packed one comes before k
			n := bytes.Compare(e.key, k)
			return n < 0 && !sp.newest || n > 0 && sp.newest
		}
		for k, v := range sp.walk(r.docs.Cursor()) {
			for ; more && err == nil && before(k); e, err, more = next() {
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				break
			}
			if more && bytes.Equal(e.key, k) {
				e, err, more = next() // the fresh one replaces it
			}
			if !yield(entry{k, v}, nil) {
				return
			}
		}
		for ; more; e, err, more = next() {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// walkPacks goes through the packed documents of the span, those in packs that p does not leave out.
func (r *dayReader) walkPacks(sp span, p terms.Plan) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		if r.packs == nil {
			return
		}
		c := r.packs.Cursor()
		for first, value := range sp.walkPacks(c) {
			if p != nil && !mayHave(r.filters.Get(first), p) {
				continue
			}
			entries, err := r.open(first, value)
			if err != nil {
				yield(entry{}, err)
				return
			}
			from, _ := find(entries, sp.from)
			to := len(entries)
			if sp.to != nil {
				to, _ = find(entries, sp.to)
			}
			for i := from; i < to; i++ {
				e := entries[i]
				if sp.newest {
					e = entries[to-1-(i-from)]
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// walkPacks goes through the packs that may have keys of the span.
func (sp span) walkPacks(c *bolt.Cursor) iter.Seq2[[]byte, []byte] {
	return func(yield func(first, value []byte) bool) {
		if !sp.newest {
			first, value := packAt(c, sp.from)
			if first == nil {
				first, value = c.First()
			}
			for ; first != nil && (sp.to == nil || bytes.Compare(first, sp.to) < 0); first, value = c.Next() {
				if !yield(first, value) {
					return
				}
			}
			return
		}
		first, value := c.Last()
		if sp.to != nil {
			first, value = packAt(c, sp.to)
		}
		for ; first != nil; first, value = c.Prev() {
			if !yield(first, value) || bytes.Compare(first, sp.from) < 0 {
				return
			}
		}
	}
}

// find gives where a key is in a pack, or where it would be.
func find(entries []entry, key []byte) (int, bool) {
	lo, hi := 0, len(entries)
	for lo < hi {
		if m := (lo + hi) / 2; bytes.Compare(entries[m].key, key) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo, lo < len(entries) && bytes.Equal(entries[lo].key, key)
}

// wanted tells, from the source of a value, most documents that a request leaves out before more of them is decoded.
func wanted(f *query.Filter) keeps {
	r := &f.Request
	if r.Namespace == "" && r.Job == "" && r.Pod == "" && r.PodUID == "" && r.Container == "" && r.Node == "" {
		return nil
	}
	known := map[[8]byte]lastnight.Document{}
	is := func(want, have string) bool { return want == "" || want == have }
	return func(b *bolt.Bucket, value []byte) bool {
		_, n := binary.Uvarint(value)
		if n <= 0 || len(value) < n+9 {
			return true // decoding says so
		}
		key := [8]byte(value[n : n+8])
		d, ok := known[key]
		if !ok {
			if decodeSource(b.Bucket(srcBucket).Get(key[:]), &d) != nil {
				return true
			}
			known[key] = d
		}
		if !is(r.Namespace, d.Namespace) || !is(r.Pod, d.Pod) || !is(r.PodUID, d.PodUID) || !is(r.Container, d.Container) || !is(r.Node, d.Node) {
			return false
		}
		// A job may be one of a session cluster: then its name stands in the body.
		return is(r.Job, d.Job) || value[n+8] != sealPlain || bytes.Contains(value[n+9:], []byte(r.Job))
	}
}
