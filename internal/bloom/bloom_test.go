package bloom_test

import (
	"math/rand/v2"
	"testing"

	"lastnight/internal/bloom"
)

func TestFilter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 30, 5000} {
		f := bloom.New(n)
		var hashes []uint64
		for range n {
			hashes = append(hashes, r.Uint64())
			bloom.Add(f, hashes[len(hashes)-1])
		}
		for _, h := range hashes {
			if !bloom.MayHave(f, h) {
				t.Fatalf("of %d: %x is missing", n, h)
			}
		}
		wrong := 0
		for range 10_000 {
			if bloom.MayHave(f, r.Uint64()) {
				wrong++
			}
		}
		if wrong > 300 {
			t.Errorf("of %d: %d of 10,000 answers are wrongly yes", n, wrong)
		}
	}
	for _, odd := range [][]byte{nil, {1}, make([]byte, 33)} {
		if !bloom.MayHave(odd, 7) {
			t.Errorf("a filter of %d bytes says no", len(odd))
		}
	}
}
