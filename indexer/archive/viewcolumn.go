package archive

import (
	"bytes"
	"strconv"
)

// Classes of bytes that a column has, a bit each. They tell where a text cannot be.
const (
	classLowHex  = 1 << iota // a to f
	classLow                 // g to z
	classHighHex             // A to F
	classHigh                // G to Z
	classDot
	classDash
	classNumber
	classAny = 1<<iota - 1
)

// columnClass gives the class of a byte; 0 for one that is in no variable.
var columnClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 'a' && c <= 'f':
			t[c] = classLowHex
		case c >= 'g' && c <= 'z':
			t[c] = classLow
		case c >= 'A' && c <= 'F':
			t[c] = classHighHex
		case c >= 'G' && c <= 'Z':
			t[c] = classHigh
		case c == '.':
			t[c] = classDot
		case c == '-':
			t[c] = classDash
		case c >= '0' && c <= '9':
			t[c] = classNumber
		}
	}
	return t
}()

// classesOf gives the classes of a column's bytes.
func classesOf(text []byte) (classes uint8) {
	for _, c := range text {
		classes |= columnClass[c]
	}
	return classes
}

// wide is the width of a column with values of 255 bytes and more, or of any.
const wide = 255

// viewColumn is a column of variables that is decoded when it is needed.
type viewColumn struct {
	kind     uint8
	classes  uint8
	width    uint8 // length of the longest value, or wide
	fixed    bool  // that is the length of all values
	section  sectionID
	from, to int           // where it is in the section of small columns
	numbers  *numberColumn // of kind colNumbers; nil: not yet decoded
	text     []byte        // values, each ended by a newline
	ends     []int32       // of the values in text; nil: not yet decoded
	lower    []byte        // text in lower case, if asked for
}

// load decodes a column to text.
func (v *view) load(column int) (*viewColumn, error) {
	c := &v.columns[column]
	if c.ends != nil {
		return c, nil
	}
	raw, err := v.columnText(c)
	if err != nil {
		return nil, err
	}
	c.text = raw
	c.ends = v.mem.small.take(bytes.Count(raw, []byte{varNewline}))[:0]
	for at := 0; ; {
		i := bytes.IndexByte(raw[at:], varNewline)
		if i < 0 {
			return c, nil
		}
		c.ends = append(c.ends, int32(at+i))
		at += i + 1
	}
}

func (v *view) columnText(c *viewColumn) ([]byte, error) {
	if c.kind == colNumbers {
		if err := v.loadNumbers(c); err != nil {
			return nil, err
		}
		return c.numbers.text(v.mem)
	}
	raw, err := v.columnBytes(c)
	if err == nil && c.kind == colDelta {
		return v.numbers(raw)
	}
	return raw, err
}

// loadNumbers decodes a column of numbers, but not to text.
func (v *view) loadNumbers(c *viewColumn) error {
	if c.numbers != nil {
		return nil
	}
	raw, err := v.columnBytes(c)
	if err != nil {
		return err
	}
	n, err := decodeNumbers(raw, v.lines(), v.mem)
	if err == nil {
		c.numbers = &n
	}
	return err
}

// numbers writes differences as the numbers they make.
func (v *view) numbers(raw []byte) ([]byte, error) {
	d := dec{b: raw}
	text := v.mem.bytes.take(min(12*len(raw), maxSectionBytes))[:0]
	var n int64
	for len(d.b) > 0 {
		if len(text) > maxSectionBytes {
			return nil, corruptf("column of more than %d bytes", maxSectionBytes)
		}
		n += d.int()
		text = append(strconv.AppendInt(text, n, 10), varNewline)
	}
	return text, d.err
}

func (v *view) columnBytes(c *viewColumn) ([]byte, error) {
	if c.section >= secFirstVars {
		d, err := v.open(c.section)
		if err != nil {
			return nil, err
		}
		return d.b, nil
	}
	small := &v.small
	if c.section == secSmallNums {
		small = &v.smallNums
	}
	if *small == nil {
		d, err := v.open(c.section)
		if err != nil {
			return nil, err
		}
		*small = d.b
	}
	if c.to > len(*small) {
		return nil, corruptf("small columns are cut short")
	}
	return (*small)[c.from:c.to], nil
}

// value gives the nth value of a column. It is valid until the next call.
func (v *view) value(column int, n int32) ([]byte, error) {
	c := &v.columns[column]
	if c.kind == colNumbers && c.ends == nil {
		if err := v.numberAt(c, n); err != nil {
			return nil, err
		}
		v.number = c.numbers.appendValue(v.number[:0], int(n))
		return v.number, nil
	}
	c, err := v.load(column)
	if err != nil {
		return nil, err
	}
	if c.kind == colSame {
		n = 0
	}
	if int(n) >= len(c.ends) {
		return nil, corruptf("column of variables is too short")
	}
	from := int32(0)
	if n > 0 {
		from = c.ends[n-1] + 1
	}
	return c.text[from:c.ends[n]], nil
}

// numberAt makes sure that a column of numbers has an nth value.
func (v *view) numberAt(c *viewColumn, n int32) error {
	if err := v.loadNumbers(c); err != nil {
		return err
	}
	if int(n) >= c.numbers.n {
		return corruptf("column of variables is too short")
	}
	c.numbers.asks(v.mem)
	return nil
}

// valueLength gives the length of the nth value of a column.
func (v *view) valueLength(column int, n int32) (int, error) {
	c := &v.columns[column]
	if c.fixed {
		return int(c.width), nil
	}
	if c.kind == colNumbers && c.ends == nil {
		if err := v.numberAt(c, n); err != nil {
			return 0, err
		}
		return c.numbers.length(int(n)), nil
	}
	value, err := v.value(column, n)
	return len(value), err
}
