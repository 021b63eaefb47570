// Package indexer takes what collectors send and answers what people ask of it.
//
// The way in (Ingest), for every batch:
//
//	trim what the archive holds ─▶ cluster ─▶ recognise ─▶ templates to the store
//	  ─▶ archive.Append: durable, so this is the ack ─▶ documents ─▶ counts to the store
//
// Templates go first, so that no id in the archive lacks its text. Counts go last and
// are named after the segment: a segment without counts was cut off by a crash or by a
// store that was away, and is indexed again from the archive (see recover.go). So a
// failure between the two tiers loses nothing and doubles nothing.
//
// The way out (search.go, ask.go) is the lastnight.Searcher over both tiers.
//
// Limits: one Indexer writes an archive and its store at a time, unless all that do are
// Shared (see settle.go). Clusterer shards are kept in memory up to Config.MaxShardBytes, others
// are put into the store.
package indexer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/indexer/store"
)

// Mark says that signals of a workload happened from one time to another; of a node, if both names are empty.
type Mark struct {
	Namespace string    `json:"namespace,omitempty"`
	Workload  string    `json:"workload,omitempty"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Evidence  bool      `json:"evidence,omitempty"` // no landmark among them: no event, change of state, start or end, nor what a person asked
}

// SignalSink is told which workloads have something new to investigate.
type SignalSink interface {
	// Mark returns when the marks are where they have to be: in memory, or where the server that investigates
	// finds them. The same marks again are no harm.
	Mark(ctx context.Context, marks []Mark) error
}

// Config says what an Indexer works on.
type Config struct {
	Archive    *archive.Archive
	Store      store.Store
	Recognizer lastnight.Recognizer
	Sink       SignalSink // may be nil
	Logger     *slog.Logger
	MaxShards  int // clusterer shards in memory, at most; 0: as many as MaxShardBytes allows
	// MaxShardBytes is how much memory they take, about; default 20 MiB: more would burden the garbage collector more than it saves (BenchmarkTurns).
	MaxShardBytes int64

	// Shared says that other processes write the same archive (which must be Shared too) and store. What they left
	// undone is then not looked for by Open but by Settle.
	Shared bool
	// SettleAfter is how long a segment of another process may be without counts before it counts as left behind; 0: 30 s.
	SettleAfter time.Duration
	Now         func() time.Time // nil: time.Now; decides only what has waited for too long
}

// Indexer implements lastnight.Ingester and lastnight.Searcher. It is safe for concurrent use.
type Indexer struct {
	cfg       Config
	log       *slog.Logger
	shards    *shards
	merger    *merger
	workloads *workloads
	jobs      *jobs
	metrics   Metrics
	followed  followed
	tallies   tallies

	settling map[string]*settling // by segment; belongs to Settle
	settled  sync.Map             // names of segments that Ready lets go

	mu        sync.Mutex
	unindexed []string                      // segments that the store has not taken; guarded by mu
	templates map[string]lastnight.Template // changed, but not yet in the store; guarded by mu
}

// Open makes an Indexer and indexes what a crash left out.
func Open(ctx context.Context, cfg Config) (*Indexer, error) {
	if cfg.MaxShardBytes <= 0 {
		cfg.MaxShardBytes = 20 << 20
	}
	if cfg.SettleAfter <= 0 {
		cfg.SettleAfter = defaultSettleAfter
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	x := &Indexer{
		cfg:       cfg,
		log:       cfg.Logger,
		shards:    newShards(cfg.Store, cfg.MaxShards, cfg.MaxShardBytes, cfg.Logger),
		merger:    newMerger(),
		workloads: newWorkloads(cfg.Store),
		jobs:      newJobs(cfg.Store),
		settling:  map[string]*settling{},
	}
	x.shards.followed, x.shards.learned = &x.followed, cfg.Store.PutTemplates
	if cfg.Shared {
		return x, nil
	}
	if err := x.recover(ctx); err != nil {
		return nil, fmt.Errorf("recover index: %w", err)
	}
	return x, nil
}

// SetSink names who is told of signals. Call it before the first Ingest.
func (x *Indexer) SetSink(s SignalSink) { x.cfg.Sink = s }

// Flush puts what is in memory only into the store: the clusterer's shards, for how many records documents stand, and when
// jobs were seen last. What is lost without it is told by the counts and the archive.
func (x *Indexer) Flush(ctx context.Context) error {
	return errors.Join(x.putAlike(ctx, true), x.jobs.flush(ctx), x.shards.flush(ctx))
}

// putAlike tells the store for how many records documents stand that were put earlier, those whose time has come, or all.
func (x *Indexer) putAlike(ctx context.Context, all bool) error {
	grown := x.merger.take(x.cfg.Now(), all)
	if len(grown) == 0 {
		return nil
	}
	list := x.merger.alike(grown)
	err := x.cfg.Store.PutAlike(ctx, list)
	x.merger.told(grown, list, err)
	if err != nil {
		return fmt.Errorf("put how many are alike: %w", err)
	}
	return nil
}

// Close flushes. Archive and store stay open: they are their owner's.
func (x *Indexer) Close(ctx context.Context) error { return x.Flush(ctx) }

// Position tells up to which offset the archive holds a file generation.
func (x *Indexer) Position(s lastnight.Stream, g lastnight.Generation) int64 {
	return x.cfg.Archive.Position(s, g)
}

// Ingest implements lastnight.Ingester.
func (x *Indexer) Ingest(ctx context.Context, b lastnight.Batch) error {
	if err := x.catchUp(ctx); err != nil {
		return err
	}
	if err := x.ingestPods(ctx, b.Pods); err != nil {
		return err
	}
	if x.cfg.Shared && b.Elsewhere && len(b.Spans) > 0 {
		if err := x.cfg.Archive.Refresh(ctx); err != nil {
			return lastnight.Errorf(lastnight.CodeUnavailable, "", "look what others have stored: %w", err)
		}
	}
	if err := x.ingestSpans(ctx, b.Spans); err != nil {
		return err
	}
	return x.ingestEvents(ctx, b.Events)
}

func (x *Indexer) ingestPods(ctx context.Context, pods []lastnight.Pod) error {
	if len(pods) == 0 {
		return nil
	}
	jobs := make([]lastnight.Job, 0, len(pods))
	for i := range pods {
		w := x.workloads.learn(&pods[i])
		jobs = append(jobs, jobOf(w, pods[i].Cluster, pods[i].Created, pods[i].Created))
	}
	if err := x.cfg.Store.PutPods(ctx, pods); err != nil {
		return fmt.Errorf("put pods: %w", err)
	}
	return x.jobs.see(ctx, jobs)
}

// jobOf makes the job that a workload is before anything else is known of it.
func jobOf(w lastnight.Workload, cluster string, first, last time.Time) lastnight.Job {
	return lastnight.Job{
		Cluster: cluster, Namespace: w.Namespace, Name: w.Name, Kind: w.Kind, Workload: w.Name,
		FirstSeen: first, LastSeen: last,
	}
}

func (x *Indexer) ingestSpans(ctx context.Context, spans []lastnight.Span) error {
	p := newPass(x)
	defer p.done()
	if err := x.cfg.Archive.Meet(ctx, spans); err != nil {
		return fmt.Errorf("learn what is held: %w", err)
	}
	for i := range spans {
		if err := p.span(ctx, &spans[i]); err != nil {
			return err
		}
	}
	if len(p.items) == 0 {
		return nil
	}
	if err := x.putTemplates(ctx, p); err != nil {
		return err
	}
	seg, err := x.cfg.Archive.Append(ctx, p.items)
	if err != nil {
		p.failed()
		return fmt.Errorf("append to archive: %w", err)
	}
	x.metrics.count(p)
	if seg.Name == "" {
		return nil
	}
	if x.cfg.Shared {
		p.until = x.cfg.Now().Add(x.cfg.SettleAfter / 2)
	}
	if err := x.index(ctx, seg.Name, p); err != nil {
		// The lines are safe: say so by acknowledging them, and index them later.
		level := slog.LevelError
		if errors.Is(err, errLate) {
			level = slog.LevelInfo
		}
		x.log.Log(ctx, level, "index segment later", "segment", seg.Name, "err", err)
		p.failed()
		x.mu.Lock()
		x.unindexed = append(x.unindexed, seg.Name)
		x.mu.Unlock()
	}
	return nil
}

// putTemplates writes the templates that changed. The clusterer tells of a change
// once, so those that the store refused are kept for the next time.
func (x *Indexer) putTemplates(ctx context.Context, p *pass) error {
	x.mu.Lock()
	for id, t := range x.templates {
		if now, ok := p.tmpl[id]; ok {
			store.MergeTemplate(&t, &now)
		}
		p.tmpl[id] = t
	}
	x.templates = p.tmpl
	x.mu.Unlock()
	if err := x.cfg.Store.PutTemplates(ctx, p.templates()); err != nil {
		p.failed()
		return fmt.Errorf("put templates: %w", err)
	}
	x.mu.Lock()
	x.templates = nil
	x.mu.Unlock()
	return nil
}

// errLate says that a pass took so long that another process may be about to index the segment.
var errLate = errors.New("it took too long")

// index writes to the store what a pass over a segment gave. Counts come last: they
// are the mark that the segment is indexed.
func (x *Indexer) index(ctx context.Context, segment string, p *pass) error {
	if err := x.jobs.see(ctx, p.jobList()); err != nil {
		return err
	}
	if err := x.cfg.Store.Index(ctx, p.documents()); err != nil {
		return fmt.Errorf("index documents: %w", err)
	}
	if err := x.putAlike(ctx, false); err != nil {
		return err
	}
	if err := p.markSignals(ctx); err != nil {
		return err
	}
	if !p.until.IsZero() && x.cfg.Now().After(p.until) {
		return errLate
	}
	if err := x.cfg.Store.PutCounts(ctx, segment, p.countList()); err != nil {
		return fmt.Errorf("put counts: %w", err)
	}
	return nil
}

func (x *Indexer) ingestEvents(ctx context.Context, events []lastnight.Event) error {
	if len(events) == 0 {
		return nil
	}
	p := newPass(x)
	defer p.done()
	docs := make([]lastnight.Document, len(events))
	for i := range events {
		e := events[i]
		w := x.workloads.ofObject(ctx, e.Object)
		if e.Workload == "" {
			e.Workload = w.Name
		}
		docs[i] = eventDocument(&e)
		switch {
		case w.Name != "": // a job that never had a pod is one that people ask about, too
			p.noteJob(jobOf(w, e.Cluster, e.Time, e.Time))
			p.mark(w, stretch{from: e.Time, to: e.Time})
		case e.Object.Kind == "Node": // concerns whoever has pods there
			p.mark(lastnight.Workload{}, stretch{from: e.Time, to: e.Time})
		}
	}
	if err := x.jobs.see(ctx, p.jobList()); err != nil {
		return err
	}
	if err := x.cfg.Store.Index(ctx, docs); err != nil {
		return fmt.Errorf("index events: %w", err)
	}
	if err := p.markSignals(ctx); err != nil {
		return err
	}
	x.metrics.events.Add(int64(len(events)))
	return nil
}

// eventDocument is how an event is kept in the store.
func eventDocument(e *lastnight.Event) lastnight.Document {
	d := lastnight.Document{
		ID: e.ID, Kind: lastnight.DocumentEvent, Time: e.Time, Text: e.Message, Event: e,
		Cluster: e.Cluster, Namespace: e.Object.Namespace, Node: e.Node, Container: e.Container,
		Restart: e.Restart, Job: e.Workload,
	}
	switch e.Object.Kind {
	case "Pod":
		d.Pod, d.PodUID = e.Object.Name, e.Object.UID
	case "Node":
		d.Namespace = ""
		if d.Node == "" {
			d.Node = e.Object.Name
		}
	}
	if e.Type == "Warning" {
		d.Level = lastnight.LevelWarn.String()
	}
	return d
}
