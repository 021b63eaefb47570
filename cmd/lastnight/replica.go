package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"lastnight"
	"lastnight/api/audit"
	"lastnight/indexer/archive"
	"lastnight/indexer/lease"
	"lastnight/indexer/store"
	"lastnight/labels"
)

// Where both tiers are elsewhere (Elasticsearch and an object store) a server has nothing of its own, and
// several are replicas of each other: each takes lines and answers anything. What must be done
// once is done by who holds the lease of the duty.

// The duties that have a lease. docs/adr/0013-leases.md tells why a former holder that wakes up does no harm in each.
const (
	dutyArchive   = "archive"   // indexing what a dead server left, compaction, retention
	dutyIncidents = "incidents" // detecting them
	dutyNotify    = "notify"    // telling people of them
)

var duties = []string{dutyArchive, dutyIncidents, dutyNotify}

const (
	settleEvery = 5 * time.Second
	flushEvery  = time.Minute     // of the clusterers of a replica: so late do replicas learn of each other's templates
	lookEvery   = 5 * time.Second // for labels that another replica changed, where no request asks for it before
	forgetEvery = 10 * time.Second
)

// shared tells whether both tiers are where other servers reach them, too.
func (t *tierFlags) shared() bool {
	where := orEnv(t.store, "LASTNIGHT_STORE")
	elastic := where != "" && where != "bleve" || where == "" && os.Getenv("LASTNIGHT_STORE_CLOUD_ID") != ""
	return elastic && strings.HasPrefix(orEnv(t.archive, "LASTNIGHT_ARCHIVE"), "s3://")
}

// newReplicaID names this process: its host, which Kubernetes makes the pod's name, and a nonce.
func newReplicaID() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "lastnight"
	}
	var nonce [4]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return "", fmt.Errorf("name this process: %w", err)
	}
	return host + "-" + hex.EncodeToString(nonce[:]), nil
}

// fencedBlobs is a blob store that deletes nothing once the lease for it has run out: a process that was
// stopped in the middle must not go on by what it knew before.
type fencedBlobs struct{ archive.Blobs }

// Delete removes a blob, if it is still this process's duty.
func (f fencedBlobs) Delete(ctx context.Context, name string) error {
	if err := lease.Check(ctx); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return f.Blobs.Delete(ctx, name)
}

// tendShared is tend for one of several servers.
func (n *node) tendShared(ctx context.Context, k keep, notify func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return n.leases.Run(ctx, dutyArchive, func(ctx context.Context) error { return n.tendArchive(ctx, k) })
	})
	g.Go(func() error { return n.leases.Run(ctx, dutyIncidents, n.board.run) })
	if notify != nil {
		g.Go(func() error { return n.leases.Run(ctx, dutyNotify, notify) })
	}
	g.Go(func() error {
		return every(ctx, flushEvery, func() { n.logged("keep clusterer", n.indexer.Flush(ctx)) })
	})
	g.Go(func() error {
		return every(ctx, lookEvery, func() { n.logged("look for labels changed elsewhere", n.changes.follow(ctx)) })
	})
	return g.Wait()
}

// tendArchive puts right what other servers left, compacts, and drops what is too old, until ctx is over.
func (n *node) tendArchive(ctx context.Context, k keep) error {
	var settled, retained, cleaned time.Time
	var failed error
	c := compactor{n: n}
	err := every(ctx, ripeEvery, func() {
		if time.Since(settled) < settleEvery && (failed != nil || !n.archive.Ripe()) {
			return
		}
		failed = n.indexer.Settle(ctx)
		n.logged("index what other servers left", failed)
		if settled = time.Now(); failed == nil {
			c.compact(ctx)
		}
		if time.Since(retained) >= retainEvery {
			n.logged("drop what is too old", n.retain(ctx, k, time.Now()))
			if k, err := n.openAudit(nil); err == nil {
				n.logged("drop old audit entries", k.(*audit.Kept).Forget(ctx))
			}
			retained = time.Now()
		}
		if time.Since(cleaned) >= cleanEvery {
			n.logged("drop half-done uploads", n.dropUnfinished(ctx, time.Now()))
			cleaned = time.Now()
		}
	})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the lease is over, which is no failure
	}
	return err
}

