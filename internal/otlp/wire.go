package otlp

import (
	"google.golang.org/protobuf/encoding/protowire"

	"lastnight"
)

var errWire = lastnight.Errorf(lastnight.CodeInvalid, "send ExportLogsServiceRequest as protobuf or JSON", "the request is no OTLP")

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
	// Nearly all are of bytes, with a tag of one byte.
	if tag := c.b[0]; tag < 0x80 && tag&7 == byte(protowire.BytesType) && tag >= 1<<3 {
		if size, n := uvarint(c.b[1:]); n > 0 && size <= uint64(len(c.b)-1-n) {
			end := 1 + n + int(size)
			*f = field{num: protowire.Number(tag >> 3), typ: protowire.BytesType, bytes: c.b[1+n : end : end]}
			c.b = c.b[end:]
			return true, nil
		}
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

// uvarint reads a number of up to three bytes; n is 0 if there is none.
func uvarint(b []byte) (v uint64, n int) {
	switch {
	case len(b) > 0 && b[0] < 0x80:
		return uint64(b[0]), 1
	case len(b) > 1 && b[1] < 0x80:
		return uint64(b[0]&0x7f) | uint64(b[1])<<7, 2
	case len(b) > 2 && b[2] < 0x80:
		return uint64(b[0]&0x7f) | uint64(b[1]&0x7f)<<7 | uint64(b[2])<<14, 3
	}
	return 0, 0
}

// isMessage tells a field of bytes, a string or a message.
func (f *field) isMessage(num protowire.Number) bool {
	return f.num == num && f.typ == protowire.BytesType
}
