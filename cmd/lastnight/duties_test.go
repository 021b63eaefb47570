package main

import (
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

// TestElasticsearchDutiesMove: of several servers one compacts and drops what is too old, and one detects incidents,
// whoever took the lines; all tell the same of it. When it is killed (-9) another does so after the lease, and nobody
// beside it.
func TestElasticsearchDutiesMove(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Elasticsearch and an S3 server")
	}
	const ttl = 10 * time.Second // longer than a busy machine lets a renewal wait
	w := newKillWorld(t, ttl.String())
	w.old(t, "old", true)          // to be compacted
	w.batches(t, calm, killStep{}) // fails over: to be detected
	holder, detector := w.onlyHolder(t, "archive", "put chunk"), w.onlyHolder(t, "incidents", "bulk incidents")
	w.sameLeases(t)
	w.ancient(t) // whoever takes the lease looks for what is too old
	w.k.forget()
	killed := time.Now()
	for _, p := range []*process{holder, detector} { // maybe the same
		p.kill()
		w.dead = append(w.dead, p)
	}
	waitFor(t, "another to take both leases", time.Minute, func() bool {
		return len(w.holders(t, "archive")) == 1 && len(w.holders(t, "incidents")) == 1
	})
	t.Logf("others had both leases %s after the kill; they last %s", time.Since(killed).Round(100*time.Millisecond), ttl)
	w.namespaces = append(w.namespaces, "second")
	w.grow(t, "second", 0)
	w.send(t, "second")
	w.onlyHolder(t, "archive", "drop documents")
	w.onlyHolder(t, "incidents", "bulk incidents")
	w.sameLeases(t)
}

// ancient puts a document of a day that is too old to be kept into the store.
func (w *killWorld) ancient(t *testing.T) {
	t.Helper()
	s, err := w.tiers.openStore(t.Context(), "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	err = s.Index(t.Context(), []lastnight.Document{{
		ID: "ancient", Kind: lastnight.DocumentEvent, Time: time.Now().AddDate(-1, 0, 0), Namespace: "ancient", Text: "long ago",
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// onlyHolder waits for the work of a duty to be done and gives who did it; nobody else may have, and it must hold the lease.
func (w *killWorld) onlyHolder(t *testing.T, duty, work string) *process {
	t.Helper()
	waitFor(t, work, time.Minute, func() bool { return len(w.k.who(work)) > 0 })
	did := slices.Collect(maps.Keys(w.k.who(work)))
	held := w.holders(t, duty)
	if len(did) != 1 || len(held) != 1 || did[0] != held[0] {
		t.Fatalf("%d servers did %q, %d say that they hold the lease of %s", len(did), work, len(held), duty)
	}
	return did[0]
}

// holders gives the servers that live and say that they hold the lease of a duty.
func (w *killWorld) holders(t *testing.T, duty string) (held []*process) {
	t.Helper()
	for i, u := range w.urls {
		if slices.Contains(w.dead, w.servers[i]) {
			continue
		}
		b, err := getText(t.Context(), u+"/metrics")
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(b)) {
			if strings.HasPrefix(l, `lastnight_lease_held{duty="`+duty+`"`) && strings.HasSuffix(l, " 1\n") {
				held = append(held, w.servers[i])
			}
		}
	}
	return held
}

// sameLeases asks all servers that live who holds the leases.
func (w *killWorld) sameLeases(t *testing.T) {
	t.Helper()
	var first []lastnight.Lease
	for i, u := range w.urls {
		if slices.Contains(w.dead, w.servers[i]) {
			continue
		}
		var said struct{ Items []lastnight.Lease }
		b, err := getText(t.Context(), u+"/api/v1/leases")
		if err == nil {
			err = json.Unmarshal(b, &said)
		}
		if err != nil || len(said.Items) != 2 {
			t.Errorf("%s: %v %s", u, err, b)
		}
		if first == nil {
			first = said.Items
		}
		if d := cmp.Diff(first, said.Items); d != "" {
			t.Errorf("two servers tell different leases: %s", d)
		}
	}
}
