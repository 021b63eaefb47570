package header

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"lastnight"
)

// Forms. Most headers of a log differ from one of the last hundred in their digits alone: another time, another number of a
// thread. A form is a header that was recognised, by the line's first bytes with 0 in place of every digit; a line that begins
// so has the same header, and what costs the most, to find where its parts end, is done.
//
// That is no guess. What parseText, parseSyslog and parseLearned decide follows from which bytes are digits and what the
// others are, and in few places from the digits' values:
//
//   - of the time. It is read again where it stood, and must be as long;
//   - EpochTime, which a learned column may ask (steady);
//   - columnHost, which repeats what stood before.
//
// A header where the latter two were asked has no form, nor has one that bytes behind it decided about (a bracket that
// closes nowhere): what the parsers looked at to find a header with a form lies before its reach. Whoever looks further has to set
// text.far, or leave Parser.seen alone; FuzzForms finds out if not.

// Limits of forms.
const (
	fewForms = 64   // for which there is room at first
	maxForms = 1024 // in all, of 250 bytes
	reachMax = 128  // bytes of a line that are compared, a multiple of 8
)

// reaches are how many bytes of a line are compared, from few to many: to compare more than the header finds less.
var reaches = [...]int{48, 80, reachMax}

// seen is what the parsers tell of the line at hand, for its form.
type seen struct {
	reach    int       // the header is decided by the bytes before it; 0: it has no form
	clock    clockKind // which function read the time, of line[timeAt:timeEnd], or of all behind timeAt if timeEnd is 0
	timeAt   int
	timeEnd  int
	timeSize int
	logger   field // where Logger and Thread stand
	thread   field
}

// clockKind is a function that reads times.
type clockKind uint8

const (
	clockDated   clockKind = iota // minute.timeAt
	clockCompact                  // minute.compactAt
	clockAlone                    // clockAt, for its length
)

// form is a header that was recognised. A zero one is none.
type form struct {
	hash   uint64
	layout *layout // by which it was learned; nil: it is of a known format
	logger string  // of the last line of this form
	thread string

	loggerAt, threadAt stretch // where they have digits; else zero
	timeAt, timeEnd    uint8
	timeSize           uint8
	messageAt          uint8
	words              uint8 // of text
	clock              clockKind
	level              lastnight.Level
	text               [reachMax / 8]uint64
}

// stretch is a piece of the first reachMax bytes of a line.
type stretch struct{ from, to uint8 }

// forms finds forms. The zero value has none.
type forms struct {
	table   []form // by hash; its length is a power of two, or 0
	evicted int    // forms that had to go for another since it grew
	missed  int    // lines without a form, less those with one
	pause   int    // lines to pass, since hardly any had one
	off     bool   // for tests
}

// After so many more lines without a form than with one, lines are passed that may have none.
const (
	mostMissed = 512
	longPause  = 8192
)

const eachByte = 0x0101010101010101

// Mask gives eight bytes with '0' in place of each digit.
func Mask(x uint64) uint64 {
	const high = 0x80 * eachByte
	y := x ^ '0'*eachByte                           // digits are 0 to 9 now
	other := ((y &^ high) + (0x80-10)*eachByte) | y // the high bit of all else is set
	return x &^ (((^other & high) >> 7) * 0x0f)
}

// maskedLine is the beginning of a line without digits, as far as it was needed.
type maskedLine struct {
	text [reachMax / 8]uint64
	hash uint64
	n    int // words
}

