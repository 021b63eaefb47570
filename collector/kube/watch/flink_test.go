package watch

import (
	"testing"
	"time"

	"lastnight/collector/kube"
)

func TestFlinkEvent(t *testing.T) {
	object := func(status map[string]any) *flinkDeployment {
		return &flinkDeployment{
			Meta:   kube.Meta{Name: "orders", Namespace: "shop", UID: "u-1", CreationTimestamp: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)},
			Status: status,
		}
	}
	if _, state := flinkEvent(object(nil)); state != "" {
		t.Errorf("no status gives %q", state)
	}
	if _, state := flinkEvent(object(map[string]any{"jobStatus": "no object", "error": 7})); state != "" {
		t.Errorf("a status of other types gives %q", state)
	}
	failed := map[string]any{"jobStatus": map[string]any{"state": "FAILED", "updateTime": "1772359500000"}, "lifecycleState": "FAILED", "error": "no slots"}
	e, _ := flinkEvent(object(failed))
	again, _ := flinkEvent(object(failed))
	if e.ID == "" || e.ID != again.ID {
		t.Errorf("ids %q and %q of one status", e.ID, again.ID)
	}
	if e.Type != "Warning" || e.Workload != "orders" || e.Message != "job FAILED, lifecycle FAILED, error no slots" {
		t.Errorf("told as %+v", e)
	}
	if want := time.Date(2026, 3, 1, 10, 5, 0, 0, time.UTC); !e.Time.Equal(want) {
		t.Errorf("time %v, want the status's own %v", e.Time, want)
	}
	running, _ := flinkEvent(object(map[string]any{"jobStatus": map[string]any{"state": "RUNNING"}}))
	if running.ID == e.ID || running.Type != "Normal" {
		t.Errorf("another status is told as %+v", running)
	}
}
