package archive_test

import (
	"testing"

	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// segmentNames names what may wait for being indexed.
func segmentNames(t testing.TB, a *archive.Archive) []string {
	t.Helper()
	names, err := a.Segments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestSegmentsAfterManifests: a chunk that was made of segments is none of those that may wait for being indexed,
// also when only a manifest tells of it: its lines were counted as those of its segments.
func TestSegmentsAfterManifests(t *testing.T) {
	fsys := vfs.NewMem()
	a := open(t, fsys)
	grow(t, a, 3, newWriter("pod-1"))
	equal(t, len(segmentNames(t, a)), 0)
	if s := stats(t, a); s.Listed != 3 {
		t.Fatalf("%+v", s)
	}
	equal(t, len(segmentNames(t, open(t, fsys))), 0)
}
