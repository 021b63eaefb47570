package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"lastnight"
	"lastnight/indexer"
	"lastnight/indexer/archive"
	"lastnight/indexer/ingest"
	"lastnight/indexer/lease"
	"lastnight/indexer/store"
	"lastnight/investigation"
	"lastnight/labels"
)

// nodeConfig says how a node is opened.
type nodeConfig struct {
	dir    string
	create bool
	listen string // address of its server, for those who find the directory locked
	log    *slog.Logger
	tiers  tierFlags     // where archive and store are; zero: in dir
	lease  time.Duration // how long leases last, where there are several servers; 0: the default
	serves bool          // it goes on, and tends what it opened; else it is a command that ends
	shards int           // workloads whose clusterers are kept in memory; 0: the default
	upkeep int64         // bytes a second that compaction and retention read and write; 0: the default
}

// node is lastnight's parts put together on one data directory, or on tiers that other nodes share.
type node struct {
	cfg          nodeConfig
	dir          *dataDir // nil: shared tiers, nothing on this machine's disk
	id           string   // names this process among those that share
	blobs        *openBlobs
	archive      *archive.Archive
	store        store.Store
	indexer      *indexer.Indexer
	detector     *investigation.Detector
	investigator *investigation.Investigator
	labels       *labels.Labels
	ingest       *ingest.Handler // nil until it serves

	// Of shared tiers; nil otherwise.
	leases  *lease.Leases
	board   *board
	changes *changes
}

func (n *node) shared() bool { return n.leases != nil }

// openNode opens the parts in the data's order; Close closes them in reverse.
func openNode(ctx context.Context, cfg nodeConfig) (n *node, err error) {
	n = &node{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close(context.WithoutCancel(ctx)))
		}
	}()
	shared := cfg.tiers.shared()
	if shared {
		cfg.dir = ""
	} else if n.dir, err = openDataDir(cfg.dir, cfg.create, cfg.listen); err != nil {
		return n, err
	}
	if n.id, err = newReplicaID(); err != nil {
		return n, err
	}
	if err := n.openTiers(ctx, cfg, shared); err != nil {
		return n, err
	}
	if shared {
		n.leases = lease.New(lease.Config{Store: n.store, Holder: n.id, TTL: cfg.lease, Log: cfg.log})
		n.changes = newChanges(n.store)
	}
	catalogue, err := investigation.DefaultCatalogue()
	if err != nil {
		return n, fmt.Errorf("load catalogue of causes: %w", err)
	}
	watch := &watched{Store: n.store, changes: n.changes}
	n.indexer, err = indexer.Open(ctx, indexer.Config{
		Archive: n.archive, Store: watch, Recognizer: investigation.NewRecognizer(catalogue), Logger: cfg.log,
		Shared: shared, SettleAfter: 2 * cfg.lease, MaxShards: cfg.shards,
	})
	if err != nil {
		return n, fmt.Errorf("open indexer: %w", err)
	}
	src := tiers{Indexer: n.indexer, store: n.store}
	n.detector = investigation.NewDetector(investigation.DetectorConfig{Source: src, Keeper: watch, Catalogue: catalogue, Log: cfg.log})
	n.investigator = investigation.NewInvestigator(n.store, nil)
	if err := n.openLabels(ctx, watch, catalogue.Causes()); err != nil {
		return n, fmt.Errorf("open labels: %w", err)
	}
	n.indexer.SetSink(direct{n.detector})
	if shared {
		n.board = &board{exact: n.store, id: n.id, detector: n.detector, log: cfg.log}
		n.changes.labels = n.labels
		if cfg.serves {
			n.indexer.SetSink(n.board)
		}
	}
	return n, nil
}

// openTiers opens archive and store.
func (n *node) openTiers(ctx context.Context, cfg nodeConfig, shared bool) (err error) {
	if n.blobs, err = cfg.tiers.openBlobs(ctx, cfg.dir); err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	if shared {
		n.blobs.Blobs = fencedBlobs{n.blobs.Blobs}
	}
	n.archive, err = archive.Open(ctx, archive.Config{
		Blobs: n.blobs.Blobs, Logger: cfg.log, // not n.blobs: a directory reads into memory at hand
		Shared: shared, Grace: graceLeases * cfg.lease, UpkeepBytes: cfg.upkeep,
		Ready: func(ctx context.Context, segment string) (bool, error) { return n.indexer.Ready(ctx, segment) },
	})
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	if n.store, err = cfg.tiers.openStore(ctx, cfg.dir, cfg.log); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	return nil
}

