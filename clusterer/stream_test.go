package clusterer_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"lastnight/clusterer"
)

// grouping gives the final template's text of each distinct line.
func grouping(lines []string, c *clusterer.Clusterer) map[string]string {
	ids := map[string]string{}
	for _, line := range lines {
		ids[line] = c.Add([]byte(line), nil, nil).ID
	}
	texts := map[string]string{}
	for line, id := range ids {
		t, _ := c.Template(c.Resolve(id))
		texts[line] = t.ID + " " + t.Text
	}
	return texts
}

// agreement is the share of the pairs of lines that a or b put together that both did. Pairs
// that both hold apart do not count: they are nearly all pairs, and would hide much.
func agreement(lines []string, a, b map[string]string) float64 {
	inA, inB, inBoth := map[string]int{}, map[string]int{}, map[[2]string]int{}
	for _, x := range lines {
		inA[a[x]]++
		inB[b[x]]++
		inBoth[[2]string{a[x], b[x]}]++
	}
	return float64(pairs(inBoth)) / float64(pairs(inA)+pairs(inB)-pairs(inBoth))
}

// pairs counts the pairs within groups.
func pairs[K comparable](sizes map[K]int) (n int) {
	for _, k := range sizes {
		n += k * (k - 1) / 2
	}
	return n
}

func TestAnotherOrderGivesTheSameGroups(t *testing.T) {
	lines := append(flinkLines(2000), goldenInput(t)...)
	want := grouping(lines, clusterer.New(clusterer.Config{}))
	for seed := range uint64(5) {
		mixed := append([]string(nil), lines...)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		got := grouping(mixed, clusterer.New(clusterer.Config{}))
		if a := agreement(lines, want, got); a < 0.99 {
			t.Errorf("seed %d: pairwise agreement %.4f, want at least .99", seed, a)
		}
		ids := 0
		for line, id := range want {
			if got[line] == id {
				ids++
			}
		}
		if share := float64(ids) / float64(len(want)); share < 0.95 {
			t.Errorf("seed %d: %.3f of the lines have the same final id in both orders, want at least .95", seed, share)
		}
	}
}

func TestEveryOldIDLeadsToTheFinalTemplate(t *testing.T) {
	c := clusterer.New(clusterer.Config{})
	lines := flinkLines(3000)
	ids, values, texts := make([]string, len(lines)), make([][]string, len(lines)), make([]string, len(lines))
	stored := map[string]string{} // what a store knows: id → link
	for i, line := range lines {
		m := c.Add([]byte(line), nil, nil)
		x, _ := c.Template(m.ID)
		ids[i], values[i], texts[i] = m.ID, clusterer.Values([]byte(line), m.Vars), x.Text
		if i%100 == 0 || i == len(lines)-1 {
			for _, x := range c.Changed() {
				stored[x.ID] = x.Link
			}
		}
	}
	for i, line := range lines {
		if x, _ := c.Template(ids[i]); x.Text != texts[i] {
			t.Fatalf("the text of %s was %q, is %q", ids[i], texts[i], x.Text)
		}
		if got, ok := clusterer.Render(texts[i], values[i]); !ok || got != line {
			t.Fatalf("line %d is given back as %q, it was %q", i, got, line)
		}
		now := c.Add([]byte(line), nil, nil).ID
		if got := c.Resolve(ids[i]); got != now {
			t.Fatalf("line %d had id %s that leads to %s, now it is %s: %s", i, ids[i], got, now, line)
		}
		id := ids[i]
		for stored[id] != "" {
			id = stored[id]
		}
		if id != now {
			t.Fatalf("line %d: the changes told of lead from %s to %s, not to %s", i, ids[i], id, now)
		}
	}
}

func TestHostileStreamIsBounded(t *testing.T) {
	c := clusterer.New(clusterer.Config{MaxTemplates: 500})
	pinned := c.Add([]byte("the one that people have labeled 1"), nil, nil).ID
	if !c.Pin(pinned) {
		t.Fatal("cannot pin")
	}
	r := rand.New(rand.NewPCG(5, 6))
	start := time.Now()
	const n = 20000
	for i := range n {
		line := fmt.Appendf(nil, "%s %s %s=%s (%s) %s", wordOf(r.IntN(1e9)), wordOf(r.IntN(1e9)), wordOf(r.IntN(1e9)), wordOf(i), wordOf(r.IntN(1e9)), wordOf(r.IntN(1e9)))
		check(t, c, line, c.Add(line, nil, nil))
	}
	s := c.Stats()
	if s.Templates > 500+64 || s.Patterns > 2000 || s.Evicted < n/2 {
		t.Errorf("not bounded, or not reported: %+v", s)
	}
	if per := time.Since(start) / n; per > time.Millisecond {
		t.Errorf("%v a line", per)
	}
	if m := c.Add([]byte("the one that people have labeled 2"), nil, nil); m.ID != pinned || m.New {
		t.Errorf("the pinned template was lost: %+v", m)
	}
}

