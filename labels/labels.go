package labels

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"lastnight"
)

// Item is one value of a Store.
type Item struct {
	Key   string
	Value []byte
}

// Store keeps items that are only ever added.
type Store interface {
	// Add puts a value under a key that must not exist yet, or gives an error of CodeConflict. It
	// returns when the value is durable.
	Add(ctx context.Context, bucket, key string, value []byte) error
	// List streams the items whose key begins with prefix, by key.
	List(ctx context.Context, bucket, prefix string) iter.Seq2[Item, error]
}

// Templates knows log patterns.
type Templates interface {
	// Templates gives those of the ids that exist, in any order.
	Templates(ctx context.Context, ids []string) ([]lastnight.Template, error)
	// PutTemplates adds or updates by id.
	PutTemplates(ctx context.Context, ts []lastnight.Template) error
}

// Incidents lists incidents as they are kept, without labels.
type Incidents interface {
	Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error)
	Incident(ctx context.Context, id string) (*lastnight.Incident, error)
}

// Samples finds records of templates, and counts them.
type Samples interface {
	Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error]
	Histogram(ctx context.Context, req lastnight.HistogramRequest) ([]lastnight.HistogramBucket, error)
}

// Follower is told what clusterers must know of labels and splits.
type Follower interface {
	// Pin keeps templates from being forgotten.
	Pin(ids []string)
	// Split gives records of the template From whose message has the form of Text to the template Into from now on.
	Split(splits []lastnight.TemplateMerge)
}

// Config is what Labels works with. Store, Templates and Incidents must be given.
type Config struct {
	Store     Store
	Templates Templates
	Incidents Incidents
	Samples   Samples           // nil: templates are shown without samples and counts
	Follower  Follower          // nil: nobody follows
	Causes    []lastnight.Cause // the catalogue
	Now       func() time.Time  // nil: time.Now
	Log       *slog.Logger      // nil: none
}

// Labels implements lastnight.Labeler and explains incidents. It is safe for concurrent use.
type Labels struct {
	cfg    Config
	causes map[string]lastnight.Cause // immutable once set

	mu       sync.RWMutex // all below
	labels   map[string]*entry
	index    *index
	settings settings
	merges   []lastnight.TemplateMerge // by number
	resolver resolver

	digests digests
	votes   votes
}

// entry is a label as it is, and as it explains.
type entry struct {
	current   lastnight.Label  // with the newest version
	effective *lastnight.Label // the approved version; nil: none. Immutable
	authors   []string         // who wrote anything since the approved version
	reviewed  time.Time        // when it was approved last
	rule      *rule            // nil: explains nothing
	template  string           // what it labels, followed; "" if it is a signature or retired
}

var _ lastnight.Labeler = (*Labels)(nil)

// Open reads all labels into memory.
func Open(ctx context.Context, cfg Config) (*Labels, error) {
	if cfg.Store == nil || cfg.Templates == nil || cfg.Incidents == nil {
		return nil, errors.New("labels: Config needs a Store, Templates and Incidents")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &Labels{cfg: cfg, causes: make(map[string]lastnight.Cause, len(cfg.Causes))}
	for _, c := range cfg.Causes {
		l.causes[c.ID] = c
	}
	if err := l.Refresh(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Refresh reads everything again, for what another process may have changed.
func (l *Labels) Refresh(ctx context.Context) error {
	s, err := l.loadSettings(ctx)
	if err != nil {
		return fmt.Errorf("read settings of labels: %w", err)
	}
	merges, err := l.loadMerges(ctx)
	if err != nil {
		return fmt.Errorf("read merges of templates: %w", err)
	}
	entries, err := l.loadLabels(ctx, "")
	if err != nil {
		return fmt.Errorf("read labels: %w", err)
	}
	votes, err := l.loadVotes(ctx)
	if err != nil {
		return fmt.Errorf("read feedback: %w", err)
	}
	l.mu.Lock()
	l.settings, l.labels, l.merges = s, entries, merges
	l.resolver = newResolver()
	l.mu.Unlock()
	l.votes.set(votes)
	var ids []string
	for _, e := range entries {
		ids = append(ids, targetIDs(&e.current.Target)...)
		if e.effective != nil {
			ids = append(ids, targetIDs(&e.effective.Target)...)
		}
	}
	for i := range merges {
		ids = append(append(ids, merges[i].From...), merges[i].Into)
	}
	if err := l.know(ctx, ids); err != nil {
		return err
	}
	l.mu.Lock()
	l.remerge()
	l.mu.Unlock()
	l.tellFollower(ids)
	return nil
}

// remerge makes all rules anew. The caller holds l.mu.
func (l *Labels) remerge() {
	l.resolver.merge(l.merges)
	l.index = newIndex(l.index)
	for _, e := range l.labels {
		e.rule = nil
		l.enlist(e)
	}
}

// tellFollower hands on pins and splits.
func (l *Labels) tellFollower(pins []string) {
	if l.cfg.Follower == nil {
		return
	}
	l.cfg.Follower.Pin(pins)
	l.mu.RLock()
	var splits []lastnight.TemplateMerge
	for i := range l.merges {
		if m := l.merges[i]; m.Kind == lastnight.KindSplit && !m.Undone {
			splits = append(splits, m)
		}
	}
	l.mu.RUnlock()
	l.cfg.Follower.Split(splits)
}

// targetIDs gives the ids of all templates in a target.
func targetIDs(t *lastnight.LabelTarget) []string {
	var ids []string
	if t.Template != nil {
		ids = append(ids, t.Template.ID)
	}
	if t.Signature != nil {
		for _, r := range t.Signature.Templates {
			ids = append(ids, r.ID)
		}
	}
	return ids
}
