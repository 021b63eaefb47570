package archive

import (
	"bytes"
	"strconv"
)

// A column of numbers: values that are the same but for runs of decimal digits in them, such as counts, ports or
// addresses. What they have in common is stored once, the numbers of each run as a list (see ints.go).
//
//	values(uvarint) runs(uvarint) { text before(bytes) width(1: of all numbers, with zeros in front; 0: as they come) numbers }… text behind(bytes)
const (
	maxRuns      = 8
	maxRunDigits = 19 // what always fits 64 bits
)

// numberRun is a run of digits in a column of numbers.
type numberRun struct {
	before []byte
	width  int // of the first one
	fixed  bool
	zeros  bool // some have zeros in front
	list   []uint64
}

// numberPacker makes columns of numbers. Not safe for concurrent use.
type numberPacker struct {
	ints intPacker
	runs []numberRun
	out  enc
}

// pack gives the column of n values, each ended by a newline, or nil if they are not all alike. It is valid until the next call.
func (p *numberPacker) pack(text []byte, n int) []byte {
	first := text[:bytes.IndexByte(text, varNewline)]
	behind, ok := p.skeleton(first)
	if !ok {
		return nil
	}
	for rest := text; len(rest) > 0; {
		i := bytes.IndexByte(rest, varNewline)
		if !p.add(rest[:i], behind) {
			return nil
		}
		rest = rest[i+1:]
	}
	for i := range p.runs {
		if r := &p.runs[i]; r.zeros && !r.fixed {
			return nil
		}
	}
	e := &p.out
	e.b = e.b[:0]
	e.len(n)
	e.len(len(p.runs))
	for i := range p.runs {
		r := &p.runs[i]
		e.bytes(r.before)
		if r.zeros {
			e.byte(byte(r.width))
		} else {
			e.byte(0)
		}
		p.ints.pack(e, r.list)
	}
	e.bytes(behind)
	return e.b
}

// skeleton finds the runs of the first value, and what is behind the last one.
func (p *numberPacker) skeleton(value []byte) (behind []byte, ok bool) {
	p.runs = p.runs[:0]
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
		if len(p.runs) == maxRuns || end-i > maxRunDigits {
			return nil, false
		}
		if len(p.runs) < cap(p.runs) {
			p.runs = p.runs[:len(p.runs)+1]
		} else {
			p.runs = append(p.runs, numberRun{})
		}
		r := &p.runs[len(p.runs)-1]
		*r = numberRun{before: value[lit:i], width: end - i, fixed: true, list: r.list[:0]}
		i, lit = end, end
	}
	return value[lit:], len(p.runs) > 0
}

// add takes up a value, if it is like the first one.
func (p *numberPacker) add(value, behind []byte) bool {
	for i := range p.runs {
		r := &p.runs[i]
		if !bytes.HasPrefix(value, r.before) {
			return false
		}
		value = value[len(r.before):]
		n, end := uint64(0), 0
		for end < len(value) && isDigit(value[end]) {
			n = n*10 + uint64(value[end]-'0') // of too many digits it is not used
			end++
		}
		if end == 0 || end > maxRunDigits {
			return false
		}
		r.zeros = r.zeros || end > 1 && value[0] == '0'
		r.fixed = r.fixed && end == r.width
		r.list = append(r.list, n)
		value = value[end:]
	}
	return bytes.Equal(value, behind)
}

// decodeNumbers gives the values of a column of numbers of a block that has so many lines, each ended by a newline, in memory
// of a slab if there is one.
func decodeNumbers(column []byte, lines int, mem *slab[byte]) ([]byte, error) {
	d := &dec{b: column}
	n := d.upTo(lines)
	each := 1
	runs := make([]numberRun, 0, maxRuns)
	for range d.upTo(maxRuns) {
		r := numberRun{before: d.bytes(), width: int(d.byte())}
		if r.width > maxRunDigits || d.err != nil {
			return nil, corruptf("column of numbers is damaged")
		}
		r.list = make([]uint64, n)
		if err := unpackInts(d, r.list); err != nil {
			return nil, err
		}
		runs = append(runs, r)
		each += len(r.before) + maxRunDigits + 1
	}
	behind := d.bytes()
	if err := d.done("column of numbers"); err != nil {
		return nil, err
	}
	var dst []byte
	if room := n * (each + len(behind)); mem != nil && room < maxSlab {
		dst = mem.take(room)[:0]
	}
	for i := range n {
		for j := range runs {
			r := &runs[j]
			dst = append(dst, r.before...)
			dst = appendPadded(dst, r.list[i], r.width)
		}
		dst = append(append(dst, behind...), varNewline)
		if len(dst) > maxSectionBytes {
			return nil, corruptf("column of more than %d bytes", maxSectionBytes)
		}
	}
	return dst, nil
}

// appendPadded appends a number with zeros in front of it up to a width.
func appendPadded(dst []byte, v uint64, width int) []byte {
	if width > 0 {
		limit := uint64(1)
		for range width - 1 {
			limit *= 10
		}
		for ; limit > 1 && v < limit; limit /= 10 {
			dst = append(dst, '0')
		}
	}
	return strconv.AppendUint(dst, v, 10)
}
