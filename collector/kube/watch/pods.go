package watch

import (
	"context"

	"lastnight/collector/kube"
	"lastnight/collector/kube/apiserver"
)

// core names a resource of core/v1, in all namespaces.
func core(name string) apiserver.Resource { return apiserver.Resource{Version: "v1", Name: name} }

// podFeed watches the pods for which a field selector is true; "": all.
func (w *Watcher) podFeed(selector, what, kind string) *feed[*kube.Pod] {
	return &feed[*kube.Pod]{
		client: w.client, resource: core("pods"), selector: selector, fresh: func() *kube.Pod { return &kube.Pod{} },
		log: w.log, what: what, counts: w.kinds[kind],
	}
}

// onNode selects the pods of a node; "": those without one. A node's name needs no escaping.
func onNode(node string) string { return "spec.nodeName=" + node }

// ownPods watches the pods of this node, or all of them.
func (w *Watcher) ownPods(ctx context.Context) {
	selector, what := "", "pods"
	if w.cfg.Node != "" {
		selector, what = onNode(w.cfg.Node), "pods of this node"
	}
	f := w.podFeed(selector, what, kindPods)
	f.take = func(p *kube.Pod, deleted bool) { w.sender.pod(ctx, p, deleted) }
	f.run(ctx)
}

// podsOfNode watches the pods of a node whose own agent may be dead.
func (w *Watcher) podsOfNode(ctx context.Context, node string) {
	f := w.podFeed(onNode(node), "pods of "+node, kindDownPods)
	f.take = func(p *kube.Pod, deleted bool) { w.sender.pod(ctx, p, deleted) }
	f.run(ctx)
}

// unscheduled watches the pods that have no node yet. One that gets a node leaves this
// watch as if it were deleted: the API server is asked which of the two it was.
func (w *Watcher) unscheduled(ctx context.Context) {
	f := w.podFeed(onNode(""), "pods without a node", kindWaitingPods)
	f.take = func(p *kube.Pod, deleted bool) {
		if deleted {
			now, r := &kube.Pod{}, core("pods")
			r.Namespace = p.Namespace
			err := w.client.Get(ctx, r, p.Name, now)
			switch {
			case err == nil && now.UID == p.UID:
				p, deleted = now, false
			case err != nil && !apiserver.IsNotFound(err):
				deleted = false // not known: its node's agent, or the next list, tells
			}
		}
		w.sender.pod(ctx, p, deleted)
	}
	f.run(ctx)
}
