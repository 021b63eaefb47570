package blevestore

import (
	"bytes"
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store"
)

var templatesBucket = []byte("templates")

// PutTemplates adds or updates templates by id; it returns when they are durable.
func (s *Store) PutTemplates(ctx context.Context, ts []lastnight.Template) error {
	if err := ctx.Err(); err != nil || len(ts) == 0 {
		return err
	}
	err := s.exact.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(templatesBucket)
		if err != nil {
			return err
		}
		for i := range ts {
			if err := checkKey("template id", ts[i].ID); err != nil {
				return err
			}
			if err := upsert(s.codec, b, []byte(ts[i].ID), &ts[i], store.MergeTemplate); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put %d templates: %w", len(ts), err)
	}
	return nil
}

// Templates gives those of the ids that exist.
func (s *Store) Templates(ctx context.Context, ids []string) ([]lastnight.Template, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ts := make([]lastnight.Template, 0, len(ids))
	seen := make(map[string]bool, len(ids))
	err := s.exact.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(templatesBucket)
		if b == nil {
			return nil
		}
		for _, id := range ids {
			v := b.Get([]byte(id))
			if v == nil || seen[id] {
				continue
			}
			seen[id] = true
			var t lastnight.Template
			if err := s.codec.openJSON(v, &t); err != nil {
				return fmt.Errorf("template %q: %w", id, err)
			}
			ts = append(ts, t)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	return ts, nil
}

// upsert puts v, merged into what is there, under key, where that changes anything.
func upsert[T any](c *codec, b *bolt.Bucket, key []byte, v *T, merge func(old, v *T)) error {
	was := b.Get(key)
	if was != nil {
		var old T
		if err := c.openJSON(was, &old); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		merge(&old, v)
		v = &old
	}
	sealed, err := c.sealJSON(v)
	if err != nil || bytes.Equal(sealed, was) {
		return err
	}
	return b.Put(key, sealed)
}

// checkKey refuses names that are no keys.
func checkKey(what, key string) error {
	if key == "" || len(key) > maxKeyBytes {
		return lastnight.Errorf(lastnight.CodeInvalid, "", "a %s has %d bytes, must have 1 to %d", what, len(key), maxKeyBytes)
	}
	return nil
}
