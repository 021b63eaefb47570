package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
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
			var live string
			got, gotJobs := answers(t, func(late *node) {
				live, _ = answers(t, func(n *node) { replayed(t, n, late, dir, lines) })
			})
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(wantJobs, gotJobs); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(verdicts(t, want), verdicts(t, live)); d != "" {
				t.Errorf("looked at while it happened: %s", d)
			}
		})
	}
}

// both gives what arrives to two nodes.
type both [2]lastnight.Ingester

func (b both) Ingest(ctx context.Context, batch lastnight.Batch) error {
	return errors.Join(b[0].Ingest(ctx, batch), b[1].Ingest(ctx, batch))
}

// verdicts gives what must not depend on when somebody looked. An incident that is closed as soon
// as its job recovers has seen one sign of recovery less, knows fewer incidents like it, and has the id
// of what opened it then.
func verdicts(t *testing.T, incidents string) []string {
	t.Helper()
	var list []lastnight.Incident
	if err := json.Unmarshal([]byte(incidents), &list); err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range list {
		x := &list[i]
		s := fmt.Sprintf("%s from %s, %d failovers, planned %t, recovered %t: %s", x.Job, x.Start.Format(time.RFC3339Nano), x.Failovers, x.Planned, x.Recovered, x.Diagnosis.Cause)
		for _, e := range x.Diagnosis.Chain {
			if e.Role == lastnight.RoleCause {
				s += "\n  " + e.Text
			}
		}
		all = append(all, s)
	}
	return all
}

// replayed plays a case to collectors that send to two nodes, of which one looks for incidents all
// the time and one later, until they have as many lines as are to come.
func replayed(t *testing.T, n, late *node, dir string, lines int64) {
	t.Helper()
	line, err := recorded.ReadTimeline(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	g, ctx := errgroup.WithContext(ctx)
	to := both{n.indexer, late.indexer}
	h := ingest.New(ingest.Config{Ingester: to, Linger: 10 * time.Millisecond})
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
		if err := to.Ingest(t.Context(), lastnight.Batch{Pods: d.Pods(), Events: d.Events()}); err != nil {
			t.Error(err)
		}
	}
	lists(d, line.Before)
	tell()
	err = line.Play(ctx, nodes, recorded.Pace{Speed: 200, MaxGap: 10 * time.Millisecond, Linger: 700 * time.Millisecond}, func(kind string, b []byte) error {
		d.DecodeLines(bytes.NewReader(b), kind)
		tell()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lists(d, line.After)
	tell()
	for end := time.Now().Add(time.Minute); min(n.indexer.Metrics().Lines, late.indexer.Metrics().Lines) < lines; time.Sleep(20 * time.Millisecond) {
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