// changes tells replicas of changes by others to what they hold in memory: labels, and which incidents there are. Each
// change puts an item anew; who sees another version than before reads again.
type changes struct {
	exact  store.Exact
	labels *labels.Labels

	turn   chan struct{} // holds a token while nobody follows; who has it has all below
	seen   map[string]int64
	forgot time.Time

	mu    sync.Mutex
	rests time.Time // guarded by mu; until then requests do not look: the store did not answer
}

func newChanges(exact store.Exact) *changes {
	c := &changes{exact: exact, seen: map[string]int64{}, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

const (
	followPatience = 2 * time.Second  // of a request, for what others have changed
	followRest     = 15 * time.Second // after the store did not tell
)

const (
	changesBucket   = "changes"
	changeLabels    = "labels" // labels, merges, links of templates
	changeIncidents = "incidents"
)

// tell says that something has changed; nil tells nobody.
func (c *changes) tell(ctx context.Context, what string) error {
	if c == nil {
		return nil
	}
	if _, err := c.exact.Put(ctx, changesBucket, what, []byte(time.Now().UTC().Format(time.RFC3339Nano)), -1); err != nil {
		return fmt.Errorf("tell other servers of changed %s: %w", what, err)
	}
	return nil
}

// follow reads again what others have changed before it was called.
func (c *changes) follow(ctx context.Context) error {
	select {
	case <-c.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { c.turn <- struct{}{} }()
	changed, v, err := c.changed(ctx, changeLabels)
	if err != nil {
		return err
	}
	if changed {
		if err := c.labels.Refresh(ctx); err != nil {
			return fmt.Errorf("read labels again: %w", err)
		}
		c.seen[changeLabels] = v
	}
	if time.Since(c.forgot) < forgetEvery { // incidents change all the time, and what is made of them is a summary
		return nil
	}
	c.forgot = time.Now()
	if changed, v, err = c.changed(ctx, changeIncidents); err == nil && changed {
		c.labels.IncidentsElsewhere()
		c.seen[changeIncidents] = v
	}
	return err
}

func (c *changes) changed(ctx context.Context, what string) (bool, int64, error) {
	item, err := c.exact.Get(ctx, changesBucket, what)
	if lastnight.CodeOf(err) == lastnight.CodeNotFound {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, fmt.Errorf("look for changed %s: %w", what, err)
	}
	return item.Version != c.seen[what], item.Version, nil
}

// soon is follow for a request, which is not to wait for a store that is away: what is known is better than no answer.
func (c *changes) soon(ctx context.Context) error {
	c.mu.Lock()
	rests := time.Now().Before(c.rests)
	c.mu.Unlock()
	if rests {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, followPatience)
	defer cancel()
	err := c.follow(limited)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.rests) {
		return nil // somebody else has said so
	}
	c.rests = time.Now().Add(followRest)
	return err
}

// handler lets requests see what was changed by another replica before they came.
func (c *changes) handler(next http.Handler, failed func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/") {
			if err := c.soon(r.Context()); err != nil {
				failed(err)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// registerLeases adds what this process holds.
func registerLeases(reg *prometheus.Registry, n *node) {
	for _, duty := range duties {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "lastnight", Name: "lease_held", ConstLabels: prometheus.Labels{"duty": duty, "replica": n.id},
			Help: "1 while this server does what only one of several may do at a time.",
		}, func() float64 {
			if n.leases.Held(duty) {
				return 1
			}
			return 0
		}))
	}
	counter := func(name, help string, f func() int64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "lastnight", Name: name, Help: help},
			func() float64 { return float64(f()) }))
	}
	counter("leases_lost_total", "Leases that ran out or were taken by another server, rather than given up.", n.leases.Lost)
	counter("adopted_segments_total", "Segments that another server left without counts and that were indexed here.", func() int64 { return n.indexer.Metrics().Adopted })
	counter("recounted_segments_total", "Times that a segment was counted anew, since another one has some of its lines too.", func() int64 { return n.indexer.Metrics().Recounted })
}
