package watch

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// nodeField is the field of pods that names their node.
const nodeField = "spec.nodeName"

// podsWhere lists and watches pods in all namespaces; "" is all.
func (w *Watcher) podsWhere(selector string) lister {
	pods := w.kube.CoreV1().Pods(metav1.NamespaceAll)
	return lister{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			return pods.List(ctx, o)
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return pods.Watch(ctx, o)
		},
	}
}

// ownPods watches the pods of this node, or all of them.
func (w *Watcher) ownPods(ctx context.Context) {
	selector, what := "", "pods"
	if w.cfg.Node != "" {
		selector, what = nodeSelector(w.cfg.Node), "pods of this node"
	}
	f := &feed[*corev1.Pod]{log: w.log, what: what, take: func(p *corev1.Pod, deleted bool) { w.sender.pod(ctx, p, deleted) }}
	f.run(ctx, w.podsWhere(selector), &corev1.Pod{})
}

func nodeSelector(node string) string { return fields.OneTermEqualSelector(nodeField, node).String() }

// podsOfNode watches the pods of a node whose own agent may be dead.
func (w *Watcher) podsOfNode(ctx context.Context, node string) {
	f := &feed[*corev1.Pod]{log: w.log, what: "pods of " + node, take: func(p *corev1.Pod, deleted bool) { w.sender.pod(ctx, p, deleted) }}
	f.run(ctx, w.podsWhere(nodeSelector(node)), &corev1.Pod{})
}

// unscheduled watches the pods that have no node yet. One that gets a node leaves this
// watch as if it were deleted: the API server is asked which of the two it was.
func (w *Watcher) unscheduled(ctx context.Context) {
	f := &feed[*corev1.Pod]{log: w.log, what: "pods without a node"}
	f.take = func(p *corev1.Pod, deleted bool) {
		if deleted {
			now, err := w.kube.CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
			switch {
			case err == nil && now.UID == p.UID:
				slim(now)
				p, deleted = now, false
			case err != nil && !apierrors.IsNotFound(err):
				deleted = false // not known: its node's agent, or the next list, tells
			}
		}
		w.sender.pod(ctx, p, deleted)
	}
	f.run(ctx, w.podsWhere(nodeSelector("")), &corev1.Pod{})
}
