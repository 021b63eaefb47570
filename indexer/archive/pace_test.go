package archive_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// metered counts what is read and written.
type metered struct {
	archive.Blobs
	bytes, requests atomic.Int64
}

func (m *metered) Put(ctx context.Context, name string, data []byte) error {
	m.count(len(data))
	return m.Blobs.Put(ctx, name, data)
}

func (m *metered) Get(ctx context.Context, name string, off, n int64) ([]byte, error) {
	m.count(int(n))
	return m.Blobs.Get(ctx, name, off, n)
}

func (m *metered) Delete(ctx context.Context, name string) error {
	m.count(0)
	return m.Blobs.Delete(ctx, name)
}

func (m *metered) count(n int) {
	m.bytes.Add(int64(max(n, 64<<10)))
	m.requests.Add(1)
}

// noise gives a line that does not compress.
func noise(bytes int) string {
	b := make([]byte, bytes/2)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// backlog is an archive of which so many segments of a megabyte wait for compaction, on a clock of its own; chunk is how much makes
// a chunk.
func backlog(t *testing.T, segments int, perSecond, chunk int64) (*archive.Archive, *metered) {
	t.Helper()
	dir, err := archive.NewDir(vfs.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	m := &metered{Blobs: dir}
	a, err := archive.Open(t.Context(), archive.Config{Blobs: m, UpkeepBytes: perSecond, ChunkBytes: chunk})
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter("pod-1")
	for range segments {
		add(t, a, w.span(noise(500_000), noise(500_000)))
	}
	time.Sleep(2 * time.Hour) // of the bubble: they are due
	m.bytes.Store(0)
	m.requests.Store(0)
	return a, m
}

// warmUp makes what all archives of the process share outside of any bubble.
func warmUp(t *testing.T) {
	t.Helper()
	a := open(t, vfs.NewMem())
	add(t, a, newWriter("pod-1").span("one", noise(100_000)))
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, len(raw(t, a, "")), 2)
}

// TestUpkeepIsPaced: compaction and retention keep to the bound; what a person waits for does not.
func TestUpkeepIsPaced(t *testing.T) {
	warmUp(t)
	synctest.Test(t, func(t *testing.T) {
		a, m := backlog(t, 6, 1<<20, 7_000_000)
		began := time.Now()
		if err := a.CompactDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		took, bytes := time.Since(began), m.bytes.Load()
		if bytes < 5<<20 || took.Seconds() < float64(bytes)/(1<<20)-3 || took.Seconds() > float64(bytes)/(1<<20)+3 {
			t.Errorf("compaction read and wrote %d bytes in %s", bytes, took)
		}
		equal(t, stats(t, a).Segments, 0)
		began = time.Now()
		equal(t, len(raw(t, a, "")), 12)
		add(t, a, newWriter("pod-2").span(noise(3_000_000)))
		if err := a.Compact(t.Context()); err != nil { // an import's
			t.Fatal(err)
		}
		equal(t, time.Since(began), time.Duration(0))
	})
	synctest.Test(t, func(t *testing.T) {
		a, m := backlog(t, 40, 1<<20, 1_000_000)
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.requests.Store(0)
		began := time.Now()
		if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
			t.Fatal(err)
		}
		took, requests := time.Since(began), m.requests.Load() // 16 a second
		if requests < 40 || took < time.Duration(requests-17)*time.Second/16 || took > time.Duration(requests)*time.Second/16 {
			t.Errorf("retention made %d requests in %s", requests, took)
		}
		equal(t, stats(t, a).Chunks, 0)
	})
}

// TestPaceYieldsToBacklog: however low the bound, what waits is compacted in less than catch-up time and a few chunks' time.
func TestPaceYieldsToBacklog(t *testing.T) {
	warmUp(t)
	synctest.Test(t, func(t *testing.T) {
		a, m := backlog(t, 60, 100<<10, 1_000_000)
		began := time.Now()
		for turns := 0; stats(t, a).Segments > 0; turns++ {
			turn := time.Now()
			if err := a.CompactDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(turn); took > 80*time.Second || turns > 3 {
				t.Fatalf("the turn %d of compaction took %s: retention waits", turns, took)
			}
		}
		took, bytes := time.Since(began), m.bytes.Load()
		slow := time.Duration(float64(bytes) / (100 << 10) * float64(time.Second))
		if took > 2*time.Minute || took > slow/3 {
			t.Errorf("%d bytes took %s; at the bound %s", bytes, took, slow)
		}
		if took < 10*time.Second {
			t.Errorf("%d bytes took %s: there is no bound", bytes, took)
		}
	})
}

// TestQuestionsDoNotWaitForUpkeep: in a shared archive, where each question begins with a list, one that comes in the
// middle of a slow retention is answered at once.
func TestQuestionsDoNotWaitForUpkeep(t *testing.T) {
	warmUp(t)
	synctest.Test(t, func(t *testing.T) {
		dir, err := archive.NewDir(vfs.NewMem())
		if err != nil {
			t.Fatal(err)
		}
		a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, Shared: true, Grace: time.Minute, UpkeepBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		w := newWriter("pod-1")
		for range 40 {
			add(t, a, w.span("old"))
		}
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // 40 segments may be deleted, one a second
		done := make(chan error, 1)
		go func() { done <- a.Retain(context.WithoutCancel(t.Context()), archive.Policy{MaxAge: 24 * time.Hour}) }()
		time.Sleep(20 * time.Second)
		began := time.Now()
		equal(t, len(collect(t, a.Search(t.Context(), lastnight.SearchRequest{}, nil, archive.Need{}))), 40)
		equal(t, time.Since(began), time.Duration(0))
		if left := len(collect(t, dir.List(t.Context(), "segments/"))); left == 0 || left == 40 {
			t.Errorf("%d segments are left: retention is not in the middle", left)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		equal(t, len(collect(t, dir.List(t.Context(), "segments/"))), 0)
	})
}
