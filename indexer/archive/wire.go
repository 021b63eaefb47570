package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errCorrupt is what every decoder gives for bytes that no encoder of ours wrote.
var errCorrupt = errors.New("corrupt")

func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errCorrupt}, args...)...)
}

// enc appends values in the one encoding all parts use: LEB128 varints, signed
// ones zigzagged, strings and lists with their length before them.
type enc struct{ b []byte }

func (e *enc) uint(v uint64)  { e.b = binary.AppendUvarint(e.b, v) }
func (e *enc) int(v int64)    { e.b = binary.AppendVarint(e.b, v) }
func (e *enc) len(n int)      { e.b = binary.AppendUvarint(e.b, uint64(n)) }
func (e *enc) byte(c byte)    { e.b = append(e.b, c) }
func (e *enc) u32(v uint32)   { e.b = binary.LittleEndian.AppendUint32(e.b, v) }
func (e *enc) u64(v uint64)   { e.b = binary.LittleEndian.AppendUint64(e.b, v) }
func (e *enc) bytes(p []byte) { e.len(len(p)); e.b = append(e.b, p...) }
func (e *enc) str(s string)   { e.len(len(s)); e.b = append(e.b, s...) }

// dec reads what enc wrote. After the first error it gives zero values; check err at the end.
type dec struct {
	b   []byte
	err error
}

func (d *dec) fail(what string) {
	if d.err == nil {
		d.err = corruptf("%s", what)
	}
	d.b = nil
}

func (d *dec) uint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 {
		v := d.b[0]
		d.b = d.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("number cut short")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *dec) int() int64 { return signed(d.uint()) }

// signed gives the number that enc.int wrote as u.
func signed(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// uints reads as many numbers as list has. It is quicker than reading one by one.
func (d *dec) uints(list []uint64) {
	b := d.b
	for i := range list {
		if len(b) > 0 && b[0] < 0x80 {
			list[i], b = uint64(b[0]), b[1:]
			continue
		}
		v, n := binary.Uvarint(b)
		if n <= 0 {
			d.fail("number cut short")
			clear(list[i:])
			return
		}
		list[i], b = v, b[n:]
	}
	d.b = b
}

// upTo reads a number that is at most limit.
func (d *dec) upTo(limit int) int {
	v := d.uint()
	if v > uint64(limit) {
		d.fail("number out of range")
		return 0
	}
	return int(v)
}

// index reads a number below n.
func (d *dec) index(n int) int {
	v := d.uint()
	if d.err != nil {
		return 0
	}
	if v >= uint64(n) {
		d.fail("reference out of range")
		return 0
	}
	return int(v)
}

// count reads how many things follow. Each takes a byte at least, so more than there
// are bytes left is a lie, and nothing is allocated for it.
func (d *dec) count() int { return d.upTo(len(d.b)) }

func (d *dec) byte() byte {
	if len(d.b) == 0 {
		d.fail("byte missing")
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *dec) u32() uint32 {
	p := d.take(4)
	if p == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(p)
}

func (d *dec) u64() uint64 {
	p := d.take(8)
	if p == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(p)
}

// take gives the next n bytes, or nil if there are not so many. It shares memory.
func (d *dec) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail("bytes missing")
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

func (d *dec) bytes() []byte { return d.take(d.count()) }
func (d *dec) str() string   { return string(d.bytes()) }

// done gives the error, or one if bytes are left over.
func (d *dec) done(what string) error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("bytes left over")
	}
	if d.err != nil {
		return fmt.Errorf("%s: %w", what, d.err)
	}
	return nil
}
