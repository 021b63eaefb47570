package otlp

// A slab takes memory for so many items at once, and keeps it for so many.
const (
	leastItems = 1024
	keptItems  = 32 << 10
)

// slab gives pieces of memory that is used again for the next request: made anew for each, the records and lines of
// what arrives are most of what the garbage collector has to do.
type slab[T any] struct {
	all   []T
	used  int // of all
	taken int // since reset, also of what all was before
	usual int // items of a request, as far as it is known; at most keptItems
}

// take gives a piece of n items, which have what is left in them of earlier requests.
func (s *slab[T]) take(n int) []T {
	if n > len(s.all)-s.used { // what was taken stays where it is
		s.all, s.used = make([]T, max(n, leastItems, s.usual-s.taken)), 0
	}
	from := s.used
	s.used += n
	s.taken += n
	return s.all[from:s.used:s.used]
}

// reset says that nobody uses what was taken any more.
func (s *slab[T]) reset() {
	s.usual = max(s.usual, min(s.taken, keptItems))
	if len(s.all) < s.usual || len(s.all) > 2*keptItems {
		s.all = nil // the next is one piece of the usual size
	}
	s.used, s.taken = 0, 0
}
