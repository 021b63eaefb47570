package blevestore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"

	"lastnight/internal/bloom"
)

// dayReader reads the documents of a day in one transaction, fresh and packed ones as one. What it gives is valid until it is
// asked again, or done. Not safe for concurrent use.
type dayReader struct {
	s           *Store
	docs, parts *bolt.Bucket // parts is nil: nothing is packed
	runs        []run        // newest first
	packs       *openPacks
}

func (s *Store) readDay(b *bolt.Bucket, packs *openPacks) (*dayReader, error) {
	list, err := runs(b)
	if err != nil {
		return nil, err
	}
	return &dayReader{s: s, docs: b.Bucket(docBucket), parts: b.Bucket(partBucket), runs: list, packs: packs}, nil
}

// openPacks is the pack that was read last of each lane of each run. Runs do not change and no number of one is given
// again, so it outlives transactions. Not safe for concurrent use.
type openPacks struct {
	s   *Store
	all map[lane]*openPack
}

// lane is a lane of a run.
type lane struct {
	run uint64
	n   int
}

// openPack is a pack of a part.
type openPack struct {
	part string // its key; "": none
	row  int
	mem  *packMemory
}

func (s *Store) openPacks() *openPacks { return &openPacks{s: s, all: map[lane]*openPack{}} }

// done gives the memory to others.
func (o *openPacks) done() {
	for _, p := range o.all {
		if cap(p.mem.raw) <= maxKept {
			o.s.opened.Put(p.mem)
		}
	}
	o.all = nil
}

// maxKept is how many bytes of memory of a pack are kept for others.
const maxKept = 4 * packBytes

// open gives the entries of a pack.
func (r *dayReader) open(id uint64, i *partInfo, row int) ([]entry, error) {
	at := lane{id, i.part.lane(row)}
	p := r.packs.all[at]
	if p == nil {
		p = &openPack{}
		if mem, ok := r.s.opened.Get().(*packMemory); ok {
			p.mem = mem
		} else {
			p.mem = &packMemory{}
		}
		r.packs.all[at] = p
	}
	if p.row == row && p.part == string(i.at) {
		return p.mem.entries, nil
	}
	value := i.part.pack(row)
	r.s.documents.touch(r.docs.Tx(), lookupBytes/2+len(value))
	p.part = ""
	if err := r.s.codec.openPack(value, p.mem); err != nil {
		return nil, fmt.Errorf("pack %d of part %x: %w", row, i.at, err)
	}
	p.part, p.row = string(i.at), row
	return p.mem.entries, nil
}

// read opens a part.
func (r *dayReader) read(i *partInfo) (*part, error) {
	if i.opened {
		return &i.part, nil
	}
	var value []byte
	if b := r.parts.Bucket(i.at); b != nil {
		value = b.Get(partKey)
	}
	p, err := openPart(value)
	if err != nil {
		return nil, fmt.Errorf("part %x: %w", i.at, err)
	}
	r.s.documents.touch(r.docs.Tx(), lookupBytes) // the kernel maps what is around the page, too
	i.part, i.opened = p, true
	return &i.part, nil
}

// get gives the value of a key, nil if there is none.
func (r *dayReader) get(key []byte) ([]byte, error) {
	if v := r.docs.Get(key); v != nil || len(key) < 8 {
		return v, nil
	}
	hash := keyHash(key)
	for _, run := range r.runs {
		n, same := slices.BinarySearchFunc(run.parts, key, func(i *partInfo, key []byte) int { return bytes.Compare(i.first(), key) })
		if !same {
			n--
		}
		if n < 0 || bytes.Compare(key, run.parts[n].last) > 0 {
			continue
		}
		if v, err := r.getFrom(run.id, run.parts[n], key, hash); v != nil || err != nil {
			return v, err
		}
	}
	return nil, nil
}

