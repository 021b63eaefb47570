package otlp

import (
	"encoding/binary"
	"math"

	"lastnight"
)

// The layout of a span says of its records what OTLP has no field for: where their lines stood, who wrote them, where the
// message begins, the application's time. It is one attribute of the scope: said in each record under a name of its own the
// same would be as long as the records themselves. For each record:
//
//	kind 1, if kindLines: lines, if kindOffset: offset int, if kindNames: logger uint, thread uint,
//	if kindMessageAt: message_at uint, if kindAppMillis or kindAppTime: application's time int
//
// What is not said is as in the record before. See docs/formats/otlp.md.
const (
	kindLines     = 1 << iota // the lines are told one by one; else it is one, whole, at the record's time
	kindStderr                // that one is of stderr
	kindOffset                // that one is not where it is foretold: by how much
	kindNames                 // logger and thread, as numbers of names
	kindMessageAt             // where the message begins
	kindAppMillis             // the application's time, in ms after the one before
	kindAppTime               // the same in ns; neither of the two: there is none
	kindUnknown               // nothing yet
)

// The flags of a line that is told.
const (
	flagStderr = 1 << iota
	flagPartial
	flagParts
	flagsUnknown
)

// headBytes is what a runtime writes before the text of a line, mostly: it foretells offsets.
const headBytes = 40

const millisecond = 1e6 // in ns

// layoutWriter writes the layout of a span.
type layoutWriter struct {
	b              []byte
	offset         int64 // foretold
	logger, thread string
	messageAt      int
	appTime        int64
	names          []string
	numbers        map[string]uint64 // of names, from 1; 0 is ""
}

func (w *layoutWriter) reset(from int64) {
	if w.numbers == nil {
		w.numbers = map[string]uint64{}
	}
	clear(w.numbers)
	*w = layoutWriter{b: w.b[:0], offset: from, names: w.names[:0], numbers: w.numbers}
}

// number gives the number of a name.
func (w *layoutWriter) number(name string) uint64 {
	if name == "" {
		return 0
	}
	n, ok := w.numbers[name]
	if !ok {
		w.names = append(w.names, name)
		n = uint64(len(w.names))
		w.numbers[name] = n
	}
	return n
}

// add writes one record, which has at least one line.
func (w *layoutWriter) add(r *lastnight.Record) {
	at := len(w.b)
	w.b = append(w.b, 0)
	l := &r.Lines[0]
	kind := byte(0)
	if len(r.Lines) > 1 || l.Partial || len(l.Parts) > 0 {
		kind = kindLines
		w.lines(r.Lines)
	} else {
		if l.Stderr {
			kind |= kindStderr
		}
		if l.Offset != w.offset {
			kind |= kindOffset
			w.b = binary.AppendVarint(w.b, l.Offset-w.offset)
		}
		w.offset = l.Offset + headBytes + int64(len(l.Text)) + 1
	}
	if r.Logger != w.logger || r.Thread != w.thread {
		kind |= kindNames
		w.b = binary.AppendUvarint(w.b, w.number(r.Logger))
		w.b = binary.AppendUvarint(w.b, w.number(r.Thread))
		w.logger, w.thread = r.Logger, r.Thread
	}
	if r.MessageAt != w.messageAt {
		kind |= kindMessageAt
		w.b = binary.AppendUvarint(w.b, uint64(r.MessageAt))
		w.messageAt = r.MessageAt
	}
	if r.AppTime != 0 {
		by := r.AppTime - w.appTime
		if by%millisecond == 0 {
			kind |= kindAppMillis
			by /= millisecond
		} else {
			kind |= kindAppTime
		}
		w.b = binary.AppendVarint(w.b, by)
		w.appTime = r.AppTime
	}
	w.b[at] = kind
}

