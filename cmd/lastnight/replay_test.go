package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"lastnight"
	"lastnight/collector"
	"lastnight/collector/kube"
	"lastnight/indexer/ingest"
	"lastnight/internal/recorded"
)

// The recorded failures replayed in time (files appear, grow, are rotated and removed, Kubernetes
// tells what it told) to real collectors and a real server get the answers that importing the
// final files gets. LASTNIGHT_CASES names a folder of other recorded cases.
func TestReplayedInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	dirs := map[string]string{}
	if folder := os.Getenv("LASTNIGHT_CASES"); folder != "" {
		found, err := filepath.Glob(filepath.Join(folder, "*", "files-timeline.jsonl"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no cases in %s (%v)", folder, err)
		}
		for _, f := range found {
			dirs[filepath.Base(filepath.Dir(f))] = filepath.Dir(f)
		}
	} else {
		for _, name := range recorded.Names() {
			dirs[name] = t.TempDir()
			if err := recorded.Extract(t.Context(), name, dirs[name]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines int64
			want, wantJobs := answers(t, func(n *node) {
				if _, err := n.load(t.Context(), io.Discard, collector.Config{Workers: 1}, []string{dir}); err != nil {
					t.Fatal(err)
				}
				lines = n.indexer.Metrics().Lines
			})
			got, gotJobs := answers(t, func(n *node) { replayed(t, n, dir, lines) })
			if d := cmp.Diff(withoutIDs(want), withoutIDs(got)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(wantJobs, gotJobs); d != "" {
				t.Error(d)
			}
		})
	}
}

// withoutIDs replaces the ids of incidents by their order: an id comes from what opened the incident
// when it was first seen, and Kubernetes' times are whole seconds, so what comes first may differ.
func withoutIDs(incidents string) string {
	for i, m := range regexp.MustCompile(`(?m)^  "id": "([0-9a-f]+)"`).FindAllStringSubmatch(incidents, -1) {
		incidents = strings.ReplaceAll(incidents, m[1], fmt.Sprintf("incident-%d", i))
	}
	return incidents
}

// replayed plays a case to collectors that send to the node, until it has as many lines as are to come.
func replayed(t *testing.T, n *node, dir string, lines int64) {
	t.Helper()
	line, err := recorded.ReadTimeline(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	g, ctx := errgroup.WithContext(ctx)
	h := ingest.New(ingest.Config{Ingester: n.indexer, Linger: 10 * time.Millisecond})
	srv := httptest.NewServer(h)
	defer srv.Close()
	defer func() {
		cancel()
		if err := g.Wait(); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	g.Go(func() error { return h.Run(ctx) })
	g.Go(func() error { return n.detector.Run(ctx) }) // as a server does all the time

	nodes := t.TempDir()
	for _, name := range line.Nodes() {
		pods := filepath.Join(nodes, name)
		if err := os.MkdirAll(pods, 0o750); err != nil {
			t.Fatal(err)
		}
		c := collecting{podsDir: pods, checkpoint: t.TempDir(), node: name, patience: 10 * time.Second, maxHeld: 1 << 30, spoolMax: 1 << 30, compression: "zstd"}
		p, err := c.open(srv.URL, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		g.Go(func() error { return errors.Join(p.run(ctx, nil), p.close()) })
	}
	d := kube.NewDecoder("")
	tell := func() {
		if err := n.indexer.Ingest(t.Context(), lastnight.Batch{Pods: d.Pods(), Events: d.Events()}); err != nil {
			t.Error(err)
		}
	}
	lists(d, line.Before)
	tell()
	err = line.Play(ctx, nodes, recorded.Pace{Speed: 200, MaxGap: 10 * time.Millisecond, Linger: time.Second}, func(kind string, b []byte) error {
		d.DecodeLines(bytes.NewReader(b), kind)
		tell()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lists(d, line.After)
	tell()
	for end := time.Now().Add(time.Minute); n.indexer.Metrics().Lines < lines; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d lines arrived, want %d", n.indexer.Metrics().Lines, lines)
		}
	}
}

// lists decodes lists of objects in the order in which an import reads them.
func lists(d *kube.Decoder, files []recorded.ObjectsFile) {
	rank := func(f recorded.ObjectsFile) int {
		return slices.IndexFunc([]string{"before", "during", "after", ""}, func(w string) bool { return strings.Contains(f.Name, w) })
	}
	slices.SortStableFunc(files, func(a, b recorded.ObjectsFile) int { return rank(a) - rank(b) })
	for _, f := range files {
		kind := map[string]string{"events": "Event", "pods": "Pod", "nodes": "Node"}[f.Name[:strings.IndexAny(f.Name, "-.")]]
		d.DecodeList(bytes.NewReader(f.Data), kind)
	}
}
