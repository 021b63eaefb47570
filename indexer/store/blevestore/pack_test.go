package blevestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/indexer/store/blevestore"
)

func all(t *testing.T, s *blevestore.Store, req lastnight.SearchRequest) []lastnight.Document {
	t.Helper()
	var docs []lastnight.Document
	for d, err := range s.Search(t.Context(), req) {
		must(t, err)
		docs = append(docs, d)
	}
	return docs
}

// TestPacked: documents that are packed, in whatever order they came, are those that were put, in order,
// in parts, one by one, changed or dropped.
func TestPacked(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<30)
	s.AlwaysAsk() // packs at each search
	docs := someDocuments(3000, 20*time.Hour)
	for i := range 7 { // of the whole day each time
		var part []lastnight.Document
		for j := i; j < len(docs); j += 7 {
			part = append(part, docs[j])
		}
		must(t, s.Index(t.Context(), part))
		all(t, s, lastnight.SearchRequest{Query: "absent"})
	}
	slices.SortFunc(docs, func(a, b lastnight.Document) int { return a.Time.Compare(b.Time) })
	check := func(name string) {
		t.Helper()
		if diff := cmp.Diff(docs, all(t, s, lastnight.SearchRequest{Oldest: true})); diff != "" {
			t.Fatalf("%s: %s", name, diff)
		}
		for i := 0; i+700 < len(docs); i += 331 {
			req := lastnight.SearchRequest{Start: docs[i].Time, End: docs[i+700].Time}
			got := all(t, s, req)
			slices.Reverse(got)
			if diff := cmp.Diff(docs[i:i+700], got); diff != "" {
				t.Fatalf("%s: from %d: %s", name, i, diff)
			}
		}
	}
	check("packed")
	for i := 0; i < len(docs); i += 17 { // fresh ones over packed ones
		docs[i].Alike, docs[i].Text = int64(i+2), fmt.Sprintf("%s changed%d", docs[i].Text, i)
		must(t, s.Index(t.Context(), docs[i:i+1]))
	}
	must(t, s.Index(t.Context(), docs[100:200])) // the same again
	check("changed")
	if got := all(t, s, lastnight.SearchRequest{Query: "changed1700"}); len(got) != 1 || got[0].ID != docs[1700].ID {
		t.Errorf("found %v", got)
	}
	must(t, s.Close())
	s = open(t, dir, 1<<30)
	check("reopened")
	n, err := s.DropDocuments(t.Context(), docs[1234].Time)
	must(t, err)
	docs = docs[1234:]
	if n != 1234 {
		t.Errorf("dropped %d", n)
	}
	check("dropped")
	must(t, s.Close())
}

// TestPackedSize: what documents have in common is stored once, and the file has no room to spare.
func TestPackedSize(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	docs := someDocuments(20_000, 20*time.Hour)
	text := int64(0)
	for i := 0; i < len(docs); i += 500 {
		must(t, s.Index(t.Context(), docs[i:i+500]))
	}
	for i := range docs {
		text += int64(len(docs[i].Text))
	}
	must(t, s.Close())
	info, err := os.Stat(filepath.Join(dir, "documents.db"))
	must(t, err)
	if info.Size() > text*3/5 {
		t.Errorf("%d documents with %d bytes of text take %d", len(docs), text, info.Size())
	}
	t.Logf("%d documents with %d bytes of text take %d", len(docs), text, info.Size())
}
