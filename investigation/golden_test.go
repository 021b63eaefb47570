package investigation

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/internal/recorded"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden says an answer so that a reviewer sees what got better or worse.
func golden(is []lastnight.Incident) string {
	var b strings.Builder
	for i := range is {
		in := &is[i]
		d := &in.Diagnosis
		fmt.Fprintf(&b, "%s  %s\n", in.Start.Format(time.RFC3339Nano), d.Verdict)
		fmt.Fprintf(&b, "cause %s  confidence %.2f  failovers %d  planned %v  recovered %v  open %v  end %s\n", d.Cause, d.Confidence, in.Failovers, in.Planned, in.Recovered, in.Open, in.End.Format("15:04:05.000"))
		for _, a := range d.Alternatives {
			fmt.Fprintf(&b, "or %s  confidence %.2f\n", a.Cause, a.Confidence)
		}
		for _, e := range d.Chain {
			fmt.Fprintf(&b, "  %s %-8s %-10s %-36s %s\n", e.Time.Format("15:04:05.000"), e.Role, e.Kind, e.Source.Pod, e.What)
		}
		fmt.Fprintf(&b, "features %s\n", strings.Join(in.Features, " "))
	}
	if b.Len() == 0 {
		return "no incident\n"
	}
	return b.String()
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", path, d)
	}
}

// TestGolden imports the recorded cases that the project ships and holds the answers against the
// truth and against golden files.
func TestGolden(t *testing.T) {
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	var s tally
	for _, name := range recorded.Names() {
		dir := filepath.Join(t.TempDir(), name)
		if err := recorded.Extract(context.Background(), name, dir); err != nil {
			t.Fatal(err)
		}
		m := newMemory(c)
		loadCase(t, m, dir)
		m.detect(t, c)
		tr := readTruth(t, dir)
		if tr == nil {
			if len(m.incidents) > 0 {
				t.Errorf("%s: %d incidents, want none", name, len(m.incidents))
			}
			continue
		}
		for _, f := range scoreCase(t, m, tr, &s) {
			t.Errorf("%s: %s", name, f)
		}
		compare(t, filepath.Join("golden", name+".txt"), golden(m.why(t, tr.Job, tr)))
	}
	compare(t, "stats.txt", s.String())
}

// String gives the figures that stats.txt keeps.
func (s tally) String() string {
	return fmt.Sprintf("cases %d\nincidents wanted %d\nright cause first %d\nright cause among the first three %d\nevidence wanted %d\nevidence found %d\nfalse incidents %d\n",
		s.cases, s.wanted, s.top1, s.top3, s.items, s.found, s.falseOnes)
}

// TestAnyOrder holds that the incidents do not depend on the order in which documents arrive, or
// on how often detection ran in between.
func TestAnyOrder(t *testing.T) {
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range recorded.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "c")
			if err := recorded.Extract(t.Context(), name, dir); err != nil {
				t.Fatal(err)
			}
			anyOrder(t, c, dir)
		})
	}
}

func anyOrder(t *testing.T, c *Catalogue, dir string) {
	t.Helper()
	whole := newMemory(c)
	loadCase(t, whole, dir)
	whole.detect(t, c)

	piece := newMemory(c)
	loadCase(t, piece, dir)
	docs, important := piece.docs, piece.important
	piece.docs, piece.sorted = map[string]lastnight.Document{}, nil
	d := NewDetector(DetectorConfig{Source: piece, Keeper: piece, Catalogue: c})
	n := 0
	for id, doc := range docs { // in the order of a map: another one each time
		piece.docs[id], piece.sorted = doc, nil
		if important[id] {
			piece.mark(d, &doc)
		}
		if n++; n%(len(docs)/5) == 0 {
			if err := d.Detect(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := d.Detect(context.Background()); err != nil {
		t.Fatal(err)
	}
	a, _ := whole.Incidents(context.Background(), lastnight.IncidentsRequest{Planned: true})
	b, _ := piece.Incidents(context.Background(), lastnight.IncidentsRequest{Planned: true})
	for i := range a {
		a[i].Similar = nil
	}
	for i := range b {
		b[i].Similar = nil
	}
	if diff := cmp.Diff(golden(a), golden(b)); diff != "" {
		t.Error(diff)
	}
}
