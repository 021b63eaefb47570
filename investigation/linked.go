package investigation

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"lastnight"
)

// How strongly a document is tied to a failover. What Flink or Kubernetes names as the
// reason counts in full; what merely happened in the same minutes counts little, what the
// job's own code logged then next to nothing: healthy jobs log such things all day.
const (
	linkFailure    = 1.0  // the failure that Flink gives as the reason
	linkEnd        = 1.0  // how a process or a pod of it ended
	linkCheckpoint = 0.9  // why the checkpoints failed that made the job fail
	linkPending    = 0.95 // why a pod did not come
	linkLastWords  = 0.9  // what a process that died said at the end
	linkUpstream   = 0.8  // the service behind the address that failed
	linkPlatform   = 0.4  // Flink or Kubernetes complained near it
	linkNear       = 0.08 // the job's code complained near it
)

const (
	failureBefore  = 10 * time.Second // Flink tells the failure just before the change of state
	endNear        = 90 * time.Second // a pod that ended so near was lost in this failover
	silence        = 20 * time.Second // a process that logged so shortly before was not stuck
	lastWordsSpan  = 45 * time.Second // how long before its end a process speaks its last words
	maxLastWords   = 400              // records of it that are read
	maxNearRecords = 3000             // records that are read where the store kept no failure
)

// item is a document that is tied to a failover.
type item struct {
	f    *fact
	link float64
	text string // what patterns are held against
	from string // jobmanager, taskmanager or ""
	why  string // group, for the chain
}

// Groups of items.
const (
	whyFailure    = "failure"
	whyEnd        = "end"
	whyLastWords  = "last words"
	whyCheckpoint = "checkpoint"
	whyPending    = "pending"
	whyUpstream   = "upstream"
	whyNode       = "node"
	whyNear       = "near"
)

// linked is what is tied to one failover.
type linked struct {
	items  []*item
	byID   map[string]*item
	lost   []*podInfo // pods that went away
	silent []*podInfo // pods whose heartbeat was lost
	talks  []*podInfo // those of them that went on logging
}

func (l *linked) add(it *item) {
	if old, ok := l.byID[it.f.doc.ID]; ok {
		if it.link > old.link {
			old.link, old.why = it.link, it.why
		}
		return
	}
	l.byID[it.f.doc.ID] = it
	l.items = append(l.items, it)
}

func (l *linked) lose(p *podInfo) {
	if p != nil && !slices.Contains(l.lost, p) {
		l.lost = append(l.lost, p)
	}
}

// link finds what is tied to a failover.
func (x *investigator) link(ctx context.Context, tl *timeline, nodes *nodeHistory, fo *failover) error {
	l := &linked{byID: map[string]*item{}}
	fo.links = l
	if fo.planned {
		return nil
	}
	x.linkFailure(tl, fo)
	if !l.hasFailure() && tl.flink {
		if err := x.readNear(ctx, tl, fo); err != nil {
			return err
		}
	}
	x.linkLost(tl, fo)
	if err := x.listen(ctx, tl, fo); err != nil {
		return err
	}
	if err := x.linkLastWords(ctx, tl, fo); err != nil {
		return err
	}
	x.linkLeader(tl, fo)
	x.linkCheckpoints(tl, fo)
	x.linkPending(tl, fo)
	x.linkNodes(tl, nodes, fo)
	if err := x.linkUpstream(ctx, tl, fo); err != nil {
		return err
	}
	x.linkNear(tl, fo)
	slices.SortStableFunc(l.items, func(a, b *item) int {
		if c := a.f.t.Compare(b.f.t); c != 0 {
			return c
		}
		return strings.Compare(a.f.doc.ID, b.f.doc.ID)
	})
	return nil
}

func (tl *timeline) itemOf(f *fact, link float64, why string) *item {
	it := &item{f: f, link: link, why: why, text: f.doc.Text, from: tl.speaker(f)}
	if f.doc.Event == nil {
		it.text = message(f.doc)
	}
	return it
}

