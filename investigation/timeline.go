package investigation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"lastnight"
)

// maxDocuments bounds how many documents of a workload are read at once.
const maxDocuments = 50_000

// saidAgain is within how long Flink says the end of a job by several of its parts.
const saidAgain = 5 * time.Second

// factKind says what a document tells, as far as the machinery needs it.
type factKind uint8

const (
	factOther factKind = iota
	factTransition
	factTaskFailed
	factCheckpointDone
	factRestore
	factSigterm
	factJobManagerStart
	factTaskManagerStart
	factWorkerTerminated
	factWorkerStopped // Flink released the worker itself
	factGoodbye       // a worker told Flink that it shuts down
	factHeartbeatLost
	factStopRequested
	factShutdown // "Shutting … down with application status"
	factLeaderGranted
	factLeaderLost
	factKilling
	factPodDeleted
	factContainerEnd
	factContainerStart
	factPodTrouble // a pod does not come: pending, image, mount, config
)

// fact is a document and what it tells.
type fact struct {
	doc    *lastnight.Document
	t      time.Time
	kind   factKind
	tr     transition
	pod    string // name of the pod that it is about, which is not always the pod that says it
	p      *podInfo
	exit   int // of factContainerEnd and factWorkerTerminated; -1 if unknown
	reason string
}

// podInfo is what is known of one pod of the workload. Names come again after a redeploy; a
// podInfo is one life (one UID) of a name.
type podInfo struct {
	name, component, node, uid, owner string
	created                           time.Time
	starts                            []time.Time // of its containers, in time order
	virtual                           bool        // not a pod but what could not make one
	started                           time.Time   // first sign of life
	ended                             time.Time   // the last end of its container that is known; zero: lives
	asked                             time.Time   // deletion asked for, or SIGTERM; zero: never
	stoppedByFlink                    bool
	events                            bool // its containers were watched
}

// timeline is everything known of a workload in the time that is investigated.
type timeline struct {
	key   workloadKey
	facts []fact                // in time order
	pods  map[string][]*podInfo // lives by name, in the order of their beginning
	jobs  map[string]string     // Flink job id → name
	flink bool

	starts []time.Time          // of any container, in time order
	failed map[string]time.Time // when a Flink job was last said to have FAILED
}

// message gives a record's text from its message on.
func message(d *lastnight.Document) string {
	if d.MessageAt > 0 && d.MessageAt < len(d.Text) {
		return strings.TrimLeft(d.Text[d.MessageAt:], " ")
	}
	return d.Text
}

