package kube

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"lastnight"
)

var (
	errNoTime   = errors.New("event without any time")
	errNoReason = errors.New("event without a reason and message")
)

// newEvent takes an event of events.k8s.io/v1 as the core/v1 event that it also is.
func (d *Decoder) newEvent(e *newEvent) error {
	return d.coreEvent(&Event{
		Meta:                e.Meta,
		InvolvedObject:      e.Regarding,
		Reason:              e.Reason,
		Message:             e.Note,
		Source:              e.Deprecated,
		FirstTimestamp:      e.FirstTimestamp,
		LastTimestamp:       e.LastTimestamp,
		Count:               e.Count,
		Type:                e.Type,
		EventTime:           e.EventTime,
		Series:              e.Series,
		ReportingController: e.ReportingController,
		ReportingInstance:   e.ReportingInstance,
	})
}

// coreEvent takes one version of an Event object: one occurrence.
func (d *Decoder) coreEvent(e *Event) error {
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
	uid := e.UID
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
			Name: e.InvolvedObject.Name, UID: e.InvolvedObject.UID,
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
func occurrence(e *Event) (time.Time, int) {
	count := max(int(e.Count), 1)
	at := e.LastTimestamp
	if e.Series != nil {
		count = max(count, int(e.Series.Count))
		if at.IsZero() {
			at = e.Series.LastObservedTime
		}
	}
	return firstTime(at, e.EventTime, e.FirstTimestamp, e.CreationTimestamp), count
}

// nodeOf tells the node that an event is about or comes from.
func nodeOf(e *Event, component string) string {
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

func (n *newest) see(times ...time.Time) {
	for _, t := range times {
		if t.After(n.Time) {
			n.Time = t
		}
	}
}
