package blevestore

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"

	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store"
)

// AllTemplates streams the templates, by id.
func (s *Store) AllTemplates(ctx context.Context) iter.Seq2[lastnight.Template, error] {
	return each(ctx, s.exact, templatesBucket, func(_ *bolt.Tx, _, v []byte) (t lastnight.Template, err error) {
		return t, s.codec.openJSON(v, &t)
	})
}

// Sources streams the sources that gave counts, by name.
func (s *Store) Sources(ctx context.Context) iter.Seq2[store.Source, error] {
	return each(ctx, s.exact, countSourcesBucket, func(tx *bolt.Tx, k, v []byte) (store.Source, error) {
		src := store.Source{Name: string(k)}
		_, sealed, err := splitCounts(tx.Bucket(countsBucket).Get(v))
		if err != nil {
			return src, err
		}
		packed, err := s.codec.open(sealed)
		if err != nil {
			return src, err
		}
		_, err = unpackCounts(packed, store.CountsRequest{}, math.MinInt64, math.MaxInt64, func(c lastnight.TemplateCount) bool {
			src.Counts = append(src.Counts, c)
			return true
		})
		return src, err
	})
}

// each streams what read makes of the keys and values of a bucket, page by page: no transaction is
// open while the caller works.
func each[T any](ctx context.Context, db *mapped, bucket []byte, read func(tx *bolt.Tx, k, v []byte) (T, error)) iter.Seq2[T, error] {
	page := func(from []byte) (values []T, next []byte, err error) {
		err = db.View(func(tx *bolt.Tx) error {
			b := tx.Bucket(bucket)
			if b == nil {
				return nil
			}
			c := b.Cursor()
			for k, v := c.Seek(from); k != nil; k, v = c.Next() {
				if len(values) == pageDocuments {
					next = bytes.Clone(k)
					return nil
				}
				value, err := read(tx, k, v)
				if err != nil {
					return fmt.Errorf("read %q of %s: %w", k, bucket, err)
				}
				values = append(values, value)
			}
			return nil
		})
		return values, next, err
	}
	return func(yield func(T, error) bool) {
		for from := []byte{}; from != nil; {
			values, next, err := page(from)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range values {
				if !yield(v, nil) {
					return
				}
			}
			from = next
		}
	}
}

// Buckets gives the names of the buckets that have items.
func (s *Store) Buckets(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var names []string
	err := s.exact.View(func(tx *bolt.Tx) error {
		all := tx.Bucket(exactBucket)
		if all == nil {
			return nil
		}
		return all.ForEachBucket(func(k []byte) error {
			if first, _ := all.Bucket(k).Cursor().First(); first != nil {
				names = append(names, string(k))
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list buckets: %w", err)
	}
	return names, nil
}
