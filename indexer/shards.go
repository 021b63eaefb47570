package indexer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"lastnight"
	"lastnight/clusterer"
	"lastnight/indexer/store"
)

// shardBucket is where the clusterer's snapshots are kept.
const shardBucket = "clusterer"

// shard is the clusterer of one workload. Its lock is held while lines go through it.
type shard struct {
	key   string
	mu    sync.Mutex
	c     *clusterer.Clusterer // guarded by mu; nil once the shard has been put away
	saved saved                // what the store has of it; guarded by mu
	// version is that of the snapshot which c came from or was written as; guarded by mu. Who finds another one in
	// the store has to merge first.
	version int64
	owed    []lastnight.Template // changed by a merge and not yet in the store; guarded by mu
	pins    int                  // how many of the followed pins it has; guarded by mu
	size    int64                // of c when it was used last, in bytes; guarded by shards.mu
	used    int64                // when that was, by shards.clock; guarded by shards.mu
}

// saved tells what a clusterer had learned when it was written or read.
type saved struct {
	learned uint64
	lines   int64
}

// owes tells whether there is more to write. Lines count only until the workload is settled: of most workloads there is
// nothing left to learn, and to write each of thousands again and again only to know better which of its templates was used last
// would cost more than all their lines.
func (s *saved) owes(c *clusterer.Clusterer) bool {
	return c.Learned() != s.learned || s.lines < settledLines && c.Stats().Lines != s.lines
}

func savedOf(c *clusterer.Clusterer) saved { return saved{c.Learned(), c.Stats().Lines} }

// shards keeps the clusterers of the workloads in use; others rest in the store.
type shards struct {
	store    store.Exact
	snaps    *snapshots
	max      int   // of them in memory, 0: any number
	maxBytes int64 // that they take in memory
	log      *slog.Logger
	mu       sync.Mutex
	byKey    map[string]*shard
	bytes    int64 // that those in memory take
	clock    int64 // uses of shards

	followed *followed
	// learned takes the templates that changed when another server's were merged in.
	learned func(context.Context, []lastnight.Template) error
}

func newShards(s store.Exact, maxShards int, maxBytes int64, log *slog.Logger) *shards {
	return &shards{store: s, snaps: newSnapshots(s), max: maxShards, maxBytes: maxBytes, log: log, byKey: map[string]*shard{}}
}

// with calls f with the workload's clusterer, alone.
func (s *shards) with(ctx context.Context, w lastnight.Workload, f func(*clusterer.Clusterer)) error {
	for {
		sh, err := s.get(ctx, w.Namespace+"/"+w.Name)
		if err != nil {
			return err
		}
		sh.mu.Lock()
		if sh.c == nil { // put away between get and Lock
			sh.mu.Unlock()
			continue
		}
		s.followed.pin(sh, sh.c)
		f(sh.c)
		size := sh.c.Size()
		sh.mu.Unlock()
		s.mu.Lock()
		if s.byKey[sh.key] == sh {
			s.bytes += size - sh.size
			sh.size = size
		}
		s.mu.Unlock()
		return nil
	}
}

func (s *shards) get(ctx context.Context, key string) (*shard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	if sh, ok := s.byKey[key]; ok {
		sh.used = s.clock
		return sh, nil
	}
	for s.full() {
		if err := s.putAway(ctx, s.spare()); err != nil {
			return nil, err
		}
	}
	sh := &shard{key: key, c: clusterer.New(clusterer.Config{}), used: s.clock}
	item, err := s.store.Get(ctx, shardBucket, key)
	switch {
	case err == nil:
		sh.version = item.Version
		err := s.snaps.restore(ctx, sh.c, item.Value)
		if errors.Is(err, clusterer.ErrCorrupt) {
			// Ids come from the templates' texts: a shard that starts anew learns the same ones.
			s.log.Error("clusterer snapshot is damaged, learning anew", "shard", key, "err", err)
			err = nil
		}
		if err != nil {
			return nil, fmt.Errorf("restore clusterer of %s: %w", key, err)
		}
	case lastnight.CodeOf(err) != lastnight.CodeNotFound:
		return nil, fmt.Errorf("get clusterer of %s: %w", key, err)
	}
	sh.saved = savedOf(sh.c)
	sh.size = sh.c.Size()
	s.byKey[key] = sh
	s.bytes += sh.size
	return sh, nil
}

