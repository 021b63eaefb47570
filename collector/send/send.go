// Package send brings batches to a server over OTLP/HTTP: the lastnight.Ingester of a collector
// that is not in the server's process.
//
//	Ingest ─▶ split ─▶ encode, compress ─▶ POST, again and again ─▶ 200: durable there ─▶ checkpoint
//	                                          │ for Config.Patience
//	                                          └▶ spool (durable here) ─▶ POST, until the server is back ─▶ checkpoint
//
// Ingest returns nil when the batch is durable, at the server or in the spool. The checkpoint follows the
// server's acknowledgements alone.
//
// When the server does not answer, the node's files are the buffer, and the spool is for what they will not keep.
// So the first batch that could not be sent is spooled, the sender is away, and Skip tells the tailer to leave alone
// what rotation does not threaten; what it still reads is spooled up to the spool's cap, after which everything
// waits. Events and pods, which no file has, are spooled as well. When the server answers again, the spool is sent
// beside what is new, in any order: a line's place is in its id.
//
// There may be several servers, replicas of each other (see replicas.go): a stream goes to one of them as long as
// that answers, and a server is away only when none does.
//
// What a server refuses for good (it is malformed, or larger than it takes) is sent again span by span; the span
// that is to blame is lost, logged and measured: a collector event says "about N bytes of this pod are missing".
package send

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"lastnight"
	"lastnight/collector/checkpoint"
	"lastnight/collector/spool"
)

// Config says what a Sender works with. Client and Checkpoint must be set.
type Config struct {
	Client     *Client
	Checkpoint *checkpoint.Checkpoint
	Spool      *spool.Spool // nil: none
	Gzip       bool         // compress with gzip rather than zstd
	Cluster    string
	Node       string
	Patience   time.Duration // how long a batch is tried before it is spooled, or said to be unavailable; 0: 10 s
	Flush      time.Duration // between two writes of the checkpoint; 0: 1 s
	Logger     *slog.Logger  // nil: silent
}

const (
	defaultPatience = 10 * time.Second
	defaultFlush    = time.Second
	maxLosses       = 1000 // events of losses that wait to be sent
	reasonLost      = "LogsLost"
)

// Sender implements lastnight.Ingester and collector.Positions. It is safe for concurrent use.
type Sender struct {
	cfg  Config
	log  *slog.Logger
	pack packer

	isAway atomic.Bool // the server did not answer when it was last asked
	turn   sync.Mutex  // held while isAway turns true or the spool is empty
	lost   atomic.Int64
	raw    atomic.Int64

	mu     sync.Mutex
	losses []lastnight.Event // guarded by mu; to be sent
}

// Stats counts since the start.
type Stats struct {
	Requests    int64 // posted, retries included
	Retries     int64
	RawBytes    int64 // of log files, acknowledged by the server
	SentBytes   int64 // compressed, acknowledged
	LostBytes   int64 // of log files that will never arrive, as far as it is known
	SpoolBytes  int64 // on disk now
	SpoolFrames int64 // requests in the spool now
	Away        bool  // the server does not answer, nor any replica of it
	Replicas    int64 // servers that are known
	Down        int64 // of these, how many do not answer
}

