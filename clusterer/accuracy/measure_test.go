package main

import (
	"math"
	"strings"
	"testing"
)

// TestMeasure: the figures are those worked out by hand.
func TestMeasure(t *testing.T) {
	truth := []string{"a <*>", "a <*>", "b", "c <*>", "c <*>", ""}
	got := []parsed{{1, "1", "a <*>"}, {2, "1", "a <*>"}, {3, "2", "b"}, {4, "3", "c x"}, {5, "4", "c <*>"}, {6, "9", "z"}}
	m, err := measure(truth, got)
	if err != nil {
		t.Fatal(err)
	}
	// Groups 1 and 2 are exact: 3 of 5 lines. 4 lines have the right template. Of 4 groups 2 are
	// exact, of 3 true ones; of 4 templates "a <*>", "b" and "c <*>" are right.
	want := Measures{GA: 3. / 5, PA: 4. / 5, FGA: 2 * 2. / (4 + 3), FTA: 2 * 3. / (4 + 3), Found: 4, True: 3}
	for _, p := range [][2]float64{{m.GA, want.GA}, {m.PA, want.PA}, {m.FGA, want.FGA}, {m.FTA, want.FTA}} {
		if math.Abs(p[0]-p[1]) > 1e-9 {
			t.Fatalf("got %+v, want %+v", m, want)
		}
	}
	if m.Found != 4 || m.True != 3 {
		t.Errorf("got %d groups of %d", m.Found, m.True)
	}
	if _, err := measure(truth, got[:3]); err == nil {
		t.Error("missing results are no error")
	}
}

func TestReadTruth(t *testing.T) {
	messages, templates, err := readTruth(strings.NewReader("LineId,Content,EventTemplate\n1,\"a, 1\",\"a, <*>\"\n"))
	if err != nil || len(messages) != 1 || messages[0] != "a, 1" || templates[0] != "a, <*>" {
		t.Errorf("got %q %q %v", messages, templates, err)
	}
	for _, s := range []string{"", "A,B\n1,2\n", "Content,EventTemplate\n\"x"} {
		if _, _, err := readTruth(strings.NewReader(s)); err == nil {
			t.Errorf("%q is no error", s)
		}
	}
	if _, err := readParsed(strings.NewReader(`{"line":2}`)); err == nil {
		t.Error("a missing line is no error")
	}
}
