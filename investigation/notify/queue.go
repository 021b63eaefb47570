package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"lastnight"
)

const (
	maxPending = 1000 // messages of one target that wait; more are found again when there is room
	itemPrefix = "message/"
)

// The states of a message.
const (
	statePending = "pending"
	stateSent    = "sent"
	stateFailed  = "failed" // tried for too long
	stateGone    = "gone"   // its incident turned out to be none, or part of another
)

// item is a message as it is kept.
type item struct {
	Incident string    `json:"incident"`
	Event    string    `json:"event"`
	Target   string    `json:"target"`
	Start    time.Time `json:"start"` // of the incident
	Created  time.Time `json:"created"`
	State    string    `json:"state"`
	Attempts int       `json:"attempts,omitempty"`
	Next     time.Time `json:"next,omitzero"` // not tried before
}

func (i *item) key() string { return itemPrefix + i.Incident + "/" + i.Event + "/" + i.Target }

// queue is the messages, in memory as in the keeper: what was kept is known after a restart.
type queue struct {
	keep Keeper

	mu    sync.Mutex // all below
	items map[string]item
}

// load reads what was kept.
func (q *queue) load(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = map[string]item{}
	for key, err := range q.keep.Keys(ctx, itemPrefix) {
		if err != nil {
			return fmt.Errorf("list messages: %w", err)
		}
		b, err := q.keep.Get(ctx, key)
		if lastnight.CodeOf(err) == lastnight.CodeNotFound {
			continue
		}
		if err != nil {
			return fmt.Errorf("read message: %w", err)
		}
		var i item
		if json.Unmarshal(b, &i) != nil || i.key() != key {
			continue // Of another version: the incident is told again at worst.
		}
		q.items[key] = i
	}
	return nil
}

// add keeps a message unless it is known already. It tells whether there was room.
func (q *queue) add(ctx context.Context, i item) (added, room bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.items[i.key()]; known {
		return false, true, nil
	}
	if q.pendingLocked(i.Target) >= maxPending {
		return false, false, nil
	}
	b, err := json.Marshal(i)
	if err != nil {
		return false, true, fmt.Errorf("keep message: %w", err)
	}
	err = q.keep.Put(ctx, i.key(), b, 0)
	if lastnight.CodeOf(err) == lastnight.CodeConflict { // Another server on the same store was quicker.
		if b, err = q.keep.Get(ctx, i.key()); err == nil {
			err = json.Unmarshal(b, &i)
		}
	}
	if err != nil {
		return false, true, fmt.Errorf("keep message: %w", err)
	}
	q.items[i.key()] = i
	return true, true, nil
}

// set keeps what became of a message.
func (q *queue) set(ctx context.Context, i item) error {
	b, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("keep message: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items[i.key()] = i // Even if keeping it fails: this process does not send it twice.
	if err := q.keep.Put(ctx, i.key(), b, -1); err != nil {
		return fmt.Errorf("keep message: %w", err)
	}
	return nil
}

// still tells whether a message waits still, where other processes may have sent it meanwhile.
func (q *queue) still(ctx context.Context, i item) (bool, error) {
	b, err := q.keep.Get(ctx, i.key())
	if err != nil {
		return false, fmt.Errorf("read message: %w", err)
	}
	var now item
	if err := json.Unmarshal(b, &now); err != nil {
		return false, fmt.Errorf("read message: %w", err)
	}
	if now.State == statePending {
		return true, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items[now.key()] = now
	return false, nil
}

// next gives the target's first message that may be tried now, or how long until one may.
func (q *queue) next(target string, now time.Time) (it item, ok bool, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait = time.Hour
	waiting := map[string]bool{} // incidents whose opening was not told yet
	for _, i := range q.sorted(target) {
		if i.Event == EventOpened {
			waiting[i.Incident] = true
		} else if waiting[i.Incident] {
			continue // In order: first that it opened.
		}
		if d := i.Next.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		return i, true, 0
	}
	return item{}, false, wait
}

// sorted gives the pending messages of a target, oldest incident first. q.mu is held.
func (q *queue) sorted(target string) []item {
	var all []item
	for _, i := range q.items {
		if i.Target == target && i.State == statePending {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b item) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.Incident, b.Incident), -strings.Compare(a.Event, b.Event)) // opened, explained
	})
	return all
}

func (q *queue) pendingLocked(target string) (n int) {
	for _, i := range q.items {
		if i.Target == target && i.State == statePending {
			n++
		}
	}
	return n
}

// pending tells how many messages wait for a target.
func (q *queue) pending(target string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pendingLocked(target)
}

// forget drops what is of incidents older than t: those are no news any more, and what waits was given up.
func (q *queue) forget(ctx context.Context, t time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for key, i := range q.items {
		if !i.Start.Before(t) {
			continue
		}
		if err := q.keep.Delete(ctx, key); err != nil {
			return fmt.Errorf("forget message: %w", err)
		}
		delete(q.items, key)
	}
	return nil
}
