package archive

// column is one variable of a shape while a block is made: its values in the order of the lines. How many there will
// be nobody knows beforehand, so their text is a list of strips. While all are alike only the first is kept.
type column struct {
	first, last *strip
	n           int32 // values
	width       int32 // length of the longest
	mixed       bool
}

// strip is a piece of a column's text: whole values, each ended by a newline.
type strip struct {
	next *strip
	b    []byte
}

const (
	// smallestStrip is the room of a column's first strip; each further one has four times more, up to stripSizes of them.
	smallestStrip = 64
	stripSizes    = 5
	// maxStrips bounds the memory that waits for being used again: what the columns of a usual block take.
	maxStrips = blockRaw / 2
)

// strips is memory for the columns of a block, reused over blocks. Not safe for concurrent use.
type strips struct {
	free [stripSizes]*strip
	kept int // bytes in free
}

// take gives an empty strip, of the given size or of the smallest that has room for n bytes.
func (m *strips) take(size, n int) *strip {
	for size < stripSizes && smallestStrip<<(2*size) < n {
		size++
	}
	if size == stripSizes {
		return &strip{b: make([]byte, 0, n)}
	}
	if s := m.free[size]; s != nil {
		m.free[size], s.next = s.next, nil
		m.kept -= cap(s.b)
		return s
	}
	return &strip{b: make([]byte, 0, smallestStrip<<(2*size))}
}

// release takes back what the column has, which is empty then.
func (m *strips) release(c *column) {
	for s := c.first; s != nil; {
		next := s.next
		for size := range m.free {
			if cap(s.b) == smallestStrip<<(2*size) && m.kept+cap(s.b) <= maxStrips {
				s.b, s.next = s.b[:0], m.free[size]
				m.free[size] = s
				m.kept += cap(s.b)
				break
			}
		}
		s = next
	}
	*c = column{}
}

// add adds a value to the column. It tells whether it may be another than before: not if it is that of all.
func (m *strips) add(c *column, v []byte) bool {
	if !c.mixed && c.n > 0 {
		if same := c.value(); string(same) == string(v) {
			c.n++
			return false
		}
		m.unfold(c)
	}
	c.n++
	m.store(c, v)
	return true
}

// value gives the value of a column that has only one.
func (c *column) value() []byte { return c.first.b[:len(c.first.b)-1] }

// unfold stores the value of a column that had only one as often as it came.
func (m *strips) unfold(c *column) {
	c.mixed = true
	v := c.value()
	for range c.n - 1 {
		m.store(c, v)
	}
}

func (m *strips) store(c *column, v []byte) {
	need := len(v) + 1
	s := c.last
	if s == nil || len(s.b)+need > cap(s.b) {
		s = m.extend(c, need)
	}
	n := len(s.b)
	s.b = s.b[:n+need]
	copy(s.b[n:], v)
	s.b[n+len(v)] = varNewline
	c.width = max(c.width, int32(len(v)))
}

// extend gives the column another strip, with room for n bytes.
func (m *strips) extend(c *column, n int) *strip {
	if c.last == nil {
		c.first = m.take(0, n)
		c.last = c.first
		return c.first
	}
	size := 1
	for size < stripSizes-1 && smallestStrip<<(2*size) <= cap(c.last.b) {
		size++
	}
	s := m.take(size, n)
	c.last.next, c.last = s, s
	return s
}

// text gives the values, each ended by a newline, and buf, which it may have used for that and has grown then.
func (c *column) text(buf []byte) (text, kept []byte) {
	if c.first == c.last {
		return c.first.b, buf
	}
	buf = buf[:0]
	for s := c.first; s != nil; s = s.next {
		buf = append(buf, s.b...)
	}
	return buf, buf
}
