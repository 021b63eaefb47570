package archive

import (
	"context"
	"encoding/binary"
	"slices"
	"strconv"

	"lastnight/internal/bloom"
)

// The filters of a file lie side by side, cut into slices, so that asking all of them for a word reads one slice:
//
//	slice:  { groups of 32 bytes of filter 0 } { … of filter 1 } … checksum 8
//	filter: as many groups in each slice; all its groups, one slice after the other, are a filter of package bloom
//
// All slices are of one size. Where a word's group is in its filter says in which slice it is, in all filters alike.

// filterTable says where the filters of a file lie. It is immutable.
type filterTable struct {
	off    int64
	slices int
	each   []int // groups of 32 bytes that each filter has in each slice
}

const (
	bloomGroup = bloom.Group
	// maxSlices is how many slices the filters of a file have at most: so many large filters have a multiple of it in groups.
	maxSlices = 16
	// sliceBytes is how large a slice is at least, if there are several.
	sliceBytes = 2 << 10
	// maxFilterGroups bounds a filter.
	maxFilterGroups = 1 << 20
	sliceSum        = 8
)

// sliceSize gives how many bytes a slice has, its checksum included.
func (t *filterTable) sliceSize() int64 {
	n := 0
	for _, g := range t.each {
		n += g
	}
	return int64(n)*bloomGroup + sliceSum
}

// size gives how many bytes the filters have.
func (t *filterTable) size() int64 { return int64(t.slices) * t.sliceSize() }

// bytesOf gives how many bytes a filter has.
func (t *filterTable) bytesOf(filter int) int64 {
	return int64(t.slices) * int64(t.each[filter]) * bloomGroup
}

func (t *filterTable) encode(e *enc) {
	e.len(len(t.each))
	if len(t.each) == 0 {
		return
	}
	e.int(t.off)
	e.len(t.slices)
	for _, g := range t.each {
		e.len(g)
	}
}

// decodeFilterTable reads what encode wrote, of a file whose filters end before end.
func decodeFilterTable(d *dec, end int64) filterTable {
	n := d.count()
	if n == 0 {
		return filterTable{}
	}
	t := filterTable{off: d.int(), slices: d.upTo(maxSlices)}
	for range n {
		if t.each = append(t.each, d.upTo(maxFilterGroups)); d.err != nil {
			return filterTable{}
		}
	}
	if t.slices < 1 || t.off < headerSize || t.off > end || t.size() > end-t.off {
		d.fail("filters outside the file")
	}
	return t
}

// addFilters writes filters, each of a multiple of bloomGroup bytes.
func (w *fileWriter) addFilters(filters [][]byte) filterTable {
	t := filterTable{off: int64(len(w.b)), slices: slicesOf(filters), each: make([]int, len(filters))}
	for i, f := range filters {
		t.each[i] = len(f) / bloomGroup / t.slices
	}
	for s := range t.slices {
		from := len(w.b)
		for i, f := range filters {
			n := t.each[i] * bloomGroup
			w.b = append(w.b, f[s*n:(s+1)*n]...)
		}
		w.b = binary.LittleEndian.AppendUint64(w.b, sum(w.b[from:]))
	}
	return t
}

// slicesOf gives into how many slices filters are cut: into as many as all can be, if they are large enough.
func slicesOf(filters [][]byte) int {
	size, n := 0, maxSlices
	for _, f := range filters {
		size += len(f)
		for len(f)/bloomGroup%n != 0 {
			n /= 2
		}
	}
	for n > 1 && size/n < sliceBytes {
		n /= 2
	}
	return n
}

// sliceName names a slice in the cache.
func sliceName(f *file, slice int) string { return f.name + "#" + strconv.Itoa(slice) }

// readSlices reads slices from one to another, both included, in one piece, and gives each to keep. One whose checksum
// does not match is an error, after the others have been given.
func (t *filterTable) readSlices(ctx context.Context, from, to int, get ranger, keep func(slice int, data []byte)) error {
	size := t.sliceSize()
	at := t.off + int64(from)*size
	all, err := get(ctx, at, int64(to-from+1)*size)
	if err != nil {
		return err
	}
	var bad error
	for s := from; s <= to; s++ {
		data := all[:size:size]
		all = all[size:]
		if body := data[:size-sliceSum]; sum(body) == binary.LittleEndian.Uint64(data[size-sliceSum:]) {
			keep(s, body)
		} else if bad == nil {
			bad = corruptf("offset %d: filters: checksum does not match", at+int64(s-from)*size)
		}
	}
	return bad
}

// maxSlicesAtOnce bounds how many bytes of slices are read in one piece.
const maxSlicesAtOnce = 4 << 20

// sieve tells which filters of a file may have all words of the scan; an error is about what could not be asked. Slices come
// from the cache or are read: first that of the first word, which mostly says all, then those of the others in one piece.
func (s *scan) sieve(ctx context.Context, f *file, t *filterTable) ([]bool, error) {
	may := make([]bool, len(t.each))
	for i := range may {
		may[i] = true
	}
	for _, words := range [][]uint64{s.hashes[:1], s.hashes[1:]} {
		if err := s.askFor(ctx, f, t, words, may); err != nil || !slices.Contains(may, true) {
			return may, err
		}
	}
	return may, nil
}

// askFor clears may where a filter lacks one of the words.
func (s *scan) askFor(ctx context.Context, f *file, t *filterTable, words []uint64, may []bool) error {
	from, to := t.slices, -1
	for _, h := range words {
		n := bloom.PartOf(h, t.slices)
		if data, ok := s.a.cache.get(sliceName(f, n)).([]byte); ok {
			t.ask(data, h, may)
		} else {
			from, to = min(from, n), max(to, n)
		}
	}
	keep := func(n int, data []byte) {
		for _, h := range words {
			if bloom.PartOf(h, t.slices) == n {
				t.ask(data, h, may)
			}
		}
		s.a.cache.put(sliceName(f, n), data, int64(len(data))+200)
	}
	each := max(int(maxSlicesAtOnce/t.sliceSize()), 1)
	for ; from <= to; from += each {
		if err := t.readSlices(ctx, from, min(from+each-1, to), s.a.rangeOf(f.name), keep); err != nil {
			return err
		}
	}
	return nil
}

// ask clears may where a filter lacks a word that is in the slice.
func (t *filterTable) ask(slice []byte, h uint64, may []bool) {
	for i, groups := range t.each {
		part := slice[:groups*bloomGroup]
		slice = slice[len(part):]
		may[i] = may[i] && bloom.MayHavePart(part, h, t.slices)
	}
}
