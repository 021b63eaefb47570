package archive_test

import (
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// TestBlockOfSeveralStreams: a block is read only if a stream in it that is asked for has lines in the time asked for, however
// far the others reach.
func TestBlockOfSeveralStreams(t *testing.T) {
	dir, err := archive.NewDir(vfs.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	blobs := &counting{Blobs: dir}
	a, err := archive.Open(t.Context(), archive.Config{Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	early, late := newWriter("early"), newWriter("late")
	late.time = start + int64(10*time.Hour)
	add(t, a, early.span("one", "two"), late.span("three", "four"))
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask := func(from, to time.Duration, pod string, oldest bool) (found int, gets int64) {
		req := lastnight.SearchRequest{Start: time.Unix(0, start).Add(from), End: time.Unix(0, start).Add(to), Pod: pod, Oldest: oldest}
		before := blobs.gets.Load()
		found = len(collect(t, a.Search(t.Context(), req, nil, archive.Need{})))
		return found, blobs.gets.Load() - before
	}
	ask(0, 24*time.Hour, "", false) // the directory is in memory from now on
	for _, oldest := range []bool{false, true} {
		f := func(from, to time.Duration, pod string, wantFound int, wantGets int64) {
			t.Helper()
			found, gets := ask(from, to, pod, oldest)
			equal(t, []int64{int64(found), gets}, []int64{int64(wantFound), wantGets})
		}
		f(0, 24*time.Hour, "", 4, 1)
		f(0, time.Hour, "", 2, 1)
		f(9*time.Hour, 11*time.Hour, "", 2, 1)
		f(2*time.Hour, 5*time.Hour, "", 0, 0)
		f(0, time.Hour, "late", 0, 0)
		f(0, time.Hour, "early", 2, 1)
		f(9*time.Hour, 11*time.Hour, "early", 0, 0)
	}
}
