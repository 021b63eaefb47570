package kube

import (
	"slices"

	"lastnight"
)

// maxSeen is how many ids of events a decoder that is trimmed remembers, twice.
const maxSeen = 50_000

// Event takes one version of an Event object, which core/v1 and events.k8s.io/v1 share.
func (d *Decoder) Event(e *Event) error { return d.coreEvent(e) }

// Pod takes one version of a pod; deleted: it is gone from the API, and this was its last.
func (d *Decoder) Pod(p *Pod, deleted bool) error { return d.pod(p, deleted) }

// Node takes one version of a node, as Pod does.
func (d *Decoder) Node(n *Node, deleted bool) error {
	err := d.node(n, deleted)
	if deleted {
		delete(d.nodes, n.UID)
	}
	return err
}

// PodOf gives what is known of a pod of the API, by its uid.
func (d *Decoder) PodOf(uid string) (lastnight.Pod, bool) {
	p := d.pods[uid]
	if p == nil {
		return lastnight.Pod{}, false
	}
	return *p, true
}

// Forget drops what is remembered of a pod that is gone for good.
func (d *Decoder) Forget(p *Pod) {
	key := p.UID
	if d.pods[key] == nil {
		return
	}
	delete(d.pods, key)
	d.order = slices.DeleteFunc(d.order, func(k string) bool { return k == key })
	for _, statuses := range statusesOf(p) {
		for i := range statuses {
			s := &statuses[i]
			delete(d.restart, s.ContainerID)
			for _, state := range []ContainerState{s.State, s.LastTerminationState} {
				if state.Terminated != nil {
					delete(d.restart, state.Terminated.ContainerID)
				}
			}
		}
	}
}

// Trim bounds the memory of a decoder that lives long: of more than 100,000 ids the older half
// is forgotten. An occurrence that is read again after that comes out again, with the same id.
func (d *Decoder) Trim() {
	if len(d.seen) > maxSeen {
		d.seenBefore, d.seen = d.seen, make(map[string]bool, maxSeen)
	}
}
