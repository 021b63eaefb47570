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

// dayReader reads the documents of a day in one transaction, fresh and packed ones as one. What it gives is valid until it is
// asked again, or done. Not safe for concurrent use.
type dayReader struct {
	s              *Store
	docs           *bolt.Bucket
	packs, filters *bolt.Bucket // nil: nothing is packed
	first          string       // key of the pack that was read last; "": none was
	mem            *packMemory  // has its entries
}

// packMemory is a pack that is open, and memory for the next one.
type packMemory struct {
	raw     []byte
	entries []entry
}

func (s *Store) readDay(b *bolt.Bucket) *dayReader {
	mem, ok := s.opened.Get().(*packMemory)
	if !ok {
		mem = &packMemory{}
	}
	return &dayReader{s: s, mem: mem, docs: b.Bucket(docBucket), packs: b.Bucket(packBucket), filters: b.Bucket(filterBucket)}
}

// done gives the reader's memory to others.
func (r *dayReader) done() {
	if cap(r.mem.raw) <= maxTools {
		r.s.opened.Put(r.mem)
	}
	r.mem = nil
}

// open gives the entries of a pack.
func (r *dayReader) open(first, value []byte) ([]entry, error) {
	if r.first == string(first) {
		return r.mem.entries, nil
	}
	r.s.documents.touch(r.docs.Tx(), len(value))
	r.first = ""
	if err := r.s.codec.openPackInto(value, r.mem); err != nil {
		return nil, err
	}
	r.first = string(first)
	return r.mem.entries, nil
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
			if p != nil {
				filter := r.filters.Get(first)
				r.s.documents.touch(r.docs.Tx(), len(filter)+len(value)) // the kernel maps what is around the cursor's pages, too
				if !mayHave(filter, p) {
					continue
				}
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
	known := map[[8]byte]sourceMatch{}
	return func(b *bolt.Bucket, value []byte) bool {
		_, n := binary.Uvarint(value)
		if n <= 0 || len(value) < n+9 {
			return true // decoding says so
		}
		key := [8]byte(value[n : n+8])
		m, ok := known[key]
		if !ok {
			m = matchSource(b.Bucket(srcBucket).Get(key[:]), r)
			known[key] = m
		}
		// A job may be one of a session cluster: then its name stands in the body.
		return m.rest && (m.job || value[n+8] != sealPlain || bytes.Contains(value[n+9:], []byte(r.Job)))
	}
}

// sourceMatch tells whether a source is of the job that is asked for, and has the rest of what is.
type sourceMatch struct{ job, rest bool }

// matchSource compares what encodeSource wrote, without a copy of it: of 2,000 jobs one is asked for.
func matchSource(source []byte, req *lastnight.SearchRequest) sourceMatch {
	r := reader{b: source}
	is := func(want string) bool {
		have := r.bytes()
		return want == "" || want == string(have)
	}
	is("") // the cluster
	m := sourceMatch{rest: true}
	for _, want := range []string{req.Namespace, req.Pod, req.PodUID, req.Container, req.Node} {
		if !is(want) {
			m.rest = false
		}
	}
	m.job = is(req.Job)
	if r.err != nil {
		return sourceMatch{true, true} // decoding says so
	}
	return m
}
