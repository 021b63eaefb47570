// Package kube turns objects of the Kubernetes API (events, pods, nodes; lists
// and watches, as kubectl gives them) into lastnight's events and pods.
//
// A pod's or node's state says what happened and when, mostly by itself: each
// version of an object gives the changes that it tells of, and each change has an
// id made of what it is (which container instance ended, not when it was read). So
// it does not matter how often, or in lists or watches, an object is read: the same
// occurrence is one event.
//
// Times are the objects' own. Where an object does not tell when something
// happened, it is the newest time that it has, and never the clock of this machine.
//
// What is malformed is reported and left out, the rest goes on; fields that are not known are ignored.
package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"lastnight"
)

// The kinds of objects understood.
const (
	kindEvent = "Event"
	kindPod   = "Pod"
	kindNode  = "Node"
)

// Decoder collects what objects tell, from any number of files. Give it the older
// files first. Not for several goroutines at once.
type Decoder struct {
	// Report is told of each thing that could not be understood: where (byte offset, or
	// line number from 1 in a file of lines) and what. May be nil.
	Report func(at int64, what string)
	// ReadySince makes the first version of a node tell that it is ready, if it got so since
	// then: whoever watched it before may not have seen it. Zero: only later versions tell it.
	ReadySince time.Time

	cluster    string
	events     []lastnight.Event
	seen       map[string]bool // ids of events
	seenBefore map[string]bool // older ones, if trimmed
	pods       map[string]*lastnight.Pod
	order      []string // keys of pods, as first seen
	restart    map[string]int
	nodes      map[string]nodeState
}

// NewDecoder makes a decoder for the objects of one cluster, whose name may be "".
func NewDecoder(cluster string) *Decoder {
	return &Decoder{
		cluster: cluster,
		seen:    map[string]bool{},
		pods:    map[string]*lastnight.Pod{},
		restart: map[string]int{},
		nodes:   map[string]nodeState{},
	}
}

// Events gives the events so far, in the order in which they were found, and forgets
// them; their ids it remembers, so none comes twice.
func (d *Decoder) Events() []lastnight.Event {
	events := d.events
	d.events = nil
	return events
}

// Pods gives what is known of all pods so far.
func (d *Decoder) Pods() []lastnight.Pod {
	pods := make([]lastnight.Pod, 0, len(d.order))
	for _, key := range d.order {
		pods = append(pods, *d.pods[key])
	}
	return pods
}

// NewRecording begins another recording: nodes are not compared with how they were in the one before.
func (d *Decoder) NewRecording() { clear(d.nodes) }

func (d *Decoder) report(at int64, what string) {
	if d.Report != nil {
		d.Report(at, what)
	}
}

// add keeps an event unless one with its id was there before. id names the
// occurrence; an event without a time is no event.
func (d *Decoder) add(e lastnight.Event, id ...string) {
	if e.Time.IsZero() || e.Reason == "" {
		return
	}
	e.ID = eventID(e.Kind, id)
	if d.seen[e.ID] || d.seenBefore[e.ID] {
		return
	}
	d.seen[e.ID] = true
	e.Time = e.Time.UTC()
	e.Cluster = d.cluster
	d.events = append(d.events, e)
}

// eventID hashes what names an occurrence: 20 hex digits.
func eventID(kind lastnight.EventKind, id []string) string {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + strings.Join(id, "\x00")))
	return "e" + hex.EncodeToString(sum[:10])
}
