package watch

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	leaseFor   = 15 * time.Second // after a leader's death another one leads
	renewIn    = 10 * time.Second
	retryEvery = 2 * time.Second
	goneNode   = 5 * time.Minute // how long pods of a node that was removed are watched: they are collected as garbage
)

// elect leads whenever this process holds the Lease, until the context is over. A new
// leader lists everything, so a hand-over leaves no gap that a list can fill.
func (w *Watcher) elect(ctx context.Context) {
	if w.cfg.LeaseNamespace == "" {
		w.lead(ctx)
		return
	}
	for ctx.Err() == nil {
		started, ended := make(chan context.Context, 1), make(chan struct{})
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{
				LeaseMeta:  metav1.ObjectMeta{Namespace: w.cfg.LeaseNamespace, Name: w.cfg.LeaseName},
				Client:     w.kube.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: w.cfg.Identity},
			},
			LeaseDuration: leaseFor, RenewDeadline: renewIn, RetryPeriod: retryEvery, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) { started <- ctx },
				OnStoppedLeading: func() {},
			},
		})
		if err != nil {
			w.log.Error("no election of who watches cluster-wide", "err", err)
			return
		}
		go func() {
			defer close(ended)
			elector.Run(ctx)
		}()
		select {
		case leading := <-started:
			w.lead(leading) //nolint:contextcheck // the elector derives it from ctx, and ends it with the lead
			<-ended
		case <-ended:
		}
		wait(ctx, retryEvery)
	}
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

// events watches Event objects. They are handed on page by page, so that a long list takes little memory.
func (w *Watcher) events(ctx context.Context) {
	client := w.kube.CoreV1().Events(metav1.NamespaceAll)
	f := &feed[*corev1.Event]{
		log: w.log, what: "events", forget: true,
		take: func(e *corev1.Event, deleted bool) {
			if !deleted { // an Event that expires is no news
				w.sender.event(ctx, e)
			}
		},
	}
	f.run(ctx, lister{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := client.List(ctx, o)
			if err != nil {
				return nil, err
			}
			for i := range list.Items {
				w.sender.event(ctx, &list.Items[i])
			}
			list.Items = nil
			return list, nil
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return client.Watch(ctx, o) },
	}, &corev1.Event{})
}

// nodes watches nodes, and the pods of those that are down: their own agents may be dead.
func (w *Watcher) nodes(ctx context.Context) {
	client := w.kube.CoreV1().Nodes()
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
	f := &feed[*corev1.Node]{log: w.log, what: "nodes", take: func(n *corev1.Node, deleted bool) {
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
	}}
	f.run(ctx, lister{
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return client.List(ctx, o) },
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return client.Watch(ctx, o) },
	}, &corev1.Node{})
	for _, cancel := range down {
		cancel()
	}
}

func ready(n *corev1.Node) bool {
	for i := range n.Status.Conditions {
		if c := &n.Status.Conditions[i]; c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