// loadTimeline reads a workload's documents in [from, to) and says what they tell.
func (x *investigator) loadTimeline(ctx context.Context, k workloadKey, from, to time.Time) (*timeline, error) {
	tl := &timeline{key: k, pods: map[string][]*podInfo{}, jobs: map[string]string{}, failed: map[string]time.Time{}}
	pods, err := x.source.Pods(ctx, k.namespace, k.workload)
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	for i := range pods {
		w := lastnight.WorkloadOf(&pods[i])
		p := tl.life(pods[i].Name, pods[i].UID, pods[i].Created)
		p.component, p.node, p.created, p.owner = w.Component, pods[i].Node, pods[i].Created, pods[i].Owner.Name
		tl.flink = tl.flink || w.Kind == lastnight.JobFlink
	}
	docs, err := collect(x.source.Search(ctx, lastnight.SearchRequest{
		Important: true, Namespace: k.namespace, Job: k.workload, Start: from, End: to, Oldest: true, Limit: maxDocuments,
	}))
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	slices.SortStableFunc(docs, func(a, b lastnight.Document) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	for i := range docs {
		tl.add(&docs[i])
	}
	tl.nameComponents()
	tl.lives()
	return tl, nil
}

func collect(seq func(yield func(lastnight.Document, error) bool)) ([]lastnight.Document, error) {
	var docs []lastnight.Document
	for d, err := range seq {
		if err != nil {
			return nil, err
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// life gives the life of a pod: by its UID, or without one the life that had begun at t.
func (tl *timeline) life(name, uid string, t time.Time) *podInfo {
	lives := tl.pods[name]
	if uid != "" {
		for _, p := range lives {
			if p.uid == uid {
				return p
			}
		}
		if len(lives) == 1 && lives[0].uid == "" {
			lives[0].uid = uid
			return lives[0]
		}
	} else if len(lives) > 0 {
		best := lives[0]
		for _, p := range lives {
			if b := p.birth(); !b.IsZero() && !b.After(t.Add(time.Second)) && b.After(best.birth()) {
				best = p
			}
		}
		return best
	}
	p := &podInfo{name: name, uid: uid}
	if w := lastnight.WorkloadOf(&lastnight.Pod{Namespace: tl.key.namespace, Name: name}); w.Kind == lastnight.JobFlink {
		p.component = w.Component
	}
	tl.pods[name] = append(lives, p)
	return p
}

// birth is when the pod was made, or else first seen.
func (p *podInfo) birth() time.Time {
	if !p.created.IsZero() {
		return p.created
	}
	return p.started
}

// each calls fn for every life of every pod, in the order of names.
func (tl *timeline) each(fn func(p *podInfo)) {
	for _, name := range slices.Sorted(maps.Keys(tl.pods)) {
		for _, p := range tl.pods[name] {
			fn(p)
		}
	}
}

func (tl *timeline) add(d *lastnight.Document) {
	f := fact{doc: d, t: d.Time, pod: d.Pod, exit: -1}
	if d.Event != nil {
		eventFact(&f, d.Event)
	} else {
		recordFact(&f, message(d))
	}
	if d.Pod != "" {
		uid := d.PodUID
		if d.Event != nil && d.Event.Object.Kind == "Pod" && d.Event.Object.UID != "" {
			uid = d.Event.Object.UID
		}
		p := tl.life(d.Pod, uid, d.Time)
		if p.component == "" {
			p.component = d.Component
		}
		if d.Node != "" {
			p.node = d.Node
		}
		if f.pod == d.Pod {
			f.p = p
		}
		switch f.kind {
		case factTransition, factJobManagerStart:
			p.component = fromJobManager
		case factTaskManagerStart:
			p.component = fromTaskManager
		case factContainerEnd, factContainerStart:
			p.events = p.events || d.Event.Kind == lastnight.EventContainer
		default: // the others tell nothing here
		}
		if d.Event == nil {
			p.begin(d.Time)
		}
	}
	if f.kind == factTransition && f.tr.to == stateFailed {
		if before := tl.failed[f.tr.id]; !before.IsZero() && f.t.Sub(before) < saidAgain {
			f.kind = factOther // said once more
		}
		tl.failed[f.tr.id] = f.t
	}
	if e := d.Event; e != nil && f.kind == factPodTrouble && e.Object.Kind != "Pod" {
		f.pod = e.Object.Kind + "/" + e.Object.Name
		f.p = tl.life(f.pod, e.Object.UID, d.Time)
		f.p.virtual, f.p.component = true, ""
	}
	switch f.kind {
	case factTransition:
		if f.tr.name == "" {
			f.tr.name = tl.jobs[f.tr.id]
		} else {
			tl.jobs[f.tr.id] = f.tr.name
		}
		tl.flink = true
	case factJobManagerStart, factTaskManagerStart:
		tl.flink = true
	default: // the others tell nothing here
	}
	tl.facts = append(tl.facts, f)
}

// nameComponents guesses what pods of a Flink cluster are that have said nothing.
func (tl *timeline) nameComponents() {
	tl.each(func(p *podInfo) {
		if tl.flink && p.component == "" && !p.virtual {
			if strings.Contains(p.name, "-taskmanager-") {
				p.component = fromTaskManager
			} else {
				p.component = fromJobManager
			}
		}
	})
}

// between gives the facts of [from, to].
func (tl *timeline) between(from, to time.Time) []fact {
	i := sort.Search(len(tl.facts), func(i int) bool { return !tl.facts[i].t.Before(from) })
	j := sort.Search(len(tl.facts), func(j int) bool { return tl.facts[j].t.After(to) })
	return tl.facts[i:max(i, j)]
}

// lives fills in when pods began, were asked to end and ended.
func (tl *timeline) lives() {
	sigterm, goodbye := map[*podInfo]time.Time{}, map[*podInfo]bool{}
	for i := range tl.facts {
		f := &tl.facts[i]
		if f.pod == "" {
			continue
		}
		if f.p == nil {
			f.p = tl.life(f.pod, "", f.t)
		}
		p := f.p
		switch f.kind {
		case factContainerEnd, factWorkerTerminated:
			p.ended = f.t
		case factContainerStart, factJobManagerStart, factTaskManagerStart:
			p.starts, tl.starts = append(p.starts, f.t), append(tl.starts, f.t)
			if f.kind == factContainerStart {
				p.begin(f.t)
				p.ended = time.Time{}
			}
		case factGoodbye:
			goodbye[p] = true
		case factSigterm:
			sigterm[p] = f.t
			p.ask(f.t)
		case factKilling:
			if f.doc.Text == "" || strings.Contains(f.doc.Text, "Stopping container") {
				p.ask(f.t)
			}
		case factPodDeleted:
			p.ask(f.t)
		default: // the others tell nothing here
		}
	}
	for i := range tl.facts {
		if f := &tl.facts[i]; f.kind == factWorkerStopped && !goodbye[f.p] && !tl.disrupted(f.p) && !tl.crashed(f.p) {
			at, ok := sigterm[f.p]
			if !ok {
				if f.p.asked.IsZero() {
					continue
				}
				at = f.p.asked.Add(time.Second) // events have only seconds
			}
			f.p.stoppedByFlink = f.p.stoppedByFlink || !f.t.After(at) && at.Sub(f.t) < time.Minute
		}
	}
}

func (p *podInfo) begin(t time.Time) {
	if p.started.IsZero() || t.Before(p.started) {
		p.started = t
	}
}

func (p *podInfo) ask(t time.Time) {
	if p.asked.IsZero() || t.Before(p.asked) {
		p.asked = t
	}
}
