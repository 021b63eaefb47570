package deploy_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"

	"lastnight"
	"lastnight/collector/kube/watch"
	"lastnight/internal/testenv/kube"
)

// applier sends objects to an API server as kubectl apply --server-side does.
type applier struct {
	t      *testing.T
	client dynamic.Interface
	mapper meta.RESTMapper
}

func newApplier(t *testing.T, c *kube.Cluster) *applier {
	t.Helper()
	clients := kubernetes.NewForConfigOrDie(c.Config())
	return &applier{
		t: t, client: dynamic.NewForConfigOrDie(c.Config()),
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(clients.Discovery())),
	}
}

func (a *applier) apply(u *unstructured.Unstructured, dryRun bool) error {
	gvk := u.GroupVersionKind()
	m, err := a.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	o := metav1.ApplyOptions{FieldManager: "test", Force: true}
	if dryRun {
		o.DryRun = []string{metav1.DryRunAll}
	}
	var r dynamic.ResourceInterface = a.client.Resource(m.Resource)
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		r = a.client.Resource(m.Resource).Namespace(u.GetNamespace())
	}
	_, err = r.Apply(a.t.Context(), u.GetName(), u, o)
	return err
}

// Everything that is shipped is accepted by the API server, which checks each field's name and value.
func TestAccepted(t *testing.T) {
	c := kube.Start(t)
	a := newApplier(t, c)
	shipped := base(t)
	for _, ns := range find(shipped, "Namespace") {
		if err := a.apply(ns, false); err != nil {
			t.Fatal(err)
		}
	}
	for name, objects := range map[string][]*unstructured.Unstructured{
		"base":            shipped,
		"chart":           rendered(t, "--set", "dashboard.enabled=true", "--set", "agent.podAnnotations={a,b}", "--set", "agent.supplementalGroups={0}"),
		"chart, replicas": rendered(t, replicas()...),
		"chart, agents alone": rendered(t, "--set", "server.enabled=false", "--set", "agent.serverURL=https://elsewhere:7077",
			"--set", "networkPolicy.enabled=false"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, u := range objects {
				if err := a.apply(u, true); err != nil {
					t.Errorf("%s %s: %v", u.GetKind(), u.GetName(), err)
				}
			}
			t.Logf("%d objects", len(objects))
		})
	}
	bad := find(shipped, "DaemonSet")[0].DeepCopy()
	if err := unstructured.SetNestedField(bad.Object, "x", "spec", "template", "spec", "nodSelector"); err != nil {
		t.Fatal(err)
	}
	if err := a.apply(bad, true); err == nil {
		t.Error("a misspelled field is accepted: this test proves nothing")
	}
}

type swallow struct{}

func (swallow) Ingest(context.Context, lastnight.Batch) error { return nil }

// The shipped rights are enough for an agent, and it uses each of them.
func TestRights(t *testing.T) {
	c := kube.Start(t)
	for name, objects := range map[string][]*unstructured.Unstructured{"base": base(t), "chart": rendered(t)} {
		if name == "chart" && t.Failed() {
			continue
		}
		a := newApplier(t, c)
		if err := a.apply(find(base(t), "Namespace")[0], false); err != nil {
			t.Fatal(err)
		}
		var account string
		for _, kind := range []string{"ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"} {
			for _, u := range find(objects, kind) {
				if err := a.apply(u, false); err != nil {
					t.Fatalf("%s %s: %v", kind, u.GetName(), err)
				}
				if kind == "ServiceAccount" && strings.HasSuffix(u.GetName(), "-agent") {
					account = u.GetName()
				}
			}
		}
		cfg := c.ServiceAccount(namespace, account)
		lacking, err := watch.Lacking(t.Context(), cfg, watch.Rights(namespace, "lastnight-watch"))
		if err != nil || len(lacking) > 0 {
			t.Errorf("%s: lacking %v, %v", name, lacking, err)
		}
		if got, want := granted(t, objects), wanted(); !slices.Equal(got, want) {
			t.Errorf("%s grants\n%s\nand is to grant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	t.Run("used", func(t *testing.T) { used(t, c, "lastnight-agent") })
}

// granted lists what the roles grant, as "verb group/resource name".
func granted(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	var all []string
	for _, kind := range []string{"ClusterRole", "Role"} {
		for _, u := range find(objects, kind) {
			var role rbacv1.ClusterRole
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &role); err != nil {
				t.Fatal(err)
			}
			for _, r := range role.Rules {
				names := r.ResourceNames
				if len(names) == 0 {
					names = []string{""}
				}
				for _, g := range r.APIGroups {
					for _, res := range r.Resources {
						for _, verb := range r.Verbs {
							for _, n := range names {
								all = append(all, verb+" "+g+"/"+res+" "+n)
							}
						}
					}
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

func wanted() []string {
	var all []string
	for _, r := range watch.Rights(namespace, "lastnight-watch") {
		all = append(all, r.Verb+" "+r.Group+"/"+r.Resource+" "+r.Name)
	}
	slices.Sort(all)
	return all
}

// used runs an agent with the rights of the service account. The audit log tells what it asked.
func used(t *testing.T, c *kube.Cluster, account string) {
	admin := kubernetes.NewForConfigOrDie(c.Config())
	flinkCRD(t, c)
	yes := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "waits", Namespace: namespace, OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "gone", UID: "1", Controller: &yes}}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/x"}}},
	}
	if _, err := admin.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var log lines
	w, err := watch.New(watch.Config{
		REST: c.ServiceAccount(namespace, account), Ingester: swallow{}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Node: "node-a", LeaseNamespace: namespace, Identity: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	user := "system:serviceaccount:" + namespace + ":" + account
	missing := wanted()
	deleted := false
	for end := time.Now().Add(time.Minute); len(missing) > 0 && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		for _, r := range c.Requests() {
			if r.User != user || r.Group == "authorization.k8s.io" {
				continue
			}
			if r.Code == 403 {
				t.Fatalf("refused: %+v", r)
			}
			missing = slices.DeleteFunc(missing, func(s string) bool {
				return s == r.Verb+" "+r.Group+"/"+r.Resource+" "+r.Name || s == r.Verb+" "+r.Group+"/"+r.Resource+" "
			})
		}
		if !deleted && w.Stats().Leading && w.Stats().Pods > 0 { // that a waiting pod leaves makes the leader ask for it
			deleted = true
			if err := admin.CoreV1().Pods(namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(missing) > 0 {
		t.Errorf("never used, so never needed: %v\n%s", missing, log.text())
	}
}

type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// flinkCRD makes the Flink operator's CRD, as far as it matters here, and waits until it is served.
func flinkCRD(t *testing.T, c *kube.Cluster) {
	t.Helper()
	crd := decode(t, []byte(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: flinkdeployments.flink.apache.org}
spec:
  group: flink.apache.org
  scope: Namespaced
  names: {kind: FlinkDeployment, plural: flinkdeployments, singular: flinkdeployment}
  versions:
    - name: v1beta1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`))[0]
	if err := newApplier(t, c).apply(crd, false); err != nil {
		t.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(c.Config()).Resource(schema.GroupVersionResource{Group: "flink.apache.org", Version: "v1beta1", Resource: "flinkdeployments"})
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		_, err := client.List(t.Context(), metav1.ListOptions{})
		if err == nil {
			return
		}
		if !apierrors.IsNotFound(err) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
