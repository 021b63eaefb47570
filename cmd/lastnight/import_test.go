package main

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"lastnight/collector"
	"lastnight/indexer/store"
	"lastnight/internal/recorded"
)

// Importing the same logs ends in the same documents, templates and incidents, however many files are read at once.
func TestImportsAlike(t *testing.T) {
	names := recorded.Names()
	if testing.Short() {
		names = names[:2]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := recorded.Extract(t.Context(), name, dir); err != nil {
				t.Fatal(err)
			}
			first := importedWith(t, dir, 1)
			if len(first) < 3 {
				t.Fatalf("the store has no more than %v", first)
			}
			for range 3 {
				for _, err := range first.Differences(importedWith(t, dir, 5)) {
					t.Error(err)
				}
			}
		})
	}
}

// importedWith tells what a store has after an import by so many workers; all but the counts, whose sources are
// as many records as arrived at once.
func importedWith(t *testing.T, dir string, workers int) store.Summary {
	t.Helper()
	n, err := openNode(t.Context(), nodeConfig{dir: filepath.Join(t.TempDir(), "data"), create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	if _, err := n.load(t.Context(), io.Discard, collector.Config{Workers: workers}, []string{dir}); err != nil {
		t.Fatal(err)
	}
	all, err := store.Summarize(t.Context(), n.store)
	if err != nil {
		t.Fatal(err)
	}
	some := store.Summary{}
	for kind, tally := range all {
		if k, _, _ := strings.Cut(kind, " "); k == "documents" || k == "templates" || k == "incidents" || k == "jobs" {
			some[kind] = tally
		}
	}
	return some
}
