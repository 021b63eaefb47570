package blevestore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/query"
)

// Names in documents.db. A day's bucket is "d" and its date; in it are the buckets
// doc (key → generation, source, sealed body) and src (hash → source), run and part (see run.go), and
// the keys count, fresh (of these, documents in doc) and generation (of the last change).
var (
	docBucket, srcBucket    = []byte("doc"), []byte("src")
	countKey, generationKey = []byte("count"), []byte("generation")
	freshKey                = []byte("fresh")
)

const (
	maxIDBytes = 512
	// commitBatch is how many documents are put in one transaction.
	commitBatch = 2000
	// dropBatch is how many sources of counts are removed in one transaction.
	dropBatch = 10_000
)

// stored is a document on its way into the file.
type stored struct {
	day    string
	key    []byte
	source []byte
	body   []byte // sealed
	doc    *lastnight.Document
}

// keyOf is the place of a document in its day: time, then id, in the order of both.
func keyOf(ns int64, id string) []byte {
	b := make([]byte, 0, 8+len(id))
	b = binary.BigEndian.AppendUint64(b, uint64(ns)^1<<63) // the order of signed numbers as that of bytes
	return append(b, id...)
}

func splitKey(key []byte) (ns int64, id string, err error) {
	if len(key) < 8 {
		return 0, "", errDamaged
	}
	return int64(binary.BigEndian.Uint64(key) ^ 1<<63), string(key[8:]), nil
}

// dayOf names the day of a time, in the order of time for all that fit nanoseconds.
func dayOf(ns int64) string { return "d" + time.Unix(0, ns).UTC().Format(time.DateOnly) }

