package blevestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"lastnight"
)

const (
	// partTxBytes is how much of documents is packed in one transaction, roughly, which is what a part of a run has.
	partTxBytes = 8 << 20
	// maxFresh is how many fresh documents of a day may wait when it is searched.
	maxFresh = 1024
	// maxPacking is how many fresh documents make a day pack them without having been searched.
	maxPacking = 16 << 10
	// freshTouch is what reading a fresh document brings into memory: some lie on a page, whose neighbours in the file hold
	// other days or what is free.
	freshTouch = lookupBytes / 4
)

// pack packs all fresh documents of a day as a run. Other calls go on meanwhile.
func (s *Store) pack(ctx context.Context, d *day) error {
	d.packing.Lock()
	defer d.packing.Unlock()
	return s.packHeld(ctx, d)
}

// packHeld is pack while d.packing is held.
func (s *Store) packHeld(ctx context.Context, d *day) error {
	step := packStep{s: s, day: d, at: []byte{}}
	for step.at != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step.some(); err != nil {
			return fmt.Errorf("pack documents of %s: %w", d.name[1:], err)
		}
	}
	return nil
}

// packForSearch packs the fresh documents of a day if they are many enough to be searched slowly, unless somebody does so already.
func (s *Store) packForSearch(ctx context.Context, d *day) error {
	if !d.hasFresh(s.maxFresh) || !d.packing.TryLock() {
		return nil
	}
	defer d.packing.Unlock()
	return s.packHeld(ctx, d)
}

// packAll packs the days that have more fresh documents than may wait for a search.
func (s *Store) packAll() error {
	var errs []error
	for _, d := range s.allDays() {
		if d.hasFresh(s.maxFresh) {
			errs = append(errs, s.pack(context.Background(), d)) // they are few: see packDue
		}
	}
	return errors.Join(errs...)
}

// packStep packs fresh documents of a day as a run, in several transactions. What a crash leaves is a shorter run.
type packStep struct {
	s   *Store
	day *day
	run uint64 // 0: not begun
	at  []byte // key from which on documents are to be packed; nil: none is left
}

// some packs as much as one transaction should.
func (p *packStep) some() error {
	p.s.writing.Lock()
	defer p.s.writing.Unlock()
	fresh, run, at := uint64(0), p.run, []byte(nil)
	err := p.s.documents.Update(func(tx *bolt.Tx) (err error) {
		b := tx.Bucket([]byte(p.day.name))
		if b == nil {
			return nil
		}
		fresh = getUint(b, freshKey)
		w := p.s.partWriter(b)
		keys, next, err := p.fill(b, w)
		if err != nil || len(keys) == 0 {
			return err
		}
		at = next
		if run == 0 {
			if run, err = tx.Bucket(metaBucket).NextSequence(); err != nil {
				return err
			}
		}
		out, err := writeRuns(b)
		if err != nil {
			return err
		}
		if err := out.put(run, w); err != nil {
			return err
		}
		docs := b.Bucket(docBucket)
		for _, k := range keys {
			p.s.documents.touch(tx, freshTouch)
			if err := docs.Delete(k); err != nil {
				return err
			}
		}
		fresh -= min(fresh, uint64(len(keys)))
		return putUint(b, freshKey, fresh)
	})
	if err != nil {
		return err
	}
	p.run, p.at = run, at
	p.day.packed(fresh)
	return nil
}

// fill gives a part writer fresh documents, and tells which, and where to go on.
func (p *packStep) fill(b *bolt.Bucket, w *partWriter) (keys [][]byte, next []byte, err error) {
	whole := false
	for k, v := range (span{from: p.at}).walk(b.Bucket(docBucket).Cursor()) {
		if whole && w.bytes >= uint64(p.s.partTxBytes) {
			return keys, bytes.Clone(k), nil
		}
		p.s.documents.touch(b.Tx(), freshTouch)
		if v, err = p.s.unseal(v); err == nil {
			whole, err = w.add(entry{k, v})
		}
		if err != nil {
			return nil, nil, fmt.Errorf("document %q: %w", k, err)
		}
		keys = append(keys, bytes.Clone(k))
	}
	return keys, nil, nil
}

// merge merges runs of a day where there are many. Other calls go on meanwhile.
func (s *Store) merge(ctx context.Context, d *day) error {
	d.packing.Lock()
	defer d.packing.Unlock()
	for {
		n := 0
		err := s.documents.View(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(d.name))
			if b == nil {
				return nil
			}
			list, err := runs(b)
			n = toMerge(list)
			return err
		})
		if err != nil || n < 2 {
			d.merged(err == nil)
			return err
		}
		step := mergeStep{s: s, day: d, runs: n, at: []byte{}}
		for step.at != nil {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := step.some(); err != nil {
				return fmt.Errorf("merge packs of %s: %w", d.name[1:], err)
			}
		}
	}
}

