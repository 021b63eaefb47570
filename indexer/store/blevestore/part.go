package blevestore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"lastnight/internal/bloom"
)

// Documents come one by one and are fresh then. When a day has many of those they are put side by side, compressed
// together, into packs: most of what a document says stands in its neighbours, too. What was packed at a time is a run, and is
// never changed; runs may overlap, and of two documents with one key that of the newer run holds (a fresh one above all).
// A run has parts, one for each transaction that wrote it. See docs/formats/store.md.
//
//	part:  packs(4) keys(4) sum(8) { lane(1) first(8) last(8) documents(4) filter(4) pack(4) }… filter of keys, filters…, packs…
//	pack:  documents(uvarint) zstd{ key(length, bytes) value(length, bytes) }…
//
// Who asks for a job must not open all packs of a time. So documents of a time, a slice, are in several packs, one for each
// lane, those of a job in one or few of them. Within a lane of a run documents are in order.
//
// keys is the length of the filter of keys, sum is xxhash64 of what stands before it and the rows in braces, first
// and last are times as keys begin, filter and pack where that of the row ends. A value is that of a fresh document, its body not
// compressed. Filters are of package bloom.
const (
	partHead, rowBytes = 16, 29
	// Where the fields of a row begin.
	rowFirst, rowLast, rowDocuments, rowFilter, rowPack = 1, 9, 17, 21, 25
	// maxLanes is how many lanes there are at most. A search without a job opens as many packs of each run at first.
	maxLanes = 8
	// packBytes and packDocuments are what a pack has at most, roughly.
	packBytes, packDocuments = 128 << 10, 512
)

// entry is a document as it lies in a day.
type entry struct{ key, value []byte }

// part is a part of a run. It shares memory with what it was opened from.
type part struct{ rows, keys, filters, packs []byte }

// openPart checks the lengths that a part has in it.
func openPart(value []byte) (p part, err error) {
	if len(value) < partHead {
		return p, errDamaged
	}
	n, keys := uint64(binary.BigEndian.Uint32(value)), uint64(binary.BigEndian.Uint32(value[4:]))
	sum, rest := binary.BigEndian.Uint64(value[8:]), value[partHead:]
	if n == 0 || n*rowBytes+keys > uint64(len(rest)) {
		return p, errDamaged
	}
	p.rows, rest = rest[:n*rowBytes], rest[n*rowBytes:]
	if sumOf(value[:8], p.rows) != sum {
		return part{}, errDamaged
	}
	p.keys, rest = rest[:keys], rest[keys:]
	filters := uint64(p.ends(int(n)-1, rowFilter))
	if filters+uint64(p.ends(int(n)-1, rowPack)) != uint64(len(rest)) {
		return part{}, errDamaged
	}
	p.filters, p.packs = rest[:filters], rest[filters:]
	for i := range p.len() {
		if p.ends(i-1, rowFilter) > p.ends(i, rowFilter) || p.ends(i-1, rowPack) > p.ends(i, rowPack) || p.first(i) > p.last(i) || p.lane(i) >= maxLanes {
			return part{}, errDamaged
		}
	}
	return p, nil
}

func sumOf(head, rows []byte) uint64 {
	h := xxhash.New()
	_, _ = h.Write(head)
	_, _ = h.Write(rows)
	return h.Sum64()
}

// len tells how many packs a part has.
func (p *part) len() int { return len(p.rows) / rowBytes }

func (p *part) lane(i int) int { return int(p.rows[i*rowBytes]) }

// first and last are the times of a pack, as keys begin.
func (p *part) first(i int) uint64 { return binary.BigEndian.Uint64(p.rows[i*rowBytes+rowFirst:]) }
func (p *part) last(i int) uint64  { return binary.BigEndian.Uint64(p.rows[i*rowBytes+rowLast:]) }

func (p *part) documents(i int) int {
	return int(binary.BigEndian.Uint32(p.rows[i*rowBytes+rowDocuments:]))
}

// ends gives one of the ends that a row has; 0 before the first one.
func (p *part) ends(i, at int) uint32 {
	if i < 0 {
		return 0
	}
	return binary.BigEndian.Uint32(p.rows[i*rowBytes+at:])
}

func (p *part) filter(i int) []byte { return p.filters[p.ends(i-1, rowFilter):p.ends(i, rowFilter)] }
func (p *part) pack(i int) []byte   { return p.packs[p.ends(i-1, rowPack):p.ends(i, rowPack)] }

// mayHaveKey tells whether a document of the part may have a key, by its hash, which is in the filter of its pack, too.
func (p *part) mayHaveKey(hash uint64) bool { return bloom.MayHave(p.keys, hash) }

// packMemory is a pack that is open, and memory for the next one.
type packMemory struct {
	raw     []byte
	entries []entry
}

// openPack gives the entries of a pack. They share the memory, which may be that of another pack.
func (c *codec) openPack(value []byte, mem *packMemory) error {
	mem.entries = mem.entries[:0]
	head := reader{b: value}
	n := int(min(head.uint(), maxValueBytes))
	if head.err != nil {
		return head.err
	}
	var err error
	if mem.raw, err = c.dec.DecodeAll(head.b, mem.raw[:0]); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	mem.entries = slices.Grow(mem.entries, min(n, len(mem.raw)/2))
	r := reader{b: mem.raw}
	for len(r.b) > 0 {
		e := entry{key: r.bytes(), value: r.bytes()}
		if r.err != nil || len(e.key) < 8 {
			return errDamaged
		}
		mem.entries = append(mem.entries, e)
	}
	if len(mem.entries) != n {
		return errDamaged
	}
	return nil
}
