package archive

import "math/bits"

// pieces is memory for many columns that grow side by side, reused over blocks: how long one becomes nobody knows
// beforehand, and what each of them leaves behind as it grows does for a shorter one. Not safe for concurrent use.
type pieces struct {
	free [maxPieceBits + 1][][]byte // by the binary logarithm of their capacity
	kept int                        // bytes in free
}

const (
	minPieceBits = 6
	maxPieceBits = 24
	// maxPieces bounds the memory that waits for being used again: twice what the columns of a usual block take.
	maxPieces = 2 * blockRaw
)

// take gives an empty slice with room for n bytes.
func (p *pieces) take(n int) []byte {
	class := max(bits.Len(uint(max(n, 1)-1)), minPieceBits)
	if class > maxPieceBits {
		return make([]byte, 0, n)
	}
	list := p.free[class]
	if len(list) == 0 {
		return make([]byte, 0, 1<<class)
	}
	b := list[len(list)-1]
	list[len(list)-1] = nil
	p.free[class] = list[:len(list)-1]
	p.kept -= cap(b)
	return b
}

// put takes memory back that take or grow gave.
func (p *pieces) put(b []byte) {
	n := cap(b)
	class := bits.Len(uint(n)) - 1
	if class < minPieceBits || class > maxPieceBits || n != 1<<class || p.kept+n > maxPieces {
		return
	}
	p.kept += n
	p.free[class] = append(p.free[class], b[:0])
}

// grow gives b with room for n bytes in all.
func (p *pieces) grow(b []byte, n int) []byte {
	out := append(p.take(n), b...)
	p.put(b)
	return out
}
