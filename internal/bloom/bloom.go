// Package bloom keeps sets of hashes in few bytes: a split block Bloom filter (Putze, Sanders,
// Singler 2007, as in Parquet). A hash touches one group of 32 bytes, so a test costs one cache
// miss. At 10 bits a hash about one answer in eighty is wrongly yes; none is wrongly no.
//
// A filter is plain bytes, kept as they are on disk; one of an odd size knows nothing and says yes.
package bloom

import (
	"encoding/binary"
	"math/bits"
)

// Group is how many bytes of a filter belong together: a filter is a multiple of it.
const Group = 32

const (
	group = Group
	// bitsPerHash is what a filter made by New has for each hash.
	bitsPerHash = 10
	maxBytes    = 8 << 20
)

var salts = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// New gives an empty filter for n hashes.
func New(n int) []byte {
	groups := min(max((n*bitsPerHash+group*8-1)/(group*8), 1), maxBytes/group)
	return make([]byte, groups*group)
}

// NewOf gives an empty filter for n hashes that can be cut into so many parts of one size (see PartOf), where it is
// large enough that this changes its size by an eighth at most.
func NewOf(n, parts int) []byte {
	f := New(n)
	groups := len(f) / group
	if groups < 4*parts {
		return f
	}
	return make([]byte, (groups+parts/2)/parts*parts*group)
}

// PartOf tells in which of the parts of a filter that was cut into so many of one size a hash is.
func PartOf(h uint64, parts int) int {
	i, _ := bits.Mul64(h, uint64(parts))
	return int(i)
}

// MayHavePart is MayHave for the part of a filter, cut into so many, in which the hash is.
func MayHavePart(part []byte, h uint64, parts int) bool {
	n := uint64(len(part) / group)
	if n == 0 || len(part)%group != 0 {
		return true
	}
	i, _ := bits.Mul64(h, n*uint64(parts))
	return inGroup(part[i%n*group:][:group], h)
}

func groupOf(f []byte, h uint64) []byte {
	i, _ := bits.Mul64(h, uint64(len(f)/group))
	return f[i*group : (i+1)*group]
}

// Add adds a hash to a filter that New made.
func Add(f []byte, h uint64) {
	g := groupOf(f, h)[:group]
	w := uint32(h)
	or(g[0:8], bit(w, 0)|bit(w, 1)<<32)
	or(g[8:16], bit(w, 2)|bit(w, 3)<<32)
	or(g[16:24], bit(w, 4)|bit(w, 5)<<32)
	or(g[24:32], bit(w, 6)|bit(w, 7)<<32)
}

// bit gives the bit of a hash in the ith word of 32 bits of its group.
func bit(h uint32, i int) uint64 { return 1 << (h * salts[i] >> 27) }

func or(g []byte, bits uint64) {
	binary.LittleEndian.PutUint64(g, binary.LittleEndian.Uint64(g)|bits)
}

// MayHave tells whether a hash may have been added.
func MayHave(f []byte, h uint64) bool {
	if len(f) < group || len(f)%group != 0 {
		return true
	}
	return inGroup(groupOf(f, h), h)
}

func inGroup(g []byte, h uint64) bool {
	for i, salt := range salts {
		if binary.LittleEndian.Uint32(g[i*4:i*4+4])&(1<<((uint32(h)*salt)>>27)) == 0 {
			return false
		}
	}
	return true
}
