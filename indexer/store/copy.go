package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"lastnight"
)

const (
	// migrationBucket holds, in the source, the name of the store, and, in the target, how far
	// the copy of which store came. It is not copied.
	migrationBucket = "migration"
	idKey           = "id"
	stateKey        = "state"

	copyBatch = 1000 // values put at once
	markEvery = 20   // batches of documents between two marks of how far they came
)

// migration is how far a copy came, as it lies in the target.
type migration struct {
	From   string    `json:"from"`             // id of the source
	Cursor string    `json:"cursor,omitempty"` // of the last document that is known to be there
	Begun  time.Time `json:"begun"`
	Done   time.Time `json:"done,omitzero"` // zero: under way
}

// CopyConfig says what is copied where.
type CopyConfig struct {
	From, To Store
	// ToName is how messages call the target.
	ToName string
	// Progress is told what is there by now; nil: nobody is.
	Progress func(what string, n int)
	// Also copies what belongs to the store and is elsewhere, when the target was found to be the
	// right one and before the copy counts as done; nil: nothing. It may be called again.
	Also func(ctx context.Context) error
}

// Copy makes the target hold all that the source holds and gives what both have: it compares
// them in the end, value by value, and fails by name where they differ. Nobody may write to
// either meanwhile. It may be interrupted at any instant and called again, and goes on; every put is
// idempotent. A target that holds anything else than an unfinished copy of the same
// source is refused (CodeConflict). done tells that an earlier call had finished it: nothing is done then.
// The source gets an item that names it.
func Copy(ctx context.Context, c CopyConfig) (have Summary, done bool, err error) {
	if c.Progress == nil {
		c.Progress = func(string, int) {}
	}
	m, err := c.begin(ctx)
	if err != nil || !m.Done.IsZero() {
		return nil, err == nil, err
	}
	if c.Also != nil {
		if err := c.Also(ctx); err != nil {
			return nil, false, err
		}
	}
	for _, step := range []func(context.Context) error{c.items, c.templates, c.inventory, c.incidents, c.sources} {
		if err := step(ctx); err != nil {
			return nil, false, err
		}
	}
	if err := c.documents(ctx, m); err != nil {
		return nil, false, fmt.Errorf("copy documents: %w", err)
	}
	if have, err = c.verify(ctx); err != nil {
		return nil, false, err
	}
	m.Done = time.Now().UTC()
	return have, false, c.mark(ctx, m)
}

// UnfinishedCopy tells whether a store is the target of a copy that has not ended.
func UnfinishedCopy(ctx context.Context, s Exact) (bool, error) {
	m, err := readMigration(ctx, s)
	return m != nil && m.Done.IsZero(), err
}

func readMigration(ctx context.Context, s Exact) (*migration, error) {
	item, err := s.Get(ctx, migrationBucket, stateKey)
	if lastnight.CodeOf(err) == lastnight.CodeNotFound {
		return nil, nil //nolint:nilnil // there is none, and no error
	}
	if err != nil {
		return nil, fmt.Errorf("read state of migration: %w", err)
	}
	m := new(migration)
	if err := json.Unmarshal(item.Value, m); err != nil {
		return nil, fmt.Errorf("decode state of migration: %w", err)
	}
	return m, nil
}

// begin finds out how far an earlier call came, or begins.
func (c *CopyConfig) begin(ctx context.Context) (*migration, error) {
	id, err := nameOf(ctx, c.From)
	if err != nil {
		return nil, err
	}
	m, err := readMigration(ctx, c.To)
	if err != nil {
		return nil, err
	}
	if m != nil {
		if m.From != id {
			return nil, lastnight.Errorf(lastnight.CodeConflict, "name another target", "%s holds a copy of another store", c.ToName)
		}
		return m, nil
	}
	what, err := anything(ctx, c.To)
	if err != nil {
		return nil, err
	}
	if what != "" {
		return nil, lastnight.Errorf(lastnight.CodeConflict, "name an empty target, such as another --store-prefix", "%s holds %s already", c.ToName, what)
	}
	m = &migration{From: id, Begun: time.Now().UTC()}
	return m, c.mark(ctx, m)
}

func (c *CopyConfig) mark(ctx context.Context, m *migration) error {
	b, err := json.Marshal(m)
	if err == nil {
		_, err = c.To.Put(ctx, migrationBucket, stateKey, b, -1)
	}
	if err != nil {
		return fmt.Errorf("note state of migration: %w", err)
	}
	return nil
}

// nameOf gives the id of a store, made up when it is first asked for.
func nameOf(ctx context.Context, s Exact) (string, error) {
	item, err := s.Get(ctx, migrationBucket, idKey)
	if lastnight.CodeOf(err) == lastnight.CodeNotFound {
		id := rand.Text()
		if _, err := s.Put(ctx, migrationBucket, idKey, []byte(id), 0); err != nil {
			return "", fmt.Errorf("name store: %w", err)
		}
		return id, nil
	}
	if err != nil {
		return "", fmt.Errorf("read name of store: %w", err)
	}
	return string(item.Value), nil
}

// anything names something that a store holds, "" if it is empty.
func anything(ctx context.Context, s Store) (string, error) {
	buckets, err := copiedBuckets(ctx, s)
	if err != nil || len(buckets) > 0 {
		return "items", err
	}
	if n, err := first(s.Search(ctx, lastnight.SearchRequest{Limit: 1})); n || err != nil {
		return "documents", err
	}
	if n, err := first(s.AllTemplates(ctx)); n || err != nil {
		return "templates", err
	}
	if n, err := first(s.Sources(ctx)); n || err != nil {
		return "counts", err
	}
	if is, err := s.Incidents(ctx, lastnight.IncidentsRequest{Planned: true, Limit: 1}); len(is) > 0 || err != nil {
		return "incidents", err
	}
	if jobs, err := s.Jobs(ctx, lastnight.JobsRequest{}); len(jobs) > 0 || err != nil {
		return "jobs", err
	}
	if pods, err := s.Pods(ctx, PodsRequest{}); len(pods) > 0 || err != nil {
		return "pods", err
	}
	return "", nil
}

