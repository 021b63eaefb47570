package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/collector"
	"lastnight/collector/checkpoint"
	"lastnight/collector/send"
	"lastnight/indexer/ingest"
	"lastnight/internal/recorded"
	"lastnight/internal/vfs"
)

// answers opens a data directory, lets load fill it, and gives what people are told of it.
func answers(t *testing.T, load func(n *node)) (incidents string, jobs []lastnight.Job) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	n, err := openNode(t.Context(), nodeConfig{dir: filepath.Join(t.TempDir(), "data"), create: true, log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	load(n)
	if err := n.indexer.Flush(t.Context()); err != nil { // what is alike is told the store after seconds
		t.Fatal(err)
	}
	if err := n.detector.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := n.store.Incidents(t.Context(), lastnight.IncidentsRequest{Planned: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if jobs, err = n.indexer.Jobs(t.Context(), lastnight.JobsRequest{}); err != nil {
		t.Fatal(err)
	}
	return string(b), jobs
}

// overTheWire imports a directory as collect sends it and serve takes it.
func overTheWire(t *testing.T, n *node, dir string) {
	t.Helper()
	h := ingest.New(ingest.Config{Ingester: n.indexer, Linger: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Run(ctx)
	}()
	srv := httptest.NewServer(h)
	defer func() {
		cancel()
		<-done
		srv.Close()
	}()
	client, err := send.NewClient(send.ClientConfig{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	check, err := checkpoint.Open(vfs.NewMem(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := send.New(send.Config{Client: client, Checkpoint: check})
	if _, err := collector.Import(t.Context(), collector.Config{Ingester: s, Positions: s, Workers: 1}, dir); err != nil {
		t.Fatal(err)
	}
}

// The recorded failures get the same answers whether they come by a call or over the wire.
func TestSameAnswersOverTheWire(t *testing.T) {
	names := recorded.Names()
	if testing.Short() {
		names = names[:2]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := recorded.Extract(t.Context(), name, dir); err != nil {
				t.Fatal(err)
			}
			want, wantJobs := answers(t, func(n *node) {
				if _, err := n.load(t.Context(), io.Discard, collector.Config{Workers: 1}, []string{dir}); err != nil {
					t.Fatal(err)
				}
			})
			got, gotJobs := answers(t, func(n *node) { overTheWire(t, n, dir) })
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(wantJobs, gotJobs); d != "" {
				t.Error(d)
			}
			if len(want) < 100 && name != "healthy-rotation" {
				t.Errorf("no incidents: %s", want)
			}
		})
	}
}