// Index adds documents; it returns when they are durable. After an error some of them
// may be: put all again. A document's time belongs to
// its id: the same id with another time is another document.
func (s *Store) Index(ctx context.Context, docs []lastnight.Document) error {
	if err := ctx.Err(); err != nil || len(docs) == 0 {
		return err
	}
	batch, err := s.prepare(docs)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(batch, commitBatch) {
		touched, err := s.commit(part)
		if err != nil {
			return fmt.Errorf("put %d documents: %w", len(docs), err)
		}
		for _, d := range touched {
			if d.packDue() {
				if err := s.pack(ctx, d); err != nil {
					return err
				}
			}
			if d.mergeDue() {
				if err := s.merge(ctx, d); err != nil {
					return err
				}
			}
			if !d.due() {
				continue
			}
			if err := s.catchUp(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare encodes documents, in the order in which they will lie.
func (s *Store) prepare(docs []lastnight.Document) ([]stored, error) {
	batch := make([]stored, len(docs))
	for i := range docs {
		d := &docs[i]
		if d.ID == "" || len(d.ID) > maxIDBytes {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "the id of a document has %d bytes, must have 1 to %d", len(d.ID), maxIDBytes)
		}
		if err := s.encode(&batch[i], d); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(batch, func(a, b stored) int { return cmp.Or(cmp.Compare(a.day, b.day), bytes.Compare(a.key, b.key)) })
	return batch, nil
}

func (s *Store) encode(to *stored, d *lastnight.Document) error {
	ns := query.Nanos(d.Time)
	body, err := encodeBody(d)
	if err != nil {
		return err
	}
	*to = stored{day: dayOf(ns), key: keyOf(ns, d.ID), source: encodeSource(d), body: s.codec.sealShort(body), doc: d}
	return nil
}

// PutAlike says for how many records documents stand; it returns when that is durable.
func (s *Store) PutAlike(ctx context.Context, alike []store.Alike) error {
	if err := ctx.Err(); err != nil || len(alike) == 0 {
		return err
	}
	var docs []lastnight.Document
	packs := s.openPacks()
	defer packs.done()
	err := s.documents.View(func(tx *bolt.Tx) error {
		for i := range alike {
			a := &alike[i]
			ns := query.Nanos(a.Time)
			b := tx.Bucket([]byte(dayOf(ns)))
			if b == nil {
				continue
			}
			key := keyOf(ns, a.ID)
			r, err := s.readDay(b, packs)
			if err != nil {
				return err
			}
			value, err := r.get(key)
			if err != nil || value == nil {
				if err != nil {
					return err
				}
				continue
			}
			d, err := s.decode(b, key, value)
			if err != nil {
				return err
			}
			d.Alike = a.N
			docs = append(docs, d)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put how many records %d documents stand for: %w", len(alike), err)
	}
	return s.Index(ctx, docs)
}

// commit writes a batch in one transaction and notes in the days what their indexes lack.
func (s *Store) commit(batch []stored) ([]*day, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	type change struct {
		name         string
		keys         []string
		count, fresh uint64
	}
	var changes []change
	var generation uint64
	err := s.documents.Update(func(tx *bolt.Tx) (err error) {
		if generation, err = tx.Bucket(metaBucket).NextSequence(); err != nil {
			return err
		}
		for len(batch) > 0 {
			n := 1
			for n < len(batch) && batch[n].day == batch[0].day {
				n++
			}
			b, err := tx.CreateBucketIfNotExists([]byte(batch[0].day))
			if err != nil {
				return err
			}
			keys, err := s.putDay(b, batch[:n], generation)
			if err != nil {
				return err
			}
			if len(keys) > 0 {
				changes = append(changes, change{batch[0].day, keys, getUint(b, countKey), getUint(b, freshKey)})
			}
			batch = batch[n:]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	touched := make([]*day, 0, len(changes))
	for _, c := range changes {
		d := s.dayNamed(c.name)
		d.note(c.keys, c.count, c.fresh, generation)
		touched = append(touched, d)
	}
	return touched, nil
}

// putDay puts the documents of one day that are new or changed, and gives their keys.
func (s *Store) putDay(b *bolt.Bucket, batch []stored, generation uint64) (keys []string, err error) {
	docs, err := b.CreateBucketIfNotExists(docBucket)
	if err != nil {
		return nil, err
	}
	sources, err := b.CreateBucketIfNotExists(srcBucket)
	if err != nil {
		return nil, err
	}
	docs.FillPercent = 0.9 // mostly in order of time
	packs := s.openPacks()
	defer packs.done()
	held, err := s.readDay(b, packs)
	if err != nil {
		return nil, err
	}
	count, fresh := getUint(b, countKey), getUint(b, freshKey)
	for i := range batch {
		d := &batch[i]
		old, err := held.get(d.key)
		if err != nil {
			return nil, err
		}
		if old == nil {
			count++
		} else if grown, err := s.grown(b, d, old); err != nil || !grown {
			if err != nil {
				return nil, err
			}
			continue
		}
		s.documents.touch(b.Tx(), lookupBytes)
		source, err := putSource(sources, d.source)
		if err != nil {
			return nil, err
		}
		value := append(binary.BigEndian.AppendUint64(binary.AppendUvarint(nil, generation), source), d.body...)
		if docs.Get(d.key) == nil {
			fresh++
		}
		if err := docs.Put(d.key, value); err != nil {
			return nil, err
		}
		if k := string(d.key); len(keys) == 0 || keys[len(keys)-1] != k {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return keys, errors.Join(putUint(b, countKey, count), putUint(b, freshKey, fresh), putUint(b, generationKey, generation))
}

// grown makes a document what it and the one that is there know, and tells whether that is more than was there.
func (s *Store) grown(b *bolt.Bucket, d *stored, old []byte) (bool, error) {
	held, err := s.decode(b, d.key, old)
	if err != nil || !store.Grow(&held, d.doc) {
		return false, err
	}
	return true, s.encode(d, &held)
}

// putSource keeps a source once and gives its number: its hash, or the next free one
// where another source has that already.
func putSource(sources *bolt.Bucket, source []byte) (uint64, error) {
	for n := xxhash.Sum64(source); ; n++ {
		key := binary.BigEndian.AppendUint64(nil, n)
		switch old := sources.Get(key); {
		case old == nil:
			return n, sources.Put(key, source)
		case bytes.Equal(old, source):
			return n, nil
		}
	}
}

// decode makes the document of a key and its value in a day's bucket.
func (s *Store) decode(b *bolt.Bucket, key, value []byte) (d lastnight.Document, err error) {
	_, n := binary.Uvarint(value)
	if n <= 0 || len(value) < n+8 {
		return d, errDamaged
	}
	if err := decodeSource(b.Bucket(srcBucket).Get(value[n:n+8]), &d); err != nil {
		return d, err
	}
	return s.codec.document(&d, key, value[n+8:])
}

// DropDocuments removes those older than t and tells how many.
func (s *Store) DropDocuments(ctx context.Context, t time.Time) (int, error) {
	limit := query.Nanos(t)
	last := dayOf(limit)
	dropped := 0
	for _, d := range s.allDays() {
		if d.name > last {
			break
		}
		if d.name == last {
			if err := s.pack(ctx, d); err != nil {
				return dropped, err
			}
		}
		n, err := s.dropSome(d, keyOf(limit, ""))
		if err != nil {
			return dropped, fmt.Errorf("drop documents of %s: %w", d.name[1:], err)
		}
		dropped += n
	}
	return dropped, nil
}

// dropSome removes the documents of a day below limit: the whole day at once if all are. Its
// index keeps the keys of those that are gone, which does no harm.
func (s *Store) dropSome(d *day, limit []byte) (n int, err error) {
	d.packing.Lock() // what is merged is dropped before or after it
	defer d.packing.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	packs := s.openPacks()
	defer packs.done()
	empty, fresh := false, uint64(0)
	err = s.documents.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(d.name))
		if b == nil {
			return nil
		}
		r, err := s.readDay(b, packs)
		if err != nil {
			return err
		}
		if empty, err = none(r.walk(span{from: limit}, nil)); err != nil {
			return err
		}
		if empty {
			n = int(getUint(b, countKey))
			return tx.DeleteBucket([]byte(d.name))
		}
		for _, err := range r.walk(span{to: limit}, nil) { // one that is in two runs counts once
			if err != nil {
				return err
			}
			n++
		}
		if err := s.dropPacked(b, r, limit); err != nil {
			return err
		}
		if fresh, err = dropFresh(b, limit); err != nil {
			return err
		}
		return putUint(b, countKey, getUint(b, countKey)-uint64(n))
	})
	if err != nil {
		return 0, err
	}
	if empty {
		return n, s.forgetDay(d)
	}
	d.packed(fresh)
	return n, nil
}

func none(entries iter.Seq2[entry, error]) (bool, error) {
	for _, err := range entries {
		return false, err
	}
	return true, nil
}

// dropFresh removes the fresh documents of a day below limit and tells how many are left.
func dropFresh(b *bolt.Bucket, limit []byte) (fresh uint64, err error) {
	var keys [][]byte
	docs := b.Bucket(docBucket)
	for k := range (span{to: limit}).walk(docs.Cursor()) {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := docs.Delete(k); err != nil {
			return 0, err
		}
	}
	fresh = getUint(b, freshKey)
	fresh -= min(fresh, uint64(len(keys)))
	return fresh, putUint(b, freshKey, fresh)
}

func getUint(b *bolt.Bucket, key []byte) uint64 {
	if v := b.Get(key); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func putUint(b *bolt.Bucket, key []byte, v uint64) error {
	return b.Put(key, binary.BigEndian.AppendUint64(nil, v))
}
