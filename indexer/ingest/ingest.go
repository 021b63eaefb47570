// Package ingest takes what collectors and other OTLP senders post to /v1/logs.
//
//	POST ─▶ decompress ─▶ otlp.Decode ─▶ group of requests ─▶ Ingester (one segment) ─▶ 200
//
// A request is answered with 200 only when everything in it is durable. Requests that arrive within
// Config.Linger of the group before, or until Config.GroupBytes are there or a large one comes, are made durable together, so that a
// thousand small senders do not make a thousand segments.
//
// Backpressure: bodies, whole and decompressed, take from a budget of memory
// (Config.MaxPending). Where it is used up, and where the ingester is unavailable (disk full), the
// answer is 429 or 503 with Retry-After, and nothing was taken.
//
// What our own collectors send has its place in a file and is kept once, however often it comes.
// What others send has none: each of their streams gets a generation here that lasts as long as
// the process, and offsets in the order of arrival. If their acknowledgement is lost, they
// send again, and it is there twice.
//
// Browsers are refused: they name an Origin with every POST, and no sender of logs does.
package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"lastnight"
	"lastnight/internal/otlp"
)

// Config says where things go. Ingester must be set.
type Config struct {
	Ingester   lastnight.Ingester
	Allow      func(*http.Request) error // why the sender may not send: CodeUnauthenticated or CodeForbidden; nil: everybody may
	Logger     *slog.Logger              // nil: silent
	Linger     time.Duration             // between two groups at least, unless they are large; 0: 200 ms
	GroupBytes int64                     // a group of so many bytes waits no longer; 0: 4 MiB
	MaxPending int64                     // bytes of requests in memory, decompressed; 0: 96 MiB
	Now        func() time.Time          // nil: time.Now
	// Replica names this process where it is one of several servers. A request that does not say that all before it,
	// of its streams, was taken by this very process makes a batch with Elsewhere. "": it is the only one.
	Replica string
}

const (
	defaultLinger     = 200 * time.Millisecond
	defaultGroupBytes = 4 << 20
	// largeRequest is what only somebody sends who has much more behind it: a collector that catches up, and waits for each
	// acknowledgement before it sends again. Such a request waits for no others.
	largeRequest      = 1 << 20
	defaultMaxPending = 96 << 20
	maxQueue          = 1024 // requests that wait for a group

	// The headers by which collectors know and tell which of several servers had a stream last.
	replicaHeader = "Lastnight-Replica" // of answers
	followsHeader = "Lastnight-Follows" // of requests
	committers    = 2                   // groups made durable at once
)

// Metrics counts since the start.
type Metrics struct {
	Requests int64 // answered with 200
	Refused  int64 // answered with 429 or 503
	Invalid  int64 // answered with another error
	Records  int64 // log records, events and pods that are durable
	Rejected int64 // log records in requests answered with 200 that were malformed and left out
	Foreign  int64 // log records of other senders that are durable
	Groups   int64 // calls of the ingester
}

// Handler is an http.Handler for POST /v1/logs. Run must be running for it to answer.
type Handler struct {
	cfg     Config
	log     *slog.Logger
	queue   chan *request
	stopped chan struct{}
	pending atomic.Int64 // bytes of the budget in use
	placer  placer
	works   works

	gather   sync.Mutex // held by the committer that gathers a group
	gathered time.Time  // guarded by gather; when the last group was complete

	requests, refused, invalid, records, rejected, foreign, groups atomic.Int64
}

// New makes a handler.
func New(cfg Config) *Handler {
	if cfg.Linger == 0 {
		cfg.Linger = defaultLinger
	}
	if cfg.GroupBytes == 0 {
		cfg.GroupBytes = defaultGroupBytes
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = defaultMaxPending
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{
		cfg: cfg, log: cfg.Logger, queue: make(chan *request, maxQueue), stopped: make(chan struct{}),
		works:  make(works, maxIdle),
		placer: placer{streams: map[lastnight.Stream]*place{}},
	}
}

// Metrics gives the counts; it may be called at any time.
func (h *Handler) Metrics() Metrics {
	return Metrics{
		Requests: h.requests.Load(), Refused: h.refused.Load(), Invalid: h.invalid.Load(), Records: h.records.Load(),
		Rejected: h.rejected.Load(), Foreign: h.foreign.Load(), Groups: h.groups.Load(),
	}
}

// request is one that waits to become durable.
type request struct {
	*otlp.Request
	bytes   int64
	strange bool       // another server may have had its streams
	done    chan error // takes one
	release func()     // gives its memory back; called once nobody reads it any more
}

func (r *request) finish(err error) {
	r.release()
	r.done <- err
}

// Run makes requests durable until ctx is done; those that wait then are answered with 503. Call it once.
func (h *Handler) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	for range committers {
		g.Go(func() error {
			for {
				group := h.group(gctx)
				if len(group) == 0 {
					return gctx.Err()
				}
				h.commit(gctx, group)
			}
		})
	}
	err := g.Wait()
	close(h.stopped)
	for {
		select {
		case r := <-h.queue:
			r.finish(errStopping)
		default:
			return err
		}
	}
}

var errStopping = lastnight.Errorf(lastnight.CodeUnavailable, "send again", "the server is stopping")

// group gathers requests: nil if ctx is done. The first waits for others only as long as the group before it is
// younger than Linger: who comes alone does not wait, nor does a large request.
func (h *Handler) group(ctx context.Context) []*request {
	h.gather.Lock()
	defer h.gather.Unlock()
	var group []*request
	select {
	case r := <-h.queue:
		group = append(group, r)
	case <-ctx.Done():
		return nil
	}
	linger := time.NewTimer(h.cfg.Linger - time.Since(h.gathered))
	defer linger.Stop()
	for last, bytes := group[0].bytes, group[0].bytes; last < largeRequest && bytes < h.cfg.GroupBytes; {
		select {
		case r := <-h.queue:
			group = append(group, r)
			last, bytes = r.bytes, bytes+r.bytes
			continue
		case <-linger.C:
		case <-ctx.Done():
			for _, r := range group {
				r.finish(errStopping)
			}
			return nil
		}
		break
	}
	h.gathered = time.Now()
	return group
}

// commit makes a group durable. One bad request does not take the others with it.
func (h *Handler) commit(ctx context.Context, group []*request) {
	var all lastnight.Batch
	for _, r := range group {
		all.Elsewhere = all.Elsewhere || r.strange
		all.Pods = append(all.Pods, r.Batch.Pods...)
		all.Events = append(all.Events, r.Batch.Events...)
		all.Spans = append(append(all.Spans, r.Batch.Spans...), r.Foreign...)
	}
	h.groups.Add(1)
	err := h.cfg.Ingester.Ingest(ctx, all)
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		err = errStopping
	case lastnight.CodeOf(err) != lastnight.CodeUnavailable && len(group) > 1:
		for _, r := range group {
			h.commit(ctx, []*request{r})
		}
		return
	case lastnight.CodeOf(err) != lastnight.CodeUnavailable:
		h.log.Error("a request cannot be ingested", "records", group[0].Records, "err", err)
	}
	for _, r := range group {
		if err == nil {
			h.records.Add(r.Records)
			h.rejected.Add(r.Rejected)
			for i := range r.Foreign {
				h.foreign.Add(int64(len(r.Foreign[i].Records)))
			}
		}
		r.finish(err)
	}
}
