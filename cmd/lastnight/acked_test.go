package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"lastnight"
	"lastnight/collector"
	"lastnight/collector/checkpoint"
	"lastnight/internal/vfs"
)

// readAcked asks the second server, at once, for all lines that collectors have seen acknowledged, by whichever server.
func (r *replicaSet) readAcked(t *testing.T) {
	t.Helper()
	acked := map[container]map[string]int{} // lines, and how often each is there
	all := 0
	for i, root := range r.roots {
		for c, b := range written(t, root) {
			if acked[c] == nil {
				acked[c] = map[string]int{}
			}
			for l := range bytes.Lines(b) {
				acked[c][string(l)]++
				all++
			}
		}
		for _, u := range unacknowledged(t, root, r.checks[i], fmt.Sprint("node-", i)) {
			acked[u.container][u.line]--
			all--
		}
	}
	slowest := time.Duration(0)
	for c, lines := range acked {
		asked := time.Now()
		q := url.Values{"namespace": {c.namespace}, "pod": {c.pod}, "container": {c.name}}
		b, err := getText(t.Context(), r.urls[1]+"/api/v1/logs/raw?"+q.Encode())
		if err != nil {
			t.Errorf("%v: %v", c, err)
		}
		slowest = max(slowest, time.Since(asked))
		for l := range bytes.Lines(b) {
			lines[string(l)]--
		}
		for l, n := range lines {
			if n > 0 {
				t.Errorf("%s/%s: acknowledged and not there right after the kill, %d times: %.100q", c.pod, c.name, n, l)
				break
			}
		}
	}
	t.Logf("%d lines that collectors know to be acknowledged are there right after the kill; a container's took %s at most", all, slowest.Round(time.Millisecond))
	if all == 0 {
		t.Error("nothing was acknowledged before the kill: nothing is compared")
	}
}

// ackless is a line that is not known to be acknowledged.
type ackless struct {
	container container
	line      string
}

// unacknowledged gives the lines of a node that its collector's checkpoint does not know to be acknowledged.
func unacknowledged(t *testing.T, root, dir, node string) []ackless {
	t.Helper()
	held, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	copied := t.TempDir() // the collector goes on writing its own
	if err := os.WriteFile(filepath.Join(copied, "checkpoint"), held, 0o600); err != nil {
		t.Fatal(err)
	}
	fsys, err := vfs.NewOS(copied)
	if err != nil {
		t.Fatal(err)
	}
	check, err := checkpoint.Open(fsys, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var g gathered
	if _, err := collector.Import(t.Context(), collector.Config{Node: node, Ingester: &g, Positions: check}, root); err != nil {
		t.Fatal(err)
	}
	return g.lines
}

// gathered is an Ingester that keeps lines.
type gathered struct {
	mu    sync.Mutex
	lines []ackless // guarded by mu
}

// Ingest implements lastnight.Ingester.
func (g *gathered) Ingest(_ context.Context, b lastnight.Batch) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range b.Spans {
		c := container{s.Stream.Namespace, s.Stream.Pod, s.Stream.PodUID, s.Stream.Container}
		for _, r := range s.Records {
			for _, l := range r.Lines {
				g.lines = append(g.lines, ackless{c, string(l.Text) + "\n"})
			}
		}
	}
	return nil
}
