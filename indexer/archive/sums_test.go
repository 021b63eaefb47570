package archive

import (
	"math/rand/v2"
	"testing"
)

// TestSums: a line's offset follows from the lines of its group alone, if there are sums.
func TestSums(t *testing.T) {
	rows := randomRows(rand.New(rand.NewPCG(5, 5)), 400)
	v, err := openView(columnBlock(t, rows), 3, &slabs{})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.loadLines(); err != nil {
		t.Fatal(err)
	}
	if err := v.loadOffsets(); err != nil {
		t.Fatal(err)
	}
	far := 0
	for line := range int32(len(v.flags)) {
		from, _, err := v.before(line)
		if err != nil {
			t.Fatal(err)
		}
		begin := int32(v.runOf(line).firstLine)
		if line-from >= sumLines && from-begin >= sumLines {
			far++
		}
	}
	if v.sums == nil || far > 0 {
		t.Errorf("%d lines are far from what their block tells of offsets", far)
	}
}