// New makes a sender; Run does what goes on behind Ingest.
func New(cfg Config) *Sender {
	if cfg.Patience == 0 {
		cfg.Patience = defaultPatience
	}
	if cfg.Flush == 0 {
		cfg.Flush = defaultFlush
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sender{cfg: cfg, log: cfg.Logger, pack: packer{gzip: cfg.Gzip}}
}

// Stats gives the counts; it may be called at any time.
func (s *Sender) Stats() Stats {
	c := s.cfg.Client
	st := Stats{
		Requests: c.posts.Load(), Retries: c.retries.Load(), RawBytes: s.raw.Load(), SentBytes: c.bytes.Load(),
		LostBytes: s.lost.Load(), Away: s.isAway.Load(),
	}
	st.Replicas, st.Down = c.replicas.counts()
	if s.cfg.Spool != nil {
		st.SpoolBytes, st.SpoolFrames = s.cfg.Spool.Bytes(), int64(s.cfg.Spool.Frames())
	}
	return st
}

// Position implements collector.Positions: what the server acknowledged or the spool has.
func (s *Sender) Position(stream lastnight.Stream, gen lastnight.Generation) int64 {
	at := s.cfg.Checkpoint.Position(stream, gen)
	if s.cfg.Spool != nil {
		at = max(at, s.cfg.Spool.Position(stream, gen))
	}
	return at
}

// Skip tells the tailer not to read a file now: the server is away, and either rotation
// will not take the file soon (atRisk is false), or there is no room in the spool.
func (s *Sender) Skip(atRisk bool) bool {
	return s.isAway.Load() && s.cfg.Spool != nil && (!atRisk || !s.cfg.Spool.Room())
}

// Ingest implements lastnight.Ingester. CodeUnavailable: neither the server nor the spool took it.
func (s *Sender) Ingest(ctx context.Context, b lastnight.Batch) error {
	for _, part := range s.cfg.Client.deal(ctx, &b) {
		for _, piece := range split(&part) {
			if err := s.send(ctx, &piece); err != nil {
				return err
			}
		}
	}
	return nil
}

// send brings one piece to the server or into the spool.
func (s *Sender) send(ctx context.Context, piece *lastnight.Batch) error {
	f, err := s.pack.pack(piece)
	if err != nil {
		return err
	}
	defer f.release()
	if s.isAway.Load() && s.cfg.Spool != nil {
		return s.spool(&f.Frame, nil)
	}
	err = s.cfg.Client.postPatiently(ctx, &f.Frame, s.cfg.Patience)
	if err == nil {
		s.acknowledged(&f.Frame)
		return nil
	}
	if _, ok := errors.AsType[*refused](err); ok {
		return s.isolate(ctx, piece, err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.spool(&f.Frame, err)
}

// spool keeps a request that the server did not take, because of cause.
func (s *Sender) spool(f *spool.Frame, cause error) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if !s.isAway.Swap(true) {
		s.log.Warn("the server cannot be reached; the node's files are the buffer", "err", cause)
	}
	if s.cfg.Spool == nil {
		return lastnight.Errorf(lastnight.CodeUnavailable, "", "the server did not take it: %w", cause)
	}
	if err := s.cfg.Spool.Put(f); err != nil {
		return lastnight.Errorf(lastnight.CodeUnavailable, "", "the server is away, and the spool did not take it: %w", err)
	}
	return nil
}

// acknowledged notes that the server has a request.
func (s *Sender) acknowledged(f *spool.Frame) {
	if s.isAway.Swap(false) {
		s.log.Info("the server answers again")
	}
	s.raw.Add(f.Raw)
	s.advance(f)
}

func (s *Sender) advance(f *spool.Frame) {
	for i := range f.Ranges {
		r := &f.Ranges[i]
		s.cfg.Checkpoint.Ack(r.Stream.ID(), r.Generation, r.To)
	}
}

// isolate sends what was refused piece by piece. What is refused alone is lost.
func (s *Sender) isolate(ctx context.Context, b *lastnight.Batch, cause error) error {
	pieces := make([]lastnight.Batch, 0, len(b.Pods)+len(b.Events)+len(b.Spans))
	for i := range b.Pods {
		pieces = append(pieces, lastnight.Batch{Pods: b.Pods[i : i+1]})
	}
	for i := range b.Events {
		pieces = append(pieces, lastnight.Batch{Events: b.Events[i : i+1]})
	}
	for i := range b.Spans {
		pieces = append(pieces, lastnight.Batch{Spans: b.Spans[i : i+1]})
	}
	if len(pieces) > 1 {
		for i := range pieces {
			if err := s.send(ctx, &pieces[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(b.Spans) == 0 {
		s.log.Error("the server refused an event or a pod", "err", cause)
		return nil
	}
	x := &b.Spans[0]
	s.Lost(*x.Stream, x.Generation, x.From, x.To, cause.Error())
	s.cfg.Checkpoint.Ack(x.Stream.ID(), x.Generation, x.To)
	return nil
}

// Lost says that the bytes [from, to) of a generation will never arrive, and why. It is logged, counted, and
// sent as an event.
func (s *Sender) Lost(stream lastnight.Stream, gen lastnight.Generation, from, to int64, why string) {
	s.log.Error("lines are lost", "namespace", stream.Namespace, "pod", stream.Pod, "container", stream.Container, "bytes", to-from, "reason", why)
	s.lose(&lastnight.Event{
		Object: lastnight.ObjectRef{Kind: "Pod", Namespace: stream.Namespace, Name: stream.Pod, UID: stream.PodUID},
		Node:   stream.Node, Container: stream.Container, Restart: stream.Restart,
		Message: fmt.Sprintf("about %d bytes of this pod are missing: %s", to-from, why),
	}, to-from, fmt.Sprint(stream.ID(), gen, from))
}

// lostFrames says that a part of the spool is damaged: nobody knows of which pods.
func (s *Sender) lostFrames() {
	for _, d := range s.cfg.Spool.Damages() {
		s.lose(&lastnight.Event{
			Object: lastnight.ObjectRef{Kind: "Node", Name: s.cfg.Node}, Node: s.cfg.Node,
			Message: fmt.Sprintf("about %d bytes (compressed) of this node are missing: %s was damaged", d.Bytes, d.File),
		}, d.Bytes, d.File)
	}
}

func (s *Sender) lose(e *lastnight.Event, bytes int64, what string) {
	s.lost.Add(bytes)
	sum := sha256.Sum256([]byte("lost\x00" + s.cfg.Node + "\x00" + what))
	e.ID, e.Time, e.Kind, e.Type = "e"+hex.EncodeToString(sum[:10]), time.Now().UTC(), lastnight.EventCollector, "Warning"
	e.Reason, e.Cluster, e.Component = reasonLost, s.cfg.Cluster, "lastnight"
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.losses) < maxLosses {
		s.losses = append(s.losses, *e)
	}
}

// Run sends what is in the spool, writes the checkpoint, and tells of losses, until ctx is done. Then it writes the
// checkpoint once more. It returns nil: what fails is tried again. Call it once.
func (s *Sender) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.cfg.Client.replicas.tend(ctx) })
	if s.cfg.Spool != nil {
		wg.Go(func() { s.drain(ctx) })
	}
	t := time.NewTicker(s.cfg.Flush)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.flush()
			s.tell(ctx)
		case <-ctx.Done():
			wg.Wait()
			s.flush()
			return nil
		}
	}
}

