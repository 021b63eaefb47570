package archive

import (
	"sync"

	"github.com/klauspost/compress/huff0"
)

// slab hands out pieces of memory that are all given back at once.
type slab[T any] struct {
	buf  []T
	used int
}

// take gives n items, whatever is in them.
func (s *slab[T]) take(n int) []T {
	if n > len(s.buf)-s.used {
		s.buf, s.used = make([]T, max(n, 2*len(s.buf), 1<<12)), 0 // what was handed out lives on
	}
	p := s.buf[s.used : s.used+n : s.used+n]
	s.used += n
	return p
}

// zeroed gives n items that are zero.
func (s *slab[T]) zeroed(n int) []T {
	p := s.take(n)
	clear(p)
	return p
}

// slabs is the memory of views, reused over blocks.
type slabs struct {
	bytes slab[byte]
	bools slab[bool]
	small slab[int32]
	large slab[int64]
	nums  slab[uint64]
	huff  *huff0.Scratch // the last table read, whose memory the next one reuses; nil: none yet

	props []properties // of the block that is read

	// Of the view that the slabs are lent to: empty, but with room.
	shapes  []viewShape
	tokens  []shapeToken
	columns []viewColumn
}

// maxSlab is how many items of a slab are kept for the next block.
const maxSlab = 8 << 20

func (s *slabs) reset() {
	s.bytes.used, s.bools.used, s.small.used, s.large.used, s.nums.used = 0, 0, 0, 0, 0
	s.props = emptied(s.props)
	if len(s.bytes.buf) > maxSlab {
		s.bytes.buf = nil
	}
	if len(s.large.buf) > maxSlab/8 {
		s.large.buf = nil
	}
	if len(s.nums.buf) > maxSlab/8 {
		s.nums.buf = nil
	}
	if len(s.small.buf) > maxSlab/4 {
		s.small.buf = nil
	}
}

// slabPool keeps slabs of views that are done; at most as many as views at once.
type slabPool struct{ pool sync.Pool }

func (p *slabPool) get() *slabs {
	if s, ok := p.pool.Get().(*slabs); ok {
		return s
	}
	return &slabs{}
}

// lend gives room for a view's shapes and columns; keep takes it back.
func (s *slabs) lend(v *view) { v.shapes, v.tokens, v.columns = s.shapes, s.tokens, s.columns }

func (s *slabs) keep(v *view) {
	s.shapes, s.tokens, s.columns = emptied(v.shapes), emptied(v.tokens), emptied(v.columns)
}

// maxRoom is how many shapes, tokens or columns have their memory kept.
const maxRoom = 1 << 14

// emptied gives the memory of a list, which refers to nothing any more.
func emptied[T any](list []T) []T {
	if cap(list) > maxRoom {
		return nil
	}
	clear(list)
	return list[:0]
}

func (p *slabPool) put(s *slabs) {
	s.reset()
	p.pool.Put(s)
}
