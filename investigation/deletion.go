package investigation

import (
	"slices"
	"strings"
	"time"
)

const (
	togetherWithin = 20 * time.Second // deletions of a workload's pods that belong together
	cordonBefore   = 15 * time.Minute // how long before a pod's deletion its node may have been cordoned
	drainWithin    = 2 * time.Minute  // the same, when the whole workload goes
)

// downtime is a time in which the workload was taken down: its job had come to its end, or
// somebody deleted it. What ends in it ends on purpose.
type downtime struct {
	from, to time.Time // to: when it was started again; zero: never
	events   time.Time // when it began by the events, which have only seconds; zero: as from
	deleted  bool      // somebody deleted the workload; else its job had ended
	state    string    // the state in which the job ended, if it did
	first    *fact     // what tells of it
}

func (d *downtime) covers(t time.Time) bool {
	return !t.Before(d.from) && (d.to.IsZero() || t.Before(d.to))
}

// downtimes finds when the workload was taken down. nodes has the changes of the nodes.
func (tl *timeline) downtimes(nodes *nodeHistory) []downtime {
	var list []downtime
	if tl.flink && tl.singleJob() {
		list = tl.ends()
	}
	list = append(list, tl.deletions(nodes, list)...)
	slices.SortStableFunc(list, func(a, b downtime) int { return a.from.Compare(b.from) })
	return list
}

// singleJob tells a cluster that exists for one job.
func (tl *timeline) singleJob() bool {
	name := ""
	for _, n := range tl.jobs {
		if name != "" && n != name {
			return false
		}
		name = n
	}
	return true
}

func terminal(state string) bool {
	return state == stateFailed || state == stateFinished || state == stateCanceled
}

// ends finds the times after the job of a single-job cluster came to its end.
func (tl *timeline) ends() []downtime {
	var list []downtime
	for i := range tl.facts {
		f := &tl.facts[i]
		state := f.tr.to
		if f.kind == factShutdown {
			state = stateFailed
		} else if f.kind != factTransition || !terminal(state) {
			continue
		}
		if n := len(list); n > 0 && list[n-1].covers(f.t) {
			continue // said once more
		}
		list = append(list, downtime{from: f.t, to: tl.nextStart(f.t), state: state, first: f})
	}
	return list
}

// nextStart is when a JobManager begins after t.
func (tl *timeline) nextStart(t time.Time) time.Time {
	for i := range tl.facts {
		f := &tl.facts[i]
		if !f.t.After(t) {
			continue
		}
		if f.kind == factJobManagerStart || f.kind == factTransition && f.tr.from == stateCreated {
			return f.t
		}
	}
	return time.Time{}
}

// deletions finds the times in which every living pod of the workload was deleted at once. After the
// end of its job Flink does that itself.
func (tl *timeline) deletions(nodes *nodeHistory, ends []downtime) []downtime {
	var list []downtime
	tl.each(func(p *podInfo) {
		if p.asked.IsZero() || tl.flink && p.component != fromJobManager || !tl.flink && tl.replacedSoon(p) {
			return
		}
		from := p.asked
		for _, d := range slices.Concat(list, ends) {
			if d.covers(from) || d.covers(from.Add(999*time.Millisecond)) && !tl.toldBefore(from, d.from) {
				return
			}
		}
		if tl.flink && !tl.redeployed(p) && (tl.survivor(p) || tl.leftAlone(p) && tl.replacedSoon(p)) {
			return
		}
		if tl.disrupted(p) || tl.drained(nodes, p) {
			return
		}
		d := downtime{from: from, deleted: true}
		tl.precise(&d)
		d.to = tl.nextStart(d.from.Add(time.Second))
		list = append(list, d)
	})
	return list
}

// toldBefore tells whether a process of the workload says that it was told to end in [from, to): in the second of
// an event, records show what came first.
func (tl *timeline) toldBefore(from, to time.Time) bool {
	return slices.ContainsFunc(tl.between(from, to), func(f fact) bool {
		return f.kind == factSigterm && f.t.Before(to) && f.p != nil && !f.p.stoppedByFlink
	})
}

// precise finds the first record or event of the deletion. Records have exact times, so
// the deletion begins with the first of them when an event tells of it in the same second.
func (tl *timeline) precise(d *downtime) {
	var event, record *fact
	for i := range tl.facts {
		f := &tl.facts[i]
		if f.kind != factSigterm && f.kind != factKilling && f.kind != factPodDeleted || f.t.Before(d.from.Add(-togetherWithin)) || f.t.After(d.from.Add(togetherWithin)) || f.p == nil || f.p.stoppedByFlink || tl.endedBefore(f.p, f.p.asked) {
			continue
		}
		if f.doc.Event == nil && record == nil {
			record = f
		}
		if f.doc.Event != nil && event == nil {
			event = f
		}
	}
	if event != nil {
		d.events = event.t
	}
	switch {
	case record != nil: // events have only seconds, so they seem earlier than they were
		d.from, d.first = record.t, record
	case event != nil:
		d.from, d.first = event.t, event
	}
}

