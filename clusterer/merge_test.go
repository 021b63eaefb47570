package clusterer_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight/clusterer"
)

// shard is a clusterer and the ids that it gave at arrival.
type shard struct {
	c     *clusterer.Clusterer
	lines []string
	ids   []string
}

func shardOf(lines []string) *shard {
	s := &shard{c: clusterer.New(clusterer.Config{}), lines: lines}
	for _, line := range lines {
		s.ids = append(s.ids, s.c.Add([]byte(line), nil, nil).ID)
	}
	return s
}

// merged gives the final template of each line of two shards, a taking in a copy of b.
func merged(t *testing.T, a, b []string) map[string]string {
	t.Helper()
	x, y := shardOf(a), shardOf(b)
	var snap bytes.Buffer
	if err := y.c.Snapshot(&snap); err != nil {
		t.Fatal(err)
	}
	other := clusterer.New(clusterer.Config{})
	if err := other.Restore(&snap); err != nil {
		t.Fatal(err)
	}
	if err := x.c.Merge(other); err != nil {
		t.Fatal(err)
	}
	if s := x.c.Stats(); s.Lines != int64(max(len(a), len(b))) {
		t.Errorf("%d lines after merging %d and %d", s.Lines, len(a), len(b))
	}
	groups := map[string]string{}
	for _, s := range []*shard{x, y} {
		for i, line := range s.lines {
			tpl, ok := x.c.Template(x.c.Resolve(s.ids[i]))
			if at, known := x.c.Template(s.ids[i]); !ok || !known || tpl.Link != "" {
				t.Fatalf("id %s of %q leads to nothing: %+v %+v", s.ids[i], line, at, tpl)
			}
			groups[line] = tpl.ID + " " + tpl.Text
		}
	}
	return groups
}

// checkMerges splits lines over two clusterers in several ways and merges them in both orders.
func checkMerges(t *testing.T, lines []string, seeds uint64) {
	t.Helper()
	want := grouping(lines, clusterer.New(clusterer.Config{}))
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 9))
		mixed := slices.Clone(lines)
		if seed > 0 { // the first split is that of the file's halves
			r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		}
		a, b := mixed[:len(mixed)/2], mixed[len(mixed)/2:]
		ab, ba := merged(t, a, b), merged(t, b, a)
		one, two, both := agreement(lines, want, ab), agreement(lines, want, ba), agreement(lines, ab, ba)
		t.Logf("seed %d: %.4f %.4f, either order %.4f", seed, one, two, both)
		if one < 0.99 || two < 0.99 || both < 0.99 {
			t.Errorf("seed %d: pairwise agreement with one clusterer %.4f and %.4f, of the two orders %.4f; want at least .99", seed, one, two, both)
		}
	}
}

func TestMergeGivesTheGroupsOfOne(t *testing.T) {
	checkMerges(t, append(flinkLines(2000), goldenInput(t)...), 6)
}

// TestMergeOfLabeledData is TestMergeGivesTheGroupsOfOne for the data that LOGHUB names.
func TestMergeOfLabeledData(t *testing.T) {
	messages, _ := labeled(t)
	for set, lines := range messages {
		t.Run(set, func(t *testing.T) { checkMerges(t, lines, 3) })
	}
}

// TestMergeSeesEnoughTogether: what neither has seen enough of becomes variable, and pins stay.
func TestMergeSeesEnoughTogether(t *testing.T) {
	users := func(from, to int) (out []string) {
		for i := from; i < to; i++ {
			out = append(out, fmt.Sprintf("Handler %s finished its work on time", wordOf(1000+i*7)))
		}
		return out
	}
	a, b := shardOf(users(0, 6)), shardOf(users(6, 12))
	if !b.c.Pin(b.ids[0]) {
		t.Fatal("cannot pin")
	}
	if err := a.c.Merge(b.c); err != nil {
		t.Fatal(err)
	}
	final := a.c.Resolve(a.ids[0])
	for _, id := range append(a.ids, b.ids...) {
		if a.c.Resolve(id) != final {
			t.Errorf("%s leads to %s, not to %s", id, a.c.Resolve(id), final)
		}
	}
	tpl, _ := a.c.Template(final)
	if diff := cmp.Diff("Handler <*> finished its work on time", tpl.Text); diff != "" {
		t.Error(diff)
	}
	changed := map[string]string{}
	for _, x := range a.c.Changed() {
		changed[x.ID] = x.Link
	}
	for _, id := range b.ids {
		if changed[id] != final {
			t.Errorf("the changes do not tell that %s leads to %s", id, final)
		}
	}
	if m := a.c.Add([]byte("Handler nobody finished its work on time"), nil, nil); m.ID != final || m.New {
		t.Errorf("after merging: %+v, want %s", m, final)
	}
	// A merge with itself, and again, changes nothing.
	before := slices.Collect(a.c.All())
	if err := a.c.Merge(a.c); err != nil {
		t.Fatal(err)
	}
	if err := a.c.Merge(b.c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(len(before), len(slices.Collect(a.c.All()))); diff != "" {
		t.Errorf("merging again made templates: %s", diff)
	}
}

// TestMergeIsBounded: two full clusterers become one of the bound's size, with what is pinned.
func TestMergeIsBounded(t *testing.T) {
	full := func(seed int) (*clusterer.Clusterer, string) {
		c := clusterer.New(clusterer.Config{MaxTemplates: 200})
		pinned := c.Add(fmt.Appendf(nil, "labeled by people %s", wordOf(seed)), nil, nil).ID
		c.Pin(pinned)
		for i := range 1000 {
			c.Add(fmt.Appendf(nil, "%s %s %s", wordOf(i*31+seed), wordOf(i*17+seed), wordOf(i*7919+seed)), nil, nil)
		}
		return c, pinned
	}
	a, one := full(12345)
	b, two := full(987654)
	if err := a.Merge(b); err != nil {
		t.Fatal(err)
	}
	s := a.Stats()
	if s.Templates > 200 || s.Patterns > 800 {
		t.Errorf("not bounded: %+v", s)
	}
	for _, id := range []string{one, two} {
		if _, ok := a.Template(id); !ok {
			t.Errorf("pinned template %s was lost", id)
		}
	}
}