func (s *Sender) flush() {
	if err := s.cfg.Checkpoint.Flush(); err != nil {
		s.log.Error("the checkpoint cannot be written", "err", err)
	}
}

// tell sends the events of losses.
func (s *Sender) tell(ctx context.Context) {
	s.mu.Lock()
	events := s.losses
	s.losses = nil
	s.mu.Unlock()
	if len(events) == 0 {
		return
	}
	if err := s.Ingest(ctx, lastnight.Batch{Events: events}); err != nil {
		s.mu.Lock()
		s.losses = append(events, s.losses...)
		s.mu.Unlock()
	}
}

// drain sends what is in the spool, oldest first.
func (s *Sender) drain(ctx context.Context) {
	var b backoff
	for {
		s.lostFrames()
		f, err := s.cfg.Spool.Next()
		switch {
		case err != nil:
			s.log.Error("the spool cannot be read", "err", err)
		case f == nil:
			s.turn.Lock()
			if s.cfg.Spool.Frames() == 0 {
				s.isAway.Store(false) // nothing to try it with: the next batch finds out
			}
			s.turn.Unlock()
		default:
			err = s.drainOne(ctx, f)
		}
		wait := s.cfg.Flush
		if err != nil {
			wait = b.after(err)
		} else {
			b = backoff{}
		}
		if (f == nil || err != nil) && !sleep(ctx, wait) || ctx.Err() != nil {
			return
		}
	}
}

// drainOne sends one frame of the spool.
func (s *Sender) drainOne(ctx context.Context, f *spool.Frame) error {
	err := s.cfg.Client.post(ctx, f, false, map[*replica]bool{})
	if _, ok := errors.AsType[*refused](err); ok {
		err = s.isolateFrame(ctx, f, err)
	} else if err == nil {
		s.acknowledged(f)
	}
	if err != nil {
		return err
	}
	return s.cfg.Spool.Done(f)
}

// isolateFrame is isolate for a frame of the spool that the server refused.
func (s *Sender) isolateFrame(ctx context.Context, f *spool.Frame, cause error) error {
	b, err := unpack(f)
	if err == nil {
		return s.isolate(ctx, b, cause)
	}
	for _, x := range f.Ranges {
		s.Lost(x.Stream, x.Generation, x.From, x.To, err.Error())
	}
	s.advance(f)
	return nil
}
