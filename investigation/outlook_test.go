package investigation

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"lastnight"
	"lastnight/internal/recorded"
	"lastnight/query"
)

// opening tells whether openingQuery finds a document.
func opening(t testing.TB, d *lastnight.Document) bool {
	t.Helper()
	asked, err := query.Parse(openingQuery)
	if err != nil {
		t.Fatal(err)
	}
	return query.Match(asked, d)
}

// TestOpenersAreLandmarks: whatever may open a failover is found by openingQuery, and marked as more than evidence.
func TestOpenersAreLandmarks(t *testing.T) {
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range recorded.Names() {
		dir := filepath.Join(t.TempDir(), name)
		if err := recorded.Extract(t.Context(), name, dir); err != nil {
			t.Fatal(err)
		}
		m := newMemory(c)
		loadCase(t, m, dir)
		for _, d := range m.docs {
			if !mayOpen(&d) {
				continue
			}
			n++
			if !opening(t, &d) {
				t.Errorf("%s: not found by %s: %.200q, signals %v", name, openingQuery, d.Text, d.Signals)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d documents may open a failover", n)
	}
}

// watch gives the scene a detector that is told of what happens from now on, and what it was told already.
func (s *scene) watch(now func() time.Time) *Detector {
	d := NewDetector(DetectorConfig{Source: s.m, Keeper: s.m, Catalogue: s.c, Now: now})
	for _, doc := range s.m.docs {
		if s.m.important[doc.ID] {
			s.m.mark(d, &doc)
		}
	}
	s.m.detector = d
	return d
}

func detect(t *testing.T, d *Detector) {
	t.Helper()
	if err := d.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestErrorsOfHealthyJob: a job that logs errors all day is looked at once in a while, and its failover is found all
// the same, whether the detector knew it or not.
func TestErrorsOfHealthyJob(t *testing.T) {
	s := newScene(t)
	d := s.watch(func() time.Time { return s.at(100 * 3600) })
	complain := func(sec float64, what string) {
		s.say(sec, sceneTM1, "ERROR", "com.acme.A", what+" failed")
	}
	complain(26*3600, "Lookup")
	detect(t, d)
	searches := s.m.searches
	for i := range 300 {
		complain(26*3600+float64(i)*60, []string{"Join", "Map", "Lookup", "Sink", "Source", "Rename", "Retry"}[i%7])
		detect(t, d)
	}
	if n := s.m.searches - searches; n > 2 {
		t.Errorf("a job that is well was read %d times in five hours", n)
	}
	s.container(29*3600, sceneTM1, "terminated", "OOMKilled", 137)
	detect(t, d)
	if len(s.m.incidents) != 1 {
		t.Fatalf("%d incidents of a process that was killed, want 1", len(s.m.incidents))
	}
	searches = s.m.searches
	complain(29*3600+1, "Close") // tells more of that incident
	detect(t, d)
	if s.m.searches-searches < 2 {
		t.Error("an incident was not looked into again when there was more evidence")
	}
	// Another process takes over, and hears only of evidence.
	clear(s.m.incidents)
	d = NewDetector(DetectorConfig{Source: s.m, Keeper: s.m, Catalogue: s.c})
	s.m.detector = d
	complain(29*3600+600, "Commit")
	detect(t, d)
	if len(s.m.incidents) != 1 {
		t.Errorf("%d incidents found by who was told of an error only, want 1", len(s.m.incidents))
	}
}

// TestManyJobs: the jobs of a round are asked for together, and the one that failed among them is found.
func TestManyJobs(t *testing.T) {
	s := newScene(t)
	s.m.firstSeen = s.zero
	for i := range 100 {
		pod := fmt.Sprintf("job%d-5d5f7f8b9c-abcde", i)
		s.pod(pod, "", "node-1")
		s.say(float64(3000*i), pod, "ERROR", "com.acme.A", "Lookup failed")
	}
	s.pod("broken-5d5f7f8b9c-abcde", "", "node-1")
	s.container(7, "broken-5d5f7f8b9c-abcde", "terminated", "OOMKilled", 137)
	d := s.watch(nil)
	detect(t, d)
	if s.m.searches > 20 {
		t.Errorf("%d searches for one job that failed among a hundred that did not", s.m.searches)
	}
	if len(s.m.incidents) != 1 {
		t.Errorf("%d incidents, want 1", len(s.m.incidents))
	}
}

// slow is a source that takes its time.
type slow struct {
	*memory
	takes time.Duration
}

func (s slow) Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	time.Sleep(s.takes)
	return s.memory.Search(ctx, req)
}

// TestEvidenceWaits: who looks into a failing job takes a rest before the next error of it, but not from a change of
// its state, and not for long.
func TestEvidenceWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.zero = time.Now().Add(-time.Minute)
		s.running()
		s.container(30, sceneTM1, "terminated", "OOMKilled", 137)
		d := s.watch(nil)
		d.cfg.Source = slow{s.m, 2 * time.Second}
		round := func() (read bool) {
			t.Helper()
			searches := s.m.searches
			if err := d.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			return s.m.searches > searches
		}
		if !round() || len(s.m.incidents) != 1 {
			t.Fatalf("%d incidents of a process that was killed, want 1", len(s.m.incidents))
		}
		s.say(31, sceneTM1, "ERROR", "com.acme.A", "Lookup failed")
		if round() {
			t.Error("an error was looked into just after the one before")
		}
		if p := d.Pending(); len(p) != 1 || p[0].Workload != "wordcount" {
			t.Errorf("what waits is not pending: %v", p)
		}
		s.state(32, "RUNNING", "RESTARTING")
		if !round() {
			t.Error("a change of state had to wait")
		}
		s.say(33, sceneTM1, "ERROR", "com.acme.A", "Lookup failed again")
		time.Sleep(maxRest)
		if !round() {
			t.Errorf("an error was not looked into after %v", maxRest)
		}
	})
}

// TestIncidentOutlivesItsDocuments: an old error that arrives late does not take an incident away whose documents are no longer kept.
func TestIncidentOutlivesItsDocuments(t *testing.T) {
	s := newScene(t)
	old := lastnight.Incident{ID: "old", Namespace: "prod", Job: "wordcount", Workload: "wordcount", Start: s.at(100), End: s.at(200)}
	s.m.incidents[old.ID] = old
	s.say(300, sceneTM1, "ERROR", "com.acme.A", "Lookup failed")
	detect(t, s.watch(nil))
	if len(s.m.incidents) != 1 {
		t.Error("the incident is gone")
	}
}