// mergeStep merges the newest runs of a day into one that is newer, in several transactions. In between, and after a crash, some
// documents are in it and in an older one, too. While it goes on no other run is made.
type mergeStep struct {
	s    *Store
	day  *day
	runs int    // how many
	into uint64 // 0: not begun
	at   []byte // key from which on documents are to be merged; nil: none is left
	ids  []uint64
}

// some merges as much as one transaction should.
func (m *mergeStep) some() error {
	m.s.writing.Lock()
	defer m.s.writing.Unlock()
	packs := m.s.openPacks()
	defer packs.done()
	return m.s.documents.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(m.day.name))
		if b == nil {
			m.at = nil
			return nil
		}
		r, err := m.s.readDay(b, packs)
		if err != nil {
			return err
		}
		if err := m.begin(tx, r); err != nil {
			return err
		}
		w := m.s.partWriter(b)
		next, err := m.fill(r, w)
		if err != nil {
			return err
		}
		out, err := writeRuns(b)
		if err != nil {
			return err
		}
		if w.documents > 0 {
			if err := out.put(m.into, w); err != nil {
				return err
			}
		}
		for _, old := range r.runs {
			for _, i := range old.parts {
				if next == nil || bytes.Compare(i.last, next) < 0 {
					if err := out.drop(i); err != nil {
						return err
					}
				}
			}
		}
		m.at = next
		return nil
	})
}

// begin leaves the runs in r that are merged.
func (m *mergeStep) begin(tx *bolt.Tx, r *dayReader) (err error) {
	if m.into == 0 {
		if m.into, err = tx.Bucket(metaBucket).NextSequence(); err != nil {
			return err
		}
		for _, old := range r.runs[:min(m.runs, len(r.runs))] {
			m.ids = append(m.ids, old.id)
		}
	}
	if len(m.ids) == 0 {
		return nil
	}
	for len(r.runs) > 0 && r.runs[0].id > m.ids[0] { // the one that is being made
		r.runs = r.runs[1:]
	}
	n := 0
	for n < len(r.runs) && r.runs[n].id >= m.ids[len(m.ids)-1] {
		n++
	}
	r.runs = r.runs[:n]
	return nil
}

// fill gives a part writer packed documents, and tells where to go on.
func (m *mergeStep) fill(r *dayReader, w *partWriter) (next []byte, err error) {
	whole := false
	for e, err := range r.walkRuns(span{from: m.at}) {
		if err != nil {
			return nil, err
		}
		if whole && w.bytes >= uint64(m.s.partTxBytes) {
			return bytes.Clone(e.key), nil
		}
		if whole, err = w.add(e); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// partWriter makes one for documents of a day.
func (s *Store) partWriter(b *bolt.Bucket) *partWriter {
	sources := b.Bucket(srcBucket)
	known := map[[8]byte]*lastnight.Document{}
	return &partWriter{codec: s.codec, source: func(value []byte) (*lastnight.Document, error) {
		_, n := binary.Uvarint(value)
		if n <= 0 || len(value) < n+8 {
			return nil, errDamaged
		}
		key := [8]byte(value[n : n+8])
		source := known[key]
		if source == nil {
			source = &lastnight.Document{}
			if err := decodeSource(sources.Get(key[:]), source); err != nil {
				return nil, err
			}
			known[key] = source
		}
		return source, nil
	}}
}

// unseal gives a value whose body is not compressed.
func (s *Store) unseal(value []byte) ([]byte, error) {
	_, n := binary.Uvarint(value)
	if n <= 0 || len(value) < n+8 {
		return nil, errDamaged
	}
	body, err := s.codec.open(value[n+8:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, n+9+len(body))
	return append(append(append(out, value[:n+8]...), sealPlain), body...), nil
}

// dropPacked removes the packed documents of a day below limit.
func (s *Store) dropPacked(b *bolt.Bucket, r *dayReader, limit []byte) error {
	out, err := writeRuns(b)
	if err != nil {
		return err
	}
	all := r.runs
	defer func() { r.runs = all }()
	for _, old := range all {
		for _, i := range old.parts {
			if bytes.Compare(i.first(), limit) >= 0 {
				break
			}
			if bytes.Compare(i.last, limit) < 0 {
				if err := out.drop(i); err != nil {
					return err
				}
				continue
			}
			r.runs = []run{{id: old.id, parts: []*partInfo{i}}}
			w := s.partWriter(b)
			for e, err := range r.walkRuns(span{from: limit}) {
				if err != nil {
					return err
				}
				if _, err := w.add(e); err != nil {
					return err
				}
			}
			if err := errors.Join(out.drop(i), out.put(old.id, w)); err != nil {
				return err
			}
		}
	}
	return nil
}
