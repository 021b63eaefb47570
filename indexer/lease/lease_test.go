package lease_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lastnight"
	"lastnight/indexer/lease"
	"lastnight/indexer/store"
	"lastnight/indexer/store/blevestore"
)

// exact is a small store.Exact whose calls may be held up or refused for one process.
type exact struct {
	mu    sync.Mutex
	items map[string]store.Item
	next  int64
}

func newExact() *exact { return &exact{items: map[string]store.Item{}} }

func (e *exact) Get(_ context.Context, bucket, key string) (store.Item, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	it, ok := e.items[bucket+"/"+key]
	if !ok {
		return it, lastnight.Errorf(lastnight.CodeNotFound, "", "there is no %s", key)
	}
	return it, nil
}

func (e *exact) Put(_ context.Context, bucket, key string, value []byte, ifVersion int64) (int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if v := e.items[bucket+"/"+key].Version; ifVersion >= 0 && v != ifVersion {
		return 0, lastnight.Errorf(lastnight.CodeConflict, "", "version %d, not %d", v, ifVersion)
	}
	e.next++
	e.items[bucket+"/"+key] = store.Item{Key: key, Value: value, Version: e.next}
	return e.next, nil
}

func (e *exact) Delete(context.Context, string, string) error { return errors.ErrUnsupported }

func (e *exact) List(_ context.Context, bucket, prefix string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for k, it := range e.items {
			if strings.HasPrefix(k, bucket+"/"+prefix) && !yield(it, nil) {
				return
			}
		}
	}
}

// link is the way of one process to the store.
type link struct {
	store.Exact
	down atomic.Bool
}

func (l *link) Put(ctx context.Context, bucket, key string, value []byte, ifVersion int64) (int64, error) {
	if l.down.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return l.Exact.Put(ctx, bucket, key, value, ifVersion)
}

func (l *link) Get(ctx context.Context, bucket, key string) (store.Item, error) {
	if l.down.Load() {
		return store.Item{}, errors.New("away")
	}
	return l.Exact.Get(ctx, bucket, key)
}

const ttl = 12 * time.Second

// process does a duty and notes who else does it at the same time.
type process struct {
	*link
	leases *lease.Leases
	stop   context.CancelFunc
	done   chan struct{}
	since  atomic.Int64 // when it took the lease, ns of the fake clock; 0: does not hold it
}

func start(ctx context.Context, s store.Exact, name string, busy *atomic.Int32, twice *atomic.Bool) *process {
	p := &process{link: &link{Exact: s}, done: make(chan struct{})}
	ctx, p.stop = context.WithCancel(ctx)
	p.leases = lease.New(lease.Config{Store: p.link, Holder: name, TTL: ttl})
	go func() {
		defer close(p.done)
		_ = p.leases.Run(ctx, "compact", func(ctx context.Context) error {
			if busy.Add(1) > 1 {
				twice.Store(true)
			}
			p.since.Store(time.Now().UnixNano())
			<-ctx.Done()
			p.since.Store(0)
			busy.Add(-1)
			return ctx.Err()
		})
	}()
	return p
}

func (p *process) holds() bool { return p.since.Load() != 0 }

// TestOneAtATime: one holds it; given up it is taken at once, cut off from the store it is lost in time and taken by
// another, and never do two do the duty at the same time.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newExact()
		var busy atomic.Int32
		var twice atomic.Bool
		ps := []*process{start(t.Context(), s, "a", &busy, &twice), start(t.Context(), s, "b", &busy, &twice), start(t.Context(), s, "c", &busy, &twice)}
		// pass lets time pass, and all that is due at its end happen: renewals fall on the same instants.
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		holder := func() *process {
			for _, p := range ps {
				if p.holds() {
					return p
				}
			}
			return nil
		}
		pass(time.Minute)
		first := holder()
		if first == nil || !first.leases.Held("compact") {
			t.Fatal("nobody took it")
		}
		since := first.since.Load()
		pass(time.Hour)
		if first.since.Load() != since {
			t.Fatal("it changed hands for no reason")
		}
		first.down.Store(true)
		pass(ttl * 3 / 4)
		if first.holds() {
			t.Error("it still works, though its lease could not be renewed for three quarters of its length")
		}
		pass(ttl)
		second := holder()
		if second == nil || second == first {
			t.Fatal("nobody took over")
		}
		if n := first.leases.Lost(); n != 1 {
			t.Errorf("lost %d times, want 1", n)
		}
		first.down.Store(false)
		pass(time.Hour)
		if holder() != second {
			t.Error("who came back took it away")
		}
		second.stop()
		<-second.done
		pass(ttl / 2) // much less than its length
		if third := holder(); third == nil || third == second {
			t.Error("what was given up was not taken at once")
		}
		states, err := lease.List(t.Context(), s)
		if err != nil || len(states) != 1 || states[0].Duty != "compact" || states[0].Term != 3 || states[0].Holder == "" {
			t.Errorf("%+v %v", states, err)
		}
		for _, p := range ps {
			p.stop()
			<-p.done
		}
		if twice.Load() {
			t.Error("two did the duty at the same time")
		}
	})
}

// TestCheckKnowsBeforeTheTimer: code that was asleep sees by itself that its time has run out.
func TestCheckKnowsBeforeTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &link{Exact: newExact()}
		l := lease.New(lease.Config{Store: s, Holder: "a", TTL: ttl})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var early, late error
		err := l.Run(ctx, "retain", func(work context.Context) error {
			early = lease.Check(work)
			s.down.Store(true)
			time.Sleep(ttl) // as a stopped process does
			late = lease.Check(context.WithoutCancel(work))
			cancel()
			return nil
		})
		if err != nil || early != nil || !errors.Is(late, lease.ErrLost) {
			t.Errorf("%v, early %v, late %v", err, early, late)
		}
	})
	if err := lease.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestUnknownFormat: a lease of a later version is not taken away.
func TestUnknownFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newExact()
		if _, err := s.Put(t.Context(), "leases", "compact", []byte(`{"format":2,"owner":"x"}`), 0); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_ = lease.New(lease.Config{Store: s, Holder: "a"}).Run(ctx, "compact", func(context.Context) error {
			t.Error("taken")
			return nil
		})
		if _, err := lease.List(t.Context(), s); err == nil || !strings.Contains(err.Error(), "format 2") {
			t.Error(err)
		}
	})
}

// TestEmbedded is the same on the embedded store, with real time.
func TestEmbedded(t *testing.T) {
	s, err := blevestore.Open(t.Context(), blevestore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	race(t, s)
}

// race lets several processes contend for a short time and counts how many work at once.
func race(t *testing.T, s store.Exact) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var busy atomic.Int32
	var terms, twice atomic.Int64
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		l := lease.New(lease.Config{Store: s, Holder: name, TTL: 200 * time.Millisecond})
		wg.Go(func() {
			_ = l.Run(ctx, "compact", func(ctx context.Context) error {
				if busy.Add(1) > 1 {
					twice.Add(1)
				}
				terms.Add(1)
				time.Sleep(20 * time.Millisecond)
				busy.Add(-1)
				return nil
			})
		})
	}
	wg.Wait()
	if twice.Load() > 0 || terms.Load() < 3 {
		t.Errorf("%d terms, %d of them beside another", terms.Load(), twice.Load())
	}
}
