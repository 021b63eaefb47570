// Package lease lets one of several servers at a time do a duty: compaction, retention,
// detecting incidents, notifying.
//
// A lease is an item of the store (store.Exact) that names its holder. Who holds it writes it
// again every quarter of its length; nobody else may write it, since each write names the version
// that it replaces. Who wants it watches the version: one that has not changed for a whole length,
// by the watcher's own clock, is nobody's any more. So no two clocks are ever compared; they only must
// run at about the same speed.
//
//	free ──put──▶ held ──put every TTL/4──▶ held ── no answer for ¾ TTL, or another's put ──▶ lost
//	                                          └──── shutdown: put without a holder ──▶ free, taken at once
//
// The holder stops (its context ends) three quarters of a length after the last renewal that was
// carried out was sent, the others wait for a whole one: a quarter is left for clocks that differ.
//
// # Failing
//
// A process that is stopped, or slow, for longer than that may wake up in the middle of a write and
// believe for a moment that it still is the holder. No lease can prevent that, so every duty must
// bear it; see docs/adr/0013-leases.md for why each does. Check tells, without asking anybody, whether the
// time has run out: duties that delete ask it before each deletion.
//
// While the store is away nobody holds anything, and all duties rest.
package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"lastnight"
	"lastnight/indexer/store"
)

const (
	bucket     = "leases"
	format     = 1
	defaultTTL = 15 * time.Second
)

// ErrLost says that the lease belongs to somebody else, or may.
var ErrLost = errors.New("the lease was lost")

// Config says who takes leases and where they are.
type Config struct {
	Store  store.Exact
	Holder string        // unique to this process; shown to people
	TTL    time.Duration // how long a lease lasts without being renewed; 0: 15 s
	Log    *slog.Logger  // nil: silent
}

// record is a lease as it is kept.
type record struct {
	Format int       `json:"format"`
	Holder string    `json:"holder"` // "": nobody, take it
	TTL    string    `json:"ttl"`    // of the holder
	Term   int64     `json:"term"`   // grows each time that it is taken
	Since  time.Time `json:"since"`  // by the holder's clock, for people alone
}

// Leases takes leases for one process. It is safe for concurrent use.
type Leases struct {
	cfg Config
	log *slog.Logger

	mu   sync.Mutex
	held map[string]*term // guarded by mu
	lost int64            // guarded by mu
}

// term is the time from taking a lease to losing it.
type term struct {
	rec     record
	version int64 // of the item, which only one goroutine puts at a time

	mu    sync.Mutex
	until time.Time // guarded by mu; with a monotonic clock
}

func (t *term) extend(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = until
}

func (t *term) left() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.until)
}

