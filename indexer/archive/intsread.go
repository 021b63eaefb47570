package archive

import (
	"bytes"
	"encoding/binary"

	"github.com/klauspost/compress/huff0"
)

// packedInts is a list of numbers as it lies in a block (see ints.go), but for its symbols, which are decoded. Any number can be had without the
// others: most questions want few lines of a block.
type packedInts struct {
	symbols []byte
	low     []byte
	large   []byte // the numbers that are too large, one after the other
	least   uint64
	usual   uint64 // the usual number plus 1, less least
	shift   uint
	special bool // some symbols are special: how many low bits there are before a number must be counted
}

// readInts reads n numbers that pack wrote, with scratch memory of slabs.
func readInts(d *dec, n int, mem *slabs) (p packedInts, err error) {
	if n == 0 {
		return p, nil
	}
	p.least, p.shift, p.usual = d.uint(), uint(d.byte()), d.uint()
	if p.shift > 57 {
		d.fail("numbers of too many bits")
	}
	p.symbols = unpackSymbols(d, mem.bytes.take(n), mem)
	if d.err != nil {
		return p, d.err
	}
	usual, large := count(p.symbols, symbolUsual), count(p.symbols, symbolLarge)
	p.special = usual+large > 0
	p.low = d.take(((n-usual-large)*int(p.shift) + 7) / 8)
	p.large = d.b
	for range large {
		d.uint()
	}
	p.large = p.large[:len(p.large)-len(d.b)]
	return p, d.err
}

// count gives how often a symbol comes.
func count(symbols []byte, symbol byte) int { return bytes.Count(symbols, []byte{symbol}) }

// at gives the ith number.
func (p *packedInts) at(i int) uint64 {
	n := i
	if p.special {
		switch p.symbols[i] {
		case symbolUsual:
			return p.usual - 1 + p.least
		case symbolLarge:
			d := dec{b: p.large}
			for range count(p.symbols[:i], symbolLarge) {
				d.uint()
			}
			return d.uint() + p.least
		}
		n -= count(p.symbols[:i], symbolUsual) + count(p.symbols[:i], symbolLarge)
	}
	return (uint64(p.symbols[i])<<p.shift | bitsAt(p.low, n*int(p.shift), p.shift)) + p.least
}

// unpack gives all numbers, in list, which has their number.
func (p *packedInts) unpack(list []uint64) {
	shift, at, i := p.shift, 0, 0
	if !p.special {
		for mask := uint64(1)<<shift - 1; i < len(list) && at>>3+8 <= len(p.low); i++ {
			low := binary.LittleEndian.Uint64(p.low[at>>3:]) >> (at & 7) & mask
			list[i] = (uint64(p.symbols[i])<<shift | low) + p.least
			at += int(shift)
		}
	}
	large := dec{b: p.large}
	for ; i < len(list); i++ {
		switch s := p.symbols[i]; s {
		case symbolUsual:
			list[i] = p.usual - 1 + p.least
		case symbolLarge:
			list[i] = large.uint() + p.least
		default:
			list[i] = (uint64(s)<<shift | bitsAt(p.low, at, shift)) + p.least
			at += int(shift)
		}
	}
}

// unpackInts reads n numbers that pack wrote into list, which has that length, with scratch memory of slabs.
func unpackInts(d *dec, list []uint64, mem *slabs) error {
	p, err := readInts(d, len(list), mem)
	if err == nil {
		p.unpack(list)
	}
	return err
}

// unpackSymbols fills out.
func unpackSymbols(d *dec, out []byte, mem *slabs) []byte {
	switch way := d.byte(); way {
	case symbolsSame:
		s := d.byte()
		for i := range out {
			out[i] = s
		}
	case symbolsPacked:
		width := uint(d.byte())
		if width == 0 || width > 8 {
			d.fail("symbols of unknown width")
			return nil
		}
		packed := d.take((len(out)*int(width) + 7) / 8)
		if d.err != nil {
			return nil
		}
		for i := range out {
			out[i] = byte(bitsAt(packed, i*int(width), width))
		}
	case symbolsHuff:
		unpackHuff(d, out, mem)
	default:
		d.fail("symbols of an unknown kind")
	}
	return out
}

func unpackHuff(d *dec, out []byte, mem *slabs) {
	for len(out) > 0 && d.err == nil {
		piece := min(len(out), huffPiece)
		if len(out)-piece < minHuff {
			piece = len(out)
		}
		s, rest, err := huff0.ReadTable(d.bytes(), mem.huff)
		if err != nil {
			d.fail("damaged table of symbols")
			return
		}
		mem.huff = s
		got, err := s.Decoder().Decompress1X(out[:0:piece], rest)
		if err != nil || len(got) != piece {
			d.fail("damaged symbols")
			return
		}
		out = out[piece:]
	}
}

// bitsAt gives n bits of a list of packed numbers, from a bit on; behind the end are zeros. n is at most 57.
func bitsAt(b []byte, from int, n uint) uint64 {
	at := from >> 3
	var w uint64
	if at+8 <= len(b) {
		w = binary.LittleEndian.Uint64(b[at:])
	} else {
		for i := len(b) - 1; i >= at; i-- {
			w = w<<8 | uint64(b[i])
		}
	}
	return w >> (from & 7) & (1<<n - 1)
}
