package archive

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/huff0"
)

// Lists of whole numbers, of whatever distribution: most of a log's bytes are digits. A number's high bits, as a
// symbol, are entropy coded (or packed, where there are few), the low ones, in which there mostly is no
// order, are packed as they are. Two symbols are special: the usual number, and one that is too large.
//
//	least(uvarint) shift(1) usual(uvarint: 0 or, less least, plus 1) way(1) symbols… low bits… large ones(uvarint)…
const (
	symbolUsual = 254
	symbolLarge = 255
	// rarely is how seldom numbers must be large: once in so many.
	rarely = 128
	// usually is how often a number must come, in a sample, to be the usual one: once in so many.
	usually     = 16
	sampleUsual = 256
	// huffPiece is how many symbols are coded with one table.
	huffPiece = 1 << 16
	// minHuff is how many symbols are worth a table.
	minHuff = 64
)

// Ways to keep symbols.
const (
	symbolsSame   = 0 // one byte for all
	symbolsPacked = 1 // width(1), then so many bits each
	symbolsHuff   = 2 // pieces: length(uvarint), Huffman coded
)

// intPacker packs lists of numbers. Not safe for concurrent use.
type intPacker struct {
	symbols []byte
	low     bitWriter
	packed  bitWriter // symbols
	large   enc
	huff    *huff0.Scratch
	sample  sample
}

// pack appends the numbers to e. It changes them.
func (p *intPacker) pack(e *enc, list []uint64) {
	if len(list) == 0 {
		return
	}
	least, most := list[0], list[0]
	for _, v := range list {
		least, most = min(least, v), max(most, v)
	}
	p.packWithin(e, list, least, most)
}

// packWithin is pack for numbers, of which one is the least and one the most, and gives how many bits of most are not entropy coded.
func (p *intPacker) packWithin(e *enc, list []uint64, least, most uint64) (lowBits uint) {
	p.symbols = slices.Grow(p.symbols[:0], len(list))[:len(list)]
	if most-least < symbolUsual {
		p.packSmall(e, list, least)
		return 0
	}
	var lengths [65]int
	for i, v := range list {
		v -= least
		list[i] = v
		lengths[bits.Len64(v)]++
	}
	shift := shiftFor(list, &lengths, most-least)
	usual, has := uint64(0), false
	if shift > 0 {
		usual, has = p.usual(list)
	}
	e.uint(least)
	e.byte(byte(shift))
	if has {
		e.uint(usual + 1)
	} else {
		e.uint(0)
	}
	low, large := &p.low, &p.large
	low.reset()
	large.b = large.b[:0]
	if !has && (most-least)>>shift < symbolUsual {
		p.cutAll(list, shift)
		p.packSymbols(e)
		e.b = append(e.b, low.b...)
		return shift
	}
	mask := uint64(1)<<shift - 1
	for i, v := range list {
		switch s := v >> shift; {
		case has && v == usual:
			p.symbols[i] = symbolUsual
		case s >= symbolUsual:
			p.symbols[i] = symbolLarge
			large.uint(v)
		default:
			p.symbols[i] = byte(s)
			low.write(v&mask, shift)
		}
	}
	p.packSymbols(e)
	e.b = append(append(e.b, low.done()...), large.b...)
	return shift
}

// cutAll cuts numbers, none of which is special, into symbols and low bits.
func (p *intPacker) cutAll(list []uint64, shift uint) {
	size := (len(list)*int(shift) + 7) / 8
	out := slices.Grow(p.low.b[:0], size+8)[:size+8]
	mask := uint64(1)<<shift - 1
	symbols := p.symbols[:len(list)]
	at, w, n := 0, uint64(0), uint(0) // n of the bits of w, fewer than 8, are not in out for good
	for i, v := range list {
		symbols[i] = byte(v >> shift)
		w |= v & mask << n
		binary.LittleEndian.PutUint64(out[at:], w)
		n += shift
		at += int(n >> 3)
		w >>= n &^ 7
		n &= 7
	}
	p.low.b = out[:size]
}

// packSmall packs numbers that are symbols as they are, less the least: what pack would come to, by way of more.
func (p *intPacker) packSmall(e *enc, list []uint64, least uint64) {
	e.uint(least)
	e.byte(0)
	e.uint(0)
	symbols := p.symbols[:len(list)]
	for i, v := range list {
		symbols[i] = byte(v - least)
	}
	p.packSymbols(e)
}