// full tells whether a shard has to go before another comes. The caller holds s.mu.
func (s *shards) full() bool {
	n := len(s.byKey)
	return n > 0 && (s.max > 0 && n >= s.max || s.bytes >= s.maxBytes)
}

// spare gives a shard that may go: of a few, as the map gives them in no order, that which was not used for longest. Were it that of all,
// workloads that come in turns and are a little too many would all have gone when their turn comes. The caller holds s.mu.
func (s *shards) spare() (oldest *shard) {
	const few = 3
	n := 0
	for _, sh := range s.byKey {
		if oldest == nil || sh.used < oldest.used {
			oldest = sh
		}
		if n++; n == few {
			break
		}
	}
	return oldest
}

// putAway writes a shard to the store and forgets it. The caller holds s.mu.
func (s *shards) putAway(ctx context.Context, sh *shard) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if err := s.save(ctx, sh); err != nil {
		return err
	}
	sh.c = nil
	s.bytes -= sh.size
	delete(s.byKey, sh.key)
	return nil
}

// save writes a shard that changed, merged with what another server has written meanwhile. The caller holds sh.mu.
func (s *shards) save(ctx context.Context, sh *shard) error {
	if !sh.saved.owes(sh.c) {
		return nil
	}
	for tries := 0; ; tries++ {
		var buf bytes.Buffer
		if err := sh.c.Snapshot(&buf); err != nil {
			return fmt.Errorf("snapshot clusterer of %s: %w", sh.key, err)
		}
		packed, err := s.snaps.pack(ctx, sh.key, buf.Bytes())
		if err != nil {
			return err
		}
		v, err := s.store.Put(ctx, shardBucket, sh.key, packed, sh.version)
		if err == nil {
			sh.saved, sh.version = savedOf(sh.c), v
			return nil
		}
		if lastnight.CodeOf(err) != lastnight.CodeConflict || tries == maxMerges {
			return fmt.Errorf("put clusterer of %s: %w", sh.key, err)
		}
		if err := s.merge(ctx, sh); err != nil {
			return err
		}
	}
}

// maxMerges bounds how often a shard that others write too is tried at once.
const maxMerges = 8

// merge takes in what another server has learned of the workload. Templates get their ids from their texts,
// so most are the same; those that became part of something more general are linked, here and in the store.
func (s *shards) merge(ctx context.Context, sh *shard) error {
	item, err := s.store.Get(ctx, shardBucket, sh.key)
	if lastnight.CodeOf(err) == lastnight.CodeNotFound {
		sh.version = 0
		return nil
	}
	if err != nil {
		return fmt.Errorf("get clusterer of %s: %w", sh.key, err)
	}
	other := clusterer.New(clusterer.Config{})
	err = s.snaps.restore(ctx, other, item.Value)
	if err == nil {
		err = sh.c.Merge(other)
	}
	switch {
	case errors.Is(err, clusterer.ErrCorrupt):
		s.log.Error("clusterer snapshot is damaged, writing it anew", "shard", sh.key, "err", err)
	case err != nil:
		return fmt.Errorf("merge clusterer of %s: %w", sh.key, err)
	default:
		sh.owed = append(sh.owed, sh.c.Changed()...)
		if err := s.learned(ctx, sh.owed); err != nil {
			return fmt.Errorf("put merged templates of %s: %w", sh.key, err)
		}
		sh.owed = nil
	}
	sh.version = item.Version
	return nil
}

// flush writes all shards that changed.
func (s *shards) flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.byKey {
		sh.mu.Lock()
		err := s.save(ctx, sh)
		sh.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
