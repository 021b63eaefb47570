package elasticstore

import (
	"context"
	"fmt"

	"lastnight"
	"lastnight/indexer/store"
)

func (s *Store) keptTemplates() kept[lastnight.Template] {
	return kept[lastnight.Template]{
		kind: kindTemplates, merge: store.MergeTemplate,
		id:     func(t *lastnight.Template) string { return hashID(t.ID) },
		fields: func(*lastnight.Template) object { return nil },
	}
}

// PutTemplates adds or updates templates by id; it returns when they are durable.
func (s *Store) PutTemplates(ctx context.Context, ts []lastnight.Template) error {
	if err := ctx.Err(); err != nil || len(ts) == 0 {
		return err
	}
	for i := range ts {
		if err := checkKey("template id", ts[i].ID); err != nil {
			return err
		}
	}
	if err := upsert(ctx, s, s.keptTemplates(), ts); err != nil {
		return fmt.Errorf("put %d templates: %w", len(ts), err)
	}
	return nil
}

// Templates gives those of the ids that exist.
func (s *Store) Templates(ctx context.Context, ids []string) ([]lastnight.Template, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var keys []string
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if id != "" && !seen[id] {
			seen[id] = true
			keys = append(keys, hashID(id))
		}
	}
	have, err := s.getMany(ctx, s.index(kindTemplates), keys)
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	ts := make([]lastnight.Template, 0, len(have))
	for _, h := range have {
		if !h.Found {
			continue
		}
		var t lastnight.Template
		if err := unwrap(h.Source, &t); err != nil {
			return nil, fmt.Errorf("template %s: %w", h.ID, err)
		}
		ts = append(ts, t)
	}
	return ts, nil
}
