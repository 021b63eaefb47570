package investigation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"lastnight"
)

const (
	mergeWithin = 10 * time.Minute // failovers of the same cause that are nearer are one incident
	lookback    = 15 * time.Minute // evidence may be so much older than the opener
)

// investigator works on one workload, once.
type investigator struct {
	source    Source
	catalogue *Catalogue
	now       time.Time
}

// investigate computes the incidents of a workload that begin in [from, to). unsettled says
// that something may still become an incident by mere passing of time.
func (x *investigator) investigate(ctx context.Context, k workloadKey, from, to time.Time) (found []lastnight.Incident, unsettled bool, err error) {
	tl, err := x.loadTimeline(ctx, k, from, to)
	if err != nil {
		return nil, false, err
	}
	nodes, err := x.loadNodes(ctx, tl, from.Add(-lookback), to)
	if err != nil {
		return nil, false, err
	}
	downs := tl.downtimes(nodes)
	openers, unsettled := x.openers(tl, downs)
	list := tl.failovers(openers)
	if err := x.settle(ctx, tl, list, downs, to); err != nil {
		return nil, false, err
	}
	before := map[string]*failover{}
	for _, fo := range list {
		fo.follow(before[fo.job])
		before[fo.job] = fo
		if err := x.link(ctx, tl, nodes, fo); err != nil {
			return nil, false, err
		}
		if !fo.planned {
			x.rankCauses(tl, nodes, fo)
		}
	}
	for _, group := range x.merge(list) {
		found = append(found, x.incident(tl, group, downs))
	}
	return found, unsettled, nil
}

// follow sets from when on evidence counts, after the failover before.
func (fo *failover) follow(prev *failover) {
	fo.from, fo.lostFrom = fo.start.Add(-lookback), fo.start.Add(-endNear)
	if prev == nil {
		return
	}
	if last := prev.openers[len(prev.openers)-1].f.t; last.After(fo.from) {
		fo.from = last
	}
	if prev.ran != nil && prev.ran.t.After(fo.lostFrom) && prev.ran.t.Before(fo.start) {
		fo.lostFrom = prev.ran.t
	}
}

// merge groups failovers to incidents.
func (x *investigator) merge(list []*failover) [][]*failover {
	var groups [][]*failover
	for _, fo := range list {
		joined := false
		for i := len(groups) - 1; i >= 0 && !joined; i-- {
			prev := groups[i][len(groups[i])-1]
			if prev.job == fo.job && prev.planned == fo.planned {
				if x.belong(prev, fo) {
					groups[i] = append(groups[i], fo)
					joined = true
				}
				break
			}
		}
		if !joined {
			groups = append(groups, []*failover{fo})
		}
	}
	return groups
}

// belong tells whether two failovers in a row are one incident.
func (x *investigator) belong(a, b *failover) bool {
	last := a.openers[len(a.openers)-1].f.t
	if a.recovered && a.end.After(last) {
		last = a.end
	}
	if a.planned || a.deleted || b.start.Sub(last) >= mergeWithin {
		return false
	}
	ta, tb := a.rank.top(), b.rank.top()
	switch {
	case ta == nil || tb == nil || !a.recovered:
		return true
	case ta.e.ID == tb.e.ID, ta.e.below[tb.e.ID], tb.e.below[ta.e.ID]:
		return true
	}
	// The same evidence may be ranked in another order.
	ca, cb := a.rank.all[tb.e.ID], b.rank.all[ta.e.ID]
	return ca != nil && !ca.onlyWeak && ca.score >= 0.5*ta.score || cb != nil && !cb.onlyWeak && cb.score >= 0.5*tb.score
}

// best gives the failover of a group whose cause is the incident's: that of the strongest
// evidence, the first of them, and a cause before a symptom. If that one is over and done, such as a process
// that was killed, and the job did not come back, then what it failed of since.
func best(group []*failover) *failover {
	var b *failover
	weight := func(fo *failover) float64 {
		t := fo.rank.top()
		switch {
		case t == nil:
			return 0
		case t.e.Role == roleSymptom:
			return t.score / 2
		}
		return t.score
	}
	for _, fo := range group {
		if b == nil || weight(fo) > weight(b)+0.04 {
			b = fo
		}
	}
	top := b.rank.top()
	if top == nil || top.e.ActionNeeded || group[len(group)-1].recovered {
		return b
	}
	for _, fo := range group[slices.Index(group, b):] {
		if fo.rank.top().keepsDown(top) {
			return fo
		}
	}
	return b
}

// incident makes the incident of a group of failovers.
func (x *investigator) incident(tl *timeline, group []*failover, downs []downtime) lastnight.Incident {
	first, last := group[0], group[len(group)-1]
	in := lastnight.Incident{
		Namespace: tl.key.namespace, Job: tl.jobName(first), Workload: tl.key.workload, Cluster: first.openers[0].f.doc.Cluster,
		Start: first.start.UTC(), Failovers: len(group), Planned: first.planned, Recovered: last.recovered,
		Similar: []lastnight.Similar{},
	}
	in.ID = incidentID(in.Namespace, in.Job, first.openers[0].f)
	for _, fo := range group {
		if fo.rank != nil && len(fo.openers) > 1 {
			in.Failovers += crashes(fo) - 1
		}
	}
	in.End = endOf(group)
	in.Open = !last.recovered && last.givenUp == nil && !first.planned
	if first.planned {
		x.diagnosePlanned(tl, group, &in)
	} else {
		x.diagnose(tl, group, downs, &in)
	}
	return in
}

