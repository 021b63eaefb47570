package kube

import (
	"errors"
	"time"

	"lastnight"
)

var errNoName = errors.New("object without a name")

// podVersion is one version of a pod while it is taken apart.
type podVersion struct {
	d    *Decoder
	p    *Pod
	key  string    // names the pod in ids
	last time.Time // the newest time it has: the best known one for what has none
}

// pod takes one version of a pod.
func (d *Decoder) pod(p *Pod, deleted bool) error {
	if p.Name == "" {
		return errNoName
	}
	v := &podVersion{d: d, p: p, key: p.UID}
	if v.key == "" {
		v.key = p.Namespace + "/" + p.Name
	}
	v.last = newestOf(p)
	d.keepPod(v)
	v.containers()
	v.conditions()
	v.phase()
	if asked := deletionAsked(&p.Meta); !asked.IsZero() {
		v.add(lastnight.Event{Time: asked, Reason: "Deleted", Type: typeNormal}, "Deleted")
	}
	if deleted {
		v.add(lastnight.Event{Time: v.last, Reason: "Removed", Type: typeNormal}, "Removed")
	}
	return nil
}

// add keeps an event of the pod itself.
func (v *podVersion) add(e lastnight.Event, id ...string) {
	if e.Kind == "" {
		e.Kind = lastnight.EventPod
	}
	e.Object = lastnight.ObjectRef{Kind: kindPod, Namespace: v.p.Namespace, Name: v.p.Name, UID: v.p.UID}
	e.Node = v.p.Spec.NodeName
	v.d.add(e, append([]string{v.key}, id...)...)
}

// keepPod remembers what is known of the pod: known fields win over empty ones, later over earlier.
func (d *Decoder) keepPod(v *podVersion) {
	p := v.p
	have := d.pods[v.key]
	if have == nil {
		have = &lastnight.Pod{Cluster: d.cluster, Namespace: p.Namespace, Name: p.Name, UID: p.UID}
		if mirror := p.Annotations[mirrorAnnotation]; mirror != "" {
			have.UID = mirror // of a static pod the log files bear the hash of its file
		}
		d.pods[v.key] = have
		d.order = append(d.order, v.key)
	}
	if p.Spec.NodeName != "" {
		have.Node = p.Spec.NodeName
	}
	if p.Status.PodIP != "" {
		have.IP = p.Status.PodIP
	}
	if len(p.Labels) > 0 {
		have.Labels = p.Labels
	}
	if owner := p.Controller(); owner != nil {
		have.Owner = lastnight.ObjectRef{Kind: owner.Kind, Namespace: p.Namespace, Name: owner.Name, UID: owner.UID}
	}
	if images := imagesOf(p); len(images) > 0 {
		have.Images = images
	}
	if !p.CreationTimestamp.IsZero() {
		have.Created = p.CreationTimestamp.UTC()
	}
	if asked := deletionAsked(&p.Meta); !asked.IsZero() && have.Deleted.IsZero() {
		have.Deleted = asked.UTC()
	}
}

func imagesOf(p *Pod) []string {
	var images []string
	for i := range p.Spec.Containers {
		images = append(images, p.Spec.Containers[i].Image)
	}
	return images
}

// deletionAsked gives when deletion was asked for: deletionTimestamp is when the grace period ends.
func deletionAsked(m *Meta) time.Time {
	if m.DeletionTimestamp.IsZero() {
		return time.Time{}
	}
	return m.DeletionTimestamp.Add(-time.Duration(m.DeletionGracePeriodSeconds) * time.Second)
}

// newestOf gives the newest time in a version of a pod, which is about when it was written.
func newestOf(p *Pod) time.Time {
	var n newest
	n.see(p.Written())
	n.see(deletionAsked(&p.Meta), p.Status.StartTime)
	for i := range p.Status.Conditions {
		n.see(p.Status.Conditions[i].LastTransitionTime)
	}
	for _, statuses := range statusesOf(p) {
		for i := range statuses {
			for _, s := range []ContainerState{statuses[i].State, statuses[i].LastTerminationState} {
				if s.Running != nil {
					n.see(s.Running.StartedAt)
				}
				if s.Terminated != nil {
					n.see(s.Terminated.StartedAt, s.Terminated.FinishedAt)
				}
			}
		}
	}
	return n.Time
}

// conditions tells of scheduling and disruption.
func (v *podVersion) conditions() {
	for i := range v.p.Status.Conditions {
		c := &v.p.Status.Conditions[i]
		at := firstTime(c.LastTransitionTime, v.last)
		stamp := at.UTC().Format(time.RFC3339)
		switch {
		case c.Type == podScheduled && c.Status == conditionTrue:
			v.add(lastnight.Event{Time: at, Reason: "Scheduled", Type: typeNormal, Message: c.Message}, "Scheduled")
		case c.Type == podScheduled && c.Status == conditionFalse:
			v.add(lastnight.Event{Time: at, Reason: "Unschedulable", Type: typeWarning, Message: c.Message}, "Unschedulable", stamp)
		case c.Type == disruptionTarget && c.Status == conditionTrue:
			reason := c.Reason
			if reason == "" {
				reason = disruptionTarget
			}
			v.add(lastnight.Event{Time: at, Reason: reason, Type: typeWarning, Message: c.Message}, "DisruptionTarget", reason)
		}
	}
}

// phase tells of the phases behind Pending, and of status.reason.
func (v *podVersion) phase() {
	s := &v.p.Status
	if s.Reason != "" {
		v.add(lastnight.Event{Time: v.last, Reason: s.Reason, Type: typeWarning, Message: s.Message}, "reason", s.Reason)
	}
	e := lastnight.Event{Reason: s.Phase, Type: typeNormal}
	switch s.Phase {
	case phaseRunning:
		e.Time = firstTime(v.runningSince(), v.conditionTime(podReady), v.last)
	case phaseSucceeded:
		e.Time = firstTime(v.endedAt(), v.last)
	case phaseFailed:
		e.Time, e.Type = firstTime(v.endedAt(), v.last), typeWarning
		e.Message = s.Message
	case phaseUnknown:
		e.Time, e.Type = v.last, typeWarning
	default:
		return
	}
	v.add(e, "phase", e.Reason)
}

func (v *podVersion) conditionTime(t string) time.Time {
	for i := range v.p.Status.Conditions {
		if c := &v.p.Status.Conditions[i]; c.Type == t {
			return c.LastTransitionTime
		}
	}
	return time.Time{}
}

// runningSince gives when the first container that is told of started.
func (v *podVersion) runningSince() time.Time {
	var first time.Time
	for i := range v.p.Status.ContainerStatuses {
		s := &v.p.Status.ContainerStatuses[i]
		for _, state := range []ContainerState{s.State, s.LastTerminationState} {
			if r := state.Running; r != nil && !r.StartedAt.IsZero() && (first.IsZero() || r.StartedAt.Before(first)) {
				first = r.StartedAt
			}
			if t := state.Terminated; t != nil && !t.StartedAt.IsZero() && (first.IsZero() || t.StartedAt.Before(first)) {
				first = t.StartedAt
			}
		}
	}
	return first
}

// endedAt gives when the last container ended.
func (v *podVersion) endedAt() time.Time {
	var n newest
	for i := range v.p.Status.ContainerStatuses {
		if t := v.p.Status.ContainerStatuses[i].State.Terminated; t != nil {
			n.see(t.FinishedAt)
		}
	}
	return n.Time
}
