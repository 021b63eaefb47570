// Package notify tells chats and other programs that an incident opened, and that it was explained.
//
//	incidents ─▶ queue (kept) ─▶ one sender a target ─▶ webhook, Slack
//
// It looks for incidents that began lately, every few seconds, and keeps a message for each
// (incident, event, target) before it sends it, so that a restart neither loses nor doubles one.
// What was sent is marked after the target took it: a server that dies in that very moment sends it
// once more, with the same delivery id. A target that is away gets its messages later (for a
// day, at growing intervals), in order; one that is slow holds up nobody else.
//
// Messages are signed: X-Lastnight-Signature is "v1=" and the hex of HMAC-SHA256 of the timestamp
// (X-Lastnight-Timestamp, seconds since 1970), a dot, and the body. Addresses come from the
// configuration alone and redirects are not followed, so nothing in a log can make the server call anywhere.
package notify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"lastnight"
)

const (
	lookEvery   = 5 * time.Second
	forgetEvery = time.Hour
	sendTimeout = 10 * time.Second
)

// Incidents is what is told of.
type Incidents interface {
	// Incidents lists those that begin in the interval.
	Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error)
	// Incident gives one, or an error of CodeNotFound.
	Incident(ctx context.Context, id string) (*lastnight.Incident, error)
}

// Keeper keeps small values; what Put returned from is durable.
type Keeper interface {
	// Get gives a value, or an error of CodeNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put sets a value if its version is ifVersion (0: must not exist; -1: whatever), or CodeConflict.
	Put(ctx context.Context, key string, value []byte, ifVersion int64) error
	// Delete removes a value; an unknown one is no error.
	Delete(ctx context.Context, key string) error
	// Keys streams the keys that begin with prefix.
	Keys(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// Options are what a Notifier works with. Incidents and Keeper are needed.
type Options struct {
	Incidents Incidents
	Keeper    Keeper
	PublicURL string                // of the UI, for links; "": none
	Client    *http.Client          // nil: one with time-outs that follows no redirects
	Log       *slog.Logger          // nil: none
	Metrics   prometheus.Registerer // nil: none
	// Mine tells, at each try of a message, whether this process still is the one that sends; nil: always. It is handed
	// what Run was.
	Mine func(context.Context) error
}

// Notifier sends messages.
type Notifier struct {
	cfg   *Config
	opt   Options
	queue queue
	wake  map[string]chan struct{} // by target; holds one
	// lastnight_notifications_total: messages by target, event and outcome: sent, retried (each try that failed), failed (given up),
	// gone (its incident was none), full (too many wait; found again later), template (sent without the template, which failed).
	total *prometheus.CounterVec
}

// New makes a Notifier.
func New(cfg *Config, opt Options) (*Notifier, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Client == nil {
		opt.Client = &http.Client{Timeout: sendTimeout}
	}
	client := *opt.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	opt.Client = &client
	n := &Notifier{
		cfg: cfg, opt: opt, queue: queue{keep: opt.Keeper, items: map[string]item{}}, wake: map[string]chan struct{}{},
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lastnight_notifications_total", Help: "Messages about incidents, by target, event and outcome.",
		}, []string{"target", "event", "outcome"}),
	}
	for i := range cfg.targets {
		n.wake[cfg.targets[i].name] = make(chan struct{}, 1)
	}
	if opt.Metrics == nil {
		return n, nil
	}
	errs := []error{opt.Metrics.Register(n.total)}
	for i := range cfg.targets {
		name := cfg.targets[i].name
		errs = append(errs, opt.Metrics.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "lastnight_notifications_pending", Help: "Messages that wait for a target.", ConstLabels: prometheus.Labels{"target": name},
		}, func() float64 { return float64(n.queue.pending(name)) })))
	}
	return n, errors.Join(errs...)
}

// Run sends until ctx is over. It fails only if it can't read what was kept. It may be called again, after it has
// returned: it begins with what is kept then, whoever kept it.
func (n *Notifier) Run(ctx context.Context) error {
	if err := n.queue.load(ctx); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { n.watch(ctx); return nil })
	for i := range n.cfg.targets {
		t := &n.cfg.targets[i]
		g.Go(func() error { n.serve(ctx, t); return nil })
	}
	return g.Wait()
}

// watch looks for what is new.
func (n *Notifier) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var forgot time.Time
	failed := 0
	for {
		err := n.look(ctx)
		if now := time.Now(); err == nil && now.Sub(forgot) > forgetEvery {
			forgot = now
			err = n.queue.forget(ctx, now.Add(-2*n.cfg.maxAge-n.cfg.giveUp))
		}
		switch {
		case err == nil:
			failed = 0
		case ctx.Err() == nil:
			if failed++; failed == 1 || failed%100 == 0 {
				n.opt.Log.Error("looking for incidents to tell of failed", "err", err, "times", failed)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look keeps a message of everything that nobody was told of.
func (n *Notifier) look(ctx context.Context) error {
	now := time.Now().UTC()
	is, err := n.opt.Incidents.Incidents(ctx, lastnight.IncidentsRequest{Start: now.Add(-n.cfg.maxAge), Planned: true})
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	for k := range is {
		i := &is[len(is)-1-k] // oldest first
		for _, event := range eventsOf(i) {
			for j := range n.cfg.targets {
				t := &n.cfg.targets[j]
				if !t.wants(event, i) {
					continue
				}
				if err := n.keep(ctx, item{Incident: i.ID, Event: event, Target: t.name, Start: i.Start, Created: now, State: statePending}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// eventsOf gives what happened to an incident so far, in order.
func eventsOf(i *lastnight.Incident) []string {
	if i.Diagnosis.Explained {
		return []string{EventOpened, EventExplained}
	}
	return []string{EventOpened}
}

func (n *Notifier) keep(ctx context.Context, i item) error {
	added, room, err := n.queue.add(ctx, i)
	if err != nil {
		return err
	}
	if !room {
		n.total.WithLabelValues(i.Target, i.Event, "full").Inc()
	}
	if added {
		select {
		case n.wake[i.Target] <- struct{}{}:
		default: // It is awake already.
		}
	}
	return nil
}
