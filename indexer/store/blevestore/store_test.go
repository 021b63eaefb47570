package blevestore_test

import (
	"testing"

	"lastnight/indexer/store"
	"lastnight/indexer/store/blevestore"
	"lastnight/indexer/store/storetest"
)

// open opens a store in dir that uses its indexes from scanBelow documents a day on.
func open(t testing.TB, dir string, scanBelow int) *blevestore.Store {
	t.Helper()
	s, err := blevestore.Open(t.Context(), blevestore.Config{Dir: dir, ScanBelow: scanBelow, MaxOpen: 2})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir(), 0) })
}

// TestConformanceIndexed is the same with an index for every day, asked whenever it can be.
func TestConformanceIndexed(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s := open(t, t.TempDir(), -1)
		s.AlwaysAsk()
		return s
	})
}
