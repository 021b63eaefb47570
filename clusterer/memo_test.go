package clusterer_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/clusterer"
)

// sameWithoutMemo adds lines to two clusterers, one of which never remembers a line, and fails unless both say the same of each.
func sameWithoutMemo(t *testing.T, config clusterer.Config, lines [][]byte) {
	t.Helper()
	with, without := clusterer.New(config), clusterer.New(config)
	var a, b []lastnight.Var
	for _, line := range lines {
		without.ForgetLines()
		want := without.Add(line, nil, a)
		got := with.Add(line, nil, b)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q (-without +with memo):\n%s", line, diff)
		}
		a, b = want.Vars, got.Vars
	}
	if diff := cmp.Diff(without.Stats(), with.Stats()); diff != "" {
		t.Errorf("stats (-without +with memo):\n%s", diff)
	}
	var snaps [2]bytes.Buffer
	for i, c := range []*clusterer.Clusterer{without, with} {
		if err := c.Snapshot(&snaps[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(snaps[0].Bytes(), snaps[1].Bytes()) { // ids, links, and which line used which last
		t.Error("snapshots differ")
	}
}

// otherDigits gives n lines: each again and again with other digits.
func otherDigits(lines []string, n int, r *rand.Rand) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = []byte(lines[r.IntN(len(lines))])
		for k, c := range out[i] {
			if c >= '0' && c <= '9' && r.IntN(4) > 0 {
				out[i][k] = byte('0' + r.IntN(10))
			}
		}
	}
	return out
}

// TestMemo: lines of real programs, with other digits again and again, templates forgotten or not.
func TestMemo(t *testing.T) {
	lines := append(goldenInput(t), flinkLines(200)...)
	lines = append(lines, digitLines...)
	for _, config := range []clusterer.Config{{}, {MaxTemplates: 40, MaxPatterns: 60, MaxTokens: 24, MaxBytes: 128}} {
		sameWithoutMemo(t, config, otherDigits(lines, 20_000, rand.New(rand.NewPCG(1, 2))))
	}
}

// digitLines have numbers whose value decides what they are, or which stand beside such.
var digitLines = []string{
	"at 18:06 and 31:06 from 2005.06.03.15.42.50.363779 to 03/06/2005.15:42 x",
	"0x1f 1x1f 10x1f ssh2 from 10.24.36.12:22 port 80 10.24.36 10.24.36.4711111 v2.13",
	"2026-11-21 12:00:00,123 2026-11-21 Jul 9 12:16:49 Jul 12 31:16:49 x 12 KB",
	"core.4711 dn731 node1 id 12345678901234567890 Foo$Bar@1f2e3d4c 7e5 7e12345 12:34:56:78",
	"adj=0.0userId=0 key=12:34 a=12.34.56.78 b=0x12 b=1x12 c=2026-11-21T06:01 d=06.01.02.123456 e=36.01.02.123456",
	"200 0AAA 0000A00A00#.00:00 #.90:13 1.90:13 core.90:13 .31:13",
	"x 12-31-2026.23:59 x 1.2.3.23:59 x /1.2.23:59 x a.23:59 a.33:59",
}

// FuzzMemo holds that a line is what it is whether or not one like it but for the digits came before.
func FuzzMemo(f *testing.F) {
	for i, line := range digitLines {
		f.Add(line, uint64(i))
	}
	f.Add(strings.Join(flinkLines(20), "\n"), uint64(1))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		if len(text) > 1<<12 {
			return
		}
		lines := strings.Split(text, "\n")
		r := rand.New(rand.NewPCG(seed, 1))
		sameWithoutMemo(t, clusterer.Config{MaxTemplates: 24, MaxPatterns: 32, MaxTokens: 24, MaxBytes: 256}, otherDigits(lines, min(40*len(lines), 1000), r))
	})
}
