package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lastnight"
	"lastnight/collector"
)

// TestRetainKeepsOldImports: age counts from arrival, in the store too.
func TestRetainKeepsOldImports(t *testing.T) {
	pods := t.TempDir()
	log := filepath.Join(pods, "ns_old_u1", "main", "0.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("2020-01-01T03:00:00.5Z stdout F 2020-01-01 03:00:00 ERROR [main] a.B - no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	n, err := openNode(t.Context(), nodeConfig{dir: data, create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(t.Context()) }()
	if _, err := n.load(t.Context(), io.Discard, collector.Config{}, []string{pods}); err != nil {
		t.Fatal(err)
	}
	counted := func() (records int64) {
		buckets, err := n.indexer.Histogram(t.Context(), lastnight.HistogramRequest{Start: time.Date(2020, 1, 1, 3, 0, 0, 0, time.UTC), End: time.Date(2020, 1, 1, 4, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range buckets {
			for _, c := range b.Levels {
				records += c
			}
		}
		return records
	}
	k := keep{archiveAge: 30 * 24 * time.Hour, archiveShare: 1, storeAge: 90 * 24 * time.Hour}
	for _, step := range []struct {
		now  time.Time
		want int64
	}{{time.Now(), 1}, {time.Now().Add(31 * 24 * time.Hour), 1}, {time.Now().Add(91 * 24 * time.Hour), 0}} {
		if err := n.retain(t.Context(), k, step.now); err != nil {
			t.Fatal(err)
		}
		if got := counted(); got != step.want {
			t.Errorf("at %s the store counts %d records, not %d", step.now, got, step.want)
		}
	}
}
