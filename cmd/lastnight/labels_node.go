package main

import (
	"context"
	"iter"
	"slices"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/labels"
)

// labelStore keeps labels in the store's exact part.
type labelStore struct {
	exact   store.Exact
	changes *changes // nil: there is nobody to tell
}

// Add puts a value under a key that must not exist yet.
func (s labelStore) Add(ctx context.Context, bucket, key string, value []byte) error {
	if _, err := s.exact.Put(ctx, bucket, key, value, 0); err != nil {
		return err
	}
	return s.changes.tell(ctx, changeLabels)
}

// List streams the items whose key begins with prefix, by key.
func (s labelStore) List(ctx context.Context, bucket, prefix string) iter.Seq2[labels.Item, error] {
	return func(yield func(labels.Item, error) bool) {
		for it, err := range s.exact.List(ctx, bucket, prefix) {
			if !yield(labels.Item{Key: it.Key, Value: it.Value}, err) || err != nil {
				return
			}
		}
	}
}

// watched is the store, and tells labels of templates and incidents that change, so that they follow.
type watched struct {
	store.Store
	labels  *labels.Labels // set once, before anything arrives; nil: nobody is told
	changes *changes       // nil: there is no other server
}

// PutTemplates puts, then tells.
func (w *watched) PutTemplates(ctx context.Context, ts []lastnight.Template) error {
	if err := w.Store.PutTemplates(ctx, ts); err != nil {
		return err
	}
	if w.labels != nil {
		w.labels.TemplatesChanged(ts)
	}
	if slices.ContainsFunc(ts, func(t lastnight.Template) bool { return t.Link != "" }) {
		return w.changes.tell(ctx, changeLabels)
	}
	return nil
}

// PutIncidents puts, then tells.
func (w *watched) PutIncidents(ctx context.Context, is []lastnight.Incident) error {
	if err := w.Store.PutIncidents(ctx, is); err != nil {
		return err
	}
	if w.labels != nil {
		w.labels.IncidentsPut(is)
	}
	return w.changes.tell(ctx, changeIncidents)
}

// DeleteIncidents deletes, then tells.
func (w *watched) DeleteIncidents(ctx context.Context, ids []string) error {
	if err := w.Store.DeleteIncidents(ctx, ids); err != nil {
		return err
	}
	if w.labels != nil {
		w.labels.IncidentsGone(ids)
	}
	return w.changes.tell(ctx, changeIncidents)
}

// openLabels opens the labels and makes everybody follow them.
func (n *node) openLabels(ctx context.Context, w *watched, causes []lastnight.Cause) error {
	var err error
	n.labels, err = labels.Open(ctx, labels.Config{
		Store: labelStore{n.store, n.changes}, Templates: w, Incidents: n.store, Samples: n.indexer, Follower: n.indexer, Causes: causes, Log: n.cfg.log,
	})
	if err != nil {
		return err
	}
	w.labels = n.labels
	n.investigator.ExplainWith(n.labels)
	return nil
}