// speaker is the component that says it: of a record not the one that it is about. An event speaks for its pod.
// Without Kubernetes a pod's component is known only by what it has said.
func (tl *timeline) speaker(f *fact) string {
	switch {
	case f.doc.Event != nil && f.p != nil && f.p.component != "":
		return f.p.component
	case f.doc.Event == nil && f.doc.Component == "" && f.doc.Job == tl.key.workload:
		return tl.life(f.doc.Pod, f.doc.PodUID, f.t).component
	}
	return f.doc.Component
}

// until is when a failover's own evidence ends.
func (fo *failover) until() time.Time {
	last := fo.openers[len(fo.openers)-1].f.t
	end := last.Add(settleWithin)
	if !fo.limit.IsZero() && fo.limit.Before(end) {
		end = fo.limit
	}
	if fo.removal != nil && fo.removal.from.Before(end) {
		end = fo.removal.from
		if end.Before(last) {
			end = last.Add(time.Millisecond)
		}
	}
	return end
}

// linkFailure takes the failures that Flink tells just before and at the change of state.
func (x *investigator) linkFailure(tl *timeline, fo *failover) {
	facts := tl.between(fo.start.Add(-failureBefore), fo.openers[len(fo.openers)-1].f.t.Add(3*time.Second))
	for i := range facts {
		f := &facts[i]
		if f.doc.Event != nil || f.t.Before(fo.from) || !tl.ownDocument(fo, f.doc) || !fo.nearOpener(f.t, failureBefore, 3*time.Second) {
			continue
		}
		switch {
		case f.kind == factTaskFailed, f.kind == factTransition && len(f.doc.Exception) > 0, f.kind == factHeartbeatLost, f.kind == factLeaderLost:
			if isEchoOfShutdown(f.doc.Text) && fo.removed(f) {
				continue
			}
			fo.links.add(tl.itemOf(f, linkFailure, whyFailure))
		case fatal(f), strings.HasPrefix(message(f.doc), "Trying to recover from a global failure"):
			fo.links.add(tl.itemOf(f, linkFailure, whyFailure))
		}
	}
	for _, o := range fo.openers {
		fo.links.add(tl.itemOf(o.f, linkFailure, whyFailure))
	}
}

// removed tells whether a fact belongs to the deletion of the workload, not to the failover.
func (fo *failover) removed(f *fact) bool {
	if fo.removal == nil {
		return false
	}
	if f.doc.Event != nil && !fo.removal.events.IsZero() {
		return !f.t.Before(fo.removal.events)
	}
	return !f.t.Before(fo.removal.from)
}

// removedAt is removed for a time at which a pod was asked to end.
func (fo *failover) removedAt(t time.Time) bool {
	return fo.removal != nil && (!t.Before(fo.removal.from) || !fo.removal.events.IsZero() && !t.Before(fo.removal.events))
}

func isEchoOfShutdown(text string) bool {
	return strings.Contains(text, "The TaskExecutor is shutting down")
}

// fatal tells a record in which a Flink process gives up.
func fatal(f *fact) bool {
	first, _, _ := strings.Cut(message(f.doc), "\n")
	return f.doc.Level == "FATAL" || strings.HasPrefix(first, "Fatal error ") || strings.HasPrefix(first, "FATAL: ") || strings.HasPrefix(first, "Could not start ") || strings.HasPrefix(first, "Application failed unexpectedly")
}

// nearOpener tells whether t lies within before and after of one of the changes of state.
func (fo *failover) nearOpener(t time.Time, before, after time.Duration) bool {
	return slices.ContainsFunc(fo.openers, func(o opener) bool {
		return !t.Before(o.f.t.Add(-before)) && !t.After(o.f.t.Add(after))
	})
}

func (l *linked) hasFailure() bool {
	return slices.ContainsFunc(l.items, func(it *item) bool {
		return it.why == whyFailure && it.f.doc.Event == nil && (len(it.f.doc.Exception) > 0 || it.f.kind == factHeartbeatLost)
	})
}