// upTo goes on to so many words of the line.
func (m *maskedLine) upTo(line []byte, words int) {
	if len(line) < 8*words {
		var padded [reachMax]byte
		copy(padded[:], line)
		line = padded[:]
	}
	h := m.hash
	for i := m.n; i < words; i += 2 {
		a, b := Mask(binary.LittleEndian.Uint64(line[8*i:])), Mask(binary.LittleEndian.Uint64(line[8*i+8:]))
		m.text[i&(len(m.text)-1)], m.text[(i+1)&(len(m.text)-1)] = a, b
		hi, lo := bits.Mul64(a^h^0x9e3779b97f4a7c15, b^0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	m.hash, m.n = h, words
}

// find gives the form of a line, nil if it has none.
func (f *forms) find(line []byte, learned *layout) *form {
	if len(f.table) == 0 || f.off {
		return nil
	}
	if f.pause > 0 {
		f.pause--
		return nil
	}
	var m maskedLine
	for _, reach := range reaches {
		m.upTo(line, reach/8)
		e := &f.table[m.hash&uint64(len(f.table)-1)]
		if e.hash != m.hash || int(e.words) != m.n || e.layout != nil && e.layout != learned || int(e.messageAt) > len(line) {
			continue
		}
		differ := uint64(0)
		for i := range m.n {
			differ |= m.text[i&(len(m.text)-1)] ^ e.text[i&(len(e.text)-1)]
		}
		if differ == 0 {
			f.missed = max(f.missed-1, 0)
			return e
		}
	}
	if f.missed++; f.missed > mostMissed {
		f.missed, f.pause = 0, longPause
	}
	return nil
}

// place gives where the form of a line is to be kept, for a header of reach bytes; nil if it is too long.
func (f *forms) place(line []byte, reach int) *form {
	var m maskedLine
	for _, r := range reaches {
		if r >= reach {
			m.upTo(line, r/8)
			break
		}
	}
	if m.n == 0 || f.off {
		return nil
	}
	if len(f.table) == 0 {
		f.table = make([]form, fewForms)
	}
	e := &f.table[m.hash&uint64(len(f.table)-1)]
	if e.words > 0 {
		if f.evicted++; f.evicted > len(f.table) && len(f.table) < maxForms {
			f.grow()
			e = &f.table[m.hash&uint64(len(f.table)-1)]
		}
	}
	*e = form{hash: m.hash, words: uint8(m.n), text: m.text}
	return e
}

func (f *forms) grow() {
	old := f.table
	f.table, f.evicted = make([]form, 4*len(old)), 0
	for i := range old {
		if e := &old[i]; e.words > 0 {
			f.table[e.hash&uint64(len(f.table)-1)] = *e
		}
	}
}

// remember keeps the form of a line that was just parsed; learned is the layout by which, nil for a known format.
func (p *Parser) remember(line []byte, h *Header, learned *layout) {
	s := &p.seen
	if s.reach == 0 || s.reach > reachMax || s.timeEnd > reachMax || p.forms.pause > 0 {
		return
	}
	e := p.forms.place(line, s.reach)
	if e == nil {
		return
	}
	e.layout, e.logger, e.thread, e.level, e.messageAt = learned, h.Logger, h.Thread, h.Level, uint8(h.MessageAt)
	e.clock, e.timeAt, e.timeEnd, e.timeSize = s.clock, uint8(s.timeAt), uint8(s.timeEnd), uint8(s.timeSize)
	e.loggerAt, e.threadAt = numbered(line, s.logger), numbered(line, s.thread)
}

// within gives where a piece of a line stands in it.
func within(line, piece []byte) field {
	if piece == nil {
		return field{}
	}
	from := cap(line) - cap(piece)
	return field{from, from + len(piece)}
}

// numbered gives a field again if there is a digit in it.
func numbered(line []byte, f field) stretch {
	if !slices.ContainsFunc(line[f.from:f.to], isDigit) {
		return stretch{}
	}
	return stretch{uint8(f.from), uint8(f.to)}
}

// fill sets h to what the form says of a line; false if its time is none.
func (p *Parser) fill(e *form, line []byte, h *Header) bool {
	var ns int64
	n := 0
	switch e.clock {
	case clockDated:
		in := line
		if e.timeEnd > 0 {
			in = line[:e.timeEnd]
		}
		ns, n, _ = p.minute.timeAt(in, int(e.timeAt))
	case clockCompact:
		ns, n = p.minute.compactAt(line, int(e.timeAt))
	case clockAlone:
		_, n, _ = clockAt(line, int(e.timeAt))
	}
	if n != int(e.timeSize) {
		return false
	}
	if at := e.loggerAt; at.to > 0 && string(line[at.from:at.to]) != e.logger {
		e.logger = p.Intern(line[at.from:at.to])
	}
	if at := e.threadAt; at.to > 0 && string(line[at.from:at.to]) != e.thread {
		e.thread = p.Intern(line[at.from:at.to])
	}
	h.Format, h.Starts, h.Time, h.Level, h.MessageAt = FormatText, true, ns, e.level, int(e.messageAt)
	h.Logger, h.Thread, h.Attrs = e.logger, e.thread, nil
	return true
}

// mayHaveForm tells by the first byte whether a line may have a form.
func mayHaveForm(line []byte) bool {
	return len(line) >= 24 && classes[line[0]]&classForm != 0
}

// steady tells whether a time in a column is one whatever its digits are.
func steady(x []byte) bool {
	return !slices.Contains(x, ' ') && EpochTime(trimField(x)) == 0
}
