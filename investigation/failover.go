package investigation

import (
	"slices"
	"sort"
	"strings"
	"time"

	"lastnight"
)

const (
	sameFailover    = time.Minute      // a container's end and a change of state that are nearer belong together
	pendingTooLong  = 60 * time.Second // a pod that does not find a node
	troubleTooLong  = 20 * time.Second // a pod whose image, configuration or volume is missing
	settleWithin    = 30 * time.Second // what a failover still brings after it
	stopBeforeState = 2 * time.Minute  // between the wish to stop and the change of state
)

// openerKind says why a failover is one.
type openerKind uint8

const (
	openedByState     openerKind = iota // the job left RUNNING, or failed before it
	openedByContainer                   // a container ended abnormally
	openedByPending                     // a pod does not come in time
	openedByRequest                     // somebody asked for it
)

// opener is what makes a failover.
type opener struct {
	kind openerKind
	f    *fact
	job  string // Flink job; "" is the whole workload
}

// failover is a job leaving RUNNING, or never reaching it, until it runs again or is given up.
type failover struct {
	job       string
	start     time.Time
	end       time.Time // RUNNING again, recovered or given up; zero: not yet
	openers   []opener
	planned   bool
	ran       *fact // the change to RUNNING that ended it, if it did
	recovered bool
	doneBy    *fact     // what shows the recovery
	givenUp   *fact     // the job's end, or the workload's deletion
	deleted   bool      // given up because somebody deleted the workload
	limit     time.Time // where the next failover of the job begins, or what is known ends
	removal   *downtime // the next deletion of the workload; nil: none

	from     time.Time // evidence is not looked for before
	lostFrom time.Time // nor are pods that went away
	links    *linked
	rank     *ranking
}

// openers finds what opens failovers, in time order.
func (x *investigator) openers(tl *timeline, downs []downtime) (list []opener, unsettled bool) {
	down := func(t time.Time) bool {
		return slices.ContainsFunc(downs, func(d downtime) bool { return d.covers(t) })
	}
	requested := time.Time{}
	for i := range tl.facts {
		f := &tl.facts[i]
		switch f.kind {
		case factStopRequested:
			requested = f.t
			if !down(f.t) {
				list = append(list, opener{openedByRequest, f, tl.jobs[idAfter(f.doc.Text, " for job ")]})
			}
		case factTransition:
			if o, ok := stateOpener(f, downs, requested); ok {
				list = append(list, o)
			}
		case factShutdown:
			if slices.ContainsFunc(downs, func(d downtime) bool { return d.first == f }) {
				list = append(list, opener{openedByState, f, ""})
			}
		case factContainerEnd, factWorkerTerminated:
			if f.kind == factWorkerTerminated && f.p.events || down(f.t.Add(-time.Second)) || down(f.t.Add(time.Second)) {
				continue
			}
			if tl.abnormalEnd(f) {
				list = append(list, opener{openedByContainer, f, ""})
			}
		case factSigterm, factKilling, factPodDeleted:
			if tl.flink && f.p.component == fromJobManager && !f.p.started.IsZero() && f.p.asked.Equal(f.t) && !down(f.t) && !down(f.t.Add(time.Second)) && !aboutToEnd(downs, f.t) {
				list = append(list, opener{openedByContainer, f, ""})
			}
		case factJobManagerStart:
			if f.doc.Restart > 0 && f.p != nil && !f.p.events && !down(f.t.Add(-time.Second)) && !slices.ContainsFunc(list, func(o opener) bool { return o.f.doc.Pod == f.doc.Pod && o.f.doc.Restart == f.doc.Restart }) {
				list = append(list, opener{openedByContainer, f, ""})
			}
		default: // the others tell nothing here
		}
	}
	pending, unsettled := x.pending(tl, downs, down)
	list = append(list, pending...)
	for i := range downs {
		if d := &downs[i]; d.deleted && !slices.ContainsFunc(downs[:i], func(e downtime) bool { return e.covers(d.from) }) {
			list = append(list, opener{openedByRequest, d.first, ""})
		}
	}
	list = slices.DeleteFunc(list, func(o opener) bool { return o.f == nil })
	slices.SortStableFunc(list, func(a, b opener) int { return a.f.t.Compare(b.f.t) })
	return list, unsettled
}

// aboutToEnd tells whether t is in the seconds before the workload was taken down, by clocks that differ.
func aboutToEnd(downs []downtime, t time.Time) bool {
	return slices.ContainsFunc(downs, func(d downtime) bool { return t.Before(d.from) && d.from.Sub(t) < togetherWithin })
}

// stateOpener judges a change of state.
func stateOpener(f *fact, downs []downtime, requested time.Time) (opener, bool) {
	tr := f.tr
	for i := range downs {
		if d := &downs[i]; d.covers(f.t) && d.first != f {
			return opener{}, false
		}
	}
	byRequest := !requested.IsZero() && f.t.Sub(requested) < stopBeforeState
	switch tr.to {
	case stateRestarting, stateFailing, stateFailed, stateSuspended:
		if tr.from == stateCancelling || tr.from == stateFailing && tr.to == stateFailed {
			return opener{}, false
		}
		for i := range downs { // told to end in the same moment
			if d := &downs[i]; d.deleted && d.from.Sub(f.t).Abs() < 2*time.Second && !f.t.Before(d.from.Truncate(time.Second)) {
				return opener{}, false
			}
		}
		return opener{openedByState, f, tr.name}, true
	case stateCancelling, stateCanceled:
		return opener{openedByRequest, f, tr.name}, tr.to == stateCancelling || tr.from == stateRunning
	case stateFinished:
		return opener{openedByRequest, f, tr.name}, byRequest
	}
	return opener{}, false
}

