package investigation

import (
	"context"
	"fmt"
	"maps"
	"time"

	"lastnight"
)

const (
	lookAhead  = 6 * time.Hour // further than needed is looked, so that the next marks of a workload need no other look
	lookAlone  = 8             // workloads that are looked for one by one; more of them at once
	maxOutlook = 50_000        // outlooks that are remembered; beyond it all are forgotten
)

// openingQuery finds every document that may open a failover, and some that do not (mayOpen).
const openingQuery = "kind:event or signal:(transition or lifecycle or planned)"

// outlook is what is known of a workload without its timeline: whether anything of a time may open a failover. Healthy
// jobs log errors all day, and of most of them this is all that is ever read.
type outlook struct {
	seen  stretch // of this time everything was looked at, and what came since was marked as evidence only
	opens stretch // from the first to the last document in it that may open a failover; zero: there is none
}

// mayOpen tells whether anything in [from, to) may open a failover; what was not looked at may.
func (o *outlook) mayOpen(from, to time.Time) bool {
	if o == nil || from.Before(o.seen.from) || to.After(o.seen.to) {
		return true
	}
	return !o.opens.from.IsZero() && o.opens.from.Before(to) && !o.opens.to.Before(from)
}

// note takes a document that may open a failover.
func (o *outlook) note(t time.Time) {
	if o.opens.from.IsZero() {
		o.opens = stretch{t, t}
		return
	}
	o.opens = o.opens.with(stretch{t, t})
}

// mayOpen tells whether a document may open a failover, whatever else is known. Its record has one of the signals of
// openingQuery (the recognizer sees to that).
func mayOpen(d *lastnight.Document) bool {
	f := fact{doc: d, exit: -1}
	if d.Event != nil {
		eventFact(&f, d.Event)
	} else {
		recordFact(&f, message(d))
	}
	switch f.kind {
	case factTransition, factShutdown, factContainerEnd, factWorkerTerminated, factSigterm, factKilling, factPodDeleted,
		factJobManagerStart, factStopRequested, factPodTrouble:
		return true
	default: // the others only explain
	}
	return false
}

// around is the time that must be known to tell whether news are of a failover: the incidents that go on into it began there.
func (n news) around() stretch { return stretch{n.from.Add(-maxReadBefore), n.to.Add(readAfter)} }

// look learns of the workloads of a round whether anything around what is new may open a failover. What is only
// evidence changes nothing in that, so it asks the store no more than once in a while.
func (d *Detector) look(ctx context.Context, work map[workloadKey]news) error {
	if len(d.outlooks)+len(work) > maxOutlook {
		clear(d.outlooks)
	}
	unknown := map[workloadKey]*outlook{}
	for k, n := range work {
		o, s := d.outlooks[k], n.around()
		if !n.opens && o != nil && !s.from.Before(o.seen.from) && !s.to.After(o.seen.to) {
			continue
		}
		unknown[k] = &outlook{seen: stretch{s.from, s.to.Add(lookAhead)}}
	}
	if len(unknown) > lookAlone {
		if err := d.lookAt(ctx, lastnight.SearchRequest{}, unknown); err != nil {
			return err
		}
	} else {
		for k, o := range unknown {
			one := map[workloadKey]*outlook{k: o}
			if err := d.lookAt(ctx, lastnight.SearchRequest{Namespace: k.namespace, Job: k.workload}, one); err != nil {
				return err
			}
		}
	}
	maps.Copy(d.outlooks, unknown)
	return nil
}

// lookAt fills in outlooks from the documents of a request, in the time that they cover together.
func (d *Detector) lookAt(ctx context.Context, req lastnight.SearchRequest, of map[workloadKey]*outlook) error {
	var all stretch
	for _, o := range of {
		if all.from.IsZero() {
			all = o.seen
		}
		all = all.with(o.seen)
	}
	req.Important, req.Oldest, req.Query, req.Start, req.End = true, true, openingQuery, all.from, all.to
	for doc, err := range d.cfg.Source.Search(ctx, req) {
		if err != nil {
			return fmt.Errorf("look for what opens failovers: %w", err)
		}
		if !mayOpen(&doc) {
			continue
		}
		for _, k := range [...]workloadKey{{doc.Namespace, doc.Job}, {doc.Namespace, doc.FlinkJob}, {"", doc.Job}, {"", doc.FlinkJob}} {
			// As a search for a job finds them, without a namespace in any.
			if o := of[k]; o != nil && !doc.Time.Before(o.seen.from) && doc.Time.Before(o.seen.to) {
				o.note(doc.Time)
			}
		}
	}
	return nil
}
