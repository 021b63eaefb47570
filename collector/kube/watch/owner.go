package watch

import (
	"context"
	"log/slog"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"lastnight"
)

// maxOwners is how many ReplicaSets are remembered.
const maxOwners = 10_000

// owners finds the Deployment (or whatever else) that owns a pod's ReplicaSet, from
// metadata alone. Each ReplicaSet is asked for once.
type owners struct {
	client metadata.Interface
	log    *slog.Logger

	mu    sync.Mutex
	known map[string]lastnight.ObjectRef // by uid of the ReplicaSet; zero Kind: it has none
	said  bool
}

func newOwners(client metadata.Interface, log *slog.Logger) *owners {
	return &owners{client: client, log: log, known: map[string]lastnight.ObjectRef{}}
}

// of gives the owner of the pod's ReplicaSet; false: it has none, or that is not known.
func (o *owners) of(ctx context.Context, p *corev1.Pod) (lastnight.ObjectRef, bool) {
	rs := metav1.GetControllerOf(p)
	if rs == nil || rs.Kind != "ReplicaSet" {
		return lastnight.ObjectRef{}, false
	}
	o.mu.Lock()
	ref, ok := o.known[string(rs.UID)]
	o.mu.Unlock()
	if ok {
		return ref, ref.Kind != ""
	}
	meta, err := o.client.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}).
		Namespace(p.Namespace).Get(ctx, rs.Name, metav1.GetOptions{})
	switch {
	case err == nil && meta.UID == rs.UID:
		if c := metav1.GetControllerOf(meta); c != nil {
			ref = lastnight.ObjectRef{Kind: c.Kind, Namespace: p.Namespace, Name: c.Name, UID: string(c.UID)}
		}
	case err == nil, apierrors.IsNotFound(err), apierrors.IsForbidden(err): // gone, or not ours to know: the name has to do
		o.refused(err)
	default:
		return lastnight.ObjectRef{}, false // asked again with the next version
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.known) >= maxOwners {
		clear(o.known)
	}
	o.known[string(rs.UID)] = ref
	return ref, ref.Kind != ""
}

func (o *owners) refused(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if apierrors.IsForbidden(err) && !o.said {
		o.said = true
		o.log.Warn("ReplicaSets may not be read; Deployments are told by their pods' names", "err", err)
	}
}
