package investigation

import (
	"slices"
	"strings"
	"time"

	"lastnight"
)

// linkLeader takes what the JobManager complained of before it lost its leadership.
func (x *investigator) linkLeader(tl *timeline, fo *failover) {
	if !slices.ContainsFunc(fo.links.items, func(it *item) bool {
		return it.f.kind == factLeaderLost || it.f.kind == factTransition && it.f.tr.to == stateSuspended
	}) {
		return
	}
	facts := tl.between(fo.start.Add(-2*time.Minute), fo.start.Add(time.Second))
	for i := range facts {
		f := &facts[i]
		if f.doc.Event == nil && tl.speaker(f) == fromJobManager && f.t.After(fo.start.Add(-2*time.Minute)) && !f.t.After(fo.start.Add(time.Second)) && complains(f.doc) && platformRecord(f.doc) {
			fo.links.add(tl.itemOf(f, linkLastWords, whyLastWords))
		}
	}
}

// linkCheckpoints takes what made the checkpoints fail, if that is what made the job fail.
func (x *investigator) linkCheckpoints(tl *timeline, fo *failover) {
	if !slices.ContainsFunc(fo.links.items, func(it *item) bool {
		return strings.Contains(it.text, "Exceeded checkpoint tolerable failure threshold")
	}) {
		return
	}
	from := fo.from
	facts := tl.between(fo.from, fo.start)
	for i := range facts { // checkpoints that completed say that it was well until then
		if f := &facts[i]; f.kind == factCheckpointDone && f.t.After(from) && f.t.Before(fo.start) && tl.ownDocument(fo, f.doc) {
			from = f.t
		}
	}
	for i := range facts {
		f := &facts[i]
		if f.doc.Event != nil || f.t.Before(from) || f.t.After(fo.start) || !tl.ownDocument(fo, f.doc) {
			continue
		}
		first, _, _ := strings.Cut(message(f.doc), "\n")
		if f.kind != factCheckpointDone && strings.Contains(strings.ToLower(first), "checkpoint") {
			fo.links.add(tl.itemOf(f, linkCheckpoint, whyCheckpoint))
		}
	}
}

// linkPending takes why pods did not come, where that is what the job waited for.
func (x *investigator) linkPending(tl *timeline, fo *failover) {
	waited := slices.ContainsFunc(fo.openers, func(o opener) bool { return o.kind == openedByPending }) ||
		slices.ContainsFunc(fo.links.items, func(it *item) bool {
			return it.why == whyFailure && (strings.Contains(it.text, "NoResourceAvailableException") || strings.Contains(it.text, "Could not acquire the minimum required resources"))
		})
	if !waited {
		return
	}
	facts := tl.between(fo.from, fo.until())
	for i := range facts {
		f := &facts[i]
		if f.t.Before(fo.from) || f.t.After(fo.until()) || fo.removed(f) || !tl.ownDocument(fo, f.doc) {
			continue
		}
		switch {
		case f.kind == factPodTrouble:
			if s := tl.startAfter(f.p, f.t); f.p != nil && !s.IsZero() && s.Sub(f.t) < troubleTooLong {
				continue // it came after all
			}
			if f.p != nil && f.p.component == fromTaskManager || f.t.After(fo.start.Add(-lookback)) {
				fo.links.add(tl.itemOf(f, linkPending, whyPending))
			}
		case f.doc.Event == nil && tl.speaker(f) == fromJobManager && (f.doc.Level == "WARN" || f.doc.Level == "ERROR" || strings.HasPrefix(message(f.doc), "Could not ")) && platformRecord(f.doc):
			fo.links.add(tl.itemOf(f, linkPending, whyPending))
		case f.kind == factContainerEnd || f.kind == factWorkerTerminated:
			if tl.abnormalEnd(f) {
				fo.links.add(tl.itemOf(f, linkPending, whyEnd))
			}
		}
	}
}

// platformRecord tells a record of Flink itself, not of the job's code.
func platformRecord(d *lastnight.Document) bool {
	l := d.Logger
	return strings.HasPrefix(l, "org.apache.flink.") || strings.HasPrefix(l, "org.apache.pekko.") || strings.HasPrefix(l, "akka.") || strings.HasPrefix(l, "io.fabric8.") || strings.HasPrefix(l, "o.a.f.")
}

// linkNodes takes what happened to the nodes of the pods that went away.
func (x *investigator) linkNodes(tl *timeline, nodes *nodeHistory, fo *failover) {
	for _, p := range fo.links.lost {
		if p.node == "" {
			continue
		}
		at := fo.start
		if !p.asked.IsZero() && p.asked.Sub(fo.start).Abs() < endNear {
			at = p.asked
		}
		if first := nodes.cordoned(p.node, at.Add(-cordonBefore), at.Add(2*time.Second)); first != nil && !p.asked.IsZero() {
			for i := range nodes.byNode[p.node] { // the event of the node and the change of its spec both tell of it
				if f := &nodes.byNode[p.node][i]; slices.Contains(cordonReasons, f.reason) && !f.t.Before(first.t) && f.t.Sub(first.t) < cordonBefore {
					fo.links.add(tl.itemOf(f, linkEnd, whyNode))
				}
			}
		}
		if f := nodes.notReady(p.node, fo.start.Add(-5*time.Minute), fo.start.Add(10*time.Minute)); f != nil {
			fo.links.add(tl.itemOf(f, linkEnd, whyNode))
		}
		for i := range nodes.byNode[p.node] {
			f := &nodes.byNode[p.node][i]
			if f.t.After(fo.start.Add(-5*time.Minute)) && f.t.Before(fo.until()) && (f.reason == "SystemOOM" || f.reason == "Rebooted" || f.reason == "NodeHasDiskPressure" || f.reason == "EvictionThresholdMet") {
				fo.links.add(tl.itemOf(f, linkPlatform, whyNode))
			}
		}
	}
}

// linkNear takes the other complaints of the time, weakly.
func (x *investigator) linkNear(tl *timeline, fo *failover) {
	from := fo.start.Add(-2 * time.Minute)
	if from.Before(fo.from) {
		from = fo.from
	}
	facts := tl.between(from, fo.until())
	for i := range facts {
		f := &facts[i]
		if f.t.Before(from) || f.t.After(fo.until()) || fo.removed(f) || !tl.ownDocument(fo, f.doc) {
			continue
		}
		switch {
		case f.doc.Event != nil:
			if f.doc.Event.Type == "Warning" && f.reason != "FailedMount" && f.kind != factPodTrouble {
				fo.links.add(tl.itemOf(f, linkPlatform, whyNear))
			}
		case !complains(f.doc):
		case platformRecord(f.doc):
			fo.links.add(tl.itemOf(f, linkPlatform, whyNear))
		default:
			fo.links.add(tl.itemOf(f, linkNear, whyNear))
		}
	}
}