func (r *dayReader) getFrom(id uint64, i *partInfo, key []byte, hash uint64) ([]byte, error) {
	p, err := r.read(i)
	if err != nil || !p.mayHaveKey(hash) {
		return nil, err
	}
	t := binary.BigEndian.Uint64(key)
	for row := range p.len() {
		if p.last(row) < t || p.first(row) > t || !bloom.MayHave(p.filter(row), hash) {
			continue
		}
		entries, err := r.open(id, i, row)
		if err != nil {
			return nil, err
		}
		if at, ok := find(entries, key); ok {
			return entries[at].value, nil
		}
	}
	return nil, nil
}

// walk goes through the span in order. Packs that keep leaves out by their filters are not read, unless it is nil. An error comes
// with a nil key.
func (r *dayReader) walk(sp span, keep func(filter []byte) bool) iter.Seq2[entry, error] {
	return r.merged(sp, r.lanes(sp, keep), &freshSource{c: r.docs.Cursor(), sp: sp})
}

// walkRuns is walk for all packed documents, and these only.
func (r *dayReader) walkRuns(sp span) iter.Seq2[entry, error] { return r.merged(sp, r.lanes(sp, nil)) }

// merged merges lanes, and first what is newer than their runs.
func (r *dayReader) merged(sp span, lanes []*laneSource, newer ...source) iter.Seq2[entry, error] {
	for _, l := range lanes {
		newer = append(newer, l)
	}
	return merged(newer, sp.newest)
}

// lanes gives the lanes of all runs, newest first.
func (r *dayReader) lanes(sp span, keep func(filter []byte) bool) []*laneSource {
	sources := make([]*laneSource, 0, len(r.runs)*maxLanes)
	for i := range r.runs {
		for n := range maxLanes {
			sources = append(sources, &laneSource{r: r, run: &r.runs[i], lane: n, sp: sp, keep: keep})
		}
	}
	return sources
}

// source is something sorted that is merged with others.
type source interface {
	// next moves to the next entry, or to where one may be before something has to be opened for it: then entry has no key. order
	// is then at most that of what follows. ok is false at the end.
	next() (h head, ok bool, err error)
}

// head is where a source is.
type head struct {
	order uint64 // of the time, growing in the order that is wanted
	entry entry
}

func orderOf(time uint64, newest bool) uint64 {
	if newest {
		return ^time
	}
	return time
}

// cursor is a source and where it is.
type cursor struct {
	head
	source source
}

// merged merges sources. Of entries with one key, that of the source that comes first holds.
func merged(sources []source, newest bool) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		live := make([]cursor, len(sources))
		for i, s := range sources {
			live[i].source = s
		}
		var err error
		for i := len(live) - 1; i >= 0 && err == nil; i-- {
			live, err = move(live, i)
		}
		for len(live) > 0 && err == nil {
			best := 0
			for i := range live {
				if live[i].before(&live[best].head, newest) {
					best = i
				}
			}
			e := live[best].entry
			for i := len(live) - 1; e.key != nil && i > best && err == nil; i-- {
				if live[i].order == live[best].order && bytes.Equal(live[i].entry.key, e.key) {
					live, err = move(live, i)
				}
			}
			if err != nil || e.key != nil && !yield(e, nil) {
				break
			}
			live, err = move(live, best)
		}
		if err != nil {
			yield(entry{}, err)
		}
	}
}

// move moves one of the cursors on, and leaves it out if it is at its end.
func move(live []cursor, i int) ([]cursor, error) {
	h, ok, err := live[i].source.next()
	if live[i].head = h; !ok && err == nil {
		live = slices.Delete(live, i, i+1)
	}
	return live, err
}

// before tells whether a head comes before another one. What has to be opened comes before what may be the same.
func (h *head) before(o *head, newest bool) bool {
	if h.order != o.order {
		return h.order < o.order
	}
	if h.entry.key == nil || o.entry.key == nil {
		return h.entry.key == nil && o.entry.key != nil
	}
	n := bytes.Compare(h.entry.key, o.entry.key)
	return n < 0 && !newest || n > 0 && newest
}

