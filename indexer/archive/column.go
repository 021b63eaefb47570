package archive

import (
	"bytes"
	"encoding/binary"
)

// column is one variable of a shape while a block is made: its values in the order of the lines. While all are alike only the
// first is kept. Values that differ in nothing but numbers are kept as these, taken from the line where it is cut, since that is
// also how they are stored (see numbers.go); those of any other column as text. What a column is shows as it goes: one value that
// does not fit makes text of all.
type column struct {
	text    stripList[byte]   // values, each ended by a newline; only the first one but for columnText
	numbers stripList[uint64] // of columnNumbers: those of each value, one after the other
	way     columnWay
	n       int // values
	size    int // bytes of their text, each ended by a newline; unknown of columnSame
	width   int // length of the longest
	runs    []digitRun
	behind  []byte // the last run
	plain   bool   // of columnNumbers: values are nothing but numbers
}

type columnWay uint8

const (
	columnNew columnWay = iota // no values yet
	columnSame
	columnNumbers
	columnText
)

// digitRun is a run of digits that all values of a column of numbers have.
type digitRun struct {
	before []byte // text of the first value
	width  int    // digits of the first value
	fixed  bool   // all have so many
	zeros  bool   // some have zeros in front; then fixed must stay
}

// padding gives how many digits zeros in front make of each number, at least; 0: none has any.
func (r *digitRun) padding() int {
	if r.zeros {
		return r.width
	}
	return 0
}

// fixed tells whether all values have one length.
func (c *column) fixed() bool {
	return c.width < wide && (c.way == columnSame || c.size == c.n*(c.width+1))
}

// columnMemory is what columns of a block are kept in, reused over blocks. Not safe for concurrent use.
type columnMemory struct {
	text    strips[byte]
	numbers strips[uint64]
	spelled []byte
}

// release takes back what the column has, which is new then.
func (m *columnMemory) release(c *column) {
	m.text.release(&c.text)
	m.numbers.release(&c.numbers)
	*c = column{runs: c.runs[:0]}
}

// value gives the first value.
func (c *column) value() []byte {
	b := c.text.first.list
	if c.way == columnText {
		return b[:bytes.IndexByte(b, varNewline)]
	}
	return b[:len(b)-1]
}

// add adds a value to the column. It tells whether that may be another than before: not if it is that of all.
func (m *columnMemory) add(c *column, v []byte) bool {
	switch c.way {
	case columnNew:
		c.way = columnSame
	case columnSame:
		if string(c.value()) == string(v) {
			c.n++
			return false
		}
		m.unfold(c, v)
	case columnNumbers, columnText:
	}
	if c.way == columnNumbers {
		if c.numbersAt(v, 0) == len(v) {
			m.keep(c, len(v))
			return true
		}
		m.spell(c)
	}
	c.n++
	m.store(c, v)
	return true
}

// unfold gives a column that had one value another way, now that another value comes.
func (m *columnMemory) unfold(c *column, another []byte) {
	n, v := c.n, c.value()
	if c.findRuns(v) {
		m.numbers.room(&c.numbers, len(c.runs))
		if c.numbersAt(another, 0) == len(another) {
			c.way, c.n, c.size = columnNumbers, 0, 0
			for range n {
				c.numbersAt(v, 0)
				m.keep(c, len(v))
			}
			return
		}
		m.numbers.release(&c.numbers)
	}
	c.way, c.size = columnText, len(v)+1
	for range n - 1 {
		m.store(c, v)
	}
}

// spell makes text of a column of numbers.
func (m *columnMemory) spell(c *column) {
	c.way = columnText
	first := true
	for s := c.numbers.first; s != nil; s = s.next {
		for list := s.list; len(list) > 0; list = list[len(c.runs):] {
			if first { // is there already
				first, c.size = false, len(c.text.first.list)
				continue
			}
			m.spelled = c.appendValue(m.spelled[:0], list)
			m.store(c, m.spelled)
		}
	}
	m.numbers.release(&c.numbers)
}

// appendValue appends the value with these numbers.
func (c *column) appendValue(dst []byte, numbers []uint64) []byte {
	for j := range c.runs {
		r := &c.runs[j]
		dst = append(dst, r.before...)
		dst = appendPadded(dst, numbers[j], r.padding())
	}
	return append(dst, c.behind...)
}

func (m *columnMemory) store(c *column, v []byte) {
	need := len(v) + 1
	s := m.text.room(&c.text, need)
	n := len(s.list)
	s.list = s.list[:n+need]
	copy(s.list[n:], v)
	s.list[n+len(v)] = varNewline
	c.size += need
	c.width = max(c.width, len(v))
}

