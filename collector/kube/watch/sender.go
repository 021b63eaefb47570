package watch

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"lastnight"
	"lastnight/collector/kube"
)

const (
	maxQueue   = 20_000                 // events that wait; when there are more the watches wait
	maxBatch   = 2_000                  // events sent at once
	sendAfter  = 100 * time.Millisecond // what comes together is sent together
	retryFirst = 200 * time.Millisecond
	retryMost  = 10 * time.Second
	readySince = time.Hour // nodes that became ready since then are told of at first sight
)

// sender turns objects into events and pods and sends them in the background.
type sender struct {
	cfg    *Config
	owners *owners
	log    *slog.Logger
	wake   chan struct{} // something is queued
	room   chan struct{} // closed and replaced when something was taken from the queue

	mu      sync.Mutex
	cluster string
	decoder *kube.Decoder
	events  []queued
	sending time.Time                // when the oldest of what is being sent was queued; zero: nothing is
	pods    map[string]lastnight.Pod // changed since they were sent, by uid of the API
	sent    map[string]lastnight.Pod
	stats   Stats
}

// queued is an event that waits to be sent.
type queued struct {
	lastnight.Event
	at time.Time
}

func newSender(cfg *Config, o *owners) *sender {
	return &sender{
		cfg: cfg, owners: o, log: cfg.Log,
		wake: make(chan struct{}, 1), room: make(chan struct{}),
		pods: map[string]lastnight.Pod{}, sent: map[string]lastnight.Pod{},
	}
}

// name says which cluster it is, before anything is taken.
func (s *sender) name(cluster string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cluster = cluster
	s.decoder = kube.NewDecoder(cluster)
	s.decoder.ReadySince = time.Now().Add(-readySince)
}

func (s *sender) counts() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Queued = len(s.events)
	switch {
	case !s.sending.IsZero():
		st.Waiting = time.Since(s.sending)
	case len(s.events) > 0:
		st.Waiting = time.Since(s.events[0].at)
	}
	return st
}

func (s *sender) setLeading(leading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Leading = leading
}

// event takes a version of an Event object.
func (s *sender) event(ctx context.Context, e *kube.Event) {
	s.decode(ctx, func(d *kube.Decoder) error { return d.Event(e) })
}

// node takes a version of a node.
func (s *sender) node(ctx context.Context, n *kube.Node, deleted bool) {
	s.decode(ctx, func(d *kube.Decoder) error { return d.Node(n, deleted) })
}

// pod takes a version of a pod.
func (s *sender) pod(ctx context.Context, p *kube.Pod, deleted bool) {
	uid := p.UID
	owner, resolved := s.owners.of(ctx, p)
	s.decode(ctx, func(d *kube.Decoder) error {
		if err := d.Pod(p, deleted); err != nil {
			return err
		}
		known, ok := d.PodOf(uid)
		if !ok {
			return nil
		}
		if resolved {
			known.Owner = owner
		}
		known.Annotations = pick(p.Annotations, s.cfg.Annotations)
		if !reflect.DeepEqual(known, s.sent[uid]) {
			s.pods[uid] = known
			s.sent[uid] = known
		}
		if deleted {
			d.Forget(p)
			delete(s.sent, uid)
		}
		return nil
	})
}

// told takes an event that no decoder made.
func (s *sender) told(ctx context.Context, e lastnight.Event) {
	s.decode(ctx, func(*kube.Decoder) error {
		e.Cluster = s.cluster
		s.events = append(s.events, queued{e, time.Now()})
		return nil
	})
}

// decode runs f on the decoder and queues what came out. While the queue is full it waits.
func (s *sender) decode(ctx context.Context, f func(*kube.Decoder) error) {
	s.mu.Lock()
	for len(s.events) >= maxQueue {
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
	}
	err := f(s.decoder)
	for _, e := range s.decoder.Events() {
		s.events = append(s.events, queued{e, time.Now()})
	}
	s.decoder.Trim()
	waiting := len(s.events) > 0 || len(s.pods) > 0
	s.mu.Unlock()
	if err != nil {
		s.log.Debug("an object of the API server tells nothing", "err", err)
	}
	if waiting {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// run sends what is queued until the context is over.
func (s *sender) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
		if !wait(ctx, sendAfter) {
			return ctx.Err()
		}
		for b := s.next(); len(b.Events) > 0 || len(b.Pods) > 0; b = s.next() {
			if err := s.send(ctx, b); err != nil {
				return err
			}
		}
	}
}

// next takes a batch from the queue.
func (s *sender) next() lastnight.Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.events), maxBatch)
	var b lastnight.Batch
	s.sending = time.Time{}
	if n > 0 {
		s.sending = s.events[0].at
		b.Events = make([]lastnight.Event, n)
		for i := range n {
			b.Events[i] = s.events[i].Event
		}
	}
	s.events = slices.Delete(s.events, 0, n)
	for _, uid := range slices.Sorted(maps.Keys(s.pods)) {
		if len(b.Pods) == maxBatch {
			break
		}
		b.Pods = append(b.Pods, s.pods[uid])
		delete(s.pods, uid)
	}
	close(s.room)
	s.room = make(chan struct{})
	return b
}

// send repeats a batch until the Ingester has it.
func (s *sender) send(ctx context.Context, b lastnight.Batch) error {
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		err := s.cfg.Ingester.Ingest(ctx, b)
		s.mu.Lock()
		if err == nil {
			s.stats.Events += int64(len(b.Events))
			s.stats.Pods += int64(len(b.Pods))
			s.mu.Unlock()
			return nil
		}
		s.stats.Failed++
		s.mu.Unlock()
		if ctx.Err() != nil {
			return fmt.Errorf("send %d events: %w", len(b.Events), err)
		}
		if pause == retryFirst {
			s.log.Warn("what Kubernetes tells is not taken; it is tried again", "events", len(b.Events), "err", err)
		}
		if !wait(ctx, pause) {
			return ctx.Err()
		}
	}
}

// wait sleeps; false: the context is over.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// pick gives those of the annotations that are to be kept, nil if there are none.
func pick(annotations map[string]string, keep []string) map[string]string {
	var picked map[string]string
	for _, name := range keep {
		if v, ok := annotations[name]; ok {
			if picked == nil {
				picked = map[string]string{}
			}
			picked[name] = v
		}
	}
	return picked
}
