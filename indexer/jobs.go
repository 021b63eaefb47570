package indexer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"lastnight"
	"lastnight/indexer/store"
)

// A job that is at work is seen with each batch. Where nothing else is new of it the store is told once a minute of its records'
// time, and when the rest is flushed: else each batch would rewrite each of its jobs.
const (
	seenEvery = time.Minute
	maxJobs   = 20_000 // in memory; with more all are told and it starts anew
)

// jobs is what the store has been told of jobs, and what it has not. Safe for concurrent use.
type jobs struct {
	store store.Inventory
	mu    sync.Mutex
	held  map[jobKey]*seenJob // guarded by mu
}

type seenJob struct {
	now  lastnight.Job
	told lastnight.Job
	any  bool // it was told
}

func newJobs(s store.Inventory) *jobs { return &jobs{store: s, held: map[jobKey]*seenJob{}} }

// see notes jobs and tells the store of those of which something is new.
func (j *jobs) see(ctx context.Context, list []lastnight.Job) error {
	j.mu.Lock()
	for i := range list {
		k := jobKey{list[i].Namespace, list[i].Name}
		if h := j.held[k]; h != nil {
			h.now.FlinkIDs = slices.Clip(h.now.FlinkIDs) // told has them, too
			store.MergeJob(&h.now, &list[i])
		} else {
			j.held[k] = &seenJob{now: list[i]}
		}
	}
	var due []lastnight.Job
	for i := range list {
		if h := j.held[jobKey{list[i].Namespace, list[i].Name}]; h.due() {
			due = append(due, h.now)
		}
	}
	full := len(j.held) > maxJobs
	j.mu.Unlock()
	if full {
		return j.flush(ctx)
	}
	return j.tell(ctx, due)
}

// flush tells the store all that it does not know.
func (j *jobs) flush(ctx context.Context) error {
	var all []lastnight.Job
	j.mu.Lock()
	for _, h := range j.held {
		if !h.any || h.due() || !h.now.LastSeen.Equal(h.told.LastSeen) {
			all = append(all, h.now)
		}
	}
	j.mu.Unlock()
	if err := j.tell(ctx, all); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.held) > maxJobs {
		clear(j.held)
	}
	return nil
}

func (j *jobs) tell(ctx context.Context, list []lastnight.Job) error {
	if len(list) == 0 {
		return nil
	}
	if err := j.store.PutJobs(ctx, list); err != nil {
		return fmt.Errorf("put jobs: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range list {
		if h := j.held[jobKey{list[i].Namespace, list[i].Name}]; h != nil && (!h.any || list[i].LastSeen.After(h.told.LastSeen) || len(list[i].FlinkIDs) >= len(h.told.FlinkIDs)) {
			h.told, h.any = list[i], true
		}
	}
	return nil
}

// due tells whether the store is to be told now.
func (h *seenJob) due() bool {
	a, b := &h.now, &h.told
	return !h.any || a.Cluster != b.Cluster || a.Workload != b.Workload || a.Kind != b.Kind || a.FirstSeen.Before(b.FirstSeen) ||
		!slices.Equal(a.FlinkIDs, b.FlinkIDs) || a.LastSeen.Sub(b.LastSeen) >= seenEvery
}
