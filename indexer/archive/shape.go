package archive

import "time"

// A line is cut into a shape and variables without knowing anything of templates: a run
// of letters and digits that has a digit in it is a variable, everything else is the
// line's shape. Lines of one log statement mostly have one shape, and variables that
// stand at the same place in it are alike, so they are stored side by side.
//
// In a shape, markers stand for what is stored elsewhere. A line that has such a byte
// itself, or no end of variables, ends its shape with markTail; the rest is stored as it is.
const (
	markVar   = 0x11 // a variable
	markStamp = 0x12 // a stamp; its form follows in stampFormBytes bytes
	markTail  = 0x13 // the rest of the line
)

const (
	// maxVars and maxShape bound what one shape can be; beyond is tail.
	maxVars  = 96
	maxShape = 2048
	// stampWithin is how far a stamp may be from the beginning of a line.
	stampWithin = 64
)

// Classes of bytes.
const (
	classOther = iota
	classLetter
	classDigit
	classJoin // parts of a variable when letters or digits stand on both sides
	classMark
)

var byteClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = classDigit
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			t[c] = classLetter
		case c == '.' || c == '-':
			t[c] = classJoin
		case c == markVar || c == markStamp || c == markTail:
			t[c] = classMark
		}
	}
	return t
}()

// piece is where a variable, stamp or tail stands in a text.
type piece struct{ from, to int }

// splitter cuts lines. Its results are valid until the next call. Not safe for concurrent use.
type splitter struct {
	shape    []byte
	vars     []piece     // variables and stamp, in order
	ways     []columnWay // of vars: columnSame and columnNumbers if they are like the values of their column, else columnNew
	tail     int         // where the tail begins; -1: there is none
	stamp    int         // which of vars is the stamp; -1: none
	stampNS  int64       // the stamp's time; its form is the reader's
	hasDigit bool
	stamps   stampReader
}

// Times outside of these have no stamps, so that no sum overflows.
const (
	minStampNear = 0
	maxStampNear = 7_000_000_000_000_000_000
)

func (s *splitter) begin() {
	s.vars, s.ways, s.tail, s.stamp = s.vars[:0], s.ways[:0], -1, -1
}

// split cuts the text of a line written at near, ns since 1970.
func (s *splitter) split(text []byte, near int64) {
	s.begin()
	s.shape = s.shape[:0]
	i, lit := 0, 0 // lit: from where text is not yet in shape
	for i < len(text) {
		switch byteClass[text[i]] {
		case classMark:
			s.cut(text, lit, i)
			return
		case classLetter, classDigit:
			if s.stamp < 0 && i < stampWithin && byteClass[text[i]] == classDigit || i == 0 {
				if n := s.tryStamp(text[i:], near); n > 0 {
					s.shape = append(s.shape, text[lit:i]...)
					f := s.stamps.form.bytes()
					s.shape = append(append(s.shape, markStamp), f[:]...)
					s.stamp = len(s.vars)
					s.vars = append(s.vars, piece{i, i + n})
					s.ways = append(s.ways, columnNew)
					i += n
					lit = i
					continue
				}
			}
			end := s.token(text, i)
			if s.hasDigit {
				if len(s.vars) >= maxVars || len(s.shape)+i-lit > maxShape {
					s.cut(text, lit, i)
					return
				}
				s.shape = append(append(s.shape, text[lit:i]...), markVar)
				s.vars = append(s.vars, piece{i, end})
				s.ways = append(s.ways, columnNew)
				lit = end
			}
			i = end
		default:
			i++
		}
	}
	if len(s.shape)+i-lit > maxShape {
		s.cut(text, lit, min(lit+max(maxShape-len(s.shape), 0), i))
		return
	}
	s.shape = append(s.shape, text[lit:]...)
}

// cut makes everything from at on the tail.
func (s *splitter) cut(text []byte, lit, at int) {
	if len(s.shape)+at-lit > maxShape {
		at = lit
	}
	s.shape = append(append(s.shape, text[lit:at]...), markTail)
	s.tail = at
}

// token gives the end of the token that begins at i, and sets hasDigit.
func (s *splitter) token(text []byte, i int) int {
	s.hasDigit = false
	for i < len(text) {
		switch byteClass[text[i]] {
		case classDigit:
			s.hasDigit = true
		case classLetter:
		case classJoin:
			if !s.hasDigit || i+1 == len(text) {
				return i
			}
			if c := byteClass[text[i+1]]; c != classDigit && c != classLetter {
				return i
			}
		default:
			return i
		}
		i++
	}
	return i
}

// tryStamp gives the length of a stamp at the beginning of text, 0 if there is none.
func (s *splitter) tryStamp(text []byte, near int64) int {
	if s.stamp >= 0 || near < minStampNear || near > maxStampNear {
		return 0
	}
	ns, n := s.stamps.read(text, near)
	if n == 0 || s.stamps.form.between == '\n' {
		return 0
	}
	s.stampNS = ns
	return n
}

// stampDelta gives what is stored of a stamp: its difference to the line's time in its own unit. Neither is before 1970.
func stampDelta(f stampForm, ns, near int64) int64 {
	const ms, s = uint64(time.Millisecond), uint64(time.Second)
	switch f.digits { // dividing by a number that the compiler knows is much quicker
	case 3:
		return int64(uint64(ns)/ms) - int64(uint64(near)/ms)
	case 0:
		return int64(uint64(ns)/s) - int64(uint64(near)/s)
	}
	u := f.unit()
	return floorDiv(ns, u) - floorDiv(near, u)
}

func stampOf(f stampForm, delta, near int64) int64 {
	u := f.unit()
	return (floorDiv(near, u) + delta) * u
}

// shapeToken is a step of putting a line together again.
type shapeToken struct {
	lit  []byte // text before the mark
	mark byte   // 0 at the end
	form stampForm
}

// parseShape takes a shape apart.
func parseShape(shape []byte) ([]shapeToken, error) { return appendTokens(nil, shape) }

// appendTokens is parseShape into memory that is at hand.
func appendTokens(out []shapeToken, shape []byte) ([]shapeToken, error) {
	lit := 0
	for i := 0; i < len(shape); i++ {
		if byteClass[shape[i]] != classMark {
			continue
		}
		t := shapeToken{lit: shape[lit:i], mark: shape[i]}
		if t.mark == markStamp {
			if i+stampFormBytes >= len(shape) {
				return nil, corruptf("shape cut short")
			}
			var ok bool
			if t.form, ok = parseStampForm(shape[i+1 : i+1+stampFormBytes]); !ok {
				return nil, corruptf("shape with an unknown form of time")
			}
			i += stampFormBytes
		}
		out = append(out, t)
		lit = i + 1
	}
	return append(out, shapeToken{lit: shape[lit:]}), nil
}
