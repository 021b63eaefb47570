package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lastnight"
	"lastnight/api"
	"lastnight/indexer"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// TestTailAndCompaction: what arrives late comes to a live tail, once, though it is to be compacted at once with what was there
// before, and though it is so much that it becomes a chunk as it arrives.
func TestTailAndCompaction(t *testing.T) {
	t.Parallel()
	n, err := openNode(t.Context(), nodeConfig{dir: filepath.Join(t.TempDir(), "data"), create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close(context.Background()) })
	dir, err := archive.NewDir(vfs.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	var ago atomic.Int64 // how far the archive's clock is behind
	a, err := archive.Open(t.Context(), archive.Config{
		Blobs: dir, ChunkBytes: 250, DirectBytes: 1000,
		Now: func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	x, err := indexer.Open(t.Context(), indexer.Config{Archive: a, Store: n.store, Recognizer: nobody{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h, err := api.New(api.Config{Searcher: x, Investigator: n.investigator, Labeler: n.labels, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close) // after the tail, which is closed before

	now := time.Now()
	arrive := func(pod string, at time.Time, lines int) {
		t.Helper()
		s := lastnight.Span{Stream: &lastnight.Stream{Namespace: "n", Pod: pod, Container: "main"}, Generation: lastnight.Generation{Start: 1}, RawBytes: int64(100 * lines)}
		for i := range lines {
			s.Records = append(s.Records, lastnight.Record{Level: lastnight.LevelInfo, Lines: []lastnight.Line{{Time: at.UnixNano(), Offset: s.To, Text: fmt.Appendf(nil, "%s %d", pod, i)}}})
			s.To += 100
		}
		if err := x.Ingest(t.Context(), lastnight.Batch{Spans: []lastnight.Span{s}}); err != nil {
			t.Fatal(err)
		}
		if err := a.CompactDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ago.Store(int64(10 * time.Minute))
	arrive("old", now.Add(-3*time.Minute), 1)
	ago.Store(0)
	texts := openTail(t, srv.URL+"/api/v1/tail")
	arrive("new", time.Now(), 1)
	told := map[string]int{<-texts: 1}
	arrive("late", now.Add(-3*time.Minute), 1)
	arrive("much", now.Add(-3*time.Minute), 20)
	for end := time.After(20 * time.Second); len(told) < 22; {
		select {
		case text := <-texts:
			told[text]++
		case <-end:
			t.Fatalf("told: %v", told)
		}
	}
	if err := a.Compact(t.Context()); err != nil { // all of it
		t.Fatal(err)
	}
	for end := time.After(3 * time.Second); ; {
		select {
		case text := <-texts:
			t.Fatalf("told again, or though it was there before: %q", text)
		case <-end:
			return
		}
	}
}

// nobody recognises nothing.
type nobody struct{}

func (nobody) Recognize(*lastnight.Stream, *lastnight.Record, *lastnight.Recognition) {}

// openTail begins a live tail that stands when it returns, and gives the texts that it tells.
func openTail(t *testing.T, u string) <-chan string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %v", u, resp, err)
	}
	texts, done := make(chan string, 100), make(chan struct{})
	lines := bufio.NewScanner(resp.Body)
	lines.Scan() // that it stands
	go func() {
		defer close(done)
		for lines.Scan() {
			var d lastnight.Document
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(data), &d) == nil {
				texts <- d.Text
			}
		}
	}()
	t.Cleanup(func() {
		_ = resp.Body.Close()
		<-done
	})
	return texts
}