// pending finds pods that did not come in time. unsettled: some may still be about to be late.
func (x *investigator) pending(tl *timeline, downs []downtime, down func(time.Time) bool) (list []opener, unsettled bool) {
	type wait struct {
		first *fact
		hard  int
	}
	waits := map[*podInfo]*wait{}
	var order []*podInfo
	well := false // the job runs: since it last came to RUNNING a checkpoint has completed
	for i := range tl.facts {
		f := &tl.facts[i]
		switch f.kind {
		case factTransition, factContainerEnd, factJobManagerStart:
			well = false
		case factCheckpointDone:
			well = true
		default:
		}
		if f.kind != factPodTrouble || f.p == nil || well || down(f.t) || crashBackOff(f) {
			continue
		}
		if w := waits[f.p]; w != nil {
			w.hard++
			continue
		}
		waits[f.p] = &wait{first: f}
		order = append(order, f.p)
	}
	for _, p := range order {
		w := waits[p]
		tooLong := troubleTooLong
		if w.first.reason == "FailedScheduling" || w.first.reason == "Unschedulable" {
			tooLong = pendingTooLong
		}
		until := x.now
		if s := tl.startAfter(p, w.first.t); !s.IsZero() {
			until = s
		} else if !p.asked.IsZero() && p.asked.After(w.first.t) {
			until = p.asked
		}
		for i := range downs {
			if d := &downs[i]; d.from.After(w.first.t) && d.from.Before(until) {
				until = d.from
			}
		}
		switch {
		case until.Sub(w.first.t) >= tooLong:
			list = append(list, opener{openedByPending, w.first, ""})
		case until.Equal(x.now):
			unsettled = true
		}
	}
	return list, unsettled
}

// crashBackOff tells the waiting that follows a crash, which the crash itself tells better.
func crashBackOff(f *fact) bool {
	return f.reason == "BackOff" && strings.Contains(f.doc.Text, "restarting failed container")
}

// startAfter is when a container of the pod began after t, of a virtual pod any container.
func (tl *timeline) startAfter(p *podInfo, t time.Time) time.Time {
	starts := p.starts
	if p.virtual {
		starts = tl.starts
	}
	i := sort.Search(len(starts), func(i int) bool { return !starts[i].Before(t) })
	if i == len(starts) {
		return time.Time{}
	}
	return starts[i]
}

// failovers groups openers. Of a session cluster, what happens to a container goes to the jobs that failed over with it.
func (tl *timeline) failovers(openers []opener) []*failover {
	var list []*failover
	for _, job := range tl.jobsOf(openers) {
		var open *failover
		for _, o := range openers {
			if o.job != "" && o.job != job || o.job == "" && !tl.concerns(o, job, openers) {
				continue
			}
			planned := o.kind == openedByRequest
			if open != nil && open.planned == planned && tl.continues(open, o) {
				open.openers = append(open.openers, o)
				continue
			}
			open = &failover{job: job, start: o.f.t, planned: planned, openers: []opener{o}}
			list = append(list, open)
		}
	}
	slices.SortStableFunc(list, func(a, b *failover) int { return a.start.Compare(b.start) })
	return list
}

// jobsOf gives the jobs that openers are told apart by: the one "" unless it is a session cluster.
func (tl *timeline) jobsOf(openers []opener) []string {
	if tl.singleJob() {
		for i := range openers {
			openers[i].job = ""
		}
		return []string{""}
	}
	var names []string
	for _, o := range openers {
		if o.job != "" && !slices.Contains(names, o.job) {
			names = append(names, o.job)
		}
	}
	return append(names, "")
}

// concerns tells whether an opener of the whole workload goes to a job: to each that failed over near
// it, to "" when there is none.
func (tl *timeline) concerns(o opener, job string, openers []opener) bool {
	if tl.singleJob() {
		return true
	}
	near := func(name string) bool {
		return slices.ContainsFunc(openers, func(p opener) bool {
			return p.job != "" && (name == "" || p.job == name) && p.kind == openedByState && p.f.t.Sub(o.f.t).Abs() < sameFailover
		})
	}
	if job == "" {
		return !near("")
	}
	return near(job)
}

// continues tells whether an opener belongs to a failover that is open: the job has not run
// again since, or the two are so near that one brought the other.
func (tl *timeline) continues(open *failover, o opener) bool {
	last := open.openers[len(open.openers)-1]
	if o.f.t.Sub(last.f.t) < 2*time.Second {
		return true
	}
	ran := tl.runningAfter(open.job, last.f.t, o.f.t)
	if ran == nil {
		return o.f.t.Sub(last.f.t) < mergeWithin
	}
	return o.kind == openedByContainer && o.f.t.Sub(last.f.t) < settleWithin && last.kind == openedByState
}

// runningAfter gives the first change to RUNNING in (after, before).
func (tl *timeline) runningAfter(job string, after, before time.Time) *fact {
	facts := tl.between(after, before)
	for i := range facts {
		f := &facts[i]
		if f.kind == factTransition && f.tr.to == stateRunning && (job == "" || f.tr.name == job) && f.t.After(after) && f.t.Before(before) {
			return f
		}
	}
	return nil
}

// jobName is how a failover's job is called: the workload, or the job of a session cluster.
func (tl *timeline) jobName(fo *failover) string {
	if fo.job != "" {
		return fo.job
	}
	return tl.key.workload
}

// ownDocument tells whether a document of the workload may speak of the failover's job: of
// another Flink job of the same cluster it does not.
func (tl *timeline) ownDocument(fo *failover, d *lastnight.Document) bool {
	if fo.job == "" {
		return true
	}
	name := d.FlinkJob
	if name == "" && d.FlinkJobID != "" {
		name = tl.jobs[d.FlinkJobID]
	}
	return name == "" || name == fo.job
}
