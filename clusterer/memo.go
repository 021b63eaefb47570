package clusterer

import (
	"encoding/binary"

	"lastnight"
	"lastnight/internal/header"
)

// Limits of the memo.
const (
	fewMemos     = 64   // lines that it has room for at first
	maxMemos     = 1024 // lines that it has room for at most
	maxMemoBytes = 384  // of a line
	maxMemoVars  = 24   // of a line
	maxBounds    = 16   // digits of a line that matter
)

// memo remembers which pattern lines led to, by their bytes with 0 in place of every digit: most lines differ from one of the
// last thousand in the digits of their numbers alone. A line that is found need not be cut into tokens.
//
// That is no guess. Where tokens begin and end and what they are follows from which class each byte is of
// (attr) and from letters and punctuation; what a digit's value is, is asked in three places only:
//
//   - constants: a digit in a word that is no variable (ssh2) is part of it;
//   - isHex: a 0 before an x;
//   - clock: the first digit of an hour is at most 2.
//
// These digits are bound: they must be what they were, or on the same side of 2. Whoever asks for a digit's value
// anywhere else must bind it in bindDigits; FuzzMemo finds out if not.
//
// What is remembered holds as long as the pattern is kept and its template is the same: a pattern's line finds no other,
// whatever is learned. The zero value is ready.
type memo struct {
	places  []memoPlace // by hash; its length is a power of two, or 0
	lines   []memoLine  // each has its place
	evicted int         // lines that found their place taken since it grew
	hash    uint64      // of the line that was asked for last, digits as 0
}

// memoPlace is where the lines of some hashes may be found.
type memoPlace struct {
	line    uint32 // in lines, and 1 more; 0: none
	refused uint32 // of the hash of the line that last found the place taken: it gets it when it comes again
}

// memoLine is one line that is remembered.
type memoLine struct {
	hash     uint64
	text     []byte
	pattern  *pattern
	template *template // of the pattern then
	bounds   []bound
	vars     []lastnight.Var
}

// bound is a digit of a line whose value matters.
type bound struct {
	at        int32
	low, high byte // what it may be, both inclusive
}

// find gives what is remembered of a line, nil if nothing that still holds.
func (m *memo) find(message []byte) *memoLine {
	m.hash = maskedSum(message)
	if len(m.places) == 0 {
		return nil
	}
	at := m.places[m.hash&uint64(len(m.places)-1)].line
	if at == 0 {
		return nil
	}
	l := &m.lines[at-1]
	if l.hash != m.hash || l.pattern == nil || !isMasked(l.text, message) {
		return nil
	}
	if l.pattern.gone || l.pattern.template != l.template || l.template.link != nil {
		return nil
	}
	for _, b := range l.bounds {
		if c := message[b.at]; c < b.low || c > b.high {
			return nil
		}
	}
	return l
}

// keep remembers the line that find was asked for last: toks are its tokens, vars its variables.
func (m *memo) keep(message []byte, toks []token, p *pattern, vars []lastnight.Var) {
	if len(vars) > maxMemoVars {
		return
	}
	l := m.place()
	if l == nil {
		return
	}
	l.pattern = nil
	var ok bool
	if l.bounds, ok = bindDigits(message, toks, l.bounds[:0]); !ok {
		return
	}
	l.pattern, l.template = p, p.template
	l.text, l.vars = appendMasked(l.text[:0], message), append(l.vars[:0], vars...)
}

// place gives where the line that find was asked for last is to be kept; nil if it has to come again for that: many
// come but once, such as those with an id in letters.
func (m *memo) place() *memoLine {
	if len(m.places) == 0 {
		m.places = make([]memoPlace, fewMemos)
	}
	at := &m.places[m.hash&uint64(len(m.places)-1)]
	if at.line > 0 {
		if m.evicted++; m.evicted > len(m.places) && len(m.places) < maxMemos {
			m.grow()
			at = &m.places[m.hash&uint64(len(m.places)-1)]
		}
	}
	if at.line == 0 {
		m.lines = append(m.lines, memoLine{})
		at.line = uint32(len(m.lines))
	}
	l := &m.lines[at.line-1]
	if l.pattern != nil && l.hash != m.hash && at.refused != uint32(m.hash>>32) {
		at.refused = uint32(m.hash >> 32)
		return nil
	}
	l.hash = m.hash
	return l
}

