package indexer

import (
	"context"
	"fmt"

	"lastnight"
)

// recover indexes the segments that were put before a crash but whose documents and
// counts did not reach the store. If the store refuses, for its disk is full, they wait (see catchUp):
// what is there can be read meanwhile.
func (x *Indexer) recover(ctx context.Context) error {
	names, err := x.cfg.Archive.Segments(ctx)
	if err != nil {
		return fmt.Errorf("list segments: %w", err)
	}
	for _, name := range names {
		ok, err := x.cfg.Store.HasCounts(ctx, name)
		if err != nil {
			return fmt.Errorf("look up counts of %s: %w", name, err)
		}
		if ok {
			continue
		}
		x.log.Info("index segment that was cut off", "segment", name)
		if err := x.reindex(ctx, name); err != nil {
			if ctx.Err() != nil {
				return err
			}
			x.log.Error("index segment later", "segment", name, "err", err)
			x.mu.Lock()
			x.unindexed = append(x.unindexed, name)
			x.mu.Unlock()
		}
	}
	return nil
}

// catchUp indexes what the store refused earlier. While it goes on refusing, nothing
// new is taken, so that what is not searchable yet stays bounded.
func (x *Indexer) catchUp(ctx context.Context) error {
	x.mu.Lock()
	todo := x.unindexed
	x.unindexed = nil
	x.mu.Unlock()
	for i, name := range todo {
		err := x.reindex(ctx, name)
		if x.cfg.Shared && lastnight.CodeOf(err) == lastnight.CodeNotFound {
			continue // another process has indexed it, else it would not be in a chunk
		}
		if err != nil {
			x.mu.Lock()
			x.unindexed = append(todo[i:], x.unindexed...)
			x.mu.Unlock()
			return lastnight.Errorf(lastnight.CodeUnavailable, "the store does not take documents; see its log", "index segment %s: %w", name, err)
		}
	}
	return nil
}

// reindex reads a segment and writes to the store what Ingest would have; of lines that are another file's, nothing.
func (x *Indexer) reindex(ctx context.Context, name string) error {
	p := newPass(x)
	defer p.done()
	for it, err := range x.cfg.Archive.Owned(ctx, name) {
		if err != nil {
			return fmt.Errorf("replay segment %s: %w", name, err)
		}
		if err := p.replay(ctx, it); err != nil {
			return err
		}
	}
	if err := x.putTemplates(ctx, p); err != nil {
		return err
	}
	return x.index(ctx, name, p)
}
