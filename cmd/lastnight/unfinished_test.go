package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestHalfDonePutsGo: upkeep removes from the data directory what a put left that never ended, and nothing else.
func TestHalfDonePutsGo(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n, err := openNode(t.Context(), nodeConfig{dir: data, create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(t.Context()) }()
	temp := filepath.Join(data, "archive", ".tmp", "17-old-1")
	if err := os.MkdirAll(filepath.Dir(temp), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(temp, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.blobs.Put(t.Context(), "chunks/1", []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if err := n.dropUnfinished(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(temp); !os.IsNotExist(err) {
		t.Errorf("the half-done file is there: %v", err)
	}
	if size, err := n.blobs.Size(t.Context(), "chunks/1"); err != nil || size != 5 {
		t.Errorf("the whole one: %d bytes, %v", size, err)
	}
}
