package kube

import (
	"strconv"
	"time"

	"lastnight"
)

// nodeState is what was last known of a node.
type nodeState struct {
	version    uint64 // resourceVersion; 0 if it has none
	conditions map[string]Condition
	cordoned   bool
	cordonID   string
	taints     map[string]bool
}

// nodeVersion is one version of a node while it is taken apart.
type nodeVersion struct {
	d     *Decoder
	n     *Node
	key   string
	last  time.Time
	known bool // an earlier version was seen
	old   nodeState
	next  nodeState
}

// node takes one version of a node. The first version tells only of what is wrong
// with it; a later one of what changed.
func (d *Decoder) node(n *Node, deleted bool) error {
	if n.Name == "" {
		return errNoName
	}
	v := &nodeVersion{d: d, n: n, key: n.UID}
	if v.key == "" {
		v.key = n.Name
	}
	var seen newest
	seen.see(n.Written())
	for i := range n.Status.Conditions {
		seen.see(n.Status.Conditions[i].LastTransitionTime, n.Status.Conditions[i].LastHeartbeatTime)
	}
	for i := range n.Spec.Taints {
		seen.see(n.Spec.Taints[i].TimeAdded)
	}
	v.last = seen.Time
	v.old, v.known = d.nodes[v.key]
	version, _ := strconv.ParseUint(n.ResourceVersion, 10, 64)
	if v.known && version != 0 && version <= v.old.version {
		return nil // nothing can have changed in an older version
	}
	v.next = nodeState{version: version, conditions: map[string]Condition{}, taints: map[string]bool{}}
	v.conditions()
	v.taints()
	if deleted {
		v.add(lastnight.Event{Time: v.last, Reason: "Removed", Type: typeWarning}, "Removed")
	}
	d.nodes[v.key] = v.next
	return nil
}

func (v *nodeVersion) add(e lastnight.Event, id ...string) {
	e.Kind = lastnight.EventNode
	e.Object = lastnight.ObjectRef{Kind: kindNode, Name: v.n.Name, UID: v.n.UID}
	e.Node = v.n.Name
	v.d.add(e, append([]string{v.key}, id...)...)
}

// conditions tells of each condition that is wrong, or changed since the version before.
func (v *nodeVersion) conditions() {
	for i := range v.n.Status.Conditions {
		c := v.n.Status.Conditions[i]
		v.next.conditions[c.Type] = c
		wanted := conditionFalse
		if c.Type == nodeReady {
			wanted = conditionTrue
		}
		good := c.Status == wanted
		before, had := v.old.conditions[c.Type]
		changed := had && (before.Status != c.Status || !before.LastTransitionTime.Equal(c.LastTransitionTime))
		if good && !changed && (had || !v.readyLately(&c)) {
			continue
		}
		e := lastnight.Event{
			Time: firstTime(c.LastTransitionTime, v.last), Reason: c.Type, Type: typeNormal,
			Message: c.Message,
		}
		if c.Reason != "" {
			e.Message = c.Reason + ": " + c.Message
		}
		switch {
		case c.Type == nodeReady && good:
			e.Reason = "NodeReady"
		case c.Type == nodeReady:
			e.Reason, e.Type = "NodeNotReady", typeWarning
		case good:
			e.Message = "no longer: " + e.Message
		default:
			e.Type = typeWarning
		}
		v.add(e, c.Type, c.Status, e.Time.UTC().Format(time.RFC3339))
	}
}

// readyLately tells whether a node that was not seen before became ready since ReadySince.
func (v *nodeVersion) readyLately(c *Condition) bool {
	return c.Type == nodeReady && !v.d.ReadySince.IsZero() && c.LastTransitionTime.After(v.d.ReadySince)
}

// taints tells of cordoning and of taints that came.
func (v *nodeVersion) taints() {
	cordonTime := time.Time{}
	for i := range v.n.Spec.Taints {
		t := &v.n.Spec.Taints[i]
		id := t.Key + "=" + t.Value + ":" + t.Effect
		v.next.taints[id] = true
		at := t.TimeAdded
		if t.Key == unschedulableTaint {
			cordonTime = at
			continue
		}
		if v.old.taints[id] || !v.known && at.IsZero() {
			continue // a taint without a time that was there from the start is how the node is meant to be
		}
		at = firstTime(at, v.last)
		v.add(lastnight.Event{Time: at, Reason: "Tainted", Type: typeWarning, Message: id}, "taint", id, at.UTC().Format(time.RFC3339))
	}
	v.next.cordoned = v.n.Spec.Unschedulable
	switch {
	case v.next.cordoned:
		at := firstTime(cordonTime, v.last)
		v.next.cordonID = at.UTC().Format(time.RFC3339)
		if v.old.cordoned {
			v.next.cordonID = v.old.cordonID
		}
		v.add(lastnight.Event{Time: at, Reason: "Cordoned", Type: typeWarning}, "Cordoned", v.next.cordonID)
	case v.old.cordoned:
		v.add(lastnight.Event{Time: v.last, Reason: "Uncordoned", Type: typeNormal}, "Uncordoned", v.old.cordonID)
	}
}