// New makes Leases; nothing is taken yet.
func New(cfg Config) *Leases {
	if cfg.TTL == 0 {
		cfg.TTL = defaultTTL
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Leases{cfg: cfg, log: cfg.Log, held: map[string]*term{}}
}

type termKey struct{}

// Check tells whether the lease under which ctx was handed out still is held by the clock of this
// process: nil, or ErrLost. Without a lease it is nil.
func Check(ctx context.Context) error {
	if t, ok := ctx.Value(termKey{}).(*term); ok && t.left() <= 0 {
		return ErrLost
	}
	return ctx.Err()
}

// Run does a duty each time that this process holds its lease, until ctx is over; it returns nil
// then, with the lease given up. f must return when its context ends, which it does when the lease
// is lost (the cause is ErrLost). When f fails or returns by itself the lease is given up, and tried again later.
func (l *Leases) Run(ctx context.Context, duty string, f func(context.Context) error) error {
	var w watch
	for ctx.Err() == nil {
		t, err := l.take(ctx, duty, &w)
		switch {
		case err != nil && ctx.Err() == nil:
			l.log.Warn("a lease cannot be read or taken", "duty", duty, "err", err)
		case t != nil:
			l.serve(ctx, duty, t, f)
			w = watch{}
		}
		pause(ctx, l.cfg.TTL/4+rand.N(l.cfg.TTL/16+1)) //nolint:gosec // no secret
	}
	return nil
}

// watch is what was seen of a lease that somebody else holds.
type watch struct {
	version int64
	since   time.Time // when it was seen first
}

// take takes the lease if it is free: nil if it is not.
func (l *Leases) take(ctx context.Context, duty string, w *watch) (*term, error) {
	item, err := l.cfg.Store.Get(ctx, bucket, duty)
	if err != nil && lastnight.CodeOf(err) != lastnight.CodeNotFound {
		return nil, fmt.Errorf("read lease: %w", err)
	}
	var is record
	if err == nil {
		if is, err = decode(item); err != nil {
			return nil, err
		}
		if is.Holder != "" && is.Holder != l.cfg.Holder && !w.expired(item.Version, is.ttl(l.cfg.TTL)) {
			return nil, nil //nolint:nilnil // held by another, which is no error
		}
	}
	t := &term{rec: record{Format: format, Holder: l.cfg.Holder, TTL: l.cfg.TTL.String(), Term: is.Term + 1, Since: time.Now().UTC()}, version: item.Version}
	err = l.put(ctx, duty, t)
	if lastnight.CodeOf(err) == lastnight.CodeConflict {
		return nil, nil //nolint:nilnil // another was quicker, which is no error
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// expired tells whether a version has been there for longer than ttl, by what was seen of it.
func (w *watch) expired(version int64, ttl time.Duration) bool {
	if w.version != version || w.since.IsZero() {
		*w = watch{version, time.Now()}
		return false
	}
	return time.Since(w.since) >= ttl
}

func decode(item store.Item) (record, error) {
	var r record
	if err := json.Unmarshal(item.Value, &r); err != nil {
		return r, fmt.Errorf("read lease %s: %w", item.Key, err)
	}
	if r.Format != format {
		return r, fmt.Errorf("lease %s has format %d, this lastnight knows format %d", item.Key, r.Format, format)
	}
	return r, nil
}

// ttl is the holder's, or ours if that is longer: who waits longer does no harm.
func (r *record) ttl(own time.Duration) time.Duration {
	theirs, err := time.ParseDuration(r.TTL)
	if err != nil {
		return own
	}
	return max(theirs, own)
}

// put writes the lease over the version that was seen, and extends the term.
func (l *Leases) put(ctx context.Context, duty string, t *term) error {
	b, err := json.Marshal(t.rec)
	if err != nil {
		return fmt.Errorf("write lease: %w", err)
	}
	sent := time.Now() // the time counts from here: others may have seen it from then on
	v, err := l.cfg.Store.Put(ctx, bucket, duty, b, t.version)
	if err != nil {
		return fmt.Errorf("write lease: %w", err)
	}
	t.version = v
	t.extend(sent.Add(l.cfg.TTL * 3 / 4))
	return nil
}

// serve does the duty until it ends or the lease is lost, then gives it up if it is still ours.
func (l *Leases) serve(ctx context.Context, duty string, t *term, f func(context.Context) error) {
	l.log.Info("took the lease of a duty", "duty", duty, "term", t.rec.Term)
	l.hold(duty, t)
	work, stop := context.WithCancelCause(context.WithValue(ctx, termKey{}, t))
	var renewing sync.WaitGroup
	renewing.Go(func() {
		if err := l.renew(work, duty, t); err != nil {
			stop(err)
		}
	})
	err := f(work)
	stop(nil)
	renewing.Wait()
	l.hold(duty, nil)
	lost := errors.Is(context.Cause(work), ErrLost)
	if err != nil && !lost && ctx.Err() == nil {
		l.log.Error("a duty failed", "duty", duty, "err", err)
	}
	if lost {
		l.mu.Lock()
		l.lost++
		l.mu.Unlock()
		l.log.Warn("lost the lease of a duty", "duty", duty, "term", t.rec.Term)
		return
	}
	l.release(ctx, duty, t)
}

// renew keeps the lease until work is over (nil) or it is lost (ErrLost).
func (l *Leases) renew(work context.Context, duty string, t *term) error {
	for {
		pause(work, min(l.cfg.TTL/4, t.left()))
		if work.Err() != nil {
			return nil
		}
		left := t.left()
		if left <= 0 {
			return ErrLost
		}
		// Not cut off when work ends: of a put that was cut off nobody knows the version.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(work), left)
		err := l.put(ctx, duty, t)
		cancel()
		switch {
		case lastnight.CodeOf(err) == lastnight.CodeConflict:
			return ErrLost
		case err != nil:
			l.log.Warn("a lease cannot be renewed", "duty", duty, "err", err)
			pause(work, min(l.cfg.TTL/16, t.left())) // no longer: the duty must end when the time runs out
		}
	}
}

// release gives a lease up, so that another process need not wait. ctx may be over.
func (l *Leases) release(ctx context.Context, duty string, t *term) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.TTL/2)
	defer cancel()
	t.rec.Holder, t.rec.Since = "", time.Now().UTC()
	if err := l.put(ctx, duty, t); err != nil && lastnight.CodeOf(err) != lastnight.CodeConflict {
		l.log.Warn("a lease cannot be given up; it runs out by itself", "duty", duty, "err", err)
	}
}

// hold notes that a lease is held; not any more, if t is nil.
func (l *Leases) hold(duty string, t *term) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t == nil {
		delete(l.held, duty)
		return
	}
	l.held[duty] = t
}

// Held tells whether this process holds the lease of a duty now.
func (l *Leases) Held(duty string) bool {
	l.mu.Lock()
	t := l.held[duty]
	l.mu.Unlock()
	return t != nil && t.left() > 0
}

// Lost counts the leases that were lost rather than given up, since the start.
func (l *Leases) Lost() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// Leases implements lastnight.LeaseReader.
func (l *Leases) Leases(ctx context.Context) ([]lastnight.Lease, error) {
	return List(ctx, l.cfg.Store)
}

// List tells who holds what, by the store, by name of the duty.
func List(ctx context.Context, s store.Exact) ([]lastnight.Lease, error) {
	states := []lastnight.Lease{}
	for item, err := range s.List(ctx, bucket, "") {
		if err != nil {
			return nil, fmt.Errorf("list leases: %w", err)
		}
		r, err := decode(item)
		if err != nil {
			return nil, err
		}
		states = append(states, lastnight.Lease{Duty: item.Key, Holder: r.Holder, Term: r.Term, Since: r.Since, TTL: r.TTL})
	}
	return states, nil
}

// pause waits, or until ctx is over.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
