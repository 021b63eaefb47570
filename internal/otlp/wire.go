package otlp

import (
	"encoding/binary"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"lastnight"
)

var errWire = lastnight.Errorf(lastnight.CodeInvalid, "send ExportLogsServiceRequest as protobuf or JSON", "the request is no OTLP")

// errLines says that what tells of a record's lines does not fit its text.
var errLines = errors.New("lines do not fit the text")

// field is one field of a message.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	bytes []byte // of a bytes field; shares the message's memory
	num64 uint64 // of a number
}

// cursor reads the fields of a message one after another.
type cursor struct{ b []byte }

// next gives the next field; ok is false at the end, and where the message is malformed.
func (c *cursor) next(f *field) (ok bool, err error) {
	if len(c.b) == 0 {
		return false, nil
	}
	num, typ, n := protowire.ConsumeTag(c.b)
	if n < 0 {
		return false, errWire
	}
	b := c.b[n:]
	*f = field{num: num, typ: typ}
	switch typ {
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(b)
	case protowire.VarintType:
		f.num64, n = protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		f.num64, n = protowire.ConsumeFixed64(b)
	default:
		n = protowire.ConsumeFieldValue(num, typ, b)
	}
	if n < 0 {
		return false, errWire
	}
	c.b = b[n:]
	return true, nil
}

// isMessage tells a field of bytes, a string or a message.
func (f *field) isMessage(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.BytesType
}

// lineReader reads what appendLines wrote.
type lineReader struct {
	b      []byte
	at     int64 // time of the line before
	offset int64 // foretold
	bad    bool
}

func (r *lineReader) int() int64 {
	v, n := binary.Varint(r.b)
	r.took(n)
	return v
}

func (r *lineReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.took(n)
	return v
}

func (r *lineReader) took(n int) {
	if n <= 0 {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}

// line reads one line but its text, and gives the length of that.
func (r *lineReader) line(l *lastnight.Line) (size uint64, ok bool) {
	if len(r.b) == 0 {
		return 0, false
	}
	flags := r.b[0]
	r.b = r.b[1:]
	size = r.uint()
	l.Time = r.at + r.int()
	l.Offset = r.offset + r.int()
	l.Stderr, l.Partial = flags&flagStderr != 0, flags&flagPartial != 0
	r.at, r.offset = l.Time, l.Offset+headBytes+int64(size)+1
	if flags&flagParts != 0 && !r.bad {
		n := r.uint()
		if n > uint64(len(r.b))/3 || n > maxParts { // a part takes three bytes at least
			return 0, false
		}
		l.Parts = make([]lastnight.Part, n)
		before := lastnight.Part{Time: l.Time, Offset: l.Offset}
		for i := range l.Parts {
			p := &l.Parts[i]
			p.Time, p.Offset, p.Size = before.Time+r.int(), before.Offset+r.int(), int(r.int())
			if p.Size < 0 || uint64(p.Size) > size || p.Offset < 0 {
				return 0, false
			}
			before = *p
		}
	}
	return size, !r.bad
}
