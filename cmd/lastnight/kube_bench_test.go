package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"lastnight/internal/testenv/kube"
	"lastnight/internal/testenv/usage"
)

// BenchmarkKubeQuiet is a collector process at 500 quiet streams that watches a real API server and leads:
// 110 pods of its node, 200 Events, 50 nodes. BenchmarkCollectQuiet is the same without Kubernetes.
func BenchmarkKubeQuiet(b *testing.B) {
	c := kube.Start(b)
	cfg := c.Config()
	populate(b, kubernetes.NewForConfigOrDie(cfg))
	file := b.TempDir() + "/kubeconfig"
	if err := os.WriteFile(file, c.Kubeconfig(), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		root := b.TempDir()
		quietPods(b, root, 500)
		x := newBench(b, root)
		x.agent.Args = append(x.agent.Args, "--kube", "on", "--kubeconfig", file)
		x.start(x.agent)
		for x.metric("lastnight_collector_acked_bytes_total") <= 0 || x.metric("lastnight_watch_events_total") < 300 {
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		pid := x.agent.Process.Pid
		used, began := usage.CPU(pid).Seconds(), time.Now()
		time.Sleep(30 * time.Second)
		b.ReportMetric(100*(usage.CPU(pid).Seconds()-used)/time.Since(began).Seconds(), "cpu-%")
		b.ReportMetric(statusMiB(pid, "VmRSS"), "RSS-MiB")
		b.ReportMetric(statusMiB(pid, "RssAnon"), "anon-MiB")
		info, err := os.Stat(x.agent.Path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/1e6, "binary-MB")
	}
}

// populate makes what a small cluster has.
func populate(b *testing.B, api *kubernetes.Clientset) {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	ctx, now := b.Context(), metav1.Now()
	for i := range 50 {
		n, err := api.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i)}}, metav1.CreateOptions{})
		must(err)
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: now, LastHeartbeatTime: now}}
		_, err = api.CoreV1().Nodes().UpdateStatus(ctx, n, metav1.UpdateOptions{})
		must(err)
	}
	for i := range 110 {
		p, err := api.CoreV1().Pods("default").Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pod-%d", i), Labels: map[string]string{"app": "quiet"}},
			Spec:       corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/quiet:1"}}},
		}, metav1.CreateOptions{})
		must(err)
		p.Status.Phase = corev1.PodRunning
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", ContainerID: fmt.Sprintf("containerd://%d", i), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}}}
		_, err = api.CoreV1().Pods("default").UpdateStatus(ctx, p, metav1.UpdateOptions{})
		must(err)
	}
	for i := range 200 {
		_, err := api.CoreV1().Events("default").Create(ctx, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: fmt.Sprintf("event-%d", i)},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: fmt.Sprintf("pod-%d", i%110)},
			Reason:         "Pulled", Message: "Container image is there", Type: corev1.EventTypeNormal, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		}, metav1.CreateOptions{})
		must(err)
	}
}
