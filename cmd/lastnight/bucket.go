package main

import (
	"context"
	"iter"

	"lastnight/api/auth"
	"lastnight/indexer/store"
)

// bucket is one bucket of a store's exact values, for parts that know no store.
type bucket struct {
	exact store.Exact
	name  string
}

var _ auth.Keeper = bucket{}

// Get gives a value.
func (b bucket) Get(ctx context.Context, key string) ([]byte, error) {
	item, err := b.exact.Get(ctx, b.name, key)
	return item.Value, err
}

// Put sets a value if its version is ifVersion; 0: must not exist, -1: whatever.
func (b bucket) Put(ctx context.Context, key string, value []byte, ifVersion int64) error {
	_, err := b.exact.Put(ctx, b.name, key, value, ifVersion)
	return err
}

// Delete removes a value.
func (b bucket) Delete(ctx context.Context, key string) error {
	return b.exact.Delete(ctx, b.name, key)
}

// List streams keys and values.
func (b bucket) List(ctx context.Context, prefix string) iter.Seq2[auth.KeyValue, error] {
	return func(yield func(auth.KeyValue, error) bool) {
		for item, err := range b.exact.List(ctx, b.name, prefix) {
			if !yield(auth.KeyValue{Key: item.Key, Value: item.Value}, err) || err != nil {
				return
			}
		}
	}
}
