package watch

import (
	"context"
	"log/slog"
	"sync"

	"lastnight"
	"lastnight/collector/kube"
	"lastnight/collector/kube/apiserver"
)

// maxOwners is how many ReplicaSets are remembered.
const maxOwners = 10_000

// owners finds the Deployment (or whatever else) that owns a pod's ReplicaSet, from
// metadata alone. Each ReplicaSet is asked for once.
type owners struct {
	client *apiserver.Client
	log    *slog.Logger

	mu    sync.Mutex
	known map[string]lastnight.ObjectRef // by uid of the ReplicaSet; zero Kind: it has none
	said  bool
}

func newOwners(client *apiserver.Client, log *slog.Logger) *owners {
	return &owners{client: client, log: log, known: map[string]lastnight.ObjectRef{}}
}

// of gives the owner of the pod's ReplicaSet; false: it has none, or that is not known.
func (o *owners) of(ctx context.Context, p *kube.Pod) (lastnight.ObjectRef, bool) {
	rs := p.Controller()
	if rs == nil || rs.Kind != "ReplicaSet" {
		return lastnight.ObjectRef{}, false
	}
	o.mu.Lock()
	ref, ok := o.known[rs.UID]
	o.mu.Unlock()
	if ok {
		return ref, ref.Kind != ""
	}
	var set struct {
		kube.Meta `json:"metadata"`
	}
	err := o.client.GetMetadata(ctx, apiserver.Resource{Group: "apps", Version: "v1", Name: "replicasets", Namespace: p.Namespace}, rs.Name, &set)
	switch {
	case err == nil && set.UID == rs.UID:
		if c := set.Controller(); c != nil {
			ref = lastnight.ObjectRef{Kind: c.Kind, Namespace: p.Namespace, Name: c.Name, UID: c.UID}
		}
	case err == nil, apiserver.IsNotFound(err), apiserver.IsForbidden(err): // gone, or not ours to know: the name has to do
		o.refused(err)
	default:
		return lastnight.ObjectRef{}, false // asked again with the next version
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.known) >= maxOwners {
		clear(o.known)
	}
	o.known[rs.UID] = ref
	return ref, ref.Kind != ""
}

func (o *owners) refused(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if apiserver.IsForbidden(err) && !o.said {
		o.said = true
		o.log.Warn("ReplicaSets may not be read; Deployments are told by their pods' names", "err", err)
	}
}
