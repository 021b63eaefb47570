package indexer

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

// TestLevelCounts compares histograms with counts added up one by one, over runs of minutes in any order, steps that do not divide an hour, times
// before 1970 and more buckets than are kept near.
func TestLevelCounts(t *testing.T) {
	levels := []string{"", "INFO", "WARN", "ERROR", "FATAL"}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		step := time.Duration(1+r.IntN(100)) * time.Minute
		h := levelCounts{step: step, buckets: map[int64][]int64{}}
		want := map[time.Time]map[string]int64{}
		for range 200 {
			minute := time.Unix(60*(r.Int64N(4_000)-2_000), 0).UTC()
			level := levels[r.IntN(len(levels))]
			for range r.IntN(50) {
				n := 1 + r.Int64N(100)
				h.add(lastnight.TemplateCount{Level: level, Minute: minute, Count: n})
				at := minute.Truncate(step)
				if want[at] == nil {
					want[at] = map[string]int64{}
				}
				want[at][level] += n
				minute = minute.Add(time.Duration(r.IntN(3)) * time.Minute)
			}
		}
		got := map[time.Time]map[string]int64{}
		var last time.Time
		for i, b := range h.list() {
			if i > 0 && !b.Start.After(last) {
				t.Fatalf("seed %d: %s comes after %s", seed, b.Start, last)
			}
			got[b.Start], last = b.Levels, b.Start
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d, step %s (-want +got):\n%s", seed, step, diff)
		}
	}
}

// TestLevelCountsBounded adds to more buckets than a histogram has.
func TestLevelCountsBounded(t *testing.T) {
	h := levelCounts{step: time.Minute, buckets: map[int64][]int64{}}
	for i := range 2 * maxBuckets {
		for level := range 3 {
			h.add(lastnight.TemplateCount{Level: fmt.Sprint(level), Minute: time.Unix(int64(60*i), 0), Count: 1})
		}
	}
	list := h.list()
	if len(list) != maxBuckets {
		t.Fatalf("%d buckets, want %d", len(list), maxBuckets)
	}
	for _, b := range list {
		if len(b.Levels) != 3 {
			t.Fatalf("%s has %v", b.Start, b.Levels)
		}
	}
}
