package api

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"lastnight"
)

// turns lets a few questions at a time look through the archive; the others wait, and are answered in the order in which they
// came. What one holds in memory is bounded, so this bounds the memory of all; and few at a time are all
// answered sooner than many that share the processors: of fifty at once that take a second each nobody would have an
// answer before the last has. Safe for concurrent use.
type turns struct {
	free    chan struct{} // one taken by each that has its turn; senders are served in order
	patient time.Duration // how long one waits
}

// turnWait leaves half of questionTimeout for the answer.
const turnWait = questionTimeout / 2

// newTurns lets n have their turn at a time, for 0 enough that short questions seldom wait for long ones; times as many of
// what mostly waits for a slow reader. They wait for patient, for 0 turnWait.
func newTurns(n, times int, patient time.Duration) *turns {
	if n == 0 {
		n = max(8, 4*runtime.GOMAXPROCS(0))
	}
	if patient == 0 {
		patient = turnWait
	}
	return &turns{free: make(chan struct{}, n*times), patient: patient}
}

// enter waits for a turn, which is over when leave is called.
func (t *turns) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-t.free }
	select {
	case t.free <- struct{}{}:
		return leave, nil
	default:
	}
	late := time.NewTimer(t.patient)
	defer late.Stop()
	select {
	case t.free <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, lastnight.Errorf(lastnight.CodeUnavailable, "try again in a minute; a shorter interval, or one job, is answered sooner",
			"%d searches are under way, and this one has waited %s for its turn", cap(t.free), t.patient)
	}
}

// turn waits for the turn of a request that looks through the archive.
func (ep *endpoint) turn(r *http.Request, streams bool) (leave func(), err error) {
	if ep.looks == nil || !ep.looks(r) {
		return func() {}, nil
	}
	t := ep.env.searches
	if streams {
		t = ep.env.exports
	}
	ep.env.waiting.Inc()
	defer ep.env.waiting.Dec()
	if leave, err = t.enter(r.Context()); lastnight.CodeOf(err) == lastnight.CodeUnavailable {
		ep.env.refused.Inc()
	}
	return leave, err
}

// always is for routes that look through the archive whatever is asked.
func always(*http.Request) bool { return true }