// Close lets go of everything; what is in memory only is written first.
func (n *node) Close(ctx context.Context) error {
	var errs []error
	if n.indexer != nil {
		errs = append(errs, n.indexer.Close(ctx))
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.archive != nil {
		errs = append(errs, n.archive.Close())
	}
	if n.blobs != nil {
		errs = append(errs, n.blobs.Close())
	}
	if n.dir != nil {
		errs = append(errs, n.dir.Close())
	}
	return errors.Join(errs...)
}

// closeInTime is Close for a server that was told to end: its context is over, and a minute
// is what it may take.
func (n *node) closeInTime(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return n.Close(ctx)
}

const (
	// graceLeases is for how many leases a file that a chunk has replaced stays for other servers that may still read
	// it: 15 minutes of the default one.
	graceLeases  = 60
	ripeEvery    = time.Second      // between two looks whether there are segments enough for a chunk
	compactEvery = 15 * time.Second // between two compactions otherwise: of what is old, of what failed
	retainEvery  = 10 * time.Minute
	cleanEvery   = time.Hour // of half-done uploads
)

// tend runs what a server does besides answering: investigating, compacting, dropping what is too old,
// and telling people (notify, if not nil).
func (n *node) tend(ctx context.Context, k keep, notify func(context.Context) error) error {
	if n.shared() {
		return n.tendShared(ctx, k, notify)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.detector.Run(ctx) })
	if notify != nil {
		g.Go(func() error { return notify(ctx) })
	}
	g.Go(func() error {
		c := compactor{n: n}
		return every(ctx, ripeEvery, func() { c.compact(ctx) })
	})
	g.Go(func() error {
		return every(ctx, 5*time.Minute, func() { n.logged("keep clusterer", n.indexer.Flush(ctx)) })
	})
	g.Go(func() error {
		return every(ctx, retainEvery, func() { n.logged("drop what is too old", n.retain(ctx, k, time.Now())) })
	})
	g.Go(func() error {
		return every(ctx, cleanEvery, func() { n.logged("drop half-done uploads", n.dropUnfinished(ctx, time.Now())) })
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("background work: %w", err)
	}
	return nil
}

// compactor compacts as soon as there is enough for a chunk, since that is asked more cheaply; and now and then what has
// waited for long. Not for several goroutines.
type compactor struct {
	n      *node
	last   time.Time // when it compacted last, or tried to
	failed bool
}

func (c *compactor) compact(ctx context.Context) {
	if time.Since(c.last) < compactEvery && (c.failed || !c.n.archive.Ripe()) {
		return
	}
	err := c.n.archive.CompactDue(ctx)
	c.n.logged("compact archive", err)
	c.last, c.failed = time.Now(), err != nil
}

func (n *node) logged(doing string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		n.cfg.log.Error("background work failed", "doing", doing, "err", err)
	}
}

// retain drops what is older than it is kept, but no chunk that an incident refers to. Age counts from
// arrival, so the store keeps what is as old as lines that arrived lately: an import of old logs.
func (n *node) retain(ctx context.Context, k keep, now time.Time) error {
	limit := now.Add(-k.storeAge)
	oldest, ok, err := n.archive.Oldest(ctx, limit)
	if err != nil {
		return fmt.Errorf("find the oldest line: %w", err)
	}
	if ok && oldest.Before(limit) {
		limit = oldest
	}
	limit = limit.UTC().Truncate(24 * time.Hour) // whole days: stores drop them at once
	if err := lease.Check(ctx); err != nil {
		return err
	}
	if _, err := n.store.DropDocuments(ctx, limit); err != nil {
		return fmt.Errorf("drop documents: %w", err)
	}
	if err := n.store.DropCounts(ctx, limit); err != nil {
		return fmt.Errorf("drop counts: %w", err)
	}
	incidents, err := n.store.Incidents(ctx, lastnight.IncidentsRequest{Planned: true})
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	maxBytes, err := k.maxBytes(n.blobs)
	if err != nil {
		return err
	}
	return n.archive.Retain(ctx, archive.Policy{
		MaxAge: k.archiveAge, NamespaceAge: k.byNamespace, MaxBytes: maxBytes,
		Keep: func(job string, start, end time.Time) bool {
			for i := range incidents {
				in := &incidents[i]
				if (in.Workload == job || in.Job == job) && in.Start.Before(end) && !in.End.Before(start) {
					return true
				}
			}
			return false
		},
	})
}

// dropUnfinished removes what puts of processes that died have left in the archive's store.
func (n *node) dropUnfinished(ctx context.Context, now time.Time) error {
	if err := lease.Check(ctx); err != nil {
		return err
	}
	dropped, err := n.blobs.unfinished(ctx, now.Add(-archive.UnfinishedAge))
	if dropped > 0 {
		n.cfg.log.Info("removed what unfinished puts have left", "uploads", dropped)
	}
	return err
}

// every calls f at once and then at each interval, until the context is over.
func every(ctx context.Context, interval time.Duration, f func()) error {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// logger writes for people and machines alike: key=value lines on stderr.
func (o *options) logger(w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
