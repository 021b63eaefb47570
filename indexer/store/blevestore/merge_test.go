package blevestore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"lastnight"
)

func TestToMerge(t *testing.T) {
	for _, c := range []struct {
		sizes []uint64 // newest first
		want  int
	}{
		{nil, 0},
		{[]uint64{5}, 0},
		{[]uint64{5, 5, 5, 5, 5, 5, 5}, 0},
		{[]uint64{5, 5, 5, 5, 5, 5, 5, 5}, 8},
		{[]uint64{5, 5, 5, 5, 5, 5, 5, 5, 40, 40}, 8},
		{[]uint64{40, 5, 40}, 2},
		{[]uint64{5, 5, 5, 5, 5, 5, 5, 5, 40, 40, 40, 40, 40, 40, 40}, 15},
		{[]uint64{1, 2, 4, 8, 16}, 0},
	} {
		var list []run
		for _, size := range c.sizes {
			list = append(list, run{parts: []*partInfo{{bytes: size}}})
		}
		if n := toMerge(list); n != c.want {
			t.Errorf("of %v %d, want %d", c.sizes, n, c.want)
		}
	}
}

// mergedDocuments are of two days and many jobs; each comes in a round of its own, some in several.
func mergedDocuments(round int) []lastnight.Document {
	var docs []lastnight.Document
	for i := range 150 {
		at := time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC).Add(time.Duration(i*37+round) * time.Second)
		docs = append(docs, lastnight.Document{
			ID: fmt.Sprintf("id-%d-%d", i, round), Kind: lastnight.DocumentRecord, Time: at, Namespace: "ns", Job: fmt.Sprintf("job-%d", i%7),
			Pod: fmt.Sprintf("pod-%d", i%13), Level: "WARN", Text: fmt.Sprintf("word%d of round%d and %0200d", i, round, i*round),
		})
	}
	return docs
}

// merging is a store, and what it is to have.
type merging struct {
	s    *Store
	docs map[string]lastnight.Document
}

func (m *merging) index(t *testing.T, docs []lastnight.Document) {
	t.Helper()
	if err := m.s.Index(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		m.docs[d.ID] = d
	}
}

func (m *merging) check(t *testing.T, name string) {
	t.Helper()
	for _, req := range []lastnight.SearchRequest{
		{},
		{Oldest: true},
		{Job: "job-3", Oldest: true},
		{Query: "round7"},
		{Query: "changed"},
		{Query: "word12", Job: "job-5"},
		{Start: time.Date(2026, 3, 1, 23, 40, 0, 0, time.UTC), End: time.Date(2026, 3, 2, 0, 5, 1, 0, time.UTC)},
	} {
		var want, got []string
		for _, d := range m.docs {
			if (req.Job == "" || req.Job == d.Job) && (req.Start.IsZero() || !d.Time.Before(req.Start) && d.Time.Before(req.End)) && hasWord(d.Text, req.Query) {
				want = append(want, d.Time.Format(time.RFC3339Nano)+" "+d.ID+" "+brief(d.Text))
			}
		}
		slices.Sort(want)
		if !req.Oldest {
			slices.Reverse(want)
		}
		for d, err := range m.s.Search(t.Context(), req) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, d.Time.Format(time.RFC3339Nano)+" "+d.ID+" "+brief(d.Text))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: %+v: %s", name, req, diff)
		}
	}
}

func brief(text string) string { return text[:20] + "…" + text[max(20, len(text)-40):] }

func hasWord(text, word string) bool {
	return word == "" || slices.Contains(splitWords(text), word)
}

func splitWords(text string) (words []string) {
	for from := 0; from < len(text); {
		to := from
		for to < len(text) && text[to] != ' ' {
			to++
		}
		words = append(words, text[from:to])
		from = to + 1
	}
	return words
}

// runsOf gives how many runs the days have, and parts of runs.
func runsOf(t *testing.T, s *Store) (most, parts int) {
	t.Helper()
	for _, d := range s.allDays() {
		err := s.documents.View(func(tx *bolt.Tx) error {
			list, err := runs(tx.Bucket([]byte(d.name)))
			most = max(most, len(list))
			for _, r := range list {
				parts += len(r.parts)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return most, parts
}

// TestMerged: runs are merged as they become many, and what is read stays what was put, though documents change that are
// in runs already.
func TestMerged(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s.maxFresh = 0
	m := merging{s: s, docs: map[string]lastnight.Document{}}
	most := 0
	for round := range 30 {
		docs := mergedDocuments(round)
		if round%3 == 1 { // some of an older one changed
			for i, d := range mergedDocuments(round / 2)[:40] {
				d.Text, d.Alike = fmt.Sprintf("%s changed in %d", d.Text, round), int64(round+i)
				docs = append(docs, d)
			}
		}
		m.index(t, docs)
		if round%8 == 0 || round > 26 {
			m.check(t, fmt.Sprint("round ", round))
		} else {
			for _, d := range s.allDays() {
				if err := s.pack(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
		}
		n, _ := runsOf(t, s)
		most = max(most, n)
	}
	if most < 4 || most > 16 {
		t.Errorf("a day had up to %d runs", most)
	}
	limit := time.Date(2026, 3, 1, 23, 50, 0, 0, time.UTC)
	want := 0
	for id, d := range m.docs {
		if d.Time.Before(limit) {
			delete(m.docs, id)
			want++
		}
	}
	if n, err := s.DropDocuments(t.Context(), limit); err != nil || n != want {
		t.Fatalf("dropped %d, want %d: %v", n, want, err)
	}
	m.check(t, "dropped")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if m.s, err = Open(t.Context(), Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	m.check(t, "reopened")
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMergedInPart: a merge that ends after any of its transactions leaves what was there, and so does the next one.
func TestMergedInPart(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s.maxFresh, s.partTxBytes = 0, 0 // a transaction for each slice
	m := merging{s: s, docs: map[string]lastnight.Document{}}
	for round := range 7 {
		docs := mergedDocuments(round)
		for i := range docs {
			docs[i].Text += fmt.Sprintf(" %05000d", i)
		}
		if round == 5 {
			for i := range 50 {
				d := m.docs[fmt.Sprintf("id-%d-2", i*2)]
				d.Text += " changed"
				docs = append(docs, d)
			}
		}
		m.index(t, docs)
		m.check(t, fmt.Sprint("round ", round))
	}
	d := s.allDays()[0]
	for n := 1; n < 4; n++ {
		step := mergeStep{s: s, day: d, runs: 7, at: []byte{}}
		for range n {
			if step.at == nil {
				break
			}
			if err := step.some(); err != nil {
				t.Fatal(err)
			}
		}
		if n == 1 && step.at == nil {
			t.Fatal("one transaction took it all")
		}
		m.check(t, fmt.Sprint("transactions: ", n))
		late := mergedDocuments(100 + n) // and what comes meanwhile
		m.index(t, append(late, changed(m.docs, n)...))
		m.check(t, fmt.Sprint("later: ", n))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(t.Context(), Config{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		s.maxFresh, s.partTxBytes, m.s, d = 0, 0, s, s.allDays()[0]
		m.check(t, fmt.Sprint("reopened: ", n))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func changed(docs map[string]lastnight.Document, n int) (some []lastnight.Document) {
	for _, d := range docs {
		if len(d.ID)%2 == n%2 {
			d.Text += fmt.Sprintf(" again%d", n)
			some = append(some, d)
		}
	}
	return some
}