// freshSource gives fresh documents.
type freshSource struct {
	c     *bolt.Cursor
	sp    span
	begun bool
}

func (f *freshSource) next() (h head, ok bool, err error) {
	k, v := f.sp.step(f.c, f.begun)
	f.begun = true
	if k == nil {
		return h, false, nil
	}
	if len(k) < 8 {
		return h, false, errDamaged
	}
	return head{orderOf(binary.BigEndian.Uint64(k), f.sp.newest), entry{k, v}}, true, nil
}

// laneSource gives the documents of a lane of a run that are in packs that keep does not leave out.
type laneSource struct {
	r    *dayReader
	run  *run
	lane int
	sp   span
	keep func(filter []byte) bool

	parts, rows int       // that were passed, of the run and of the part
	part        *partInfo // that has the row; nil: the next one is to be looked for
	row         int       // of the pack that is next, or open
	waiting     bool      // to be opened
	left        []entry   // of the pack that is open
}

func (s *laneSource) next() (h head, ok bool, err error) {
	if s.waiting {
		s.waiting = false
		entries, err := s.r.open(s.run.id, s.part, s.row)
		if err != nil {
			return h, false, err
		}
		from, _ := find(entries, s.sp.from)
		to := len(entries)
		if s.sp.to != nil {
			to, _ = find(entries, s.sp.to)
		}
		s.left = entries[from:max(from, to)]
	}
	if n := len(s.left); n > 0 {
		e := s.left[0]
		if s.sp.newest {
			e, s.left = s.left[n-1], s.left[:n-1]
		} else {
			s.left = s.left[1:]
		}
		return head{orderOf(binary.BigEndian.Uint64(e.key), s.sp.newest), e}, true, nil
	}
	if ok, err = s.pass(); !ok || err != nil {
		return h, false, err
	}
	s.waiting = true
	if s.sp.newest {
		return head{order: ^s.part.part.last(s.row)}, true, nil
	}
	return head{order: s.part.part.first(s.row)}, true, nil
}

// pass goes on to the next pack that may have something that is wanted.
func (s *laneSource) pass() (bool, error) {
	low, high := s.sp.times()
	for {
		if s.part == nil {
			if s.parts == len(s.run.parts) {
				return false, nil
			}
			i := s.run.parts[s.nth(s.parts, len(s.run.parts))]
			s.parts++
			if binary.BigEndian.Uint64(i.last) < low || binary.BigEndian.Uint64(i.first()) > high {
				continue
			}
			if _, err := s.r.read(i); err != nil {
				return false, err
			}
			s.part, s.rows = i, 0
			if s.keep != nil {
				s.r.s.documents.touch(s.r.docs.Tx(), len(i.part.filters))
			}
		}
		p := &s.part.part
		for s.rows < p.len() {
			s.row = s.nth(s.rows, p.len())
			s.rows++
			if p.lane(s.row) == s.lane && p.last(s.row) >= low && p.first(s.row) <= high && (s.keep == nil || s.keep(p.filter(s.row))) {
				return true, nil
			}
		}
		s.part = nil
	}
}

// nth gives the place of the i-th of n in the order that is wanted.
func (s *laneSource) nth(i, n int) int {
	if s.sp.newest {
		return n - 1 - i
	}
	return i
}

// times gives the first and the last time, as keys begin, that keys of the span may have.
func (sp span) times() (low, high uint64) {
	high = math.MaxUint64
	if len(sp.from) >= 8 {
		low = binary.BigEndian.Uint64(sp.from)
	}
	if len(sp.to) >= 8 {
		high = binary.BigEndian.Uint64(sp.to)
	}
	return low, high
}

// find gives where a key is in a pack, or where it would be.
func find(entries []entry, key []byte) (int, bool) {
	return slices.BinarySearchFunc(entries, key, func(e entry, key []byte) int { return bytes.Compare(e.key, key) })
}
