package archive

import (
	"encoding/binary"
	"math/bits"
)

// Digits are most of what is stored of lines, so they are looked at eight at a time, as one number of 64 bits whose lowest byte is
// the first one (the way of Daniel Lemire's and Wojciech Muła's number parsers).

const (
	eightZeros = 0x3030303030303030 // "00000000"
	highBits   = 0x8080808080808080
	aboveNine  = 0x7676767676767676 // what makes a byte's high bit of 10 or more
)

// digitsIn gives how many digits eight bytes begin with.
func digitsIn(w uint64) int {
	x := w ^ eightZeros
	return bits.TrailingZeros64(((x+aboveNine)|x)&highBits) >> 3
}

// digitsValue gives the number that the first n of eight bytes, all of them digits, are; n is 1 to 8.
func digitsValue(w uint64, n int) uint64 {
	w = (w - eightZeros) << (-8 * n & 63) // zeros in front, and none of the others
	w = w*10 + w>>8
	const even = 0x000000ff000000ff
	return (w&even*(100+1000000<<32) + w>>16&even*(1+10000<<32)) >> 32
}

// digitsAt reads the digits from i on: their number, of at most 19 digits, and where they end.
func digitsAt(text []byte, i int) (n uint64, end int) {
	for i+8 <= len(text) {
		w := binary.LittleEndian.Uint64(text[i:])
		k := digitsIn(w)
		if k == 0 {
			return n, i
		}
		n = n*tens[k] + digitsValue(w, k)
		if i += k; k < 8 {
			return n, i
		}
	}
	for ; i < len(text) && isDigit(text[i]); i++ {
		n = n*10 + uint64(text[i]-'0')
	}
	return n, i
}