func TestLongAndWordlessLines(t *testing.T) {
	c := clusterer.New(clusterer.Config{MaxBytes: 100, MaxTokens: 16})
	for _, line := range []string{"", "12 34", "10.0.0.1 - 7", "  ", "=====", "()"} {
		check(t, c, []byte(line), c.Add([]byte(line), nil, nil))
	}
	if id := c.Add([]byte("12 34"), nil, nil).ID; id != clusterer.Unclustered {
		t.Errorf("numbers alone: template %s, want Unclustered", id)
	}
	long := []byte("a very long line ")
	for len(long) < 1<<20 {
		long = append(long, "word,word;word "...)
	}
	m := c.Add(long, nil, nil)
	check(t, c, long, m)
	if other := c.Add(long[:1<<19], nil, nil); other.ID != m.ID {
		t.Errorf("long lines that begin alike have templates %s and %s", m.ID, other.ID)
	}
}

// TestCrashBetweenSnapshots: what was learned after the last snapshot is lost, what Changed told of is in a
// store. Each id that was ever given leads, through both, to the template it would have without the crash.
func TestCrashBetweenSnapshots(t *testing.T) {
	lines := append(flinkLines(3000), goldenInput(t)...)
	want := grouping(lines, clusterer.New(clusterer.Config{}))
	for _, crash := range []int{150, 700, 2500, len(lines) - 1} {
		c := clusterer.New(clusterer.Config{})
		var snap bytes.Buffer
		ids := make([]string, len(lines))
		links := map[string]string{}
		for i, line := range lines {
			if i == crash*2/3 {
				if err := c.Snapshot(&snap); err != nil {
					t.Fatal(err)
				}
			}
			if i == crash {
				c = clusterer.New(clusterer.Config{})
				if err := c.Restore(&snap); err != nil {
					t.Fatal(err)
				}
			}
			ids[i] = c.Add([]byte(line), nil, nil).ID
			for _, x := range c.Changed() {
				if x.Link != "" || links[x.ID] == "" { // a store keeps the link it has
					links[x.ID] = x.Link
				}
			}
		}
		got := map[string]string{}
		for i, line := range lines {
			id := ids[i]
			for links[id] != "" {
				id = links[id]
			}
			got[line] = c.Resolve(id)
		}
		if a := agreement(lines, want, got); a < 0.99 {
			t.Errorf("crash at line %d: pairwise agreement %.4f, want at least .99", crash, a)
		}
	}
}

// TestHostileLinesCostTheirLength: eight times the length costs no more than some twenty
// times as much. A cost of the length squared is sixty-four times, on a slow machine as on a fast one.
func TestHostileLinesCostTheirLength(t *testing.T) {
	const short, long = 1 << 13, 1 << 16
	c := clusterer.New(clusterer.Config{MaxBytes: long})
	cost := func(piece string, size int) time.Duration {
		line := []byte(strings.Repeat(piece, size/len(piece)))
		fastest := time.Hour
		for range 7 {
			start := time.Now()
			m := c.Add(line, nil, nil)
			fastest = min(fastest, time.Since(start))
			check(t, c, line, m)
		}
		return fastest
	}
	for _, piece := range []string{"'", "\"", "[", "\"a\":[", "[a, ", "<1 ", "<a@", "((", "a=", "a=[", "::", "0:", "1.", "Jul 9 ", "Sat ", "a/b:", "x..", "****", "Job x (", "P1", "\\", "a:b@c#", "10.0.0.1,"} {
		few, many := cost(piece, short), cost(piece, long)
		if many > 40*few && many > 5*time.Millisecond {
			t.Errorf("%q over and over: %v for %d bytes, %v for %d", piece, few, short, many, long)
		}
	}
}
