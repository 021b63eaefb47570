package kube

import (
	"errors"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"lastnight"
)

var (
	errNoTime   = errors.New("event without any time")
	errNoReason = errors.New("event without a reason and message")
)

// newEvent takes an event of events.k8s.io/v1 as the core/v1 event that it also is.
func (d *Decoder) newEvent(e *eventsv1.Event) error {
	core := corev1.Event{
		ObjectMeta:          e.ObjectMeta,
		InvolvedObject:      e.Regarding,
		Reason:              e.Reason,
		Message:             e.Note,
		Source:              e.DeprecatedSource,
		FirstTimestamp:      e.DeprecatedFirstTimestamp,
		LastTimestamp:       e.DeprecatedLastTimestamp,
		Count:               e.DeprecatedCount,
		Type:                e.Type,
		EventTime:           e.EventTime,
		Action:              e.Action,
		ReportingController: e.ReportingController,
		ReportingInstance:   e.ReportingInstance,
	}
	if e.Series != nil {
		core.Series = &corev1.EventSeries{Count: e.Series.Count, LastObservedTime: e.Series.LastObservedTime}
	}
	return d.coreEvent(&core)
}

// coreEvent takes one version of an Event object: one occurrence.
func (d *Decoder) coreEvent(e *corev1.Event) error {
	at, count := occurrence(e)
	if at.IsZero() {
		return errNoTime
	}
	if e.Reason == "" && e.Message == "" {
		return errNoReason
	}
	component := e.Source.Component
	if component == "" {
		component = e.ReportingController
	}
	reason := e.Reason
	if reason == "" {
		reason = "Event"
	}
	uid := string(e.UID)
	if uid == "" {
		uid = e.Namespace + "/" + e.Name
	}
	d.add(lastnight.Event{
		Time:   at,
		Kind:   lastnight.EventKubernetes,
		Type:   e.Type,
		Reason: reason,
		Object: lastnight.ObjectRef{
			Kind: e.InvolvedObject.Kind, Namespace: e.InvolvedObject.Namespace,
			Name: e.InvolvedObject.Name, UID: string(e.InvolvedObject.UID),
		},
		Message:   e.Message,
		Node:      nodeOf(e, component),
		Container: containerOf(e.InvolvedObject.FieldPath),
		Count:     count,
		Component: component,
	}, uid, strconv.Itoa(count), strconv.FormatInt(at.UnixNano(), 10))
	return nil
}

// occurrence gives when the newest occurrence of an event was, and the how manyth it is.
func occurrence(e *corev1.Event) (time.Time, int) {
	count := max(int(e.Count), 1)
	at := e.LastTimestamp.Time
	if e.Series != nil {
		count = max(count, int(e.Series.Count))
		if at.IsZero() {
			at = e.Series.LastObservedTime.Time
		}
	}
	return firstTime(at, e.EventTime.Time, e.FirstTimestamp.Time, e.CreationTimestamp.Time), count
}

// nodeOf tells the node that an event is about or comes from.
func nodeOf(e *corev1.Event, component string) string {
	switch {
	case e.Source.Host != "":
		return e.Source.Host
	case e.InvolvedObject.Kind == kindNode:
		return e.InvolvedObject.Name
	case component == "kubelet":
		return e.ReportingInstance
	}
	return ""
}

// containerOf reads spec.containers{name}.
func containerOf(fieldPath string) string {
	_, rest, ok := strings.Cut(fieldPath, "{")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(rest, "}")
}

// firstTime gives the first time that is one.
func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// newest keeps the latest of the times that an object has.
type newest struct{ time.Time }

func (n *newest) see(times ...metav1.Time) {
	for _, t := range times {
		if t.After(n.Time) {
			n.Time = t.Time
		}
	}
}

// seeWritten takes the times at which the object was written, where the API server told.
func (n *newest) seeWritten(meta *metav1.ObjectMeta) {
	n.see(meta.CreationTimestamp)
	for i := range meta.ManagedFields {
		if t := meta.ManagedFields[i].Time; t != nil {
			n.see(*t)
		}
	}
}
