// Package storetest is the conformance suite of package store: every backend passes it.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { … })
//	}
//
// It asks each store only through the contract, so it says the same of all of them: what
// is durable or quick is for the tests of each. Strings are compared after invalid UTF-8
// became U+FFFD, which a backend may do.
package storetest

import (
	"iter"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/store"
)

// Run runs the suite. open gives an empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"Queries", queries},
		{"Requests", requests},
		{"Cursors", cursors},
		{"Again", again},
		{"Alike", alike},
		{"Hostile", hostile},
		{"DropDocuments", dropDocuments},
		{"BadSearch", badSearch},
		{"ConcurrentIndex", concurrentIndex},
		{"Counts", counts},
		{"DropCounts", dropCounts},
		{"Templates", templates},
		{"Pods", pods},
		{"Jobs", jobs},
		{"Incidents", incidents},
		{"Exact", exact},
		{"ExactConcurrent", exactConcurrent},
		{"Contents", contents},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			test.run(t, s)
		})
	}
}

// at is a time in the night that the suite is about.
func at(seconds int) time.Time {
	return time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, want lastnight.Code) {
	t.Helper()
	if got := lastnight.CodeOf(err); got != want {
		t.Errorf("got code %q (%v), want %q", got, err, want)
	}
}

// collect gives all that a stream yields before its end.
func collect[T any](t *testing.T, stream iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for v, err := range stream {
		if err != nil {
			t.Fatalf("after %d: %v", len(all), err)
		}
		all = append(all, v)
	}
	return all
}

// search gives the ids that a request finds, in order.
func search(t *testing.T, s store.Documents, req lastnight.SearchRequest) []string {
	t.Helper()
	ids := []string{}
	for _, d := range collect(t, s.Search(t.Context(), req)) {
		ids = append(ids, d.ID)
	}
	return ids
}

// valid is s as a backend may give it back.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
