package investigation

import (
	"strings"
	"testing"
	"time"

	"lastnight"
)

// One fault that hits several jobs at one place is told in each of their chains; the
// same cause elsewhere, at another time or in another namespace is not.
func TestWithSiblings(t *testing.T) {
	at := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	incident := func(id, namespace, job, path string, start time.Time) lastnight.Incident {
		return lastnight.Incident{
			ID: id, Namespace: namespace, Job: job, Workload: job, Start: start,
			Diagnosis: lastnight.Diagnosis{Explained: true, Cause: "storage-permission-denied", Layer: "storage", Chain: []lastnight.Evidence{
				{Time: start, Kind: "record", Role: lastnight.RoleCause, Text: "java.io.IOException: Mkdirs failed to create file:" + path},
				{Time: start.Add(time.Second), Kind: "transition", Role: lastnight.RoleEffect, Text: "Job " + job + " switched from state RUNNING to RESTARTING."},
			}},
		}
	}
	m := newMemory(nil)
	if err := m.PutIncidents(t.Context(), []lastnight.Incident{
		incident("1", "prod", "baskets", "/data/volumes/a/baskets/chk-5", at),
		incident("2", "prod", "wishes", "/data/volumes/a/wishes/chk-9", at.Add(3*time.Second)),
		incident("3", "prod", "elsewhere", "/other/disk/chk-1", at.Add(2*time.Second)),
		incident("4", "prod", "later", "/data/volumes/a/later/chk-1", at.Add(time.Hour)),
		incident("5", "test", "foreign", "/data/volumes/a/foreign/chk-1", at.Add(2*time.Second)),
	}); err != nil {
		t.Fatal(err)
	}
	in, err := NewInvestigator(m, nil).Incident(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range in.Diagnosis.Chain {
		said = append(said, e.What+"|"+e.Text)
	}
	all := strings.Join(said, "\n")
	if !strings.Contains(all, "wishes failed over too") || !strings.Contains(all, "Job wishes switched") {
		t.Errorf("the chain does not tell of the job on the same volume:\n%s", all)
	}
	for _, other := range []string{"elsewhere", "later", "foreign"} {
		if strings.Contains(all, other) {
			t.Errorf("the chain tells of %s:\n%s", other, all)
		}
	}
	if kept, err := m.Incident(t.Context(), "1"); err != nil || len(kept.Diagnosis.Chain) != 2 {
		t.Errorf("the kept incident changed: %v %v", kept, err)
	}
}
