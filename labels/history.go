package labels

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lastnight"
)

// The buckets of the Store.
const (
	labelBucket    = "labels"          // ID@VERSION: stored change
	mergeBucket    = "template_merges" // NUMBER: stored merge
	feedbackBucket = "feedback"        // INCIDENT@NUMBER: stored answer
	settingsBucket = "label_settings"  // NUMBER: stored settings
)

// format is the version of what is stored.
const format = 1

// stored is a change as the Store has it.
type stored struct {
	Format int `json:"format"`
	lastnight.LabelChange
}

// keyOf is the key of a version; keys of one label order by it.
func keyOf(id string, version int) string { return fmt.Sprintf("%s@%08d", id, version) }

func decode[T any](it Item, format func(*T) int, v *T) error {
	if err := json.Unmarshal(it.Value, v); err != nil {
		return fmt.Errorf("%s is damaged: %w", it.Key, err)
	}
	if f := format(v); f != 1 {
		return fmt.Errorf("%s has the unknown format %d; this version knows 1: use a newer lastnight", it.Key, f)
	}
	return nil
}

// changes reads a label's history, oldest first.
func (l *Labels) changes(ctx context.Context, id string) ([]lastnight.LabelChange, error) {
	var list []lastnight.LabelChange
	for it, err := range l.cfg.Store.List(ctx, labelBucket, id+"@") {
		if err != nil {
			return nil, fmt.Errorf("read history of label %s: %w", id, err)
		}
		var s stored
		if err := decode(it, func(s *stored) int { return s.Format }, &s); err != nil {
			return nil, err
		}
		list = append(list, s.LabelChange)
	}
	return list, nil
}

// loadLabels reads labels as they are: all of them, or one.
func (l *Labels) loadLabels(ctx context.Context, id string) (map[string]*entry, error) {
	entries := map[string]*entry{}
	prefix := ""
	if id != "" {
		prefix = id + "@"
	}
	var group []lastnight.LabelChange // of one label
	flush := func() {
		if len(group) > 0 {
			e := newEntry(group)
			entries[e.current.ID] = e
		}
		group = group[:0]
	}
	for it, err := range l.cfg.Store.List(ctx, labelBucket, prefix) {
		if err != nil {
			return nil, err
		}
		var s stored
		if err := decode(it, func(s *stored) int { return s.Format }, &s); err != nil {
			return nil, err
		}
		name, number, _ := strings.Cut(it.Key, "@")
		if n, err := strconv.Atoi(number); err != nil || name != s.Label.ID || n != s.Label.Version {
			return nil, fmt.Errorf("%s is damaged: it holds version %d of label %s", it.Key, s.Label.Version, s.Label.ID)
		}
		if len(group) > 0 && group[0].Label.ID != name {
			flush()
		}
		group = append(group, s.LabelChange)
	}
	flush()
	return entries, nil
}

// newEntry makes of a history what is kept in memory.
func newEntry(history []lastnight.LabelChange) *entry {
	e := &entry{}
	for i := range history {
		e.apply(&history[i], func(version int) *lastnight.Label {
			for k := range history {
				if history[k].Label.Version == version {
					return &history[k].Label
				}
			}
			return nil
		})
	}
	return e
}

// apply takes in one more change. approved finds a version, for those that were approved before.
func (e *entry) apply(c *lastnight.LabelChange, version func(int) *lastnight.Label) {
	before := e.current
	e.current = c.Label
	switch v := c.Label.ApprovedVersion; {
	case v == 0:
		e.effective = nil
	case v == c.Label.Version:
		now := c.Label
		e.effective, e.authors, e.reviewed = &now, nil, c.At
	case e.effective == nil || e.effective.Version != v:
		if old := version(v); old != nil {
			now := *old
			e.effective = &now
		}
	}
	if before.Version == 0 || !sameContent(&before, &c.Label) {
		if !slices.Contains(e.authors, c.Label.Author) && c.Label.ApprovedVersion != c.Label.Version {
			e.authors = append(e.authors, c.Label.Author)
		}
	}
}

// add appends a change to the history and takes it in. If another was faster, the error is
// of CodeConflict with both versions.
func (l *Labels) add(ctx context.Context, c lastnight.LabelChange) (*lastnight.Label, error) {
	b, err := json.Marshal(stored{format, c})
	if err != nil {
		return nil, fmt.Errorf("encode label %s: %w", c.Label.ID, err)
	}
	if err := l.know(ctx, targetIDs(&c.Label.Target)); err != nil {
		return nil, err
	}
	err = l.cfg.Store.Add(ctx, labelBucket, keyOf(c.Label.ID, c.Label.Version), b)
	if lastnight.CodeOf(err) == lastnight.CodeConflict {
		return nil, l.lost(ctx, c.Label)
	}
	if err != nil {
		return nil, fmt.Errorf("keep label %s: %w", c.Label.ID, err)
	}
	l.take(ctx, &c)
	if l.cfg.Follower != nil {
		l.cfg.Follower.Pin(targetIDs(&c.Label.Target))
	}
	made := c.Label
	return &made, nil
}

// take puts a change that is durable into memory, unless a later one is there already.
func (l *Labels) take(ctx context.Context, c *lastnight.LabelChange) {
	l.mu.Lock()
	e := l.labels[c.Label.ID]
	have := 0
	if e != nil {
		have = e.current.Version
	}
	if have+1 == c.Label.Version {
		if e == nil {
			e = &entry{}
			l.labels[c.Label.ID] = e
		}
		l.index.remove(e)
		known := e.effective
		missing := false
		e.apply(c, func(v int) *lastnight.Label {
			if known != nil && known.Version == v {
				return known
			}
			missing = true
			return nil
		})
		l.enlist(e)
		have = 0
		if !missing {
			l.mu.Unlock()
			return
		}
	}
	l.mu.Unlock()
	if have < c.Label.Version { // versions are missing here: another process wrote them, or an undo reached far back
		if err := l.reload(ctx, c.Label.ID); err != nil {
			l.cfg.Log.Error("read label again", "label", c.Label.ID, "err", err)
		}
	}
}

// reload reads one label again.
func (l *Labels) reload(ctx context.Context, id string) error {
	found, err := l.loadLabels(ctx, id)
	if err != nil || found[id] == nil {
		return err
	}
	fresh := found[id]
	ids := targetIDs(&fresh.current.Target)
	if fresh.effective != nil {
		ids = append(ids, targetIDs(&fresh.effective.Target)...)
	}
	if err := l.know(ctx, ids); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.labels[id]
	if old != nil {
		if old.current.Version > fresh.current.Version {
			return nil
		}
		l.index.remove(old)
	}
	l.labels[id] = fresh
	l.enlist(fresh)
	return nil
}

// lost tells somebody whose change came second.
func (l *Labels) lost(ctx context.Context, yours lastnight.Label) error {
	if err := l.reload(ctx, yours.ID); err != nil {
		return fmt.Errorf("read label %s again: %w", yours.ID, err)
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	e := l.labels[yours.ID]
	if e == nil {
		return fmt.Errorf("label %s is in the way but cannot be read", yours.ID)
	}
	return conflict(e.current, yours)
}

// conflict is an error with both versions.
func conflict(current, yours lastnight.Label) error {
	if yours.State == "" { // it was not said: what was to change is something else
		yours.State, yours.Created, yours.Updated = current.State, current.Created, current.Updated
	}
	c := &lastnight.LabelConflict{Current: current, Yours: yours}
	return lastnight.Errorf(lastnight.CodeConflict, "look at both versions, then change the current one", "%w", c)
}
