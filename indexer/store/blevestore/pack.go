package blevestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store/terms"
	"lastnight/internal/bloom"
)

// Documents come one by one and are fresh then; when a day has many of those they are put
// side by side, compressed together, into packs: most of what a document says stands in its
// neighbours, too. A day's packs do not overlap; fresh documents may lie anywhere, and one with the
// key of a packed one replaces it. Each pack has a filter of the terms of its documents.
//
//	pack:   first key → documents(uvarint) zstd{ key(length, bytes) value(length, bytes) }…
//	filter: first key → filter of package bloom
//
// A value is that of a fresh document, its body not compressed.
var packBucket, filterBucket, freshKey = []byte("pack"), []byte("filter"), []byte("fresh")

const (
	// packBytes and packDocuments are what a pack has at most, roughly.
	packBytes, packDocuments = 128 << 10, 256
	// packTxBytes is how much is packed in one transaction, roughly.
	packTxBytes = 8 << 20
	// maxFresh is how many fresh documents of a day may wait when it is searched.
	maxFresh = 512
	// touchedDocument is about how many bytes of the file a fresh document has.
	touchedDocument = 512
	// minPacking and maxPacking are how many fresh documents make a day pack them without having been searched.
	// Between these it is half of those that are packed, so that packing again costs little in all.
	minPacking, maxPacking = 4 << 10, 32 << 10
)

// entry is a document as it lies in a day.
type entry struct{ key, value []byte }

func compareEntries(a, b entry) int { return bytes.Compare(a.key, b.key) }

// packTools is memory that packs are made with, reused over packs. Not safe for concurrent use.
type packTools struct {
	raw, sealed writer
	hashes      []uint64     // of terms, each a few times at most
	recent      [1024]uint64 // of hashes, by their low bits: documents side by side have most terms in common
}

// maxTools is how many bytes of each buffer are kept for the next pack.
const maxTools = 4 * packBytes

// sealPack makes the value of a pack of entries, in order.
func (c *codec) sealPack(entries []entry, t *packTools) []byte {
	t.raw.b, t.sealed.b = t.raw.b[:0], t.sealed.b[:0]
	for _, e := range entries {
		t.raw.bytes(e.key)
		t.raw.bytes(e.value)
	}
	t.sealed.uint(uint64(len(entries)))
	t.sealed.b = c.packs.EncodeAll(t.raw.b, t.sealed.b)
	value := bytes.Clone(t.sealed.b)
	for _, w := range []*writer{&t.raw, &t.sealed} {
		if cap(w.b) > maxTools {
			w.b = nil
		}
	}
	return value
}

// packHead gives how many documents a pack has, and what follows.
func packHead(value []byte) (n int, rest []byte, err error) {
	r := reader{b: value}
	n = int(min(r.uint(), maxValueBytes))
	return n, r.b, r.err
}

// openPack gives the entries of a pack. They share memory of their own.
func (c *codec) openPack(value []byte) ([]entry, error) {
	var mem packMemory
	err := c.openPackInto(value, &mem)
	return mem.entries, err
}

// openPackInto is openPack with memory of another pack.
func (c *codec) openPackInto(value []byte, mem *packMemory) error {
	mem.entries = mem.entries[:0]
	n, packed, err := packHead(value)
	if err != nil {
		return err
	}
	if mem.raw, err = c.dec.DecodeAll(packed, mem.raw[:0]); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	mem.entries = slices.Grow(mem.entries, min(n, len(mem.raw)/2))
	r := reader{b: mem.raw}
	for len(r.b) > 0 {
		e := entry{key: r.bytes(), value: r.bytes()}
		if r.err != nil {
			return r.err
		}
		mem.entries = append(mem.entries, e)
	}
	if len(mem.entries) != n {
		return errDamaged
	}
	return nil
}

// termHash is what filters have of a term.
func termHash[T ~string | ~[]byte](field string, term T) uint64 {
	var room [256]byte
	return xxhash.Sum64(append(append(append(room[:0], field...), 0), term...))
}

const keyField = "id" // in filters: the key of a document

// addTerms notes what filters have of a document.
func (t *packTools) addTerms(key []byte, d *lastnight.Document) {
	t.add(termHash(keyField, key))
	terms.Each(d,
		func(word []byte) { t.add(termHash(textField, word)) },
		func(value []byte) { t.add(termHash(valueField, value)) })
}

func (t *packTools) add(hash uint64) {
	if last := &t.recent[hash%uint64(len(t.recent))]; *last != hash {
		*last = hash
		t.hashes = append(t.hashes, hash)
	}
}

// filter makes the filter of what was noted since the last one.
func (t *packTools) filter() []byte {
	slices.Sort(t.hashes)
	hashes := slices.Compact(t.hashes)
	f := bloom.New(len(hashes))
	for _, h := range hashes {
		bloom.Add(f, h)
	}
	t.hashes = t.hashes[:0]
	if cap(t.hashes) > maxTools {
		t.hashes = nil
	}
	return f
}

// pack packs all fresh documents of a day. Other calls go on meanwhile.
func (s *Store) pack(ctx context.Context, d *day) error {
	for at := []byte{}; at != nil; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.packSome(d, &at); err != nil {
			return fmt.Errorf("pack documents of %s: %w", d.name[1:], err)
		}
	}
	return nil
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

