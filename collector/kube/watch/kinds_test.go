package watch_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lastnight"
	"lastnight/collector/kube/apiserver"
	"lastnight/collector/kube/watch"
	"lastnight/internal/testenv/kube"
)

// Every state of a container that a kubelet may write is told: why it waits, that it runs, how it
// ended, and of a quick restart the end that is seen only in the last state.
func TestContainerStates(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	s := newSink(t)
	run(t, watch.Config{REST: c.Config(), Ingester: s, Node: "node-a"})
	p := w.pod("api-0", "node-a")
	w.status(p, 0, "", corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling image"}})
	if e := s.await("api-0", "ImagePullBackOff", 1, patience)[0]; e.State != "waiting" || e.Type != "Warning" || e.Message != "Back-off pulling image" {
		t.Errorf("waiting is told as %+v", e)
	}
	w.status(p, 0, "containerd://0", running())
	s.await("api-0", "Running", 2, patience) // the container and the pod

	// A restart within one status: the new instance runs, the old one's end is in the last state.
	got, err := w.api.CoreV1().Pods(namespace).Get(t.Context(), "api-0", metav1.GetOptions{})
	w.must(err)
	ended := metav1.NewTime(time.Now().Truncate(time.Second))
	got.Status.ContainerStatuses[0].RestartCount = 1
	got.Status.ContainerStatuses[0].ContainerID = "containerd://1"
	got.Status.ContainerStatuses[0].State = running()
	got.Status.ContainerStatuses[0].LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 3, Reason: "Error", ContainerID: "containerd://0", StartedAt: ended, FinishedAt: ended,
	}}
	_, err = w.api.CoreV1().Pods(namespace).UpdateStatus(t.Context(), got, metav1.UpdateOptions{})
	w.must(err)
	if e := s.await("api-0", "Error", 1, patience)[0]; e.ExitCode == nil || *e.ExitCode != 3 || e.Restart != 0 || !e.Time.Equal(ended.Time) || e.State != "terminated" {
		t.Errorf("the end in the last state is told as %+v", e)
	}
	if e := s.await("api-0", "Running", 3, patience)[2]; e.Restart != 1 {
		t.Errorf("the restarted one is told as %+v", e)
	}
	w.status(p, 2, "containerd://1", corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}})
	s.await("api-0", "CrashLoopBackOff", 1, patience)
	w.status(p, 2, "containerd://2", corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		Signal: 9, ExitCode: 137, Reason: "Error", ContainerID: "containerd://2", FinishedAt: metav1.Now(),
	}})
	if e := s.await("api-0", "Error", 2, patience)[1]; e.Signal != 9 || e.Restart != 2 {
		t.Errorf("killed by a signal: %+v", e)
	}
}

// A node's conditions, taints and cordon are told as they change, once each.
func TestNodes(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	s := newSink(t)
	run(t, watch.Config{REST: c.Config(), Ingester: s, Node: "node-a"})
	w.node("node-b", true)
	s.await("node-b", "NodeReady", 1, patience)
	change := func(f func(n *corev1.Node)) {
		n, err := w.api.CoreV1().Nodes().Get(t.Context(), "node-b", metav1.GetOptions{})
		w.must(err)
		f(n)
		_, err = w.api.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{})
		w.must(err)
	}
	change(func(n *corev1.Node) { n.Spec.Unschedulable = true })
	s.await("node-b", "Cordoned", 1, patience)
	change(func(n *corev1.Node) {
		now := metav1.Now()
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "node.kubernetes.io/unreachable", Effect: corev1.TaintEffectNoExecute, TimeAdded: &now})
	})
	if e := s.await("node-b", "Tainted", 1, patience)[0]; !strings.Contains(e.Message, "unreachable") || e.Type != "Warning" {
		t.Errorf("the taint is told as %+v", e)
	}
	change(func(n *corev1.Node) { n.Spec.Unschedulable = false })
	s.await("node-b", "Uncordoned", 1, patience)
	n, err := w.api.CoreV1().Nodes().Get(t.Context(), "node-b", metav1.GetOptions{})
	w.must(err)
	n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
		Type: corev1.NodeMemoryPressure, Status: corev1.ConditionTrue, Reason: "KubeletHasInsufficientMemory", LastTransitionTime: metav1.Now(), LastHeartbeatTime: metav1.Now(),
	})
	_, err = w.api.CoreV1().Nodes().UpdateStatus(t.Context(), n, metav1.UpdateOptions{})
	w.must(err)
	s.await("node-b", "MemoryPressure", 1, patience)
	w.ready("node-b", false)
	s.await("node-b", "NodeNotReady", 1, patience)
	w.must(w.api.CoreV1().Nodes().Delete(t.Context(), "node-b", metav1.DeleteOptions{}))
	s.await("node-b", "Removed", 1, patience)
	for _, once := range []string{"Cordoned", "Tainted", "Uncordoned", "MemoryPressure", "NodeNotReady", "NodeReady"} {
		s.await("node-b", once, 1, 0)
	}
}