// readNear reads the archive around the opener, for failures that the store has merged away.
func (x *investigator) readNear(ctx context.Context, tl *timeline, fo *failover) error {
	docs, err := collect(x.source.Search(ctx, lastnight.SearchRequest{
		Namespace: tl.key.namespace, Job: tl.key.workload, Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord},
		Start: fo.start.Add(-failureBefore), End: fo.start.Add(2 * time.Second), Oldest: true, Limit: maxNearRecords,
	}))
	if err != nil {
		return fmt.Errorf("read records around %s: %w", fo.start.Format(time.RFC3339), err)
	}
	for i := range docs {
		f := tl.factOf(&docs[i])
		if f.kind == factTaskFailed || f.kind == factHeartbeatLost || f.kind == factTransition && len(docs[i].Exception) > 0 {
			fo.links.add(tl.itemOf(f, linkFailure, whyFailure))
		}
	}
	return nil
}

// factOf reads a document that is not part of the timeline.
func (tl *timeline) factOf(d *lastnight.Document) *fact {
	f := &fact{doc: d, t: d.Time, pod: d.Pod, exit: -1}
	if d.Event != nil {
		eventFact(f, d.Event)
	} else {
		recordFact(f, message(d))
	}
	if d.Namespace == tl.key.namespace && d.Job == tl.key.workload && f.pod != "" {
		f.p = tl.life(f.pod, d.PodUID, d.Time)
	}
	return f
}

// linkLost finds the pods that went away, and how.
func (x *investigator) linkLost(tl *timeline, fo *failover) {
	l := fo.links
	named := tl.namedPods(fo)
	end := fo.until()
	facts := tl.between(fo.lostFrom.Truncate(time.Second), end)
	for i := range facts {
		f := &facts[i]
		if f.p == nil || f.p.stoppedByFlink || f.t.Before(fo.lostFrom.Truncate(time.Second)) || f.t.After(end) || fo.removed(f) {
			continue
		}
		if fo.tidied(f) || f.doc.Event != nil && !fo.limit.IsZero() && f.t.Add(time.Second).After(fo.limit) && f.t.After(fo.start) {
			continue // events have only seconds: one in the second of the next failover is that one's
		}
		lost := slices.Contains(named, f.p)
		switch f.kind {
		case factContainerEnd, factWorkerTerminated:
			if f.reason == "ContainerStatusUnknown" || !lost && !tl.abnormalEnd(f) && f.p.asked.IsZero() {
				continue
			}
		case factKilling, factPodDeleted, factSigterm:
			if f.p.started.IsZero() || !lost && fo.start.Sub(f.t) > settleWithin {
				continue // a pod that never ran was not lost
			}
		default:
			if f.doc.Event == nil || !(isDisruption(f.reason) || f.reason == "Unhealthy" || f.reason == "BackOff" && crashBackOff(f)) {
				continue
			}
		}
		l.lose(f.p)
		l.add(tl.itemOf(f, linkEnd, whyEnd))
	}
	for _, p := range named {
		l.lose(p)
	}
}

// listen finds the pods that went on logging while their heartbeats were missed: not they were
// stuck but the way to them.
func (x *investigator) listen(ctx context.Context, tl *timeline, fo *failover) error {
	for _, p := range fo.links.silent {
		docs, err := collect(x.source.Search(ctx, lastnight.SearchRequest{
			Namespace: tl.key.namespace, Pod: p.name, PodUID: p.uid, Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord},
			Start: fo.start.Add(-silence), End: fo.start, Limit: 1,
		}))
		if err != nil {
			return fmt.Errorf("listen to %s: %w", p.name, err)
		}
		if len(docs) > 0 && docs[0].Pod != fo.openers[0].f.doc.Pod {
			fo.links.talks = append(fo.links.talks, p)
		}
	}
	return nil
}

// tidied tells the end of a pod that was told to go after the job had come to its end.
func (fo *failover) tidied(f *fact) bool {
	if fo.givenUp == nil || f.p.asked.IsZero() {
		return false
	}
	return !f.p.asked.Before(fo.givenUp.t.Truncate(time.Second)) && !f.t.Before(fo.givenUp.t.Truncate(time.Second))
}

