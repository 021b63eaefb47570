package investigation

import (
	"slices"
	"strings"
	"time"

	"lastnight"
)

// relation is a judgement over several documents that holds, and those documents.
type relation struct {
	strength float64
	items    []*item
}

// relations judges a failover.
func (x *investigator) relations(tl *timeline, nodes *nodeHistory, fo *failover) map[string]relation {
	rel := map[string]relation{}
	set := func(name string, strength float64, items []*item) {
		if len(items) > 0 {
			rel[name] = relation{strength, items}
		}
	}
	l := fo.links
	set(relTaskFailedInUserCode, 0.6, l.where(func(it *item) bool { return it.why == whyFailure && userCode(it) }))
	set(relContainerEnded, 0.4, l.where(func(it *item) bool {
		again := it.f.kind == factJobManagerStart && it.f == fo.openers[0].f // without events the start is all that tells of the end
		return it.why != whyUpstream && (it.f.kind == factContainerEnd && tl.abnormalEnd(it.f) || again)
	}))
	set(relUpstreamDown, 0.95, l.where(func(it *item) bool { return it.why == whyUpstream }))
	tl.deletionRelations(nodes, fo, set)
	tl.heartbeatRelations(nodes, fo, set)
	set(relProbeFailed, 0.93, fo.links.where(func(it *item) bool { return killedByProbe(it, fo.links) }))
	mounts := l.where(func(it *item) bool { return it.why == whyPending && it.f.reason == "FailedMount" })
	set(relMountConfig, 0.9, slices.DeleteFunc(slices.Clone(mounts), func(it *item) bool { return !missingConfig(it.text) }))
	set(relMountKeptFailing, 0.85, slices.DeleteFunc(slices.Clone(mounts), func(it *item) bool { return missingConfig(it.text) }))
	if len(fo.openers) > 3 && fo.openers[3].f.t.Sub(fo.openers[0].f.t) < mergeWithin {
		set(relRestartStorm, 0.3, l.where(func(it *item) bool { return it.f.kind == factTransition }))
	}
	return rel
}

func (l *linked) where(is func(*item) bool) []*item {
	var out []*item
	for _, it := range l.items {
		if is(it) {
			out = append(out, it)
		}
	}
	return out
}

func missingConfig(text string) bool {
	return strings.Contains(text, "not found") && (strings.Contains(text, "configmap") || strings.Contains(text, "secret")) || strings.Contains(text, "references non-existent config key") || strings.Contains(text, "references non-existent secret key")
}

// deletionRelations judges pods that were deleted, not by Flink and not with the whole workload.
func (tl *timeline) deletionRelations(nodes *nodeHistory, fo *failover, set func(string, float64, []*item)) {
	var deleted, evicted, gone []*item
	for _, p := range fo.links.lost {
		its := fo.links.where(func(it *item) bool { return it.f.p == p && it.why == whyEnd })
		asked := !p.asked.IsZero() && p.asked.Sub(fo.start).Abs() < endNear && !p.stoppedByFlink && !fo.removedAt(p.asked)
		if asked && p.asked.Before(fo.start.Add(settleWithin)) && !tl.endedBefore(p, p.asked) {
			if f := nodes.cordoned(p.node, p.asked.Add(-cordonBefore), p.asked.Add(2*time.Second)); f != nil && p.node != "" {
				evicted = append(append(evicted, its...), fo.links.where(func(it *item) bool { return it.why == whyNode && slices.Contains(cordonReasons, it.f.reason) })...)
			} else {
				deleted = append(deleted, its...)
			}
		}
		if p.node != "" {
			if f := nodes.notReady(p.node, fo.start.Add(-5*time.Minute), fo.start.Add(10*time.Minute)); f != nil {
				gone = append(append(gone, fo.links.byID[f.doc.ID]), its...)
			}
		}
	}
	drop := func(its []*item) []*item { return slices.DeleteFunc(its, func(it *item) bool { return it == nil }) }
	strength := 0.75
	if !slices.ContainsFunc(deleted, func(it *item) bool { return it != nil && it.f.doc.Event != nil }) {
		strength = 0.5 // the process says only that it was told to end: by whom, Kubernetes knows
	}
	set(relPodDeleted, strength, drop(deleted))
	set(relEvictedFromCordoned, 0.92, drop(evicted))
	set(relNodeNotReady, 0.93, drop(gone))
}

// killedByProbe tells a failed probe in the very second in which the kubelet stopped the container: where a
// pod's containers are not restarted, the kubelet does not say otherwise why it did.
func killedByProbe(it *item, l *linked) bool {
	e := it.f.doc.Event
	if e == nil || it.f.reason != "Unhealthy" || !strings.HasPrefix(e.Message, "Liveness probe ") && !strings.HasPrefix(e.Message, "Startup probe ") {
		return false
	}
	return slices.ContainsFunc(l.items, func(k *item) bool {
		return k.f.kind == factKilling && k.f.p == it.f.p && k.f.t.Sub(it.f.t).Abs() <= time.Second
	})
}