// lines tells the lines of a record one by one.
func (w *layoutWriter) lines(lines []lastnight.Line) {
	at := lines[0].Time
	w.b = binary.AppendUvarint(w.b, uint64(len(lines)))
	for i := range lines {
		l := &lines[i]
		flags := byte(0)
		if l.Stderr {
			flags |= flagStderr
		}
		if l.Partial {
			flags |= flagPartial
		}
		if len(l.Parts) > 0 {
			flags |= flagParts
		}
		w.b = append(w.b, flags)
		w.b = binary.AppendUvarint(w.b, uint64(len(l.Text)))
		w.b = binary.AppendVarint(w.b, l.Time-at)
		w.b = binary.AppendVarint(w.b, l.Offset-w.offset)
		at, w.offset = l.Time, l.Offset+headBytes+int64(len(l.Text))+1
		if flags&flagParts == 0 {
			continue
		}
		w.b = binary.AppendUvarint(w.b, uint64(len(l.Parts)))
		before := lastnight.Part{Time: l.Time, Offset: l.Offset}
		for _, p := range l.Parts {
			w.b = binary.AppendVarint(w.b, p.Time-before.Time)
			w.b = binary.AppendVarint(w.b, p.Offset-before.Offset)
			w.b = binary.AppendVarint(w.b, int64(p.Size))
			before = p
		}
	}
}

// layoutReader reads what layoutWriter wrote. Once it is bad, what it gives says nothing.
type layoutReader struct {
	b              []byte
	bad            bool
	offset         int64 // foretold
	names          []string
	logger, thread string
	messageAt      int
	appTime        int64
}

func (r *layoutReader) int() int64 {
	u := r.uint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *layoutReader) uint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *layoutReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// name gives the name of a number.
func (r *layoutReader) name() string {
	n := r.uint()
	if n == 0 {
		return ""
	}
	if n > uint64(len(r.names)) {
		r.bad = true
		return ""
	}
	return r.names[n-1]
}

// whole reads where a line stands that is a record of its own.
func (r *layoutReader) whole(kind byte, l *lastnight.Line) {
	l.Stderr = kind&kindStderr != 0
	l.Offset = r.offset
	if kind&kindOffset != 0 {
		l.Offset += r.int()
	}
	r.offset = l.Offset + headBytes + int64(len(l.Text)) + 1
}

// fields reads what follows the lines.
func (r *layoutReader) fields(kind byte, rec *lastnight.Record) {
	if kind&kindNames != 0 {
		r.logger, r.thread = r.name(), r.name()
	}
	if kind&kindMessageAt != 0 {
		r.messageAt = int(min(r.uint(), math.MaxInt32)) // longer than any line: refused with it
	}
	rec.Logger, rec.Thread, rec.MessageAt = r.logger, r.thread, r.messageAt
	switch kind & (kindAppMillis | kindAppTime) {
	case kindAppMillis:
		r.appTime += r.int() * millisecond
		rec.AppTime = r.appTime
	case kindAppTime:
		r.appTime += r.int()
		rec.AppTime = r.appTime
	case 0:
	default:
		r.bad = true
	}
}

// told reads how many lines are told.
func (r *layoutReader) told() int {
	n := r.uint()
	if n == 0 || n > uint64(len(r.b))/4 { // a line takes four bytes at least
		r.bad = true
		return 0
	}
	return int(n)
}

// line reads one line but its text, and gives the length of that. at is the time of the line before.
func (r *layoutReader) line(l *lastnight.Line, at int64) (size uint64) {
	flags := r.byte()
	size = r.uint()
	*l = lastnight.Line{Time: at + r.int(), Offset: r.offset + r.int(), Stderr: flags&flagStderr != 0, Partial: flags&flagPartial != 0}
	r.offset = l.Offset + headBytes + int64(size) + 1
	r.bad = r.bad || flags >= flagsUnknown
	if flags&flagParts == 0 {
		return size
	}
	n := r.uint()
	if r.bad || n == 0 || n > uint64(len(r.b))/3 || n > maxParts { // a part takes three bytes at least
		r.bad = true
		return 0
	}
	l.Parts = make([]lastnight.Part, n)
	before := lastnight.Part{Time: l.Time, Offset: l.Offset}
	for i := range l.Parts {
		p := &l.Parts[i]
		p.Time, p.Offset = before.Time+r.int(), before.Offset+r.int()
		part := r.int()
		if part < 0 || uint64(part) > size || p.Offset < 0 {
			r.bad = true
			return 0
		}
		p.Size = int(part)
		before = *p
	}
	return size
}