// packSome packs from a key on as much as one transaction should, and moves the key.
func (s *Store) packSome(d *day, at *[]byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	fresh := uint64(0)
	err := s.documents.Update(func(tx *bolt.Tx) (err error) {
		b := tx.Bucket([]byte(d.name))
		if b == nil {
			*at = nil
			return nil
		}
		p, err := s.packing(b)
		if err != nil {
			return err
		}
		from := *at
		for size := 0; from != nil && size < packTxBytes; {
			n, next, err := p.territory(from)
			if err != nil {
				return err
			}
			size, from = size+n, next
		}
		*at = from
		fresh = getUint(b, freshKey) - min(p.packed, getUint(b, freshKey))
		return putUint(b, freshKey, fresh)
	})
	if err == nil {
		d.noteFresh(fresh)
	}
	return err
}

// packing packs documents of a day in one transaction.
type packing struct {
	s              *Store
	b              *bolt.Bucket
	docs           *bolt.Bucket
	packs, filters *bolt.Bucket
	packed         uint64 // documents that were fresh
}

func (s *Store) packing(b *bolt.Bucket) (p *packing, err error) {
	p = &packing{s: s, b: b, docs: b.Bucket(docBucket)}
	if p.packs, err = b.CreateBucketIfNotExists(packBucket); err != nil {
		return nil, err
	}
	if p.filters, err = b.CreateBucketIfNotExists(filterBucket); err != nil {
		return nil, err
	}
	p.packs.FillPercent = 0.95
	return p, nil
}

// territory packs the fresh documents around the first one from a key on: those up to the next pack, together
// with the pack before them. It gives how many bytes these were, and where the next territory begins; nil at the end.
func (p *packing) territory(from []byte) (size int, next []byte, err error) {
	first, _ := p.docs.Cursor().Seek(from)
	if first == nil {
		return 0, nil, nil
	}
	var entries []entry
	old, value := packAt(p.packs.Cursor(), first)
	if old != nil {
		if entries, err = p.s.codec.openPack(value); err != nil {
			return 0, nil, fmt.Errorf("pack at %q: %w", old, err)
		}
	}
	after := p.packs.Cursor()
	if old == nil {
		next, _ = after.First()
	} else {
		after.Seek(old)
		next, _ = after.Next()
	}
	next = bytes.Clone(next)
	packed := len(entries)
	for k, v := range (span{from: first, to: next}).walk(p.docs.Cursor()) {
		if v, err = p.s.unseal(v); err != nil {
			return 0, nil, fmt.Errorf("document %q: %w", k, err)
		}
		entries = append(entries, entry{bytes.Clone(k), v})
	}
	fresh := slices.Clone(entries[packed:])
	slices.Reverse(entries) // of the same key the fresh one comes first
	slices.SortStableFunc(entries, compareEntries)
	entries = slices.CompactFunc(entries, func(a, b entry) bool { return bytes.Equal(a.key, b.key) })
	if old != nil {
		if err := p.drop(bytes.Clone(old)); err != nil {
			return 0, nil, err
		}
	}
	for _, e := range fresh {
		if err := p.docs.Delete(e.key); err != nil {
			return 0, nil, err
		}
	}
	p.packed += uint64(len(fresh))
	p.s.documents.touch(p.b.Tx(), 2*lookupBytes+len(value)+len(fresh)*touchedDocument)
	size, err = p.put(entries)
	return size, next, err
}

// drop removes a pack.
func (p *packing) drop(first []byte) error {
	if err := p.filters.Delete(first); err != nil {
		return err
	}
	return p.packs.Delete(first)
}

// put writes entries as packs of about the same size, and gives how many bytes they have.
func (p *packing) put(entries []entry) (size int, err error) {
	for i := range entries {
		size += len(entries[i].key) + len(entries[i].value)
	}
	n := max((size+packBytes-1)/packBytes, (len(entries)+packDocuments-1)/packDocuments, 1)
	each, most := size/n+1, (len(entries)+n-1)/n
	for len(entries) > 0 {
		k, bytes := 0, 0
		for k < len(entries) && k < 2*most && (k == 0 || bytes < each) {
			bytes += len(entries[k].key) + len(entries[k].value)
			k++
		}
		if err := p.putOne(entries[:k]); err != nil {
			return 0, err
		}
		entries = entries[k:]
	}
	return size, nil
}

func (p *packing) putOne(entries []entry) error {
	t := &p.s.packTools
	t.hashes = t.hashes[:0]
	clear(t.recent[:])
	for _, e := range entries {
		d, err := p.s.decode(p.b, e.key, e.value)
		if err != nil {
			return fmt.Errorf("document %q: %w", e.key, err)
		}
		t.addTerms(e.key, &d)
	}
	if err := p.filters.Put(entries[0].key, t.filter()); err != nil {
		return err
	}
	return p.packs.Put(entries[0].key, p.s.codec.sealPack(entries, t))
}

// packAt finds the pack that has a key or, if none has, the one before it; nil if there is none.
func packAt(c *bolt.Cursor, key []byte) (first, value []byte) {
	first, value = c.Seek(key)
	switch {
	case first == nil:
		return c.Last()
	case !bytes.Equal(first, key):
		return c.Prev()
	}
	return first, value
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

// dropPacks removes the packed documents of a day below limit, and tells how many. There must be no fresh ones.
func (s *Store) dropPacks(b *bolt.Bucket, limit []byte) (n int, err error) {
	p, err := s.packing(b)
	if err != nil {
		return 0, err
	}
	for {
		first, value := p.packs.Cursor().First()
		if first == nil || bytes.Compare(first, limit) >= 0 {
			return n, nil
		}
		entries, err := s.codec.openPack(value)
		if err != nil {
			return n, err
		}
		keep, _ := find(entries, limit)
		if err := p.drop(bytes.Clone(first)); err != nil {
			return n, err
		}
		n += keep
		if keep < len(entries) {
			_, err := p.put(entries[keep:])
			return n, err
		}
	}
}
