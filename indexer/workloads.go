package indexer

import (
	"context"
	"regexp"
	"sync"
	"time"

	"lastnight"
	"lastnight/indexer/store"
)

// maxWorkloadCache bounds how many pods' workloads are kept in memory; beyond it the cache starts anew.
const maxWorkloadCache = 100_000

// workloads tells which workload a pod belongs to. What it does not know it asks the
// store, then guesses from the name. Safe for concurrent use.
type workloads struct {
	store store.Inventory
	mu    sync.Mutex
	byPod map[podKey]known // guarded by mu
}

// known is what is known of a pod.
type known struct {
	lastnight.Workload
	until time.Time     // when a guess is to be looked up again: another server may hear of the pod; zero: it is no guess
	stood time.Duration // for how long it was let stand
}

// guessFor is how long a guess stands before the store is asked again, then twice as long, and so on up to longestGuess: where
// nobody tells of pods, all of them are guesses.
const (
	guessFor     = 5 * time.Second
	longestGuess = 5 * time.Minute
)

type podKey struct{ namespace, name, uid string }

func newWorkloads(s store.Inventory) *workloads {
	return &workloads{store: s, byPod: map[podKey]known{}}
}

// learn remembers a pod's workload.
func (w *workloads) learn(p *lastnight.Pod) lastnight.Workload {
	wl := lastnight.WorkloadOf(p)
	w.put(podKey{p.Namespace, p.Name, p.UID}, known{Workload: wl})
	return wl
}

func (w *workloads) put(k podKey, wl known) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byPod) >= maxWorkloadCache {
		clear(w.byPod)
	}
	w.byPod[k] = wl
}

// ofPod tells the workload of a pod by its identity.
func (w *workloads) ofPod(ctx context.Context, namespace, name, uid string) lastnight.Workload {
	k := podKey{namespace, name, uid}
	w.mu.Lock()
	held, ok := w.byPod[k]
	w.mu.Unlock()
	if ok && (held.until.IsZero() || time.Now().Before(held.until)) {
		return held.Workload
	}
	wl := known{Workload: lastnight.WorkloadOf(&lastnight.Pod{Namespace: namespace, Name: name, UID: uid}), stood: min(max(2*held.stood, guessFor), longestGuess)}
	wl.until = time.Now().Add(wl.stood)
	pods, err := w.store.Pods(ctx, store.PodsRequest{Namespace: namespace, Name: name, UID: uid})
	if err == nil && len(pods) > 0 {
		wl = known{Workload: lastnight.WorkloadOf(&pods[len(pods)-1])}
	}
	w.put(k, wl)
	return wl.Workload
}

var replicaSetName = regexp.MustCompile(`^(.+)-[a-z0-9]{6,10}$`)

// ofObject tells the workload that the object of an event belongs to; its name is "" if there is none.
func (w *workloads) ofObject(ctx context.Context, o lastnight.ObjectRef) lastnight.Workload {
	wl := lastnight.Workload{Namespace: o.Namespace, Name: o.Name}
	switch o.Kind {
	case "Pod":
		return w.ofPod(ctx, o.Namespace, o.Name, o.UID)
	case "ReplicaSet":
		wl.Kind = lastnight.JobDeployment
		if m := replicaSetName.FindStringSubmatch(o.Name); m != nil {
			wl.Name = m[1]
		}
	case "Deployment", "StatefulSet", "DaemonSet", "Job":
		wl.Kind = lastnight.JobKind(o.Kind)
	case "FlinkDeployment", "FlinkSessionJob":
		wl.Kind = lastnight.JobFlink
	default:
		return lastnight.Workload{}
	}
	return wl
}
