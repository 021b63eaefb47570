package blevestore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Buckets of a day: what parts it has, and a bucket for each part, both by run(8) and the part's first key. A part has a
// bucket of its own since bbolt writes what lies in a page all anew when one of it changes.
var runBucket, partBucket, partKey = []byte("run"), []byte("part"), []byte("part")

// mergeRatio is how many times as large what is newer than a run must be to be merged with it. So a document is packed
// 1 + log8(all/16384) times, and a day has seven runs of about a size, roughly.
const mergeRatio = 7

// run is a sorted run of a day. A newer one has a larger id.
type run struct {
	id    uint64
	parts []*partInfo // in order
}

// partInfo is what is known of a part without reading it. It shares memory with its transaction.
type partInfo struct {
	at               []byte // its key in both buckets
	documents, bytes uint64
	last             []byte // key

	opened bool
	part   part // if opened
}

func (i *partInfo) first() []byte { return i.at[8:] }

// encode gives the value of bucket run.
func (i *partInfo) encode() []byte {
	var w writer
	w.uint(i.documents)
	w.uint(i.bytes)
	w.bytes(i.last)
	return w.b
}

// runs lists the runs of a day, newest first.
func runs(b *bolt.Bucket) ([]run, error) {
	infos := b.Bucket(runBucket)
	if infos == nil {
		return nil, nil
	}
	var list []run
	c := infos.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		r := reader{b: v}
		i := &partInfo{at: k, documents: r.uint(), bytes: r.uint(), last: r.bytes()}
		if len(k) < 16 || len(i.last) < 8 || r.err != nil {
			return nil, fmt.Errorf("part %x: %w", k, errDamaged)
		}
		id := binary.BigEndian.Uint64(k)
		if n := len(list); n == 0 || list[n-1].id != id {
			list = append(list, run{id: id})
		}
		last := &list[len(list)-1]
		last.parts = append(last.parts, i)
	}
	slices.Reverse(list)
	return list, nil
}

// toMerge gives how many of the newest runs are to be merged, newest first; at most 1: none.
func toMerge(list []run) int {
	n, newer := 0, uint64(0)
	for i, r := range list {
		size := uint64(0)
		for _, p := range r.parts {
			size += p.bytes
		}
		if i > 0 && newer >= mergeRatio*size {
			n = i + 1
		}
		newer += size
	}
	return n
}

// runWriter writes and drops parts of a day in a transaction.
type runWriter struct{ infos, parts *bolt.Bucket }

func writeRuns(b *bolt.Bucket) (w runWriter, err error) {
	if w.infos, err = b.CreateBucketIfNotExists(runBucket); err != nil {
		return w, err
	}
	w.parts, err = b.CreateBucketIfNotExists(partBucket)
	return w, err
}

// put adds what a part writer has to a run.
func (w runWriter) put(id uint64, from *partWriter) error {
	value, err := from.finish()
	if err != nil {
		return err
	}
	i := partInfo{
		at: append(binary.BigEndian.AppendUint64(nil, id), from.first...), documents: from.documents, bytes: from.bytes, last: from.last,
	}
	if err := w.infos.Put(i.at, i.encode()); err != nil {
		return err
	}
	part, err := w.parts.CreateBucket(i.at)
	if err != nil {
		return err
	}
	return part.Put(partKey, value)
}

func (w runWriter) drop(i *partInfo) error {
	at := bytes.Clone(i.at)
	if err := w.infos.Delete(at); err != nil {
		return err
	}
	return w.parts.DeleteBucket(at)
}
