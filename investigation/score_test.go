package investigation

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lastnight"
)

type truth struct {
	Case, Job, Namespace string
	Causes               [][]string
	Deployed             time.Time
	ObservedUntil        time.Time `json:"observed_until"`
	HealthyJob           string    `json:"healthy_job"`
	AlsoHealthy          []string  `json:"also_healthy"`
	AlsoAffected         []struct {
		Job    string
		Causes [][]string
	} `json:"also_affected"`
	Evidence []struct {
		Kind, Pattern, Line, Object, Reason, Message, Pod string
		Optional                                          bool
		ContainerStatuses                                 []struct {
			State, LastState map[string]podStateBody
		}
	}
}

func readTruth(t testing.TB, dir string) *truth {
	data, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		return nil
	}
	var tr truth
	if err := json.Unmarshal(data, &tr); err != nil {
		t.Fatal(err)
	}
	return &tr
}

func (m *memory) detect(t testing.TB, c *Catalogue) {
	d := NewDetector(DetectorConfig{Source: m, Keeper: m, Catalogue: c})
	for _, doc := range m.docs {
		if m.important[doc.ID] {
			m.mark(d, &doc)
		}
	}
	for range 2 {
		if err := d.Detect(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *memory) why(t testing.TB, job string, tr *truth) []lastnight.Incident {
	v := NewInvestigator(m, nil)
	a, err := v.Why(context.Background(), lastnight.WhyRequest{Job: job, Namespace: tr.Namespace, Start: tr.Deployed, End: tr.ObservedUntil})
	if err != nil {
		if lastnight.CodeOf(err) == lastnight.CodeNotFound {
			return nil
		}
		t.Fatal(err)
	}
	return a.Incidents
}

func brief(is []lastnight.Incident, chain bool) string {
	var b strings.Builder
	for _, i := range is {
		fmt.Fprintf(&b, "  %s..%s %s x%d planned=%v recovered=%v open=%v: %s %.2f  alt %v\n    %s\n", i.Start.Format("15:04:05.000"), i.End.Format("15:04:05.000"), i.Job, i.Failovers, i.Planned, i.Recovered, i.Open, i.Diagnosis.Cause, i.Diagnosis.Confidence, i.Diagnosis.Alternatives, i.Diagnosis.Verdict)
		if chain {
			for _, e := range i.Diagnosis.Chain {
				fmt.Fprintf(&b, "      %s %-8s %-10s %-34s %s\n", e.Time.Format("15:04:05.000"), e.Role, e.Kind, e.Source.Pod, e.What)
			}
		}
	}
	return b.String()
}

func hasEvidence(tr *truth, n int, is []lastnight.Incident) bool {
	want := tr.Evidence[n]
	for _, i := range is {
		for _, e := range i.Diagnosis.Chain {
			switch want.Kind {
			case "log":
				line := want.Line
				if p := strings.SplitN(line, " ", 4); len(p) == 4 {
					line = p[3]
				}
				if e.RecordID != "" && strings.Contains(e.Text, strings.TrimRight(line, " ")) {
					return true
				}
			case "event":
				if e.Object != nil && e.Object.Kind+"/"+e.Object.Name == want.Object && e.Reason == want.Reason && strings.Contains(e.Text, want.Message) {
					return true
				}
			case "pod":
				if e.Object == nil || e.Object.Name != want.Pod {
					continue
				}
				for _, cs := range want.ContainerStatuses {
					for _, st := range []map[string]podStateBody{cs.State, cs.LastState} {
						for state, b := range st {
							if state == "running" {
								continue
							}
							if e.Reason == b.Reason && (state != "terminated" || e.ExitCode != nil && *e.ExitCode == b.ExitCode) {
								return true
							}
						}
					}
				}
			}
		}
	}
	return false
}

type tally struct{ cases, wanted, top1, top3, items, found, falseOnes int }

// scoreCase holds the answers against the truth and says what is wrong.
func scoreCase(t testing.TB, m *memory, tr *truth, s *tally) (faults []string) {
	s.cases++
	is := m.why(t, tr.Job, tr)
	faults = append(faults, scoreJob(tr.Job, tr.Causes, is, s)...)
	for _, j := range tr.AlsoHealthy {
		faults = append(faults, scoreJob(j, nil, m.why(t, j, tr), s)...)
	}
	if tr.HealthyJob != "" {
		faults = append(faults, scoreJob(tr.HealthyJob, nil, m.why(t, tr.HealthyJob, tr), s)...)
	}
	all := slices.Clone(is)
	for _, j := range tr.AlsoAffected {
		o := m.why(t, j.Job, tr)
		faults = append(faults, scoreJob(j.Job, j.Causes, o, s)...)
		all = append(all, o...)
	}
	if len(tr.Causes) == 0 {
		return faults
	}
	for n, e := range tr.Evidence {
		if e.Optional {
			continue
		}
		s.items++
		if hasEvidence(tr, n, all) {
			s.found++
		} else {
			faults = append(faults, fmt.Sprintf("missing %s %s %s %.200s%s%s", e.Kind, e.Pattern, e.Object, e.Line, e.Reason, e.Message))
		}
	}
	return faults
}

func scoreJob(job string, causes [][]string, is []lastnight.Incident, s *tally) (faults []string) {
	if len(is) != len(causes) {
		faults = append(faults, fmt.Sprintf("%s: %d incidents, want %d", job, len(is), len(causes)))
		s.falseOnes += max(0, len(is)-len(causes))
	}
	for i, accepted := range causes {
		s.wanted++
		if i >= len(is) {
			continue
		}
		d := is[i].Diagnosis
		if slices.Contains(accepted, d.Cause) {
			s.top1++
			s.top3++
			continue
		}
		faults = append(faults, fmt.Sprintf("%s: cause %q, want %v", job, d.Cause, accepted))
		for j, a := range d.Alternatives {
			if j < 2 && slices.Contains(accepted, a.Cause) {
				s.top3++
				break
			}
		}
	}
	return faults
}

// TestCases scores every case of the directory LASTNIGHT_CASES, each alone and all in one.
func TestCases(t *testing.T) {
	root := os.Getenv("LASTNIGHT_CASES")
	if root == "" {
		t.Skip("LASTNIGHT_CASES names no directory of recorded cases")
	}
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	dirs, _ := filepath.Glob(filepath.Join(root, "*"))
	only := os.Getenv("LASTNIGHT_CASE")
	var s, all tally
	together := newMemory(c)
	var truths []*truth
	for _, dir := range dirs {
		tr := readTruth(t, dir)
		if only != "" && filepath.Base(dir) != only {
			continue
		}
		m := newMemory(c)
		loadCase(t, m, dir)
		loadCase(t, together, dir)
		m.detect(t, c)
		if tr == nil {
			if len(m.incidents) > 0 {
				t.Errorf("%s: incidents %v", dir, m.incidents)
			}
			continue
		}
		truths = append(truths, tr)
		faults := scoreCase(t, m, tr, &s)
		for _, f := range faults {
			t.Errorf("%s: %s", tr.Case, f)
		}
		if len(faults) > 0 || os.Getenv("LASTNIGHT_CHAIN") != "" {
			t.Logf("%s\n%s", tr.Case, brief(m.why(t, tr.Job, tr), true))
		}
	}
	t.Logf("alone:    %+v", s)
	if only != "" {
		return
	}
	together.detect(t, c)
	for _, tr := range truths {
		for _, f := range scoreCase(t, together, tr, &all) {
			t.Errorf("together: %s: %s", tr.Case, f)
		}
	}
	t.Logf("together: %+v", all)
	if os.Getenv("LASTNIGHT_CHAIN") != "" {
		is, _ := together.Incidents(context.Background(), lastnight.IncidentsRequest{Planned: true})
		t.Logf("everything\n%s", brief(is, false))
	}
}
