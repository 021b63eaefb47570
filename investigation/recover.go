package investigation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lastnight"
)

const (
	maxTaskRecords = 20_000           // records that are read to see whether every task runs again
	wellAfter      = 60 * time.Second // a container that ran so long is well again
)

// settle says how each failover went on: RUNNING, recovered, given up.
func (x *investigator) settle(ctx context.Context, tl *timeline, list []*failover, downs []downtime, to time.Time) error {
	for i, fo := range list {
		last := fo.openers[len(fo.openers)-1].f.t
		limit := to
		for _, next := range list[i+1:] {
			if next.job == fo.job && next.start.After(last) && next.start.Before(limit) && next.planned == fo.planned {
				limit = next.start
				break
			}
		}
		fo.limit = limit
		fo.ran = tl.runningAfter(fo.job, last, limit)
		for d := range downs {
			down := &downs[d]
			if fo.removal == nil && down.deleted && !down.from.Before(fo.start) && !fo.planned {
				fo.removal = down
			}
			if down.first == nil || down.from.Before(fo.start) || !down.from.Before(limit) || fo.ran != nil && !down.from.Before(fo.ran.t) && down.deleted && tl.doneBetween(fo, last, down.from) != nil {
				continue
			}
			if fo.planned && down.deleted && down.first == fo.openers[0].f {
				continue
			}
			fo.givenUp, fo.deleted, limit = down.first, down.deleted, down.from
			break
		}
		if err := x.recovery(ctx, tl, fo, last, limit); err != nil {
			return err
		}
	}
	return nil
}

// recovery finds what shows that a failover was overcome before limit.
func (x *investigator) recovery(ctx context.Context, tl *timeline, fo *failover, last, limit time.Time) error {
	if f := tl.doneBetween(fo, last, limit); f != nil {
		fo.recovered, fo.doneBy, fo.end = true, f, f.t
		return nil
	}
	if !tl.flink {
		x.containerWell(tl, fo, last, limit)
		return nil
	}
	if fo.ran == nil {
		return nil
	}
	at, err := x.everyTaskRuns(ctx, tl, fo.ran, limit)
	if err != nil {
		return err
	}
	if !at.IsZero() {
		fo.recovered, fo.end = true, at
	}
	return nil
}

// doneBetween gives the first checkpoint that completed after the job ran again.
func (tl *timeline) doneBetween(fo *failover, after, before time.Time) *fact {
	facts := tl.between(after, before)
	for i := range facts {
		f := &facts[i]
		if f.kind == factCheckpointDone && f.t.After(after) && f.t.Before(before) && tl.ownDocument(fo, f.doc) {
			return f
		}
	}
	return nil
}

// containerWell tells whether the container of an ordinary workload came back and stayed.
func (x *investigator) containerWell(tl *timeline, fo *failover, last, limit time.Time) {
	var began *fact
	for i := range tl.facts {
		f := &tl.facts[i]
		if f.t.Before(last) || !f.t.Before(limit) {
			continue
		}
		switch f.kind {
		case factContainerStart:
			began = f
		case factContainerEnd:
			began = nil
		default: // the others tell nothing here
		}
	}
	until := x.now
	if limit.Before(until) {
		until = limit
	}
	if began != nil && until.Sub(began.t) >= wellAfter {
		fo.recovered, fo.doneBy, fo.end = true, began, began.t
	}
}

// everyTaskRuns reads the JobManager's records after the change to RUNNING and gives the
// time at which as many tasks ran as were deployed, or zero.
func (x *investigator) everyTaskRuns(ctx context.Context, tl *timeline, ran *fact, limit time.Time) (time.Time, error) {
	created, running := map[string]bool{}, map[string]bool{}
	var at time.Time
	docs, err := collect(x.source.Search(ctx, lastnight.SearchRequest{
		Query: `"switched from"`, Namespace: tl.key.namespace, Job: tl.key.workload, Pod: ran.doc.Pod, Start: ran.t, End: limit,
		Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord}, Oldest: true, Limit: maxTaskRecords,
	}))
	if err != nil {
		return at, fmt.Errorf("read task changes: %w", err)
	}
	for i := range docs {
		first, _, _ := strings.Cut(message(&docs[i]), "\n")
		ts, ok := parseTaskSwitch(first)
		if !ok {
			continue
		}
		switch ts.to {
		case "SCHEDULED", "DEPLOYING":
			created[ts.task] = true
			delete(running, ts.task)
		case stateRunning:
			running[ts.task] = true
			if len(created) > 0 && len(running) >= len(created) {
				at = docs[i].Time
				return at, nil
			}
		case stateFailed, "CANCELING", stateCanceled:
			delete(running, ts.task)
		}
	}
	return time.Time{}, nil
}
