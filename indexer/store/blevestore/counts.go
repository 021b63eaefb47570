package blevestore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/internal/bloom"
	"lastnight/query"
)

// Names in exact.db: counts (first minute, last minute, source → filter of the templates, packed counts) and
// the key that each source has there.
var countsBucket, countSourcesBucket = []byte("counts"), []byte("count_sources")

const (
	maxSourceBytes = 4 << 10
	nanosPerMinute = int64(time.Minute)
	// countsPage bounds what is read of counts in one transaction, in bytes as packed.
	countsPage = 1 << 20
)

// PutCounts sets the counts that come from a source, replacing those it gave before.
// It returns when they are durable.
func (s *Store) PutCounts(ctx context.Context, source string, counts []lastnight.TemplateCount) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if source == "" || len(source) > maxSourceBytes {
		return lastnight.Errorf(lastnight.CodeInvalid, "", "the source of counts has a name of %d bytes, must have 1 to %d", len(source), maxSourceBytes)
	}
	packed, first, last := packCounts(counts)
	key := binary.BigEndian.AppendUint64(nil, ordered(first))
	key = append(binary.BigEndian.AppendUint64(key, ordered(last)), source...)
	value := append(filterCounts(counts), s.codec.seal(packed)...)
	err := s.exact.Update(func(tx *bolt.Tx) error {
		b, sources, err := countBuckets(tx)
		if err != nil {
			return err
		}
		if old := sources.Get([]byte(source)); old != nil && !bytes.Equal(old, key) {
			if err := b.Delete(old); err != nil {
				return err
			}
		}
		if err := sources.Put([]byte(source), key); err != nil {
			return err
		}
		return b.Put(key, value)
	})
	if err != nil {
		return fmt.Errorf("put counts of %s: %w", source, err)
	}
	return nil
}

func countBuckets(tx *bolt.Tx) (counts, sources *bolt.Bucket, err error) {
	if counts, err = tx.CreateBucketIfNotExists(countsBucket); err != nil {
		return nil, nil, err
	}
	sources, err = tx.CreateBucketIfNotExists(countSourcesBucket)
	return counts, sources, err
}

// HasCounts tells whether the source gave counts already, if only none.
func (s *Store) HasCounts(ctx context.Context, source string) (has bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = s.exact.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(countSourcesBucket)
		has = b != nil && b.Get([]byte(source)) != nil
		return nil
	})
	return has, err
}

// Counts streams counts, in no order.
func (s *Store) Counts(ctx context.Context, req store.CountsRequest) iter.Seq2[lastnight.TemplateCount, error] {
	return func(yield func(lastnight.TemplateCount, error) bool) {
		first, end := int64(math.MinInt64), int64(math.MaxInt64)
		if !req.Start.IsZero() {
			first = minuteOf(req.Start)
		}
		if !req.End.IsZero() { // minutes that begin before End
			if end = minuteOf(req.End); query.Nanos(req.End) > end*nanosPerMinute {
				end++
			}
		}
		for key := []byte{}; key != nil; {
			var packs [][]byte
			err := ctx.Err()
			if err == nil {
				packs, key, err = s.packs(key, first, end, req.Template)
			}
			if err != nil {
				yield(lastnight.TemplateCount{}, fmt.Errorf("read counts: %w", err))
				return
			}
			for _, p := range packs {
				more, err := unpackCounts(p, req, first, end, func(c lastnight.TemplateCount) bool { return yield(c, nil) })
				if err != nil {
					yield(lastnight.TemplateCount{}, fmt.Errorf("read counts: %w", err))
				}
				if err != nil || !more {
					return
				}
			}
		}
	}
}

// packs reads, from a key on, packed counts that overlap [first, end), of a template if one is named, and where to go on.
func (s *Store) packs(from []byte, first, end int64, template string) (packs [][]byte, next []byte, err error) {
	hash := xxhash.Sum64String(template)
	err = s.exact.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(countsBucket)
		if b == nil {
			return nil
		}
		size := 0
		c := b.Cursor()
		for k, v := c.Seek(from); k != nil; k, v = c.Next() {
			if len(k) < 16 {
				return errDamaged
			}
			if unordered(k) >= end {
				break
			}
			if size > countsPage {
				next = bytes.Clone(k)
				break
			}
			if unordered(k[8:]) < first {
				continue
			}
			filter, sealed, err := splitCounts(v)
			if err != nil {
				return err
			}
			if template != "" && !bloom.MayHave(filter, hash) {
				continue
			}
			p, err := s.codec.open(sealed)
			if err != nil {
				return err
			}
			packs = append(packs, bytes.Clone(p))
			size += len(p)
		}
		return nil
	})
	return packs, next, err
}

// DropCounts removes the counts of sources that end before t.
func (s *Store) DropCounts(ctx context.Context, t time.Time) error {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := s.exact.Update(func(tx *bolt.Tx) (err error) {
			more, err = dropSomeCounts(tx, minuteOf(t))
			return err
		})
		if err != nil {
			return fmt.Errorf("drop counts: %w", err)
		}
	}
	return nil
}

