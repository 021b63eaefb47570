package archive_test

import (
	"testing"
	"time"

	"lastnight/internal/vfs"
)

// TestOldest: what arrived lately counts, however old its lines are.
func TestOldest(t *testing.T) {
	a := open(t, vfs.NewMem())
	if at, ok := a.Oldest(time.Unix(0, 0)); ok {
		t.Fatalf("an empty archive has lines of %s", at)
	}
	before := time.Now().Add(-time.Minute)
	w := newWriter("p")
	w.time -= int64(1000 * 24 * time.Hour)
	first := w.time + 1_234_567
	add(t, a, w.span("one", "two"))
	add(t, a, newWriter("q").span("three"))
	at, ok := a.Oldest(before)
	equal(t, ok, true)
	equal(t, at.UnixNano(), first)
	_, ok = a.Oldest(time.Now().Add(time.Hour))
	equal(t, ok, false)
}
