package kube_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"lastnight/internal/testenv/kube"
)

// The rig itself: what is written survives a restart, compaction makes old watches fail, RBAC is on.
func TestCluster(t *testing.T) {
	c := kube.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin := kubernetes.NewForConfigOrDie(c.Config())
	ns, err := admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	nobody := kubernetes.NewForConfigOrDie(c.ServiceAccount("shop", "nobody"))
	if _, err := nobody.CoreV1().Pods("shop").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a service account without a role lists pods: %v", err)
	}
	c.StopAPI()
	c.Compact()
	c.StartAPI()
	if _, err := admin.CoreV1().Namespaces().Get(ctx, "shop", metav1.GetOptions{}); err != nil {
		t.Fatalf("after a restart: %v", err)
	}
	w, err := admin.CoreV1().Events("").Watch(ctx, metav1.ListOptions{ResourceVersion: ns.ResourceVersion})
	if err == nil {
		e := <-w.ResultChan()
		w.Stop()
		err = apierrors.FromObject(e.Object)
	}
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("a watch from before the compaction: %v", err)
	}
	var seen bool
	for _, r := range c.Requests() {
		seen = seen || r == kube.Request{User: "system:serviceaccount:shop:nobody", Verb: "list", Resource: "pods", Namespace: "shop", Code: 403}
	}
	if !seen {
		t.Errorf("the audit log lacks the refused request: %+v", c.Requests())
	}
}
