package query_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"lastnight/query"
)

// TestDocs holds docs/search.md true: its examples parse, and it tells of every field.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../docs/search.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	examples := 0
	parse := func(q string) {
		t.Helper()
		examples++
		if _, err := query.Parse(q); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
	_, night, _ := strings.Cut(text, "## For the night")
	for line := range strings.SplitSeq(night, "\n") {
		if q, ok := strings.CutPrefix(line, "    "); ok {
			q, _, _ = strings.Cut(q, "   ")
			parse(q)
		}
	}
	_, table, _ := strings.Cut(text, "## In one minute")
	table, _, _ = strings.Cut(table, "\n## ")
	for line := range strings.SplitSeq(table, "\n") {
		if q, ok := strings.CutPrefix(line, "| `"); ok {
			q, _, _ = strings.Cut(q, "` |")
			parse(q)
		}
	}
	if examples < 20 {
		t.Errorf("found only %d examples", examples)
	}
	for _, name := range query.Names() {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the field %s is not told of", name)
		}
	}
	if slices.Contains(query.Names(), "") {
		t.Error("a field has no name")
	}
}
