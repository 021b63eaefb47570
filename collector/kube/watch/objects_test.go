package watch_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"lastnight/internal/testenv/kube"
)

// world writes what controllers, scheduler and kubelets write in a real cluster.
type world struct {
	t   *testing.T
	api *kubernetes.Clientset
}

const namespace = "shop"

func newWorld(t *testing.T, c *kube.Cluster) *world {
	t.Helper()
	w := &world{t: t, api: kubernetes.NewForConfigOrDie(c.Config())}
	_, err := w.api.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// pod creates a pod, on a node unless that is "".
func (w *world) pod(name, node string, change ...func(*corev1.Pod)) *corev1.Pod {
	w.t.Helper()
	grace := int64(0)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeName: node, TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/shop:1"}},
		},
	}
	for _, f := range change {
		f(p)
	}
	p, err := w.api.CoreV1().Pods(namespace).Create(w.t.Context(), p, metav1.CreateOptions{})
	w.must(err)
	return p
}

// status writes a container's state as a kubelet does.
func (w *world) status(p *corev1.Pod, restarts int32, id string, state corev1.ContainerState) {
	w.t.Helper()
	p, err := w.api.CoreV1().Pods(namespace).Get(w.t.Context(), p.Name, metav1.GetOptions{})
	w.must(err)
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", Image: "registry.example.com/shop:1", RestartCount: restarts, ContainerID: id, State: state}}
	_, err = w.api.CoreV1().Pods(namespace).UpdateStatus(w.t.Context(), p, metav1.UpdateOptions{})
	w.must(err)
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
}

func oomKilled(id string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 137, Reason: "OOMKilled", ContainerID: id, StartedAt: metav1.Now(), FinishedAt: metav1.Now(),
	}}
}

func (w *world) remove(p *corev1.Pod) {
	w.t.Helper()
	w.must(w.api.CoreV1().Pods(namespace).Delete(w.t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
}

// bind does what a scheduler does.
func (w *world) bind(p *corev1.Pod, node string) {
	w.t.Helper()
	w.must(w.api.CoreV1().Pods(namespace).Bind(w.t.Context(), &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: namespace}, Target: corev1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{}))
}

// event writes an Event of core/v1.
func (w *world) event(name, object, reason string) *corev1.Event {
	w.t.Helper()
	now := metav1.Now()
	e, err := w.api.CoreV1().Events(namespace).Create(w.t.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: name, Namespace: namespace},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: object},
		Reason:         reason, Message: "told by a test", Type: corev1.EventTypeWarning, Count: 1,
		FirstTimestamp: now, LastTimestamp: now, Source: corev1.EventSource{Component: "kubelet", Host: "node-a"},
	}, metav1.CreateOptions{})
	w.must(err)
	return e
}

// node creates a node that is ready or not.
func (w *world) node(name string, isReady bool) {
	w.t.Helper()
	_, err := w.api.CoreV1().Nodes().Create(w.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	w.must(err)
	w.ready(name, isReady)
}

// ready says whether a node is ready, as its kubelet or the node controller does.
func (w *world) ready(name string, isReady bool) {
	w.t.Helper()
	n, err := w.api.CoreV1().Nodes().Get(w.t.Context(), name, metav1.GetOptions{})
	w.must(err)
	c := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastTransitionTime: metav1.Now(), LastHeartbeatTime: metav1.Now()}
	if !isReady {
		c.Status, c.Reason = corev1.ConditionUnknown, "NodeStatusUnknown"
	}
	n.Status.Conditions = []corev1.NodeCondition{c}
	_, err = w.api.CoreV1().Nodes().UpdateStatus(w.t.Context(), n, metav1.UpdateOptions{})
	w.must(err)
}

// ownedBy makes a pod belong to a ReplicaSet.
func ownedBy(name string, uid types.UID) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		yes := true
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, UID: uid, Controller: &yes}}
		p.Annotations = map[string]string{"example.com/team": "checkout", "example.com/other": "x"}
	}
}

// timed holds a promise about time.
func timed(t *testing.T, what string, begin time.Time, atMost time.Duration) {
	t.Helper()
	took := time.Since(begin)
	t.Logf("%s after %v", what, took.Round(time.Millisecond))
	if took > atMost {
		t.Errorf("%s after %v, want at most %v", what, took, atMost)
	}
}
