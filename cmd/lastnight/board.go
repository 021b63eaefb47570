package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"lastnight"
	"lastnight/indexer"
	"lastnight/indexer/lease"
	"lastnight/indexer/store"
	"lastnight/investigation"
)

const (
	boardBucket = "marks"
	boardNew    = "new/"
	boardHeld   = "pending"
	boardFormat = 1
	boardEvery  = time.Second
	maxTaken    = 2000 // marks that are taken from the board at once
)

// board is where servers leave marks of signals, and where the one that holds the lease of incidents takes them from:
//
//	new/TIME-SERVER-N   marks of one segment, put before its counts
//	pending             what the holder has taken and not finished, put over the version that it knows
//
// A mark is on the board until what it tells of has been looked into and has settled, so it outlives any server. A
// former holder that wakes up in the middle of its work may still put incidents as it saw them long ago:
// it cannot put "pending" any more, and leaves what it was at on the board, for the holder to look into again.
type board struct {
	exact    store.Exact
	id       string // of this process
	detector *investigation.Detector
	log      *slog.Logger
	next     atomic.Int64
}

type storedMarks struct {
	Format int            `json:"format"`
	Marks  []indexer.Mark `json:"marks"`
}

// Mark implements indexer.SignalSink: durable when it returns.
func (b *board) Mark(ctx context.Context, marks []indexer.Mark) error {
	v, err := json.Marshal(storedMarks{boardFormat, marks})
	if err != nil {
		return fmt.Errorf("leave marks: %w", err)
	}
	key := fmt.Sprintf("%s%016x-%s-%x", boardNew, time.Now().UnixNano(), b.id, b.next.Add(1))
	if _, err := b.exact.Put(ctx, boardBucket, key, v, 0); err != nil {
		return fmt.Errorf("leave marks: %w", err)
	}
	return nil
}

// run looks into what is on the board until ctx is over or somebody else has taken over.
func (b *board) run(ctx context.Context) error {
	defer b.detector.Forget()
	version, err := b.load(ctx)
	if err != nil {
		return err
	}
	failed := 0
	tick := time.NewTicker(boardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		next, err := b.turn(ctx, version)
		version = next
		switch {
		case ctx.Err() != nil:
			return nil
		case lastnight.CodeOf(err) == lastnight.CodeConflict:
			return lease.ErrLost
		case err == nil:
			failed = 0
		default:
			if failed++; failed == 1 || failed%60 == 0 {
				b.log.Error("detecting incidents failed", "err", err, "times", failed)
			}
		}
	}
}

// load takes over what the holder before had not finished.
func (b *board) load(ctx context.Context) (version int64, err error) {
	item, err := b.exact.Get(ctx, boardBucket, boardHeld)
	if lastnight.CodeOf(err) == lastnight.CodeNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read what is to be investigated: %w", err)
	}
	marks, err := decodeMarks(item)
	if err != nil {
		return 0, err
	}
	b.hand(marks)
	return item.Version, nil
}

func decodeMarks(item store.Item) ([]indexer.Mark, error) {
	var m storedMarks
	if err := json.Unmarshal(item.Value, &m); err != nil {
		return nil, fmt.Errorf("read marks %s: %w", item.Key, err)
	}
	if m.Format != boardFormat {
		return nil, fmt.Errorf("marks %s have format %d, this lastnight knows format %d", item.Key, m.Format, boardFormat)
	}
	return m.Marks, nil
}

func (b *board) hand(marks []indexer.Mark) {
	pending := make([]investigation.Pending, len(marks))
	for i, m := range marks {
		pending[i] = investigation.Pending(m)
	}
	b.detector.MarkAll(pending)
}

// turn takes what is new from the board and looks into it.
func (b *board) turn(ctx context.Context, version int64) (int64, error) {
	var keys []string
	for item, err := range b.exact.List(ctx, boardBucket, boardNew) {
		if err != nil {
			return version, fmt.Errorf("list marks: %w", err)
		}
		marks, err := decodeMarks(item)
		if err != nil {
			return version, err
		}
		b.hand(marks)
		if keys = append(keys, item.Key); len(keys) == maxTaken {
			break
		}
	}
	work := b.pending()
	if len(keys) > 0 {
		var err error
		if version, err = b.keep(ctx, version, work); err != nil {
			return version, err
		}
		for _, key := range keys {
			if err := b.exact.Delete(ctx, boardBucket, key); err != nil {
				return version, fmt.Errorf("take marks: %w", err)
			}
		}
	}
	err := b.detector.Round(ctx)
	if lost := lease.Check(ctx); lost != nil && len(work) > 0 {
		b.giveBack(ctx, work)
		return version, lost
	}
	if err != nil {
		return version, err
	}
	if left := b.pending(); len(left) != len(work) {
		return b.keep(ctx, version, left)
	}
	return version, nil
}

// pending gives what the detector has still to do.
func (b *board) pending() []indexer.Mark {
	var marks []indexer.Mark
	for _, p := range b.detector.Pending() {
		marks = append(marks, indexer.Mark(p))
	}
	return marks
}

// keep puts what is not finished, unless another server has done so meanwhile (CodeConflict).
func (b *board) keep(ctx context.Context, version int64, marks []indexer.Mark) (int64, error) {
	v, err := json.Marshal(storedMarks{boardFormat, marks})
	if err != nil {
		return version, fmt.Errorf("keep what is to be investigated: %w", err)
	}
	put, err := b.exact.Put(ctx, boardBucket, boardHeld, v, version)
	if err != nil {
		return version, fmt.Errorf("keep what is to be investigated: %w", err)
	}
	return put, nil
}

// giveBack leaves on the board what this server was at when its time had run out.
func (b *board) giveBack(ctx context.Context, work []indexer.Mark) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := b.Mark(ctx, work); err != nil {
		b.log.Error("what was being investigated cannot be left to the next server", "err", err)
	}
}

// direct hands marks to the detector of this process.
type direct struct{ detector *investigation.Detector }

// Mark implements indexer.SignalSink.
func (d direct) Mark(_ context.Context, marks []indexer.Mark) error {
	(&board{detector: d.detector}).hand(marks)
	return nil
}
