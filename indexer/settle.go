package indexer

import (
	"context"
	"fmt"
	"time"

	"lastnight"
	"lastnight/internal/tally"
)

// Several indexers may write one archive and one store (Config.Shared). What one of them left
// undone, or did twice, is put right by whoever holds the lease of the archive (package lease), in Settle:
//
//   - A segment without counts was cut off between the put and the store. Its writer has half of
//     SettleAfter to put them, then leaves it alone; after SettleAfter it is indexed here. Documents have
//     the ids of lines, and counts that of the segment: if both do it all the same, nothing is there twice.
//   - A segment with lines that another file has too (its writer was slow, not dead, when the stream
//     moved) is counted again without them, at once and once more a minute later, when its writer
//     cannot put the old counts any more.
//
// Only then is a segment ready for a chunk, after which it could not be counted again.

const (
	defaultSettleAfter = 30 * time.Second
	// recountAgain is when a segment with lines of others is counted for the last time, in SettleAfters.
	recountAgain = 2
)

// settling is what is known of a segment that is not settled.
type settling struct {
	counted bool
	seen    time.Time // when it was seen first, without counts
	doubled time.Time // when it was seen first that others have its lines; zero: they have not
	final   bool      // counted for the last time
}

// Settle takes up what others have written and puts right what is wrong with it. Call it every few
// seconds, by one process at a time; two at once do no harm.
func (x *Indexer) Settle(ctx context.Context) error {
	if err := x.cfg.Archive.Refresh(ctx); err != nil {
		return err
	}
	doubled := x.cfg.Archive.Doubled()
	now := x.cfg.Now()
	names, err := x.cfg.Archive.Segments(ctx)
	if err != nil {
		return fmt.Errorf("list segments: %w", err)
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
		s := x.settling[name]
		if s == nil {
			s = &settling{seen: now}
			x.settling[name] = s
		}
		if err := x.settle(ctx, name, s, doubled[name], now); err != nil {
			return err
		}
		if s.counted && (s.doubled.IsZero() || s.final) {
			x.settled.Store(name, true)
		} else {
			x.settled.Delete(name)
		}
	}
	for name := range x.settling {
		if !there[name] {
			delete(x.settling, name)
			x.settled.Delete(name)
		}
	}
	return nil
}

func (x *Indexer) settle(ctx context.Context, name string, s *settling, doubled bool, now time.Time) error {
	if !s.counted {
		ok, err := x.cfg.Store.HasCounts(ctx, name)
		if err != nil {
			return fmt.Errorf("look up counts of %s: %w", name, err)
		}
		s.counted = ok
	}
	if !s.counted && now.Sub(s.seen) >= x.cfg.SettleAfter {
		x.log.Info("index segment that another server left behind", "segment", name)
		if err := x.reindex(ctx, name); err != nil {
			return gone(err)
		}
		x.metrics.adopted.Add(1)
		s.counted = true
	}
	if !doubled || !s.counted || s.final {
		return nil
	}
	first := s.doubled.IsZero()
	if first {
		s.doubled = now
	}
	s.final = now.Sub(s.doubled) >= recountAgain*x.cfg.SettleAfter
	if !first && !s.final {
		return nil
	}
	x.log.Info("count segment anew without the lines that others have too", "segment", name)
	if err := x.recount(ctx, name); err != nil {
		s.doubled, s.final = time.Time{}, false
		return gone(err)
	}
	x.metrics.recounted.Add(1)
	return nil
}

// gone makes nothing of the error that a segment is not there any more.
func gone(err error) error {
	if lastnight.CodeOf(err) == lastnight.CodeNotFound {
		return nil
	}
	return err
}

// recount puts the counts of those records of a segment that are no other file's.
func (x *Indexer) recount(ctx context.Context, name string) error {
	p := newPass(x)
	defer p.done()
	for it, err := range x.cfg.Archive.Owned(ctx, name) {
		if err != nil {
			return fmt.Errorf("replay segment %s: %w", name, err)
		}
		job := p.number(it.Span.Stream.Namespace, it.Job)
		for i := range it.Span.Records {
			if r := &it.Span.Records[i]; !r.Lines[0].Partial {
				p.counts.Add(&countKey{r.Template, floorMinute(r.Lines[0].Time), job, r.Level}, tally.SlotOf(r.Template))
			}
		}
	}
	if err := x.cfg.Store.PutCounts(ctx, name, p.countList()); err != nil {
		return fmt.Errorf("put counts: %w", err)
	}
	return nil
}

// Ready tells whether a segment may go into a chunk: whether the store has all that comes of it. It is an
// archive.Config.Ready.
func (x *Indexer) Ready(ctx context.Context, segment string) (bool, error) {
	if x.cfg.Shared {
		_, ok := x.settled.Load(segment)
		return ok, nil
	}
	return x.cfg.Store.HasCounts(ctx, segment)
}
