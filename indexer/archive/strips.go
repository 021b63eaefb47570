package archive

// How many values a column will have nobody knows beforehand, so they are a list of strips.

// strip is a piece of a column: whole values.
type strip[T any] struct {
	next *strip[T]
	list []T
}

const (
	// smallestStrip is the room of a column's first strip; each further one has four times more, up to stripSizes of them.
	smallestStrip = 64
	stripSizes    = 5
	// maxStrips bounds the memory that waits for being used again: what the columns of a usual block take.
	maxStrips = blockRaw / 2
)

// strips is memory for the columns of a block, reused over blocks. Not safe for concurrent use.
type strips[T any] struct {
	free [stripSizes]*strip[T]
	kept int // room in free
}

// stripList is a column's strips.
type stripList[T any] struct{ first, last *strip[T] }

// take gives an empty strip, of the given size or of the smallest that has room for n.
func (m *strips[T]) take(size, n int) *strip[T] {
	for size < stripSizes && smallestStrip<<(2*size) < n {
		size++
	}
	if size == stripSizes {
		return &strip[T]{list: make([]T, 0, n)}
	}
	if s := m.free[size]; s != nil {
		m.free[size], s.next = s.next, nil
		m.kept -= cap(s.list)
		return s
	}
	return &strip[T]{list: make([]T, 0, smallestStrip<<(2*size))}
}

// release takes back a list's strips.
func (m *strips[T]) release(l *stripList[T]) {
	for s := l.first; s != nil; {
		next := s.next
		for size := range m.free {
			if cap(s.list) == smallestStrip<<(2*size) && m.kept+cap(s.list) <= maxStrips {
				s.list, s.next = s.list[:0], m.free[size]
				m.free[size] = s
				m.kept += cap(s.list)
				break
			}
		}
		s = next
	}
	*l = stripList[T]{}
}

// room makes n more fit into the last strip of a list, which it gives.
func (m *strips[T]) room(l *stripList[T], n int) *strip[T] {
	s := l.last
	if s != nil && cap(s.list)-len(s.list) >= n {
		return s
	}
	return m.extend(l, n)
}

// extend gives a list another strip, with room for n.
func (m *strips[T]) extend(l *stripList[T], n int) *strip[T] {
	if l.last == nil {
		l.first = m.take(0, n)
		l.last = l.first
		return l.first
	}
	size := 1
	for size < stripSizes-1 && smallestStrip<<(2*size) <= cap(l.last.list) {
		size++
	}
	s := m.take(size, n)
	l.last.next, l.last = s, s
	return s
}
