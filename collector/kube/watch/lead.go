package watch

import (
	"context"
	"sync"
	"time"

	"lastnight/collector/kube"
)

// goneNode is how long pods of a node that was removed are watched: they are collected as garbage.
const goneNode = 5 * time.Minute

// elect leads whenever this process holds the Lease, until the context is over. A new
// leader lists everything, so a hand-over leaves no gap that a list can fill.
func (w *Watcher) elect(ctx context.Context) {
	if w.cfg.LeaseNamespace == "" {
		w.lead(ctx)
		return
	}
	e := &election{client: w.client, namespace: w.cfg.LeaseNamespace, name: w.cfg.LeaseName, identity: w.cfg.Identity, log: w.log}
	e.run(ctx, w.lead)
}

// lead watches what belongs to no single node, until the context is over.
func (w *Watcher) lead(ctx context.Context) {
	w.log.Info("watching cluster-wide", "identity", w.cfg.Identity)
	w.sender.setLeading(true)
	defer w.sender.setLeading(false)
	var parts sync.WaitGroup
	parts.Go(func() { w.events(ctx) })
	parts.Go(func() { w.nodes(ctx) })
	parts.Go(func() { w.flink(ctx) })
	if w.cfg.Node != "" {
		parts.Go(func() { w.unscheduled(ctx) })
	}
	parts.Wait()
}

// events watches Event objects.
func (w *Watcher) events(ctx context.Context) {
	f := &feed[*kube.Event]{
		client: w.client, resource: core("events"), fresh: func() *kube.Event { return &kube.Event{} },
		log: w.log, what: "events", counts: w.kinds[kindEvents], forget: true,
		take: func(e *kube.Event, deleted bool) {
			if !deleted { // an Event that expires is no news
				w.sender.event(ctx, e)
			}
		},
	}
	f.run(ctx)
}

// nodes watches nodes, and the pods of those that are down: their own agents may be dead.
func (w *Watcher) nodes(ctx context.Context) {
	down := map[string]context.CancelFunc{}
	var parts sync.WaitGroup
	defer parts.Wait()
	follow := func(node string) {
		if _, ok := down[node]; ok || w.cfg.Node == "" || w.cfg.Node == node {
			return
		}
		podsCtx, cancel := context.WithCancel(ctx)
		down[node] = cancel
		parts.Go(func() { w.podsOfNode(podsCtx, node) })
	}
	f := &feed[*kube.Node]{
		client: w.client, resource: core("nodes"), fresh: func() *kube.Node { return &kube.Node{} },
		log: w.log, what: "nodes", counts: w.kinds[kindNodes],
	}
	f.take = func(n *kube.Node, deleted bool) {
		w.sender.node(ctx, n, deleted)
		switch {
		case deleted:
			follow(n.Name)
			if cancel := down[n.Name]; cancel != nil {
				delete(down, n.Name)
				time.AfterFunc(goneNode, cancel)
			}
		case !ready(n):
			follow(n.Name)
		case down[n.Name] != nil:
			down[n.Name]()
			delete(down, n.Name)
		}
	}
	f.run(ctx)
	for _, cancel := range down {
		cancel()
	}
}

func ready(n *kube.Node) bool {
	for i := range n.Status.Conditions {
		if c := &n.Status.Conditions[i]; c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}