func dropSomeCounts(tx *bolt.Tx, limit int64) (more bool, err error) {
	b, sources, err := countBuckets(tx)
	if err != nil {
		return false, err
	}
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && unordered(k) < limit && len(keys) < dropBatch; k, _ = c.Next() {
		if unordered(k[8:]) < limit {
			keys = append(keys, bytes.Clone(k))
		}
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return false, err
		}
		if err := sources.Delete(k[16:]); err != nil {
			return false, err
		}
	}
	return len(keys) == dropBatch, nil
}

func ordered(v int64) uint64 { return uint64(v) ^ 1<<63 } // the order of signed numbers as that of bytes

func unordered(key []byte) int64 { return int64(binary.BigEndian.Uint64(key) ^ 1<<63) }

// minuteOf gives the minute in which t is, since 1970 UTC.
func minuteOf(t time.Time) int64 {
	ns := query.Nanos(t)
	m := ns / nanosPerMinute
	if ns%nanosPerMinute < 0 {
		m--
	}
	return m
}

// series is the counts of one template and level of one job.
type series struct{ namespace, job, template, level string }

func (a series) compare(b series) int {
	return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.job, b.job), cmp.Compare(a.template, b.template), cmp.Compare(a.level, b.level))
}

// packCounts writes counts as series: per job, per template, minutes as differences.
// It gives the first and the last minute too (of no counts: 1970).
func packCounts(counts []lastnight.TemplateCount) (packed []byte, first, last int64) {
	rows := map[series][][2]int64{}
	for i := range counts {
		c := &counts[i]
		m := minuteOf(c.Minute)
		if i == 0 {
			first, last = m, m
		}
		first, last = min(first, m), max(last, m)
		k := series{c.Namespace, c.Job, c.Template, c.Level}
		rows[k] = append(rows[k], [2]int64{m, c.Count})
	}
	var w writer
	w.uint(uint64(len(rows)))
	w.int(first)
	var before series
	for _, k := range slices.SortedFunc(maps.Keys(rows), series.compare) {
		same := k.namespace == before.namespace && k.job == before.job
		if same {
			w.uint(1)
		} else {
			w.uint(0)
			w.str(k.namespace)
			w.str(k.job)
		}
		w.str(k.template)
		w.str(k.level)
		before = k
		r := rows[k]
		slices.SortFunc(r, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
		w.uint(uint64(len(r)))
		at := first
		for _, mc := range r {
			w.uint(uint64(mc[0] - at))
			w.int(mc[1])
			at = mc[0]
		}
	}
	return w.b, first, last
}

// filterCounts gives how a value of counts begins: its templates' filter, whose length is before it. A question for one template
// opens only those that may have it: one is in few of all there are.
func filterCounts(counts []lastnight.TemplateCount) []byte {
	hashes := map[uint64]bool{}
	for i := range counts {
		hashes[xxhash.Sum64String(counts[i].Template)] = true
	}
	f := bloom.New(len(hashes))
	for h := range hashes {
		bloom.Add(f, h)
	}
	var w writer
	w.bytes(f)
	return w.b
}

// splitCounts gives the filter and the sealed counts of a value.
func splitCounts(value []byte) (filter, sealed []byte, err error) {
	r := reader{b: value}
	filter = r.bytes()
	return filter, r.b, r.err
}

// unpackCounts yields what the request asks for, minutes in [from, end). more is false
// if the caller wants no more.
func unpackCounts(packed []byte, req store.CountsRequest, from, end int64, yield func(lastnight.TemplateCount) bool) (more bool, err error) {
	r := reader{b: packed}
	n := r.count(4)
	first := r.int()
	var k series
	for range n {
		if r.uint() == 0 {
			k.namespace, k.job = r.str(), r.str()
		}
		template, level := r.bytes(), r.bytes()
		rows := r.count(2)
		if req.Namespace != "" && req.Namespace != k.namespace || req.Job != "" && req.Job != k.job || req.Template != "" && req.Template != string(template) {
			r.skip(2 * rows) // most are, if one template is asked for: no strings are made of them
			continue
		}
		k.template = string(template)
		if k.level != string(level) {
			k.level = string(level)
		}
		if !r.series(&k, rows, [3]int64{first, from, end}, yield) {
			return false, r.err
		}
	}
	return r.err == nil, r.err
}

// series yields the counts of a series, minutes in [from, end); false if the caller wants no more, or it is damaged.
func (r *reader) series(k *series, rows int, firstFromEnd [3]int64, yield func(lastnight.TemplateCount) bool) bool {
	at, from, end := firstFromEnd[0], firstFromEnd[1], firstFromEnd[2]
	for range rows {
		at += int64(r.uint())
		count := r.int()
		if r.err != nil {
			return false
		}
		if at < from || at >= end {
			continue
		}
		c := lastnight.TemplateCount{
			Namespace: k.namespace, Job: k.job, Template: k.template, Level: k.level,
			Minute: time.Unix(at*60, 0).UTC(), Count: count,
		}
		if !yield(c) {
			return false
		}
	}
	return true
}