// endedBefore tells whether the pod's container had ended by itself when deletion was asked for: then
// somebody only cleaned up.
func (tl *timeline) endedBefore(p *podInfo, t time.Time) bool {
	for i := range tl.facts {
		f := &tl.facts[i]
		if f.p == p && f.kind == factContainerEnd && !f.t.After(t) && (f.exit != 0 && f.exit != 143 || f.t.Before(t)) && f.exit != 143 {
			return true
		}
		if f.p == p && f.kind == factWorkerTerminated && f.t.Before(t.Add(time.Second)) && f.exit > 0 && f.exit != 143 {
			return true
		}
	}
	return false
}

// heartbeatRelations judges pods that fell silent although nothing ended them.
func (tl *timeline) heartbeatRelations(nodes *nodeHistory, fo *failover, set func(string, float64, []*item)) {
	var silent []*podInfo
	for _, p := range fo.links.silent {
		ended := len(fo.links.where(func(it *item) bool {
			byItself := !p.stoppedByFlink && (p.asked.IsZero() || it.f.t.Before(p.asked))
			return it.f.p == p && byItself && (it.f.kind == factContainerEnd || it.f.kind == factWorkerTerminated && it.f.exit > 0)
		})) > 0
		asked := !p.asked.IsZero() && !p.stoppedByFlink && p.asked.Before(fo.start) // whoever stopped it, Flink did so for its silence
		away := p.node != "" && nodes.notReady(p.node, fo.start.Add(-5*time.Minute), fo.start.Add(10*time.Minute)) != nil
		if !ended && !asked && !away {
			silent = append(silent, p)
		}
	}
	if len(silent) == 0 {
		return
	}
	its := fo.links.where(func(it *item) bool {
		return it.why == whyFailure && (heartbeatOf.MatchString(it.text) || unreachable.MatchString(it.text) || jobManagerSilent(it.text))
	})
	where := map[string]int{}
	for _, p := range silent {
		where[p.node]++
	}
	if len(fo.links.talks) < len(silent) {
		set(relSilentHeartbeat, 0.75, its)
	}
	if len(where) > 1 || len(fo.links.talks) > 0 {
		set(relManyNodesSilent, 0.8, its)
	}
}

// userCode tells whether an exception that Flink gives as the failure comes from the job's
// code or a library of it: its root is no class of Flink's, and a frame belongs to neither Flink nor the JDK.
func userCode(it *item) bool {
	d := it.f.doc
	if d.Event != nil || len(d.Exception) == 0 {
		return false
	}
	root := d.Exception[len(d.Exception)-1]
	if strings.HasPrefix(root, "org.apache.flink.") || root == "java.lang.InterruptedException" { // whoever was interrupted is not who failed
		return false
	}
	for line := range strings.SplitSeq(it.text, "\n") {
		if isFrame(line) && !platformFrame(line) {
			return true
		}
	}
	return false
}

var platformPackages = []string{"org.apache.flink.", "java.", "javax.", "jdk.", "sun.", "com.sun.", "org.apache.pekko.", "akka.", "scala.", "io.netty.", "... "}

func platformFrame(line string) bool {
	t := strings.TrimPrefix(strings.TrimLeft(line, " \t"), "at ")
	if i := strings.LastIndex(strings.SplitN(t, "(", 2)[0], "/"); i >= 0 { // java.base/java.lang…, app//org.apache…
		t = t[i+1:]
	}
	return slices.ContainsFunc(platformPackages, func(p string) bool { return strings.HasPrefix(t, p) })
}

// plannedCause gives the items of a failover that somebody asked for.
func (tl *timeline) plannedItems(fo *failover) []*item {
	var its []*item
	end := fo.openers[len(fo.openers)-1].f.t.Add(5 * time.Minute)
	killed := 0
	for i := range tl.facts {
		f := &tl.facts[i]
		if f.t.Before(fo.start.Add(-time.Second)) || f.t.After(end) || !tl.ownDocument(fo, f.doc) {
			continue
		}
		switch f.kind {
		case factStopRequested, factTransition, factRestore, factJobManagerStart:
		case factKilling:
			if killed++; killed > maxKilling {
				continue
			}
		case factSigterm:
			if f.p != nil && f.p.component == fromTaskManager {
				continue
			}
		default:
			continue
		}
		its = append(its, tl.itemOf(f, 1, whyFailure))
	}
	return its
}

const maxKilling = 4

var _ = lastnight.RoleCause
