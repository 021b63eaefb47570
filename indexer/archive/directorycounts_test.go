package archive

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"lastnight"
)

// TestCounts: counts of a directory come back as they were.
func TestCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 2, 30, 2000} {
		d := &directory{}
		for i := range 1 + size/10 {
			d.streams = append(d.streams, streamEntry{stream: &lastnight.Stream{Pod: fmt.Sprint("pod-", i)}, job: "orders"})
		}
		for range size {
			stream, level := r.IntN(len(d.streams)), lastnight.Level(r.IntN(7))
			d.counts = append(d.counts, minuteCount{int32(stream), int32(r.IntN(100) - 50), 1 + r.Int32N(1<<r.IntN(30)), level})
			d.tmpls = append(d.tmpls, templateCount{stream, fmt.Sprint("t", r.IntN(50)), level, 1 + r.Int64N(1<<r.IntN(40))})
		}
		slices.SortFunc(d.counts, func(a, c minuteCount) int {
			return cmp.Or(cmp.Compare(a.stream, c.stream), cmp.Compare(a.level, c.level), cmp.Compare(a.minute, c.minute))
		})
		slices.SortFunc(d.tmpls, func(a, c templateCount) int {
			return cmp.Or(cmp.Compare(a.stream, c.stream), cmp.Compare(a.template, c.template), cmp.Compare(a.level, c.level))
		})
		raw := d.encode()
		got, err := decodeDirectory(raw, 1<<30)
		if err != nil {
			t.Fatalf("%d counts: %v", size, err)
		}
		all := gocmp.AllowUnexported(minuteCount{}, templateCount{})
		if diff := gocmp.Diff(d.counts, got.counts, all) + gocmp.Diff(d.tmpls, got.tmpls, all); diff != "" {
			t.Fatalf("%d counts: %s", size, diff)
		}
		for range 300 { // damage is an error or other counts
			bad := slices.Clone(raw)
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			_, _ = decodeDirectory(bad[:r.IntN(len(bad)+1)], 1<<30)
		}
	}
}