// Repeats of events.k8s.io come as a series: each count that the API server gives is an occurrence.
func TestEventSeries(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	s := newSink(t)
	run(t, watch.Config{REST: c.Config(), Ingester: s})
	e, err := w.api.EventsV1().Events(namespace).Create(t.Context(), &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "repeats", Namespace: namespace}, EventTime: metav1.NowMicro(), Type: corev1.EventTypeWarning,
		Reason: "FailedScheduling", Note: "0/2 nodes are available", Action: "Scheduling", ReportingController: "default-scheduler", ReportingInstance: "s-1",
		Regarding: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: "api-1"},
	}, metav1.CreateOptions{})
	w.must(err)
	s.await("api-1", "FailedScheduling", 1, patience)
	for n := range int32(3) {
		e.Series = &eventsv1.EventSeries{Count: n + 2, LastObservedTime: metav1.NowMicro()}
		e, err = w.api.EventsV1().Events(namespace).Update(t.Context(), e, metav1.UpdateOptions{})
		w.must(err)
	}
	found := s.await("api-1", "FailedScheduling", 4, patience)
	var counts []int
	for i := range found {
		counts = append(counts, found[i].Count)
	}
	if !slices.Equal(counts, []int{1, 2, 3, 4}) || !found[3].Time.After(found[0].Time) {
		t.Errorf("occurrences %v, the last at %v", counts, found[3].Time)
	}
}

// The status of FlinkDeployments is told where the Flink operator's CRD is, each state once.
func TestFlinkDeployments(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	client, err := apiserver.New(c.Config())
	w.must(err)
	crd := json.RawMessage(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"flinkdeployments.flink.apache.org"},
		"spec":{"group":"flink.apache.org","scope":"Namespaced","names":{"kind":"FlinkDeployment","plural":"flinkdeployments","singular":"flinkdeployment"},
		"versions":[{"name":"v1beta1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`)
	var got map[string]any
	w.must(client.Create(t.Context(), apiserver.Resource{Group: "apiextensions.k8s.io", Version: "v1", Name: "customresourcedefinitions"}, crd, &got))
	jobs := apiserver.Resource{Group: "flink.apache.org", Version: "v1beta1", Name: "flinkdeployments", Namespace: namespace}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := client.Create(t.Context(), jobs, json.RawMessage(`{"apiVersion":"flink.apache.org/v1beta1","kind":"FlinkDeployment","metadata":{"name":"orders"},
			"status":{"jobStatus":{"state":"RUNNING"},"lifecycleState":"STABLE"}}`), &got)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	s := newSink(t)
	run(t, watch.Config{REST: c.Config(), Ingester: s})
	if e := s.await("orders", "FlinkDeploymentStatus", 1, patience)[0]; e.Type != "Normal" || e.Message != "job RUNNING, lifecycle STABLE" {
		t.Errorf("what the list has is told as %+v", e)
	}
	for _, status := range []map[string]any{
		{"jobStatus": map[string]any{"state": "RUNNING", "checkpointInfo": map[string]any{"n": 1}}, "lifecycleState": "STABLE"}, // nothing that is told changed
		{"jobStatus": map[string]any{"state": "FAILED"}, "lifecycleState": "FAILED", "error": "no slots"},
	} {
		got["status"] = status
		w.must(client.Update(t.Context(), jobs, "orders", got, &got))
	}
	e := s.await("orders", "FlinkDeploymentStatus", 2, patience)[1]
	if e.Type != "Warning" || e.Message != "job FAILED, lifecycle FAILED, error no slots" || e.Kind != lastnight.EventKubernetes || e.Workload != "orders" {
		t.Errorf("the failure is told as %+v", e)
	}
}
