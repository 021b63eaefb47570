package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer"
	"lastnight/indexer/store"
	"lastnight/investigation"
)

// boardOf makes the board of one of several servers on a store.
func boardOf(t *testing.T, s store.Store, n *node, keeper investigation.Keeper, id string) *board {
	t.Helper()
	catalogue, err := investigation.DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	d := investigation.NewDetector(investigation.DetectorConfig{Source: tiers{Indexer: n.indexer, store: s}, Keeper: keeper, Catalogue: catalogue})
	return &board{exact: s, id: id, detector: d, log: slog.New(slog.DiscardHandler)}
}

// onBoard lists the workloads of marks that nobody has taken.
func onBoard(t *testing.T, s store.Store) (names []string) {
	t.Helper()
	for item, err := range s.List(t.Context(), boardBucket, boardNew) {
		if err != nil {
			t.Fatal(err)
		}
		marks, err := decodeMarks(item)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range marks {
			names = append(names, m.Workload)
		}
	}
	return names
}

// TestBoard: what is on the board outlives a holder that dies, and a former holder that wakes up can neither take
// more nor keep what it had: it leaves it to the next one.
func TestBoard(t *testing.T) {
	n, err := openNode(t.Context(), nodeConfig{dir: filepath.Join(t.TempDir(), "data"), create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(context.WithoutCancel(t.Context())) }()
	at := time.Now().Add(-time.Hour)
	mark := func(b *board, name string) {
		t.Helper()
		if err := b.Mark(t.Context(), []indexer.Mark{{Namespace: "ns", Workload: name, From: at, To: at}}); err != nil {
			t.Fatal(err)
		}
	}
	first, second := boardOf(t, n.store, n, n.store, "first"), boardOf(t, n.store, n, n.store, "second")
	mark(first, "orders")
	mark(second, "clicks") // any server leaves marks
	if got := onBoard(t, n.store); len(got) != 2 {
		t.Fatalf("on the board: %v", got)
	}

	// The first holder takes both and dies before it has looked into them.
	keys, work := []string{}, []indexer.Mark{}
	for item, err := range n.store.List(t.Context(), boardBucket, boardNew) {
		if err != nil {
			t.Fatal(err)
		}
		marks, err := decodeMarks(item)
		if err != nil {
			t.Fatal(err)
		}
		keys, work = append(keys, item.Key), append(work, marks...)
	}
	first.hand(work)
	stale, err := first.keep(t.Context(), 0, first.pending())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if err := n.store.Delete(t.Context(), boardBucket, key); err != nil {
			t.Fatal(err)
		}
	}
	version, err := second.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := second.pending(); len(got) != 2 {
		t.Errorf("the next holder has %v to do", got)
	}
	mark(second, "shop")
	version, err = second.turn(t.Context(), version)
	if err != nil {
		t.Fatal(err)
	}
	if got := onBoard(t, n.store); len(got) != 0 {
		t.Errorf("left on the board: %v", got)
	}

	// The first one was not dead, only stopped.
	mark(second, "late")
	if _, err := first.turn(t.Context(), stale); lastnight.CodeOf(err) != lastnight.CodeConflict {
		t.Errorf("a former holder goes on: %v", err)
	}
	if got := onBoard(t, n.store); len(got) != 1 || got[0] != "late" {
		t.Errorf("on the board: %v", got)
	}
	if version, err = second.turn(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	woken := boardOf(t, n.store, n, stopping{n.store, stop}, "woken")
	mark(second, "under way")
	if _, err := woken.turn(ctx, version); err == nil {
		t.Error("it did not notice that its time had run out")
	}
	found := false
	for _, name := range onBoard(t, n.store) {
		found = found || name == "under way"
	}
	if !found {
		t.Error("what a former holder was at is not on the board")
	}
}

// stopping is a keeper under whose first answer the lease is lost.
type stopping struct {
	investigation.Keeper
	stop func()
}

func (s stopping) Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	s.stop()
	return s.Keeper.Incidents(ctx, req)
}
