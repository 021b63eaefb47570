package watch_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lastnight"
	"lastnight/collector/kube/watch"
	"lastnight/internal/testenv/kube"
)

// patience is for what has no promised time, on a loaded machine.
const patience = 45 * time.Second

func TestPodsOfANode(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	s := newSink(t)
	run(t, watch.Config{REST: c.Config(), Ingester: s, Node: "node-a", Annotations: []string{"example.com/team"}})

	rs := w.replicaSet("api-7d9c5b8f6d", "api")
	pod := w.pod("api-7d9c5b8f6d-x2x4z", "node-a", ownedBy(rs.Name, rs.UID))
	w.pod("elsewhere", "node-b")
	w.status(pod, 0, "containerd://one", running())
	s.await(pod.Name, "Running", 2, patience) // the container's, and the pod's phase

	begin := time.Now()
	w.status(pod, 0, "containerd://one", oomKilled("containerd://one"))
	death := s.await(pod.Name, "OOMKilled", 1, patience)[0]
	timed(t, "a container's death", begin, 2*time.Second)
	if death.ExitCode == nil || *death.ExitCode != 137 || death.Kind != lastnight.EventContainer || death.Cluster != "test" || death.Node != "node-a" {
		t.Errorf("the death is told as %+v", death)
	}
	known := s.pod(string(pod.UID))
	if known.Owner.Kind != "Deployment" || known.Owner.Name != "api" {
		t.Errorf("owner %+v, want Deployment api", known.Owner)
	}
	if len(known.Annotations) != 1 || known.Annotations["example.com/team"] != "checkout" {
		t.Errorf("annotations %v, want those of the list alone", known.Annotations)
	}
	w.remove(pod)
	s.await(pod.Name, "Removed", 1, patience)
	if found := s.find("elsewhere", "Running"); len(found) > 0 || s.pod("elsewhere").Name != "" {
		t.Errorf("a pod of another node is told of: %+v", found)
	}
}

// A pod that waits for a node is the leader's; that it gets one is not its removal.
func TestUnscheduledPods(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	s := newSink(t)
	run(t, watch.Config{REST: c.Config(), Ingester: s, Node: "node-a"})
	for _, name := range []string{"waits", "goes-away"} {
		p := w.pod(name, "")
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/2 nodes are available", LastTransitionTime: metav1.Now(),
		}}
		_, err := w.api.CoreV1().Pods(namespace).UpdateStatus(t.Context(), p, metav1.UpdateOptions{})
		w.must(err)
		s.await(name, "Unschedulable", 1, patience)
		if name == "waits" {
			w.bind(p, "node-b")
			s.await(name, "Scheduled", 1, patience)
		} else {
			w.remove(p)
			s.await(name, "Removed", 1, patience)
		}
	}
	if found := s.find("waits", "Removed"); len(found) > 0 {
		t.Errorf("a pod that got a node is told as removed: %+v", found)
	}
	// Its node goes down, and with it who watches the node's pods: the leader does then.
	w.node("node-b", true)
	w.ready("node-b", false)
	s.await("node-b", "NodeNotReady", 1, patience)
	p, err := w.api.CoreV1().Pods(namespace).Get(t.Context(), "waits", metav1.GetOptions{})
	w.must(err)
	time.Sleep(time.Second)
	w.remove(p)
	s.await("waits", "Removed", 1, patience)
	w.ready("node-b", true)
	s.await("node-b", "NodeReady", 1, patience)
}

// One Event object is seen by two APIs and told once; each repeat is an occurrence.
func TestEvents(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	s := newSink(t)
	run(t, watch.Config{REST: c.Config(), Ingester: s, Node: "node-a"})

	e := w.event("repeats", "api-0", "BackOff")
	s.await("api-0", "BackOff", 1, patience)
	e.Count, e.LastTimestamp = 2, metav1.NewTime(e.LastTimestamp.Add(time.Second))
	_, err := w.api.CoreV1().Events(namespace).Update(t.Context(), e, metav1.UpdateOptions{})
	w.must(err)
	if found := s.await("api-0", "BackOff", 2, patience); found[1].Count != 2 {
		t.Errorf("the repeat is %+v", found[1])
	}
	_, err = w.api.EventsV1().Events(namespace).Create(t.Context(), &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "new", Namespace: namespace}, EventTime: metav1.NowMicro(), Type: corev1.EventTypeWarning,
		Reason: "FailedScheduling", Note: "0/2 nodes are available", Action: "Scheduling", ReportingController: "default-scheduler", ReportingInstance: "s-1",
		Regarding: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: "api-1"},
	}, metav1.CreateOptions{})
	w.must(err)
	found := s.await("api-1", "FailedScheduling", 1, patience)
	if found[0].Message != "0/2 nodes are available" || found[0].Component != "default-scheduler" {
		t.Errorf("an event of events.k8s.io is told as %+v", found[0])
	}

	s.down.Store(true) // what is told while the server is away comes later
	w.event("meanwhile", "api-2", "Killing")
	time.Sleep(500 * time.Millisecond)
	s.down.Store(false)
	s.await("api-2", "Killing", 1, patience)
	time.Sleep(500 * time.Millisecond)
	s.await("api-1", "FailedScheduling", 1, 0)
}

func (w *world) replicaSet(name, deployment string) *appsv1.ReplicaSet {
	w.t.Helper()
	yes := true
	labels := map[string]string{"app": deployment}
	rs, err := w.api.AppsV1().ReplicaSets(namespace).Create(w.t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: deployment, UID: "d-1", Controller: &yes}},
		},
		Spec: appsv1.ReplicaSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/shop:1"}}},
			},
		},
	}, metav1.CreateOptions{})
	w.must(err)
	return rs
}