func first[T any](stream iter.Seq2[T, error]) (bool, error) {
	for _, err := range stream {
		return err == nil, err
	}
	return false, nil
}

func copiedBuckets(ctx context.Context, s Store) ([]string, error) {
	all, err := s.Buckets(ctx)
	if err != nil {
		return nil, fmt.Errorf("list buckets: %w", err)
	}
	names := all[:0]
	for _, b := range all {
		if b != migrationBucket {
			names = append(names, b)
		}
	}
	return names, nil
}

func (c *CopyConfig) items(ctx context.Context) error {
	buckets, err := copiedBuckets(ctx, c.From)
	if err != nil {
		return err
	}
	for _, b := range buckets {
		n := 0
		for item, err := range c.From.List(ctx, b, "") {
			if err == nil {
				_, err = c.To.Put(ctx, b, item.Key, item.Value, -1)
			}
			if err != nil {
				return fmt.Errorf("copy items of %s: %w", b, err)
			}
			n++
		}
		c.Progress(b, n)
	}
	return nil
}

func (c *CopyConfig) templates(ctx context.Context) error {
	n, err := inBatches(c.From.AllTemplates(ctx), func(ts []lastnight.Template) error { return c.To.PutTemplates(ctx, ts) })
	if err != nil {
		return fmt.Errorf("copy templates: %w", err)
	}
	c.Progress("templates", n)
	return nil
}

func (c *CopyConfig) inventory(ctx context.Context) error {
	pods, err := c.From.Pods(ctx, PodsRequest{})
	if err == nil {
		_, err = inBatches(each(pods), func(ps []lastnight.Pod) error { return c.To.PutPods(ctx, ps) })
	}
	if err != nil {
		return fmt.Errorf("copy pods: %w", err)
	}
	c.Progress("pods", len(pods))
	jobs, err := c.From.Jobs(ctx, lastnight.JobsRequest{})
	if err == nil {
		_, err = inBatches(each(jobs), func(js []lastnight.Job) error { return c.To.PutJobs(ctx, js) })
	}
	if err != nil {
		return fmt.Errorf("copy jobs: %w", err)
	}
	c.Progress("jobs", len(jobs))
	return nil
}

func (c *CopyConfig) incidents(ctx context.Context) error {
	is, err := c.From.Incidents(ctx, lastnight.IncidentsRequest{Planned: true})
	if err == nil {
		_, err = inBatches(each(is), func(is []lastnight.Incident) error { return c.To.PutIncidents(ctx, is) })
	}
	if err != nil {
		return fmt.Errorf("copy incidents: %w", err)
	}
	c.Progress("incidents", len(is))
	return nil
}

func (c *CopyConfig) sources(ctx context.Context) error {
	n := 0
	for s, err := range c.From.Sources(ctx) {
		var has bool
		if err == nil {
			has, err = c.To.HasCounts(ctx, s.Name)
		}
		if err == nil && !has {
			err = c.To.PutCounts(ctx, s.Name, s.Counts)
		}
		if err != nil {
			return fmt.Errorf("copy counts: %w", err)
		}
		if n++; n%copyBatch == 0 {
			c.Progress("sources of counts", n)
		}
	}
	c.Progress("sources of counts", n)
	return nil
}

// documents copies them in order, and notes now and then how far it came.
func (c *CopyConfig) documents(ctx context.Context, m *migration) error {
	batches := 0
	n, err := inBatches(c.From.Search(ctx, lastnight.SearchRequest{Oldest: true, Cursor: m.Cursor}), func(docs []lastnight.Document) error {
		if err := c.To.Index(ctx, docs); err != nil {
			return err
		}
		if batches++; batches%markEvery != 0 {
			return nil
		}
		last := &docs[len(docs)-1]
		m.Cursor = lastnight.CursorOf(last.Time, last.ID)
		c.Progress("documents", batches*copyBatch)
		return c.mark(ctx, m)
	})
	c.Progress("documents", n)
	return err
}

// verify compares both stores, and tells what they have.
func (c *CopyConfig) verify(ctx context.Context) (Summary, error) {
	want, err := Summarize(ctx, c.From)
	if err != nil {
		return nil, fmt.Errorf("count what is to be copied: %w", err)
	}
	have, err := Summarize(ctx, c.To)
	if err != nil {
		return nil, fmt.Errorf("count what was copied: %w", err)
	}
	if diff := want.Differences(have); len(diff) > 0 {
		return nil, lastnight.Errorf(lastnight.CodeInternal, "see whether somebody writes to one of them; lastnight dead-letters, if Elasticsearch refused some", "%s differs from its source: %w", c.ToName, errors.Join(diff...))
	}
	return have, nil
}

func each[T any](values []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for i := range values {
			if !yield(values[i], nil) {
				return
			}
		}
	}
}

// inBatches puts what a stream yields and tells how much that was.
func inBatches[T any](stream iter.Seq2[T, error], put func([]T) error) (n int, err error) {
	var batch []T
	for v, err := range stream {
		if err != nil {
			return n, err
		}
		if batch = append(batch, v); len(batch) == copyBatch {
			if err := put(batch); err != nil {
				return n, err
			}
			n, batch = n+len(batch), batch[:0]
		}
	}
	if len(batch) == 0 {
		return n, nil
	}
	return n + len(batch), put(batch)
}