// namedPods gives the pods that the failures name as lost, and notes those that fell silent.
func (tl *timeline) namedPods(fo *failover) []*podInfo {
	var named []*podInfo
	for _, it := range fo.links.items {
		for _, re := range []*regexp.Regexp{heartbeatOf, unreachable, remoteManager} {
			for _, m := range re.FindAllStringSubmatch(it.text, 4) {
				name := strings.TrimRight(m[1], ".")
				if _, ok := tl.pods[name]; !ok {
					continue
				}
				p := tl.life(name, "", it.f.t)
				if !slices.Contains(named, p) {
					named = append(named, p)
				}
				if re != remoteManager && !slices.Contains(fo.links.silent, p) {
					fo.links.silent = append(fo.links.silent, p)
				}
			}
		}
	}
	if slices.ContainsFunc(fo.links.items, func(it *item) bool { return it.why == whyFailure && jobManagerSilent(it.text) }) {
		tl.each(func(p *podInfo) {
			if p.component == fromJobManager && !p.started.IsZero() && p.started.Before(fo.start) && p.ended.IsZero() && !slices.Contains(named, p) {
				named = append(named, p)
				fo.links.silent = append(fo.links.silent, p)
			}
		})
	}
	return named
}

func jobManagerSilent(text string) bool {
	return strings.Contains(text, "eartbeat of JobManager with id ") && strings.Contains(text, "timed out")
}

// linkLastWords reads what the processes that ended by themselves said at the end.
func (x *investigator) linkLastWords(ctx context.Context, tl *timeline, fo *failover) error {
	seen := map[string]bool{}
	for _, it := range slices.Clone(fo.links.items) {
		f := it.f
		if it.why != whyEnd && it.why != whyFailure || f.p == nil || f.kind != factContainerEnd && f.kind != factWorkerTerminated || len(seen) >= 6 {
			continue
		}
		key := fmt.Sprintf("%s/%s/%d", f.p.name, f.p.uid, f.doc.Restart)
		if seen[key] || f.exit == 0 {
			continue
		}
		seen[key] = true
		if err := x.lastWords(ctx, tl, fo, f.p, f, linkLastWords); err != nil {
			return err
		}
	}
	return nil
}

// lastWords adds the records of a container's last seconds that complain.
func (x *investigator) lastWords(ctx context.Context, tl *timeline, fo *failover, p *podInfo, end *fact, link float64) error {
	req := lastnight.SearchRequest{
		Namespace: tl.key.namespace, Pod: p.name, PodUID: p.uid, Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord},
		Start: end.t.Add(-lastWordsSpan), End: end.t.Add(2 * time.Second), Limit: maxLastWords,
	}
	docs, err := collect(x.source.Search(ctx, req))
	if err != nil {
		return fmt.Errorf("read the last records of %s: %w", p.name, err)
	}
	slices.SortStableFunc(docs, func(a, b lastnight.Document) int { return a.Time.Compare(b.Time) })
	for i := range docs {
		d := &docs[i]
		if end.doc.Event != nil && end.doc.Event.Kind == lastnight.EventContainer && d.Restart > end.doc.Restart {
			continue
		}
		if complains(d) {
			f := tl.factOf(d)
			f.p = p
			it := tl.itemOf(f, link, whyLastWords)
			it.from = p.component
			fo.links.add(it)
		}
	}
	return nil
}

// dying tells what a JVM prints at its end, which may stand below the last ordinary record.
func dying(text string) bool {
	return strings.HasPrefix(text, "# ") || strings.Contains(text, "# A fatal error has been detected by the Java Runtime Environment") ||
		strings.Contains(text, "Terminating due to java.lang.OutOfMemoryError")
}

// complains tells a record that says trouble: WARN and above, an exception, a dying JVM, or stderr without a level.
func complains(d *lastnight.Document) bool {
	switch d.Level {
	case "ERROR", "FATAL":
		return true
	case "WARN":
		return len(d.Exception) > 0
	}
	return len(d.Exception) > 0 || dying(d.Text) || d.Level == "" && d.Stderr && d.Text != ""
}
