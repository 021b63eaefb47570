package otlp

// A slab is made of chunks of so many items, or of one piece that is larger; so many are kept.
const (
	chunkItems = 1024
	keptItems  = 32 << 10
)

// slab gives pieces of memory that is used again for the next request: made anew for each, the records and lines of
// what arrives are most of what the garbage collector has to do.
type slab[T any] struct {
	chunks [][]T
	next   int // chunk that is not in use
	free   []T
}

// take gives a piece of n items, which have what is left in them of earlier requests.
func (s *slab[T]) take(n int) []T {
	for n > len(s.free) {
		if s.next == len(s.chunks) {
			s.chunks = append(s.chunks, make([]T, max(n, chunkItems)))
		}
		s.free = s.chunks[s.next]
		s.next++
	}
	piece := s.free[:n:n]
	s.free = s.free[n:]
	return piece
}

// reset says that nobody uses what was taken any more.
func (s *slab[T]) reset() {
	kept := 0
	for i := range s.chunks {
		if kept += len(s.chunks[i]); kept > keptItems {
			clear(s.chunks[i:])
			s.chunks = s.chunks[:i]
			break
		}
	}
	s.next, s.free = 0, nil
}
