package archive_test

import (
	"testing"

	"lastnight/internal/vfs"
)

// TestSegmentsAfterManifests: a chunk that was made of segments is none of those that may wait for being indexed,
// also when only a manifest tells of it: its lines were counted as those of its segments.
func TestSegmentsAfterManifests(t *testing.T) {
	fsys := vfs.NewMem()
	a := open(t, fsys)
	grow(t, a, 3, newWriter("pod-1"))
	equal(t, len(a.Segments()), 0)
	if s := stats(t, a); s.Listed != 3 {
		t.Fatalf("%+v", s)
	}
	equal(t, len(open(t, fsys).Segments()), 0)
}
