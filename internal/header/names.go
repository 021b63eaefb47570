package header

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// Limits of the table of names.
const (
	maxNames     = 4096 // names in the table, a power of two
	fewNames     = 64   // for which there is room at first
	maxNameBytes = 256  // a longer logger or thread is not one
	ways         = 4    // places where a name may stand
	pieceBytes   = 1024 // in which new names are put together: one that is kept for long keeps so much
)

// names is a bounded table of strings that come again and again. A name stands in one of a few places, those that came
// again before those that did not, and what is new takes the last: a log with a name of its own in every line does not push out
// what all lines have. The zero value is ready.
type names struct {
	table []string
	piece *strings.Builder
}

// of gives the string of b.
func (n *names) of(b []byte) string {
	if len(b) == 0 || len(b) > maxNameBytes {
		return string(b)
	}
	if n.table == nil {
		n.table = make([]string, fewNames)
	}
	at := n.placesOf(hashOf(b))
	for i := range at {
		if at[i] != string(b) {
			continue
		}
		if i > 0 {
			at[i-1], at[i] = at[i], at[i-1]
			return at[i-1]
		}
		return at[0]
	}
	if at[ways-1] != "" && len(n.table) < maxNames {
		n.grow()
		at = n.placesOf(hashOf(b))
	}
	s := n.keep(b)
	put(at, s)
	return s
}

// placesOf gives the places where the name of a hash may stand.
func (n *names) placesOf(hash uint64) *[ways]string {
	i := int(hash) & (len(n.table) - 1) &^ (ways - 1)
	return (*[ways]string)(n.table[i:])
}

// put takes the first place that is free, else the last.
func put(at *[ways]string, s string) {
	i := 0
	for i < ways-1 && at[i] != "" {
		i++
	}
	at[i] = s
}

func (n *names) grow() {
	old := n.table
	n.table = make([]string, min(4*len(old), maxNames))
	for _, s := range old {
		if s != "" {
			put(n.placesOf(hashOf([]byte(s))), s)
		}
	}
}

// keep makes the string of b.
func (n *names) keep(b []byte) string {
	if n.piece == nil || n.piece.Cap()-n.piece.Len() < len(b) {
		n.piece = &strings.Builder{}
		n.piece.Grow(pieceBytes)
	}
	from := n.piece.Len()
	n.piece.Write(b)
	return n.piece.String()[from:]
}

// hashOf is not for enemies: they push out names, no more.
func hashOf(b []byte) uint64 {
	const mul = 0x9e3779b97f4a7c15
	h := uint64(len(b)) * mul
	if len(b) >= 8 {
		last := binary.LittleEndian.Uint64(b[len(b)-8:])
		for ; len(b) > 8; b = b[8:] {
			h = fold(h^binary.LittleEndian.Uint64(b), mul)
		}
		return fold(h^last, mul)
	}
	var last uint64
	for _, c := range b {
		last = last<<8 | uint64(c)
	}
	return fold(h^last, mul)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
