package blevestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store"
)

// exactBucket holds a bucket for each bucket of items; their versions come from its
// sequence, so that none is ever given twice, not even to an item that was deleted.
var exactBucket = []byte("items")

const maxKeyBytes = 4 << 10

// Get gives an item, or an error of CodeNotFound.
func (s *Store) Get(ctx context.Context, bucket, key string) (store.Item, error) {
	var item store.Item
	if err := ctx.Err(); err != nil {
		return item, err
	}
	err := s.exact.View(func(tx *bolt.Tx) (err error) {
		b := itemBucket(tx, bucket)
		if b == nil {
			return notFound(bucket, key)
		}
		v := b.Get([]byte(key))
		if v == nil {
			return notFound(bucket, key)
		}
		item, err = decodeItem([]byte(key), v)
		return err
	})
	return item, err
}

func notFound(bucket, key string) error {
	return lastnight.Errorf(lastnight.CodeNotFound, "", "there is no %.80q in %.80q", key, bucket)
}

func itemBucket(tx *bolt.Tx, bucket string) *bolt.Bucket {
	all := tx.Bucket(exactBucket)
	if all == nil || bucket == "" {
		return nil
	}
	return all.Bucket([]byte(bucket))
}

func decodeItem(key, v []byte) (store.Item, error) {
	if len(v) < 8 {
		return store.Item{}, fmt.Errorf("item %q: %w", key, errDamaged)
	}
	return store.Item{Key: string(key), Value: append([]byte{}, v[8:]...), Version: int64(binary.BigEndian.Uint64(v))}, nil
}

// Put sets a value if its version still is ifVersion and gives the new version, or an
// error of CodeConflict. It returns when the value is durable.
func (s *Store) Put(ctx context.Context, bucket, key string, value []byte, ifVersion int64) (version int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := checkKey("name of a bucket", bucket); err != nil {
		return 0, err
	}
	if err := checkKey("key of an item", key); err != nil {
		return 0, err
	}
	if ifVersion < -1 {
		return 0, lastnight.Errorf(lastnight.CodeInvalid, "", "no item has version %d", ifVersion)
	}
	err = s.exact.Update(func(tx *bolt.Tx) error {
		all, err := tx.CreateBucketIfNotExists(exactBucket)
		if err != nil {
			return err
		}
		b, err := all.CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		b.FillPercent = 0.9 // many come in the order of their keys, and are larger than what half a page leaves
		is := int64(0)
		if v := b.Get([]byte(key)); len(v) >= 8 {
			is = int64(binary.BigEndian.Uint64(v))
		}
		if ifVersion >= 0 && is != ifVersion {
			return lastnight.Errorf(lastnight.CodeConflict, "read it again, then decide", "%.80q in %.80q was changed by somebody else: version %d, not %d", key, bucket, is, ifVersion)
		}
		n, err := all.NextSequence()
		if err != nil {
			return err
		}
		version = int64(n)
		return b.Put([]byte(key), append(binary.BigEndian.AppendUint64(nil, n), value...))
	})
	if err != nil {
		return 0, fmt.Errorf("put item: %w", err)
	}
	return version, nil
}

// Delete removes an item; an unknown one is no error.
func (s *Store) Delete(ctx context.Context, bucket, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.exact.Update(func(tx *bolt.Tx) error {
		if b := itemBucket(tx, bucket); b != nil {
			return b.Delete([]byte(key))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete item: %w", err)
	}
	return nil
}

// List streams the items whose key begins with prefix, by key. Items that change
// meanwhile come as they were before or as they are.
func (s *Store) List(ctx context.Context, bucket, prefix string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		for from := []byte(prefix); from != nil; {
			items, next, err := s.items(bucket, []byte(prefix), from)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(store.Item{}, fmt.Errorf("list items: %w", err))
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			from = next
		}
	}
}

// items reads a page of items from a key on, and where the next begins.
func (s *Store) items(bucket string, prefix, from []byte) (items []store.Item, next []byte, err error) {
	err = s.exact.View(func(tx *bolt.Tx) error {
		b := itemBucket(tx, bucket)
		if b == nil {
			return nil
		}
		size := 0
		c := b.Cursor()
		for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if len(items) == pageDocuments || size > pageBytes {
				next = bytes.Clone(k)
				return nil
			}
			item, err := decodeItem(k, v)
			if err != nil {
				return err
			}
			items = append(items, item)
			size += len(v)
		}
		return nil
	})
	return items, next, err
}
