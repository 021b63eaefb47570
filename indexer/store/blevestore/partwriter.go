package blevestore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"lastnight"
	"lastnight/indexer/store/terms"
	"lastnight/internal/bloom"
)

// partWriter makes a part of entries that come in order. Not safe for concurrent use.
type partWriter struct {
	codec *codec
	// source gives what the source of a value says.
	source func(value []byte) (*lastnight.Document, error)

	documents, bytes uint64 // of all that came, as they are
	first, last      []byte // keys
	rows, packs      []byte
	filters          []byte
	keys             []uint64 // hashes

	slice []slot
	room  []byte // holds their keys and values

	raw    writer // of the pack that is being made
	hashes []uint64
	recent [1024]uint64 // of hashes, by their low bits: documents side by side have most terms in common
}

// slot is an entry of a slice.
type slot struct {
	from, key, to int // its key begins, its value begins, it ends
	source        *lastnight.Document
}

func (s *slot) bytes() int { return s.to - s.from }

// add takes an entry; its memory may be used again. whole tells that it ended a slice.
func (w *partWriter) add(e entry) (whole bool, err error) {
	if len(e.key) < 8 {
		return false, errDamaged
	}
	source, err := w.source(e.value)
	if err != nil {
		return false, fmt.Errorf("document %q: %w", e.key, err)
	}
	if w.documents == 0 {
		w.first = append(w.first[:0], e.key...)
	}
	w.last = append(w.last[:0], e.key...)
	from := len(w.room)
	w.room = append(append(w.room, e.key...), e.value...)
	w.slice = append(w.slice, slot{from: from, key: from + len(e.key), to: len(w.room), source: source})
	w.documents++
	w.bytes += uint64(len(e.key) + len(e.value))
	if whole = len(w.room) >= maxLanes*packBytes || len(w.slice) >= maxLanes*packDocuments; whole {
		err = w.flush()
	}
	return whole, err
}

// flush ends the slice that is being made: it puts jobs side by side and cuts that into packs of about the same size.
func (w *partWriter) flush() error {
	slices.SortStableFunc(w.slice, func(a, b slot) int {
		if a.source == b.source {
			return 0
		}
		return cmp.Or(cmp.Compare(a.source.Namespace, b.source.Namespace), cmp.Compare(a.source.Job, b.source.Job))
	})
	packs := max((len(w.room)+packBytes-1)/packBytes, (len(w.slice)+packDocuments-1)/packDocuments)
	lanes := min(packs, maxLanes)
	lane, begin, size := 0, 0, 0
	for i := range w.slice {
		size += w.slice[i].bytes()
		if last := i == len(w.slice)-1; last || lane < lanes-1 && size*lanes >= len(w.room)*(lane+1) {
			if err := w.pack(lane, w.slice[begin:i+1]); err != nil {
				return err
			}
			lane, begin = lane+1, i+1
		}
	}
	w.slice, w.room = w.slice[:0], w.room[:0]
	return nil
}

// pack makes a pack of a lane.
func (w *partWriter) pack(lane int, slots []slot) error {
	slices.SortFunc(slots, func(a, b slot) int { return cmp.Compare(a.from, b.from) })
	w.raw.b, w.hashes = w.raw.b[:0], w.hashes[:0]
	clear(w.recent[:])
	for i := range slots {
		key, value := w.room[slots[i].from:slots[i].key], w.room[slots[i].key:slots[i].to]
		if err := w.addTerms(slots[i].source, key, value); err != nil {
			return fmt.Errorf("document %q: %w", key, err)
		}
		w.raw.bytes(key)
		w.raw.bytes(value)
	}
	w.filters = append(w.filters, w.filter()...)
	sealed := writer{b: w.packs}
	sealed.uint(uint64(len(slots)))
	w.packs = w.codec.packs.EncodeAll(w.raw.b, sealed.b)
	first, last := slots[0].from, slots[len(slots)-1].from
	w.rows = append(w.rows, byte(lane))
	w.rows = append(w.rows, w.room[first:first+8]...)
	w.rows = append(w.rows, w.room[last:last+8]...)
	for _, v := range []int{len(slots), len(w.filters), len(w.packs)} {
		w.rows = binary.BigEndian.AppendUint32(w.rows, uint32(v))
	}
	return nil
}

// termHash is what filters have of a term.
func termHash[T ~string | ~[]byte](field string, term T) uint64 {
	var room [256]byte
	return xxhash.Sum64(append(append(append(room[:0], field...), 0), term...))
}

// keyHash is what filters have of a key.
func keyHash(key []byte) uint64 { return xxhash.Sum64(key) }

// addTerms notes what filters have of a document.
func (w *partWriter) addTerms(source *lastnight.Document, key, value []byte) error {
	_, n := binary.Uvarint(value)
	d, err := w.codec.document(source, key, value[n+8:])
	if err != nil {
		return err
	}
	hash := keyHash(key)
	w.keys = append(w.keys, hash)
	w.hashes = append(w.hashes, hash)
	terms.Each(&d,
		func(word []byte) { w.note(termHash(textField, word)) },
		func(value []byte) { w.note(termHash(valueField, value)) })
	return nil
}

// note keeps the hash of a term for the filter of the pack, a few times at most.
func (w *partWriter) note(hash uint64) {
	if last := &w.recent[hash%uint64(len(w.recent))]; *last != hash {
		*last = hash
		w.hashes = append(w.hashes, hash)
	}
}

// filter makes the filter of the pack.
func (w *partWriter) filter() []byte {
	slices.Sort(w.hashes)
	return filterOf(slices.Compact(w.hashes))
}

func filterOf(hashes []uint64) []byte {
	f := bloom.New(len(hashes))
	for _, h := range hashes {
		bloom.Add(f, h)
	}
	return f
}

var errNoEntries = errors.New("a part without documents")

// finish gives the part.
func (w *partWriter) finish() ([]byte, error) {
	if w.documents == 0 {
		return nil, errNoEntries
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	keys := filterOf(w.keys)
	head := binary.BigEndian.AppendUint32(nil, uint32(len(w.rows)/rowBytes))
	head = binary.BigEndian.AppendUint32(head, uint32(len(keys)))
	head = binary.BigEndian.AppendUint64(head, sumOf(head, w.rows))
	return bytes.Join([][]byte{head, w.rows, keys, w.filters, w.packs}, nil), nil
}
