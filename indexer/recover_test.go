package indexer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"lastnight"
	"lastnight/indexer"
	"lastnight/indexer/archive"
	"lastnight/indexer/store"
	"lastnight/indexer/store/blevestore"
)

// fullStore takes nothing while it is full.
type fullStore struct {
	store.Store
	full *bool
}

func (s fullStore) Index(ctx context.Context, d []lastnight.Document) error {
	if *s.full {
		return errors.New("no space left on device")
	}
	return s.Store.Index(ctx, d)
}

// TestOpensWhileStoreIsFull holds that a server which starts while the store takes nothing, with segments that it
// has not taken, answers what people ask, refuses lines as for now, and indexes all once there is room.
func TestOpensWhileStoreIsFull(t *testing.T) {
	s, err := blevestore.Open(t.Context(), blevestore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	w := &world{store: s, blobs: archive.NewBucket(memblob.OpenBucket(nil)), now: time.Now()}
	full := true
	open := func() (*indexer.Indexer, *archive.Archive) {
		a, err := archive.Open(t.Context(), archive.Config{Blobs: w.blobs, Now: w.clock})
		if err != nil {
			t.Fatal(err)
		}
		x, err := indexer.Open(t.Context(), indexer.Config{
			Archive: a, Store: fullStore{w.store, &full}, Recognizer: boomer{}, Logger: slogDiscard(), Now: w.clock,
		})
		if err != nil {
			t.Fatalf("a full store keeps the server from starting: %v", err)
		}
		return x, a
	}
	x, _ := open()
	if err := x.Ingest(t.Context(), batch("ns", 0)); err != nil {
		t.Fatalf("lines that are in the archive are acknowledged: %v", err)
	}
	x, a := open() // the first one was killed
	n := 0
	for _, err := range x.Search(t.Context(), lastnight.SearchRequest{Namespace: "ns"}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 2*perBatch {
		t.Errorf("%d records are found, want %d", n, 2*perBatch)
	}
	if err := x.Ingest(t.Context(), batch("ns", 1)); lastnight.CodeOf(err) != lastnight.CodeUnavailable {
		t.Errorf("while the store is full: %v, want %s", err, lastnight.CodeUnavailable)
	}
	full = false
	if err := x.Ingest(t.Context(), batch("ns", 1)); err != nil {
		t.Fatal(err)
	}
	names, err := a.Segments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if ok, err := w.store.HasCounts(t.Context(), name); err != nil || !ok {
			t.Errorf("%s is not indexed: %v", name, err)
		}
	}
}
