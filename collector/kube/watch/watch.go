// Package watch follows a living Kubernetes API server and sends what it tells as
// events and pods to an Ingester; package kube says what an object tells.
//
//	pods of this node ──────────────┐
//	(leader) events, nodes,         ├─▶ kube.Decoder ─▶ queue ─▶ Ingester
//	pods without a node or whose    │
//	node is down, FlinkDeployments ─┘
//
// Each agent watches the pods of its own node; what belongs to no node is watched by
// one leader, who holds a Lease. Watches resume by bookmarks; where one cannot (410
// Gone, a store that was set back) everything is listed again. That leaves no gap
// which a list can fill, and nothing comes twice: an event's id is what happened, so
// two leaders that overlap for a moment, or a list that repeats what a watch told,
// give the same ids. Lost is only what no list has any more: states of an object
// between two lists, Event objects that expired meanwhile (an hour by default).
//
// core/v1 and events.k8s.io/v1 are two views of the same Event objects, so only one is watched.
//
// Memory is bounded: the queue holds 20,000 events; when the Ingester does not take
// them the watches wait, fall behind and list again later. Nothing here stops
// anything else: without access, logs are collected all the same.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"lastnight"
	"lastnight/collector/kube"
	"lastnight/collector/kube/apiserver"
)

// kubeSystem is the namespace whose uid names a cluster.
const kubeSystem = "kube-system"

// The kinds that are counted.
const (
	kindPods        = "pods"         // of this node, or all
	kindEvents      = "events"       // the leader's, as those below
	kindNodes       = "nodes"        //
	kindWaitingPods = "waiting_pods" // without a node
	kindDownPods    = "down_pods"    // of nodes that are not ready
	kindFlink       = "flinkdeployments"
)

func kinds() []string {
	return []string{kindPods, kindEvents, kindNodes, kindWaitingPods, kindDownPods, kindFlink}
}

// Config says what is watched and where it goes. REST, Ingester and Log must be set.
type Config struct {
	REST     *rest.Config
	Ingester lastnight.Ingester
	Log      *slog.Logger

	Cluster string // k8s.cluster.name; "" is asked of the API: see ClusterName
	Node    string // only pods of this node are watched, besides what the leader does; "": all pods

	LeaseNamespace string // where the Lease is; "": no election, this one always leads
	LeaseName      string // "" is lastnight-watch
	Identity       string // of this process in the Lease; must differ from all others'

	Annotations []string // names of pod annotations that are kept
}

// Watcher follows an API server. Make it with New.
type Watcher struct {
	cfg    Config
	client *apiserver.Client
	sender *sender
	kinds  map[string]*kindCounts // immutable once made
	log    *slog.Logger
}

// New makes a watcher; it asks nothing yet.
func New(cfg Config) (*Watcher, error) {
	if cfg.LeaseName == "" {
		cfg.LeaseName = "lastnight-watch"
	}
	if cfg.LeaseNamespace != "" && cfg.Identity == "" {
		return nil, errors.New("watch: an election needs an identity")
	}
	w := &Watcher{cfg: cfg, log: cfg.Log, kinds: map[string]*kindCounts{}}
	for _, kind := range kinds() {
		w.kinds[kind] = &kindCounts{}
	}
	var err error
	if w.client, err = apiserver.New(cfg.REST); err != nil {
		return nil, fmt.Errorf("watch Kubernetes: %w", err)
	}
	w.sender = newSender(&w.cfg, newOwners(w.client, w.log))
	return w, nil
}

// ClusterName gives the name that a cluster has by itself: "k8s-" and the first 8
// digits of the uid of its namespace kube-system.
func ClusterName(ctx context.Context, cfg *rest.Config) (string, error) {
	client, err := apiserver.New(cfg)
	if err != nil {
		return "", fmt.Errorf("name the cluster: %w", err)
	}
	var ns struct {
		kube.Meta `json:"metadata"`
	}
	if err := client.Get(ctx, core("namespaces"), kubeSystem, &ns); err != nil {
		return "", fmt.Errorf("name the cluster: %w", err)
	}
	uid := ns.UID
	return "k8s-" + uid[:min(8, len(uid))], nil
}

// Stats counts what was sent since Run began.
type Stats struct {
	Events, Pods int64 // acknowledged
	Failed       int64 // attempts that the Ingester refused; they are repeated
	Queued       int   // events that wait
	// Waiting is how long the oldest thing has waited that the Ingester has not acknowledged yet.
	Waiting time.Duration
	Leading bool
	Kinds   map[string]KindStats // by kind of objects: pods, events, nodes …
}

// Stats gives the counts; any goroutine may ask.
func (w *Watcher) Stats() Stats {
	s := w.sender.counts()
	s.Kinds = make(map[string]KindStats, len(w.kinds))
	for kind, c := range w.kinds {
		s.Kinds[kind] = c.stats()
	}
	return s
}

// Run watches until the context is over, which is no error. Call it once.
func (w *Watcher) Run(ctx context.Context) error {
	name := w.cfg.Cluster
	if name == "" {
		asked, cancel := context.WithTimeout(ctx, 10*time.Second)
		var err error
		if name, err = ClusterName(asked, w.cfg.REST); err != nil {
			w.log.Warn("the cluster has no name: the API server does not tell", "err", err)
		}
		cancel()
	}
	w.sender.name(name)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.sender.run(ctx) })
	g.Go(func() error { w.ownPods(ctx); return nil })
	g.Go(func() error { w.elect(ctx); return nil })
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("watch Kubernetes: %w", err)
	}
	return nil
}
