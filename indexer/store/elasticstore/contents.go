package elasticstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"lastnight"
	"lastnight/indexer/store"
)

// AllTemplates streams the templates.
func (s *Store) AllTemplates(ctx context.Context) iter.Seq2[lastnight.Template, error] {
	return func(yield func(lastnight.Template, error) bool) {
		for h, err := range s.find(ctx, []string{s.index(kindTemplates)}, find{sort: byDoc}) {
			var t lastnight.Template
			if err == nil {
				err = unwrap(h.Source, &t)
			}
			if err != nil {
				yield(t, fmt.Errorf("list templates: %w", err))
				return
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}

// Sources streams the sources that gave counts.
func (s *Store) Sources(ctx context.Context) iter.Seq2[store.Source, error] {
	return func(yield func(store.Source, error) bool) {
		for h, err := range s.find(ctx, []string{s.index(kindSources)}, find{sort: byDoc}) {
			var m sourceMark
			var src store.Source
			if err == nil {
				err = json.Unmarshal(h.Source, &m)
			}
			if err == nil && !m.Done {
				continue // its put was cut off: it gave nothing yet
			}
			if err == nil {
				src, err = s.source(ctx, &m)
			}
			if err != nil {
				yield(src, fmt.Errorf("list sources of counts: %w", err))
				return
			}
			if !yield(src, nil) {
				return
			}
		}
	}
}

// source reads what a source gave.
func (s *Store) source(ctx context.Context, m *sourceMark) (store.Source, error) {
	src := store.Source{Name: m.Source}
	ids := make([]string, len(m.Parts))
	for i, n := range m.Parts {
		ids[i] = partID(m.Source, n)
	}
	if err := s.ensure(ctx, s.countsOf(m.Day)); err != nil { // it may be of an older format
		return src, err
	}
	have, err := s.getMany(ctx, s.countsOf(m.Day), ids)
	if err != nil {
		return src, err
	}
	for _, h := range have {
		if !h.Found {
			return src, fmt.Errorf("source %q lacks a part in %s", m.Source, s.countsOf(m.Day))
		}
		if _, err := eachCount(h.Source, store.CountsRequest{}, func(c lastnight.TemplateCount) bool {
			src.Counts = append(src.Counts, c)
			return true
		}); err != nil {
			return src, fmt.Errorf("source %q: %w", m.Source, err)
		}
	}
	return src, nil
}

// Buckets gives the names of the buckets that have items.
func (s *Store) Buckets(ctx context.Context) ([]string, error) {
	names := map[string]bool{}
	for h, err := range s.find(ctx, []string{s.items()}, find{sort: byDoc, fields: []string{"bucket"}}) {
		var i item
		if err == nil {
			err = json.Unmarshal(h.Source, &i)
		}
		var name []byte
		if err == nil {
			name, err = hex.DecodeString(i.Bucket)
		}
		if err != nil {
			return nil, fmt.Errorf("list buckets: %w", err)
		}
		names[string(name)] = true
	}
	return slices.Sorted(maps.Keys(names)), nil
}