// crashes counts the failovers that one stands for when it never ran in between: the ends of containers
// of one pod, at least one.
func crashes(fo *failover) int {
	byPod := map[string]int{}
	most := 1
	for _, o := range fo.openers {
		if o.kind == openedByContainer && o.f.kind == factContainerEnd {
			byPod[o.f.pod]++
			most = max(most, byPod[o.f.pod])
		}
	}
	return most
}

// endOf is when a group of failovers was over: recovered, given up, or its last signal so far.
func endOf(group []*failover) time.Time {
	last := group[len(group)-1]
	switch {
	case last.recovered:
		return last.end.UTC()
	case last.givenUp != nil:
		return last.givenUp.t.UTC()
	case last.ran != nil:
		return last.ran.t.UTC()
	}
	return last.openers[len(last.openers)-1].f.t.UTC()
}

// incidentID derives an id from the job and its first opener.
func incidentID(namespace, job string, f *fact) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{namespace, job, f.doc.ID}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// diagnose fills in what is said of an unplanned incident.
func (x *investigator) diagnose(tl *timeline, group []*failover, downs []downtime, in *lastnight.Incident) {
	d := &in.Diagnosis
	b := best(group)
	top := b.rank.top()
	d.Alternatives = alternatives(b.rank)
	if top != nil {
		d.Explained, d.Cause, d.Title, d.Layer, d.Severity = true, top.e.ID, top.e.Title, top.e.Layer, top.e.Severity
		d.Advice, d.ActionNeeded, d.Confidence = top.e.Advice, top.e.ActionNeeded, b.rank.confidence()
	} else {
		d.Advice = "Nothing in the records and events of that time explains it. Look at the records just before the first change of state; a label on what you find explains the next one."
		d.Severity, d.ActionNeeded = "high", !in.Recovered
	}
	if !in.Recovered && !(top != nil && top.e.ID == plannedCause) {
		d.ActionNeeded = true
	}
	c := newChain(tl, x.catalogue, top)
	for _, fo := range group {
		c.failover(fo)
	}
	c.recovery(group[len(group)-1])
	c.aftermath(group[len(group)-1], downs)
	d.Chain = c.evidence()
	d.Verdict = verdict(in, c)
	in.Features = features(group, top)
}

const plannedCause = "planned-upgrade"

// diagnosePlanned fills in what is said of what somebody asked for.
func (x *investigator) diagnosePlanned(tl *timeline, group []*failover, in *lastnight.Incident) {
	d := &in.Diagnosis
	d.Explained, d.Cause, d.Confidence, d.Alternatives = true, plannedCause, 0.95, []lastnight.Alternative{}
	d.Title, d.Severity, d.Layer = "Stopped, upgraded or deleted on request", "info", "job-config"
	if e := x.catalogue.byID[plannedCause]; e != nil {
		d.Title, d.Severity, d.Layer, d.Advice = e.Title, e.Severity, e.Layer, e.Advice
	}
	c := newChain(tl, x.catalogue, nil)
	for _, fo := range group {
		for _, it := range tl.plannedItems(fo) {
			c.put(it, plannedRole(it.f), plannedCause, 5)
		}
	}
	d.Chain = c.evidence()
	d.Verdict = verdict(in, c)
	in.Features = []string{"cause:" + plannedCause}
}

func plannedRole(f *fact) string {
	switch f.kind {
	case factRestore, factJobManagerStart:
		return lastnight.RoleRecovery
	case factTransition:
		if f.tr.to == stateRunning {
			return lastnight.RoleRecovery
		}
		return lastnight.RoleEffect
	case factStopRequested:
		return lastnight.RoleCause
	default: // the others tell nothing here
	}
	return lastnight.RoleEffect
}

// alternatives lists the causes that were ranked below the named one.
func alternatives(r *ranking) []lastnight.Alternative {
	out := []lastnight.Alternative{}
	top := r.top()
	for _, c := range r.list {
		if c != top && c.score >= 0.15 && len(out) < 4 {
			share := 0.7
			if top != nil {
				share = 0.3 * c.score / top.score
			}
			out = append(out, lastnight.Alternative{Cause: c.e.ID, Title: c.e.Title, Confidence: float64(int(100*c.score*share)) / 100})
		}
	}
	return out
}

// features is what an incident is compared by.
func features(group []*failover, top *candidate) []string {
	set, near := map[string]bool{}, map[string]bool{}
	if top != nil {
		set["cause:"+top.e.ID], set["layer:"+top.e.Layer] = true, true
	}
	for _, fo := range group {
		for _, it := range fo.links.items {
			d := it.f.doc
			if it.why == whyNear && d.Template != "" && len(near) < maxNear {
				near["near:"+d.Template] = true // says nothing by itself; a label on it may
			}
			if it.why == whyNear || len(set) > 60 {
				continue
			}
			switch {
			case d.Event != nil && d.Event.Kind == lastnight.EventContainer || d.Event != nil && it.why != whyFailure:
				set["reason:"+d.Event.Reason] = true
				if it.f.exit > 0 {
					set["exit:"+itoa(it.f.exit)] = true
				}
			case it.why == whyFailure && len(d.Exception) > 0:
				set["exception:"+d.Exception[len(d.Exception)-1]] = true
				if f := firstUserFrame(it.text); f != "" {
					set["frame:"+f] = true
				}
			}
			if d.Template != "" && it.link >= linkUpstream {
				set["template:"+d.Template] = true
			}
		}
	}
	out := slices.AppendSeq(slices.Collect(maps.Keys(set)), maps.Keys(near))
	slices.Sort(out)
	return out
}

// maxNear is how many templates of what was written nearby are kept with an incident.
const maxNear = 30

// firstUserFrame gives class and method of the first frame that is neither Flink's nor the JDK's.
func firstUserFrame(text string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if isFrame(line) && !platformFrame(line) {
			f, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "at "), "(")
			return f
		}
	}
	return ""
}
