package tally_test

import (
	"maps"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight/internal/tally"
)

func TestTally(t *testing.T) {
	var got tally.Tally[string]
	want := map[string]int64{}
	for i := range 5000 {
		k := strconv.Itoa(i * i % 700)
		want[k]++
		got.Add(&k, tally.SlotOf(k)) // many keys share a slot
	}
	if diff := cmp.Diff(want, maps.Collect(got.All)); diff != "" || got.Len() != len(want) {
		t.Fatal(diff)
	}
	got.Reset()
	k := "0"
	got.AddN(&k, 0, 3)
	got.Add(&k, 1)
	if diff := cmp.Diff(map[string]int64{"0": 4}, maps.Collect(got.All)); diff != "" || got.Len() != 1 {
		t.Fatalf("after Reset: %s", diff)
	}
}
