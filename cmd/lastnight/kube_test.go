package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"lastnight"
	"lastnight/indexer/ingest"
	"lastnight/indexer/store"
	"lastnight/internal/testenv/kube"
)

// kubeconfig writes a kubeconfig for an address that asks for no keys, such as a proxy's.
func kubeconfig(t *testing.T, host string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q}}]
contexts: [{name: test, context: {cluster: test, user: test, namespace: default}}]
users: [{name: test, user: {}}]
current-context: test
`, host)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// through gives the address of a proxy to the API server with somebody's rights and a clock that is off.
func through(t *testing.T, cfg *rest.Config, off time.Duration) string {
	t.Helper()
	to, err := url.Parse(cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: transport, FlushInterval: -1,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ModifyResponse: func(r *http.Response) error {
			if at, err := http.ParseTime(r.Header.Get("Date")); err == nil {
				r.Header.Set("Date", at.Add(off).UTC().Format(http.TimeFormat))
			}
			return nil
		},
	}
	srv := httptest.NewServer(proxy)
	t.Cleanup(srv.Close)
	return srv.URL
}

// examined runs the doctor and gives what it found, by check.
func examined(t *testing.T, args ...string) (found map[string][]finding, broken bool) {
	t.Helper()
	cmd := newRoot()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"doctor", "-o", "json", "--data", t.TempDir(), "--pods-dir", ""}, args...))
	err := cmd.ExecuteContext(t.Context())
	var told struct {
		Items []finding `json:"items"`
	}
	if e := json.NewDecoder(&out).Decode(&told); e != nil {
		t.Fatalf("%v, %v: %s", e, err, out.String())
	}
	found = map[string][]finding{}
	for _, f := range told.Items {
		found[f.Check] = append(found[f.Check], f)
		if f.State == findingBroken && f.Mend == "" {
			t.Errorf("nothing is said of how to mend it: %+v", f)
		}
	}
	return found, err != nil
}

// The doctor tells of a real API server what is missing: each right, the clock, the answer itself.
func TestKubeDoctor(t *testing.T) {
	c := kube.Start(t)
	cured := kubeconfig(t, through(t, c.Config(), 0))
	found, broken := examined(t, "--kubeconfig", cured)
	if k := found["kubernetes"]; broken || len(k) != 1 || k[0].State != findingOK || found["clock"][0].State != findingOK {
		t.Errorf("an administrator: %+v", found)
	}

	nobody := kubeconfig(t, through(t, c.ServiceAccount("default", "nobody"), 0))
	found, broken = examined(t, "--kubeconfig", nobody)
	var missing []string
	for _, f := range found["kubernetes"] {
		if f.State == findingBroken {
			missing = append(missing, strings.TrimPrefix(strings.Split(f.What, ":")[0], "may not "))
		}
	}
	want := []string{
		"list pods", "watch pods", "get pods", "list events", "watch events", "list nodes", "watch nodes", "get namespaces/kube-system",
		"get replicasets.apps", "list flinkdeployments.flink.apache.org", "watch flinkdeployments.flink.apache.org",
		"create leases.coordination.k8s.io in default", "get leases.coordination.k8s.io/lastnight-watch in default", "update leases.coordination.k8s.io/lastnight-watch in default",
	}
	if !broken || !slices.Equal(missing, want) {
		t.Errorf("one without rights lacks\n%s\nwant\n%s", strings.Join(missing, "\n"), strings.Join(want, "\n"))
	}

	for off, state := range map[time.Duration]string{2 * time.Second: findingOK, time.Hour: findingBroken, -time.Minute: findingBroken} {
		found, _ = examined(t, "--kubeconfig", kubeconfig(t, through(t, c.Config(), off)))
		if k := found["clock"]; len(k) != 1 || k[0].State != state {
			t.Errorf("a clock that is off by %v: %+v", off, k)
		}
	}

	kept := watchConfig{keep: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	flags := kubeFlags{mode: "on", kubeconfig: cured}
	named, err := flags.open(t.Context(), kept)
	if err != nil || !strings.HasPrefix(named.cluster, "k8s-") {
		t.Errorf("the cluster's name: %q, %v", named.cluster, err)
	}

	c.StopAPI()
	if again, err := flags.open(t.Context(), kept); err != nil || again.cluster != named.cluster {
		t.Errorf("while the API server is away the cluster is %q, %v, want %q", again.cluster, err, named.cluster)
	}
	found, broken = examined(t, "--kubeconfig", cured)
	if k := found["kubernetes"]; !broken || len(k) != 1 || !strings.Contains(k[0].What, "does not answer") {
		t.Errorf("nobody answers: %+v", found)
	}
}

// A death is known to the server within two seconds. A pod that is gone before a line of it is read still
// lends its labels, its owner and its images to what it wrote; and what the watch counts is told.
func TestKubeGonePod(t *testing.T) {
	c := kube.Start(t)
	api := kubernetes.NewForConfigOrDie(c.Config())
	yes, grace := true, int64(0)
	pod, err := api.CoreV1().Pods("default").Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "orders-5d9c6b7f4-x2x4z", Labels: map[string]string{"team": "checkout"}, Annotations: map[string]string{"example.com/team": "a", "example.com/secret": "b"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "the-orders", UID: "u", Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: "node-a", TerminationGracePeriodSeconds: &grace, Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/orders:7"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := openNode(t.Context(), nodeConfig{dir: t.TempDir(), create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(context.WithoutCancel(t.Context())) }()
	ctx, cancel := context.WithCancel(t.Context())
	h := ingest.New(ingest.Config{Ingester: n.indexer, Linger: 10 * time.Millisecond})
	ingested := make(chan error, 1)
	go func() { ingested <- h.Run(ctx) }()
	srv := httptest.NewServer(h)
	defer srv.Close()
	log := slog.New(slog.DiscardHandler)
	pods := t.TempDir()
	col := collecting{
		podsDir: pods, checkpoint: t.TempDir(), node: "node-a", patience: time.Second, maxHeld: 1 << 30, compression: "zstd",
		kube: kubeFlags{mode: "on", kubeconfig: kubeconfig(t, through(t, c.Config(), 0)), annotations: []string{"example.com/team"}},
	}
	w, err := col.kube.open(t.Context(), watchConfig{node: "node-a", elect: true, keep: t.TempDir(), log: log})
	if err != nil {
		t.Fatal(err)
	}
	col.cluster = w.cluster
	p, err := col.open(srv.URL, log)
	if err != nil {
		t.Fatal(err)
	}
	p.kube = w
	done := make(chan error, 1)
	go func() { done <- p.run(ctx, nil) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = p.close()
		if err := <-ingested; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	await := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(45 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not in time: %s\n%s", what, scrape(t, p.metrics()))
			}
		}
	}
	await("the pod is known", func() bool {
		return p.kube.metrics.watcher.Load() != nil && p.kube.metrics.watcher.Load().Stats().Pods > 0
	})
	now := metav1.Now()
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", ContainerID: "containerd://1", State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", ContainerID: "containerd://1", StartedAt: now, FinishedAt: now},
	}}}
	died := time.Now()
	if _, err := api.CoreV1().Pods("default").UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	told := func(reason string) bool {
		for d, err := range n.indexer.Search(t.Context(), lastnight.SearchRequest{Query: "reason:" + reason, Pod: pod.Name}) {
			return err == nil && d.Event != nil
		}
		return false
	}
	await("its death is found on the server", func() bool { return told("OOMKilled") })
	took := time.Since(died)
	if t.Logf("the kubelet's status is found on the server after %v", took.Round(time.Millisecond)); took > 2*time.Second {
		t.Errorf("a death is known after %v, want within 2 s", took)
	}
	if err := api.CoreV1().Pods("default").Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace}); err != nil {
		t.Fatal(err)
	}
	await("it is gone", func() bool { return told("Removed") })
	dir := filepath.Join(pods, "default_"+pod.Name+"_"+string(pod.UID), "main")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	line := time.Now().UTC().Format(time.RFC3339Nano) + " stderr F ERROR orders could not be written\n"
	if err := os.WriteFile(filepath.Join(dir, "0.log"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	var jobs []lastnight.Job
	await("its line is found", func() bool {
		jobs, err = n.indexer.Jobs(t.Context(), lastnight.JobsRequest{})
		return err == nil && slices.ContainsFunc(jobs, func(j lastnight.Job) bool { return j.Name == "the-orders" })
	})
	kept, err := n.store.Pods(t.Context(), store.PodsRequest{})
	if err != nil || len(kept) != 1 {
		t.Fatalf("%+v, %v", kept, err)
	}
	if k := kept[0]; k.Labels["team"] != "checkout" || k.Owner.Name != "the-orders" || k.Node != "node-a" || !slices.Equal(k.Images, []string{"registry.example.com/orders:7"}) ||
		len(k.Annotations) != 1 || k.Annotations["example.com/team"] != "a" || k.Cluster != w.cluster {
		t.Errorf("kept of the pod: %+v", k)
	}
	metrics := scrape(t, p.metrics())
	for _, want := range []string{"lastnight_watch_leading 1", `lastnight_watch_lists_total{kind="nodes"} 1`, `lastnight_watch_failures_total{kind="pods"} 0`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %q:\n%s", want, metrics)
		}
	}
}
