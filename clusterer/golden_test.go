package clusterer_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight/clusterer"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenInput gives the messages of testdata/flink.txt: real lines of Flink 1.20 clusters
// and their jobs, about two of each kind.
func goldenInput(t testing.TB) []string {
	t.Helper()
	f, err := os.Open("testdata/flink.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var lines []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestGoldenFlink: templates and how many of the lines are of each, by first line. Read the
// difference before writing the file anew: would you want to be told so at 3 a.m.?
func TestGoldenFlink(t *testing.T) {
	c := clusterer.New(clusterer.Config{})
	lines := goldenInput(t)
	ids := make([]string, len(lines))
	for i, line := range lines {
		m := c.Add([]byte(line), nil, nil)
		check(t, c, []byte(line), m)
		ids[i] = m.ID
	}
	count := map[string]int{}
	var order []string
	for _, id := range ids {
		id = c.Resolve(id)
		if count[id]++; count[id] == 1 {
			order = append(order, id)
		}
	}
	var got strings.Builder
	for _, id := range order {
		x, _ := c.Template(id)
		fmt.Fprintf(&got, "%s %3d  %s\n", id, count[id], x.Text)
	}
	const name = "testdata/flink.golden"
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("templates changed (-want +got); -update writes them anew:\n%s", diff)
	}
}