// shiftFor gives how many low bits to pack, so that few numbers are large.
func shiftFor(list []uint64, lengths *[65]int, most uint64) uint {
	long, above := 64, 0
	for long > 0 && above+lengths[long] <= len(list)/rarely {
		above += lengths[long]
		long--
	}
	shift := uint(max(long-8, 0))
	if most>>shift < symbolUsual {
		return shift
	}
	large := 0
	for _, v := range list {
		if v>>shift >= symbolUsual {
			large++
		}
	}
	if large > len(list)/rarely+1 {
		shift++
	}
	return shift
}

// usual gives the number that comes often enough to have a symbol of its own, if there is one.
func (p *intPacker) usual(list []uint64) (v uint64, ok bool) {
	p.sample.reset()
	step := max(len(list)/sampleUsual, 1)
	n, best := 0, int32(0)
	for i := 0; i < len(list); i += step {
		n++
		if c := p.sample.add(list[i]); c > best && list[i]+1 != 0 {
			v, best = list[i], c
		}
	}
	return v, best > 2 && int(best) >= n/usually
}

// sample counts the numbers of a sample, of which there are fewer than it has slots.
type sample struct {
	slots [4 * sampleUsual]sampled
	round uint32
}

type sampled struct {
	v     uint64
	round uint32 // in which the slot was used; those of other rounds are free
	count int32
}

func (s *sample) reset() {
	if s.round++; s.round == 0 {
		*s = sample{round: 1}
	}
}

// add counts v and gives how often it has come.
func (s *sample) add(v uint64) int32 {
	i := mix(v) % uint64(len(s.slots))
	for s.slots[i].round == s.round && s.slots[i].v != v {
		i = (i + 1) % uint64(len(s.slots))
	}
	x := &s.slots[i]
	if x.round != s.round {
		*x = sampled{v: v, round: s.round}
	}
	x.count++
	return x.count
}

func (p *intPacker) packSymbols(e *enc) {
	first := p.symbols[0]
	all, other := byte(0), byte(0) // bits that any has, and that any has other than the first
	for _, s := range p.symbols {
		all |= s
		other |= s ^ first
	}
	width := uint(bits.Len8(all))
	if other == 0 {
		e.byte(symbolsSame)
		e.byte(p.symbols[0])
		return
	}
	packed := (len(p.symbols)*int(width) + 7) / 8
	at := len(e.b)
	if len(p.symbols) >= minHuff && p.huffman(e, packed) {
		return
	}
	e.b = e.b[:at]
	e.byte(symbolsPacked)
	e.byte(byte(width))
	w := &p.packed
	w.reset()
	for _, s := range p.symbols {
		w.write(uint64(s), width)
	}
	e.b = append(e.b, w.done()...)
}

// huffman codes the symbols if that takes less than so many bytes.
func (p *intPacker) huffman(e *enc, limit int) bool {
	if p.huff == nil {
		p.huff = &huff0.Scratch{Reuse: huff0.ReusePolicyNone}
	}
	e.byte(symbolsHuff)
	begin := len(e.b)
	for rest := p.symbols; len(rest) > 0; {
		n := min(len(rest), huffPiece)
		if len(rest)-n < minHuff {
			n = len(rest)
		}
		out, _, err := huff0.Compress1X(rest[:n], p.huff)
		if err != nil { // nothing to gain
			return false
		}
		e.bytes(out)
		rest = rest[n:]
	}
	return len(e.b)-begin < limit
}

// bitWriter packs numbers, the lowest bit first.
type bitWriter struct {
	b    []byte
	bits uint64
	n    uint
}

func (w *bitWriter) reset() { w.b, w.bits, w.n = w.b[:0], 0, 0 }

// write adds the low n bits of v, which has no others; n is at most 57.
func (w *bitWriter) write(v uint64, n uint) {
	w.bits |= v << w.n
	if w.n += n; w.n >= 64 {
		w.b = binary.LittleEndian.AppendUint64(w.b, w.bits)
		w.n -= 64
		w.bits = v >> (n - w.n)
	}
}

func (w *bitWriter) done() []byte {
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.b = append(w.b, byte(w.bits))
		w.bits >>= 8
	}
	return w.b
}
