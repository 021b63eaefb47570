package indexer

import (
	"bytes"
	"container/list"
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
	dirty bool
	// version is that of the snapshot which c came from or was written as; guarded by mu. Who finds another one in
	// the store has to merge first.
	version int64
	owed    []lastnight.Template // changed by a merge and not yet in the store; guarded by mu
	pins    int                  // how many of the followed pins it has; guarded by mu
}

// shards keeps the clusterers of the workloads in use; others rest in the store.
type shards struct {
	store store.Exact
	snaps *snapshots
	max   int
	log   *slog.Logger
	mu    sync.Mutex
	byKey map[string]*list.Element // of *shard
	lru   *list.List

	followed *followed
	// learned takes the templates that changed when another server's were merged in.
	learned func(context.Context, []lastnight.Template) error
}

func newShards(s store.Exact, maxShards int, log *slog.Logger) *shards {
	return &shards{store: s, snaps: newSnapshots(s), max: maxShards, log: log, byKey: map[string]*list.Element{}, lru: list.New()}
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
		sh.dirty = true
		sh.mu.Unlock()
		return nil
	}
}

func (s *shards) get(ctx context.Context, key string) (*shard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.byKey[key]; ok {
		s.lru.MoveToFront(e)
		return e.Value.(*shard), nil
	}
	for s.lru.Len() >= s.max {
		if err := s.putAway(ctx, s.lru.Back()); err != nil {
			return nil, err
		}
	}
	sh := &shard{key: key, c: clusterer.New(clusterer.Config{})}
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
	s.byKey[key] = s.lru.PushFront(sh)
	return sh, nil
}

// putAway writes a shard to the store and forgets it. The caller holds s.mu.
func (s *shards) putAway(ctx context.Context, e *list.Element) error {
	sh := e.Value.(*shard)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if err := s.save(ctx, sh); err != nil {
		return err
	}
	sh.c = nil
	s.lru.Remove(e)
	delete(s.byKey, sh.key)
	return nil
}

// save writes a shard that changed, merged with what another server has written meanwhile. The caller holds sh.mu.
func (s *shards) save(ctx context.Context, sh *shard) error {
	if !sh.dirty {
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
			sh.dirty, sh.version = false, v
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
	for e := s.lru.Front(); e != nil; e = e.Next() {
		sh := e.Value.(*shard)
		sh.mu.Lock()
		err := s.save(ctx, sh)
		sh.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
