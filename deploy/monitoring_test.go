package deploy_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// labelsAt gives labels below a path.
func labelsAt(t *testing.T, u *unstructured.Unstructured, path ...string) map[string]string {
	t.Helper()
	m, ok, err := unstructured.NestedStringMap(u.Object, path...)
	if err != nil || !ok {
		t.Fatalf("%s %s has no %v (%v)", u.GetKind(), u.GetName(), path, err)
	}
	return m
}

// selects tells whether a selector means something with these labels.
func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// portsOf gives the names of ports in a list of objects.
func portsOf(t *testing.T, u *unstructured.Unstructured, path ...string) []string {
	t.Helper()
	list, _, err := unstructured.NestedSlice(u.Object, path...)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range list {
		m, _ := p.(map[string]any)
		for _, key := range []string{"name", "port"} {
			if name, ok := m[key].(string); ok {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// Monitoring is off by default; when on, each monitor finds exactly its pods, at a port that they have.
func TestMonitoring(t *testing.T) {
	kinds := []string{"ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"}
	for _, kind := range kinds {
		if n := len(find(rendered(t), kind)); n != 0 {
			t.Errorf("%d objects %s without being asked for", n, kind)
		}
	}
	on := []string{"--set", "serviceMonitor.enabled=true", "--set", "alerts.enabled=true", "--set", "dashboard.enabled=true"}
	for name, objects := range map[string][]*unstructured.Unstructured{"one": rendered(t, on...), "replicas": rendered(t, append(replicas(), on...)...)} {
		found := map[string]*unstructured.Unstructured{}
		for _, kind := range kinds {
			of := find(objects, kind)
			if len(of) != 1 {
				t.Fatalf("%s: %d objects %s", name, len(of), kind)
			}
			found[kind] = of[0]
		}
		monitor := found["ServiceMonitor"]
		var services []string
		for _, s := range find(objects, "Service") {
			if selects(labelsAt(t, monitor, "spec", "selector", "matchLabels"), s.GetLabels()) {
				services = append(services, s.GetName())
				if port := portsOf(t, monitor, "spec", "endpoints")[0]; !slices.Contains(portsOf(t, s, "spec", "ports"), port) {
					t.Errorf("%s: Service %s has no port %s", name, s.GetName(), port)
				}
			}
		}
		if len(services) != 1 {
			t.Errorf("%s: the ServiceMonitor finds the Services %v, each server is to be found once", name, services)
		}
		agents := find(objects, "DaemonSet")[0]
		if !selects(labelsAt(t, found["PodMonitor"], "spec", "selector", "matchLabels"), labelsAt(t, agents, "spec", "template", "metadata", "labels")) {
			t.Errorf("%s: the PodMonitor does not find agents", name)
		}
		rules(t, found["PrometheusRule"])
		for file, text := range labelsAt(t, found["ConfigMap"], "data") {
			dashboard(t, file, text)
		}
	}
}

// rules looks whether each alert says what it asks and what to do.
func rules(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	groups, _, err := unstructured.NestedSlice(u.Object, "spec", "groups")
	if err != nil || len(groups) != 1 {
		t.Fatalf("groups %v, %v", groups, err)
	}
	group, _ := groups[0].(map[string]any)
	list, _, err := unstructured.NestedSlice(group, "rules")
	if err != nil || len(list) < 8 {
		t.Fatalf("%d rules, %v", len(list), err)
	}
	for _, r := range list {
		rule, _ := r.(map[string]any)
		notes, _ := rule["annotations"].(map[string]any)
		if rule["alert"] == nil || rule["expr"] == nil || notes["summary"] == nil || notes["description"] == nil {
			t.Errorf("an alert without name, question, summary or advice: %v", slices.Sorted(maps.Keys(rule)))
		}
	}
}

// dashboard looks whether it is JSON that Grafana takes: panels with questions, each with an id of its own.
func dashboard(t *testing.T, file, text string) {
	t.Helper()
	var d struct {
		Title  string `json:"title"`
		UID    string `json:"uid"`
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil || d.Title == "" || d.UID == "" || len(d.Panels) < 8 {
		t.Fatalf("%s: %+v, %v", file, d, err)
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("%s: panel %d %q", file, p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			if target.Expr == "" {
				t.Errorf("%s: %s asks nothing", file, p.Title)
			}
		}
	}
}
