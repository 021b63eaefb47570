package archive

import (
	"math"
	"math/bits"
	"slices"
)

// A column of numbers: values that are the same but for runs of decimal digits in them, such as counts, ports or
// addresses. What they have in common is stored once, the numbers of each run as a list (see ints.go).
//
//	values(uvarint) runs(uvarint) { text before(bytes) width(1: of all numbers, with zeros in front; 0: as they come) numbers }… text behind(bytes)

// numberRun is a run of digits in a column of numbers that is read.
type numberRun struct {
	before []byte
	width  int      // of all, with zeros in front; 0: none has any
	list   []uint64 // nil until unpack
	packed packedInts
	asked  int // how often a number of it was
}

// at gives the ith number.
func (r *numberRun) at(i int) uint64 {
	if r.list != nil {
		return r.list[i]
	}
	return r.packed.at(i)
}

// unpack decodes all numbers.
func (r *numberRun) unpack(mem *slabs) {
	if r.list == nil {
		r.list = mem.nums.take(len(r.packed.symbols))
		r.packed.unpack(r.list)
	}
}

// asks says that a number will be asked for: of many it is better to decode all at once, where each must be counted for.
func (r *numberRun) asks(mem *slabs) {
	if r.asked++; r.packed.special && r.asked > manyAsked {
		r.unpack(mem)
	}
}

const manyAsked = 64

// numberPacker makes columns of numbers. Not safe for concurrent use.
type numberPacker struct {
	ints  intPacker
	lists [maxRuns]numberList // of each run
	out   enc
	wide  bool // some numbers have many bits that are not entropy coded
}

// numberList is a list of numbers and between which they are.
type numberList struct {
	list        []uint64
	least, most uint64
}

// wideShift is from how many such bits on numbers are wide.
const wideShift = 10

// gather makes lists of the column's numbers.
func (p *numberPacker) gather(col *column) {
	runs := len(col.runs)
	for j := range runs {
		l := &p.lists[j]
		list, least, most := slices.Grow(l.list[:0], col.n)[:col.n], uint64(math.MaxUint64), uint64(0)
		at := 0
		for s := col.numbers.first; s != nil; s = s.next {
			for from := s.list; len(from) >= runs; from = from[runs:] {
				v := from[j]
				list[at] = v
				least, most = min(least, v), max(most, v)
				at++
			}
		}
		l.list, l.least, l.most = list, least, most
	}
}

// pack gives the column whose numbers have been gathered, which it changes. It is valid until the next call.
func (p *numberPacker) pack(col *column) []byte {
	p.wide = false
	e := &p.out
	e.b = e.b[:0]
	e.len(col.n)
	e.len(len(col.runs))
	for i := range col.runs {
		r := &col.runs[i]
		e.bytes(r.before)
		if r.zeros {
			e.byte(byte(r.width))
		} else {
			e.byte(0)
		}
		l := &p.lists[i]
		p.wide = p.ints.packWithin(e, l.list, l.least, l.most) >= wideShift || p.wide
	}
	e.bytes(col.behind)
	return e.b
}

// numberColumn is a column of numbers that has been decoded.
type numberColumn struct {
	n      int // values
	runs   []numberRun
	behind []byte
	fixed  int // bytes of each value that are the same in all
}

// decodeNumbers reads a column of a block that has so many lines.
func decodeNumbers(column []byte, lines int, mem *slabs) (c numberColumn, err error) {
	d := &dec{b: column}
	c.n = d.upTo(lines)
	runs := d.upTo(maxRuns)
	c.runs = make([]numberRun, 0, runs)
	for range runs {
		r := numberRun{before: d.bytes(), width: int(d.byte())}
		if r.width > maxRunDigits || d.err != nil {
			return c, corruptf("column of numbers is damaged")
		}
		if r.packed, err = readInts(d, c.n, mem); err != nil {
			return c, err
		}
		c.runs = append(c.runs, r)
		c.fixed += len(r.before)
	}
	c.behind = d.bytes()
	c.fixed += len(c.behind)
	return c, d.done("column of numbers")
}

// appendValue appends the ith value.
func (c *numberColumn) appendValue(dst []byte, i int) []byte {
	for j := range c.runs {
		r := &c.runs[j]
		dst = append(dst, r.before...)
		dst = appendPadded(dst, r.at(i), r.width)
	}
	return append(dst, c.behind...)
}

// unpack decodes all numbers.
func (c *numberColumn) unpack(mem *slabs) {
	for i := range c.runs {
		c.runs[i].unpack(mem)
	}
}

// asks says that a value will be asked for.
func (c *numberColumn) asks(mem *slabs) {
	for i := range c.runs {
		c.runs[i].asks(mem)
	}
}

// mostDigits gives how many digits the numbers of a run have at most.
func (r *numberRun) mostDigits(mem *slabs) int {
	r.unpack(mem)
	var most uint64
	for _, v := range r.list {
		most = max(most, v)
	}
	return max(digitsOf(most), r.width)
}

// length gives that of the ith value.
func (c *numberColumn) length(i int) int {
	n := c.fixed
	for j := range c.runs {
		r := &c.runs[j]
		n += max(digitsOf(r.at(i)), r.width)
	}
	return n
}

// text gives all values, each ended by a newline, in memory of a slab.
func (c *numberColumn) text(mem *slabs) ([]byte, error) {
	var dst []byte
	each := c.fixed + 1
	for i := range c.runs {
		each += c.runs[i].mostDigits(mem)
	}
	if room := c.n * each; room < maxSlab {
		dst = mem.bytes.take(room)[:0]
	}
	for i := range c.n {
		dst = append(c.appendValue(dst, i), varNewline)
		if len(dst) > maxSectionBytes {
			return nil, corruptf("column of more than %d bytes", maxSectionBytes)
		}
	}
	return dst, nil
}

// appendPadded appends a number with zeros in front of it up to a width. It is what most of a search for digits
// does, so it writes two digits at once to where they belong.
func appendPadded(dst []byte, v uint64, width int) []byte {
	if v < 10 && width <= 1 {
		return append(dst, byte('0'+v))
	}
	n, from := max(digitsOf(v), width), len(dst)
	if from+n > cap(dst) {
		dst = slices.Grow(dst, n)
	}
	dst = dst[:from+n]
	i := from + n
	for v >= 10 {
		q := v / 100
		r := 2 * (v - 100*q)
		i -= 2
		dst[i], dst[i+1] = digitPairs[r], digitPairs[r+1]
		v = q
	}
	if v > 0 || i == from+n {
		i--
		dst[i] = byte('0' + v)
	}
	for i > from {
		i--
		dst[i] = '0'
	}
	return dst
}

// digitPairs are 00 to 99.
const digitPairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

// digitsOf gives how many decimal digits a number has.
func digitsOf(v uint64) int {
	n := bits.Len64(v|1) * 1233 >> 12
	if n < len(tens) && v >= tens[n] {
		n++
	}
	return max(n, 1)
}

// tens are the powers of ten.
var tens = func() (list [20]uint64) {
	list[0] = 1
	for i := 1; i < len(list); i++ {
		list[i] = 10 * list[i-1]
	}
	return list
}()