// keep adds the value of so many bytes that numbersAt has read last.
func (m *columnMemory) keep(c *column, size int) {
	s, runs := c.numbers.last, len(c.runs)
	s.list = s.list[:len(s.list)+runs]
	c.n++
	c.size += size + 1
	c.width = max(c.width, size)
	if cap(s.list)-len(s.list) < runs {
		m.numbers.extend(&c.numbers, runs)
	}
}

const (
	maxRuns      = 8
	maxRunDigits = 19 // what always fits 64 bits
)

// findRuns finds the runs of digits of the first value, and tells whether others may be like it.
func (c *column) findRuns(value []byte) bool {
	c.runs = c.runs[:0]
	lit := 0
	for i := 0; i < len(value); {
		if !isDigit(value[i]) {
			i++
			continue
		}
		end := i
		for end < len(value) && isDigit(value[end]) {
			end++
		}
		if len(c.runs) == maxRuns || end-i > maxRunDigits {
			return false
		}
		c.runs = append(c.runs, digitRun{before: value[lit:i], width: end - i, fixed: true, zeros: end-i > 1 && value[i] == '0'})
		i, lit = end, end
	}
	c.behind = value[lit:]
	c.plain = len(c.runs) == 1 && len(c.runs[0].before) == 0 && len(c.behind) == 0
	return len(c.runs) > 0
}

// digitsAreWords tells whether each run of digits is a word, and all other words are those of the first value.
func (c *column) digitsAreWords() bool {
	for i := range c.runs {
		b := c.runs[i].before
		if i > 0 && (len(b) == 0 || wordBytes[b[0]] != 0) || len(b) > 0 && wordBytes[b[len(b)-1]] != 0 {
			return false
		}
	}
	return len(c.behind) == 0 || wordBytes[c.behind[0]] == 0
}

// numbersAt reads a value of a column of numbers from i on, and gives where it ends, or -1 if none that fits is there. Its numbers are
// behind those of the column then, for keep; what else has been noted is true whether it is kept or not.
func (c *column) numbersAt(text []byte, i int) int {
	s, runs := c.numbers.last, c.runs
	into := s.list[len(s.list) : len(s.list)+len(runs)][:len(runs)]
	for j := range runs {
		r := &runs[j]
		if n := len(r.before); n > 0 {
			if len(text)-i < n || text[i] != r.before[0] || n > 1 && string(text[i:i+n]) != string(r.before) {
				return -1
			}
			i += n
		}
		var v uint64
		n := 8
		if i+8 <= len(text) {
			w := binary.LittleEndian.Uint64(text[i:])
			n = digitsIn(w)
			v = digitsValue(w, n)
		}
		if n == 8 { // or not known
			v, n = digitsAt(text, i)
			n -= i
		}
		if n > 1 && text[i] == '0' {
			if n != r.width || !r.fixed {
				return -1
			}
			r.zeros = true
		}
		if n != r.width {
			if n == 0 || n > maxRunDigits || r.zeros {
				return -1
			}
			r.fixed = false
		}
		into[j] = v
		i += n
	}
	if n := len(c.behind); n > 0 {
		if len(text)-i < n || string(text[i:i+n]) != string(c.behind) {
			return -1
		}
		i += n
	}
	return i
}

// numberAt is numbersAt for what a plain column mostly has.
func (c *column) numberAt(text []byte, i int) int {
	if i+8 <= len(text) && text[i] != '0' {
		w := binary.LittleEndian.Uint64(text[i:])
		r, n := &c.runs[0], digitsIn(w)
		if uint(n-1) < 7 && (n == r.width || !r.fixed) {
			s := c.numbers.last
			s.list[:len(s.list)+1][len(s.list)] = digitsValue(w, n)
			return i + n
		}
	}
	return c.numbersAt(text, i)
}

// sameAt gives where the value of all ends in a text, if it is there from i on, else -1.
func (c *column) sameAt(text []byte, i int) int {
	v := c.value()
	if len(text)-i < len(v) || string(text[i:i+len(v)]) != string(v) {
		return -1
	}
	return i + len(v)
}

// endsToken tells whether a token with a digit in it, of which text before i is a part, ends there.
func endsToken(text []byte, i int) bool {
	if i >= len(text) {
		return true
	}
	switch byteClass[text[i]] {
	case classLetter, classDigit:
		return false
	case classJoin:
		if i+1 < len(text) {
			c := byteClass[text[i+1]]
			return c != classLetter && c != classDigit
		}
	}
	return true
}

// joined appends the text of all values of a column that has several, each ended by a newline, to buf[:0].
func (c *column) joined(buf []byte) []byte {
	buf = buf[:0]
	for s := c.text.first; s != nil && c.way == columnText; s = s.next {
		buf = append(buf, s.list...)
	}
	for s := c.numbers.first; s != nil; s = s.next {
		for list := s.list; len(list) > 0; list = list[len(c.runs):] {
			buf = append(c.appendValue(buf, list), varNewline)
		}
	}
	return buf
}
