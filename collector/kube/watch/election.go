package watch

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"time"

	"lastnight/collector/kube/apiserver"
)

const (
	leaseFor    = 15 * time.Second // a Lease that nobody renews for so long may be taken
	renewEvery  = 5 * time.Second
	renewWithin = 10 * time.Second // who could not renew for so long leads no more
	lookEvery   = 10 * time.Second // at a Lease that somebody renews: what all agents together ask is little
	retryEvery  = 2 * time.Second
)

// election finds one leader among all who use the same Lease (coordination.k8s.io/v1), by its rules:
// a Lease is held by who wrote it last, until it was not written for its duration. Each candidate
// measures that with its own clock from when it saw the Lease change, so clocks may differ. Two can
// lead for a moment (one that is suspended and wakes); what they tell twice has the same id.
type election struct {
	client    *apiserver.Client
	namespace string
	name      string
	identity  string // of this candidate
	log       *slog.Logger

	seen    leaseSpec // as it was when it last changed
	seenAt  time.Time
	refused bool // said that the Lease cannot be had
}

// lease is a Lease object; of its metadata nothing is lost by writing it back.
type lease struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       leaseSpec      `json:"spec"`
}

type leaseSpec struct {
	Holder      string    `json:"holderIdentity"`
	Seconds     int       `json:"leaseDurationSeconds"`
	Acquired    microTime `json:"acquireTime"`
	Renewed     microTime `json:"renewTime"`
	Transitions int       `json:"leaseTransitions"`
}

// microTime is a time in JSON as the API wants it: with six digits after the point.
type microTime struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t microTime) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.UTC().Format("2006-01-02T15:04:05.000000Z07:00"))
}

func (e *election) leases() apiserver.Resource {
	return apiserver.Resource{Group: "coordination.k8s.io", Version: "v1", Name: "leases", Namespace: e.namespace}
}

// run calls lead whenever the Lease is held, until the context is over. The context that lead
// gets ends with the lead; who ends while leading gives the Lease back.
func (e *election) run(ctx context.Context, lead func(ctx context.Context)) {
	for ctx.Err() == nil {
		held, err := e.try(ctx)
		if held {
			e.hold(ctx, lead)
			continue
		}
		e.said(ctx, err)
		wait(ctx, e.next(err))
	}
}

// next tells how long to wait before the Lease is looked at again.
func (e *election) next(err error) time.Duration {
	if err != nil || time.Since(e.seenAt) > renewEvery {
		return retryEvery + rand.N(retryEvery/2) //nolint:gosec // no secret
	}
	return lookEvery - rand.N(lookEvery/5) //nolint:gosec // no secret
}

// hold leads until the context is over or the Lease is lost.
func (e *election) hold(ctx context.Context, lead func(ctx context.Context)) {
	leading, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lead(leading)
	}()
	pause := renewEvery
	for renewed := time.Now(); wait(ctx, pause); {
		last := renewed.Add(renewWithin) // before anybody else may take it
		asked, stop := context.WithDeadline(ctx, last)
		begin := time.Now()
		held, err := e.try(asked)
		stop()
		pause = retryEvery
		if held {
			renewed, pause = begin, renewEvery
		} else if err == nil || !time.Now().Before(last) {
			e.log.Warn("no longer watching cluster-wide: the lease is lost", "lease", e.name, "err", err)
			break
		}
	}
	cancel()
	<-ended
	if ctx.Err() != nil {
		e.release(ctx)
	}
}

// try takes or renews the Lease; false without an error: somebody else holds it.
func (e *election) try(ctx context.Context) (bool, error) {
	var l lease
	err := e.client.Get(ctx, e.leases(), e.name, &l)
	now := time.Now()
	if apiserver.IsNotFound(err) {
		l = lease{
			APIVersion: "coordination.k8s.io/v1", Kind: "Lease",
			Metadata: map[string]any{"name": e.name, "namespace": e.namespace},
			Spec:     leaseSpec{Holder: e.identity, Seconds: int(leaseFor.Seconds()), Acquired: microTime{now}, Renewed: microTime{now}},
		}
		err = e.client.Create(ctx, e.leases(), &l, &l)
		return e.wrote(&l, err)
	}
	if err != nil {
		return false, err
	}
	e.saw(l.Spec, now)
	if other := l.Spec.Holder != "" && l.Spec.Holder != e.identity; other && now.Sub(e.seenAt) < time.Duration(l.Spec.Seconds)*time.Second {
		return false, nil
	}
	if l.Spec.Holder != e.identity {
		l.Spec.Holder, l.Spec.Acquired = e.identity, microTime{now}
		l.Spec.Transitions++
	}
	l.Spec.Seconds, l.Spec.Renewed = int(leaseFor.Seconds()), microTime{now}
	err = e.client.Update(ctx, e.leases(), e.name, &l, &l)
	return e.wrote(&l, err)
}

// wrote takes the answer to a Lease that was written.
func (e *election) wrote(l *lease, err error) (bool, error) {
	if apiserver.IsConflict(err) {
		return false, nil // somebody was faster
	}
	if err != nil {
		return false, err
	}
	e.saw(l.Spec, time.Now())
	e.refused = false
	return true, nil
}

func (e *election) saw(s leaseSpec, now time.Time) {
	if s.Holder != e.seen.Holder || s.Transitions != e.seen.Transitions || !s.Renewed.Equal(e.seen.Renewed.Time) {
		e.seen, e.seenAt = s, now
	}
}

// said says once that the Lease cannot be had.
func (e *election) said(ctx context.Context, err error) {
	if err == nil || e.refused || ctx.Err() != nil {
		return
	}
	e.refused = true
	e.log.Warn("who watches cluster-wide cannot be agreed on for now", "lease", e.name, "err", err)
}

// release gives the Lease back, so that another one need not wait.
func (e *election) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), retryEvery)
	defer cancel()
	var l lease
	if err := e.client.Get(ctx, e.leases(), e.name, &l); err != nil || l.Spec.Holder != e.identity {
		return
	}
	l.Spec.Holder, l.Spec.Seconds, l.Spec.Renewed = "", 1, microTime{time.Now()}
	if err := e.client.Update(ctx, e.leases(), e.name, &l, &l); err != nil {
		e.log.Debug("the lease is not given back; it runs out", "err", err)
	}
}