// grow makes room for four times as many lines. Those that had places of their own have so again.
func (m *memo) grow() {
	m.places, m.evicted = make([]memoPlace, 4*len(m.places)), 0
	for i := range m.lines {
		m.places[m.lines[i].hash&uint64(len(m.places)-1)].line = uint32(i) + 1
	}
}

// bindDigits finds the digits of a line whose values matter; false if there are too many. A value never begins
// within a number, so outside of constants only the first digit of one is asked for.
func bindDigits(b []byte, toks []token, bounds []bound) ([]bound, bool) {
	from := 0 // of what is constant
	for k := 0; k <= len(toks); k++ {
		slot := token{from: int32(len(b)), to: int32(len(b))} // what ends the line
		if k < len(toks) {
			if slot = toks[k]; slot.what != tokSlot {
				continue
			}
		}
		for i := from; i < int(slot.from); i++ {
			if digit(b, i) {
				bounds = append(bounds, bound{int32(i), b[i], b[i]})
			}
		}
		from = int(slot.to)
		for i := int(slot.from); i < from; i++ {
			if !digit(b, i) {
				continue
			}
			c := b[i]
			switch {
			case i+1 < len(b) && (b[i+1] == 'x' || b[i+1] == 'X'):
				bounds = append(bounds, bound{int32(i), c, c})
			case !mayBeHour(b, int(slot.from), i):
			case c <= '2':
				bounds = append(bounds, bound{int32(i), '0', '2'})
			default:
				bounds = append(bounds, bound{int32(i), '3', '9'})
			}
			for digit(b, i+1) {
				i++
			}
		}
		if len(bounds) > maxBounds {
			return bounds, false
		}
	}
	return bounds, true
}

func digit(b []byte, i int) bool { return i < len(b) && attr[b[i]]&isDigit != 0 }

// mayBeHour tells whether clock may ask if the number at i is an hour: 18:06, 18.06.07, but no part of an address. from is where
// the slot begins that it is in.
func mayBeHour(b []byte, from, i int) bool {
	two := func(i int) bool { return digit(b, i) && digit(b, i+1) }
	if !two(i) || i+2 >= len(b) || b[i+2] != ':' && b[i+2] != '.' || !two(i+3) {
		return false
	}
	if b[i+2] == '.' && (i+5 >= len(b) || b[i+5] != '.' || !two(i+6)) {
		return false
	}
	if i-2 < from || b[i-1] != '.' || !digit(b, i-2) {
		return true
	}
	run := 0 // a date comes before the dot, of at most ten bytes: with a year of four digits, or slashes
	for _, c := range b[max(from, i-11) : i-1] {
		if run++; attr[c]&isDigit == 0 {
			run = 0
		}
		if run == 4 || c == '/' {
			return true
		}
	}
	return false
}

// maskedSum is a hash of a line with 0 in place of every digit.
func maskedSum(b []byte) uint64 {
	h := uint64(len(b)) * mulB
	var short [16]byte
	if len(b) < len(short) {
		copy(short[:], b)
		b = short[:]
	}
	for last := b[len(b)-16:]; len(b) > 0; b = b[16:] {
		if len(b) < 16 {
			b = last // again what was added in part
		}
		h = mix(h^header.Mask(binary.LittleEndian.Uint64(b)), header.Mask(binary.LittleEndian.Uint64(b[8:])))
	}
	return h
}

// isMasked tells whether text is b with 0 in place of every digit.
func isMasked(text, b []byte) bool {
	if len(text) != len(b) {
		return false
	}
	var short, masked [8]byte
	if len(b) < len(short) {
		copy(short[:], b)
		copy(masked[:], text)
		b, text = short[:], masked[:]
	}
	last, lastText := b[len(b)-8:], text[len(text)-8:]
	differ := header.Mask(binary.LittleEndian.Uint64(last)) ^ binary.LittleEndian.Uint64(lastText)
	for ; len(b) >= 8 && len(text) >= 8; b, text = b[8:], text[8:] {
		differ |= header.Mask(binary.LittleEndian.Uint64(b)) ^ binary.LittleEndian.Uint64(text)
	}
	return differ == 0
}

// appendMasked appends b with 0 in place of every digit.
func appendMasked(to, b []byte) []byte {
	for ; len(b) >= 8; b = b[8:] {
		to = binary.LittleEndian.AppendUint64(to, header.Mask(binary.LittleEndian.Uint64(b)))
	}
	for _, c := range b {
		if attr[c]&isDigit != 0 {
			c = '0'
		}
		to = append(to, c)
	}
	return to
}