// drained tells whether every pod that was deleted with p stood on a node that had just been cordoned.
func (tl *timeline) drained(nodes *nodeHistory, p *podInfo) bool {
	all := true
	tl.each(func(q *podInfo) {
		if q.asked.IsZero() || q.asked.Sub(p.asked).Abs() > togetherWithin {
			return
		}
		if q.node == "" || nodes.cordoned(q.node, q.asked.Add(-drainWithin), q.asked.Add(2*time.Second)) == nil {
			all = false
		}
	})
	return all
}

// survivor tells whether another pod of the cluster lived on when p was deleted: it was not told to end with p, and
// is still there, or lived on beside the pod that came in p's place.
func (tl *timeline) survivor(p *podInfo) bool {
	found := false
	tl.each(func(q *podInfo) {
		if q == p || q.started.IsZero() || !q.started.Before(p.asked.Add(-time.Second)) {
			return
		}
		if !q.ended.IsZero() && q.ended.Before(p.asked.Add(-togetherWithin)) {
			return
		}
		if q.asked.IsZero() || q.asked.Sub(p.asked) > togetherWithin {
			found = found || q.ended.IsZero() || q.ended.Sub(p.asked) > 2*time.Minute || tl.replacedBefore(p, q.ended.Add(-togetherWithin))
		}
	})
	return found
}

// leftAlone tells whether p was the only pod that lived.
func (tl *timeline) leftAlone(p *podInfo) bool {
	alone := true
	tl.each(func(q *podInfo) {
		if q != p && !q.started.IsZero() && q.started.Before(p.asked) && (q.ended.IsZero() || !q.ended.Before(p.asked.Add(-togetherWithin))) {
			alone = false
		}
	})
	return alone
}

// redeployed tells whether the pod gave way to one of another ReplicaSet: somebody changed the deployment.
func (tl *timeline) redeployed(p *podInfo) bool {
	found := false
	tl.each(func(q *podInfo) {
		if q != p && q.component == p.component && p.owner != "" && q.owner != "" && q.owner != p.owner {
			if b := q.birth(); !b.IsZero() && b.Sub(p.asked).Abs() < 2*time.Minute {
				found = true
			}
		}
	})
	return found
}

// replacedSoon tells whether a pod of the same sort came within a minute of p's deletion.
func (tl *timeline) replacedSoon(p *podInfo) bool {
	return tl.replacedBefore(p, p.asked.Add(time.Minute))
}

// replacedBefore tells whether a pod of the same sort came between p's deletion and t.
func (tl *timeline) replacedBefore(p *podInfo, t time.Time) bool {
	found := false
	tl.each(func(q *podInfo) {
		if q != p && q.component == p.component {
			if b := q.birth(); !b.IsZero() && !b.Before(p.asked.Add(-time.Second)) && b.Before(t) {
				found = true
			}
		}
	})
	return found
}

// disrupted tells whether Kubernetes itself wanted the pod away: evicted, preempted, tainted.
func (tl *timeline) disrupted(p *podInfo) bool {
	for i := range tl.facts {
		f := &tl.facts[i]
		if f.p == p && f.doc.Event != nil && isDisruption(f.reason) {
			return true
		}
	}
	return false
}

// crashed tells whether a container of the pod ended by a signal that nobody sends to stop one.
func (tl *timeline) crashed(p *podInfo) bool {
	return slices.ContainsFunc(tl.facts, func(f fact) bool {
		return f.p == p && f.kind == factContainerEnd && (f.reason == "OOMKilled" || bySignal(f.exit))
	})
}

// bySignal tells the exit code of a process that a signal ended, other than those that stop it: SIGTERM and SIGKILL.
func bySignal(exit int) bool { return exit > 128 && exit != 137 && exit != 143 }

func isDisruption(reason string) bool {
	switch reason {
	case "Evicted", "EvictionByEvictionAPI", "PreemptionByScheduler", "DeletionByTaintManager", "TaintManagerEviction", "TerminationByKubelet", "Preempted", "NodeShutdown", "NodeLost":
		return true
	}
	return false
}

// abnormalEnd tells whether the end of a container was nobody's wish.
func (tl *timeline) abnormalEnd(f *fact) bool {
	if f.p == nil || f.exit == 0 || f.exit < 0 && f.reason != "OOMKilled" {
		return false
	}
	switch f.reason {
	case "OOMKilled":
		return true
	case "Completed", "ContainerStatusUnknown":
		return false
	}
	if bySignal(f.exit) {
		return true
	}
	if f.p.stoppedByFlink {
		return false
	}
	if !f.p.asked.IsZero() && f.p.asked.Before(f.t.Add(time.Second)) {
		return false // it was told to end; of the end only the second may be known
	}
	return f.exit != 143 || !strings.Contains(f.doc.Text, "SIGTERM")
}
