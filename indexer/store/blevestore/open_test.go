package blevestore_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/indexer/store/blevestore"
	"lastnight/indexer/store/storetest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ids(t testing.TB, s *blevestore.Store, q string) string {
	t.Helper()
	var found []string
	for d, err := range s.Search(t.Context(), lastnight.SearchRequest{Query: q, Oldest: true}) {
		must(t, err)
		found = append(found, d.ID)
	}
	return strings.Join(found, " ")
}

// checkQueries asks the table of the conformance suite.
func checkQueries(t *testing.T, s *blevestore.Store) {
	t.Helper()
	for q, want := range storetest.Queries() {
		if got := ids(t, s, q); got != want {
			t.Errorf("%s: got %s, want %s", q, got, want)
		}
	}
}

func TestOpenInUse(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	_, err := blevestore.Open(t.Context(), blevestore.Config{Dir: dir, LockWait: 10 * time.Millisecond})
	if lastnight.CodeOf(err) != lastnight.CodeConflict || lastnight.HintOf(err) == "" || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("got %v, code %s", err, lastnight.CodeOf(err))
	}
	must(t, s.Close())
	must(t, open(t, dir, 0).Close())
}

func TestOpenNewerFormat(t *testing.T) {
	for _, name := range []string{"exact.db", "documents.db"} {
		dir := t.TempDir()
		must(t, open(t, dir, 0).Close())
		db, err := bolt.Open(filepath.Join(dir, name), 0o600, nil)
		must(t, err)
		must(t, db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte{0, 0, 0, 9}) }))
		must(t, db.Close())
		_, err = blevestore.Open(t.Context(), blevestore.Config{Dir: dir})
		if lastnight.CodeOf(err) != lastnight.CodeInvalid || !strings.Contains(err.Error(), "format 9") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestOpenNoStore(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "exact.db"), bytes.Repeat([]byte("junk"), 10_000), 0o600))
	_, err := blevestore.Open(t.Context(), blevestore.Config{Dir: dir})
	if lastnight.CodeOf(err) != lastnight.CodeInternal || lastnight.HintOf(err) == "" {
		t.Errorf("got %v, hint %q", err, lastnight.HintOf(err))
	}
}

// TestReopen: what was put is found after closing, after a crash that took the indexes
// or their last part, and after they were removed.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, -1)
	s.AlwaysAsk()
	docs := storetest.Documents()
	must(t, s.Index(t.Context(), docs[:4]))
	checkSome := ids(t, s, "level:*") // the index has the first four
	must(t, s.Close())
	old := t.TempDir()
	must(t, os.CopyFS(filepath.Join(old, "index"), os.DirFS(filepath.Join(dir, "index"))))

	s = open(t, dir, -1)
	s.AlwaysAsk()
	if got := ids(t, s, "level:*"); got != checkSome {
		t.Errorf("after reopening: got %s, want %s", got, checkSome)
	}
	must(t, s.Index(t.Context(), docs))
	checkQueries(t, s)
	must(t, s.Close())
	for name, prepare := range map[string]func() error{
		"as it was":  func() error { return nil },
		"index gone": func() error { return os.RemoveAll(filepath.Join(dir, "index")) },
		"index old": func() error {
			if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
				return err
			}
			return os.CopyFS(filepath.Join(dir, "index"), os.DirFS(filepath.Join(old, "index")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, prepare())
			s := open(t, dir, -1)
			s.AlwaysAsk()
			checkQueries(t, s)
			must(t, s.Rebuild(t.Context()))
			checkQueries(t, s)
			must(t, s.Close())
		})
	}
}

func TestDamagedIndex(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, -1)
	s.AlwaysAsk()
	must(t, s.Index(t.Context(), storetest.Documents()))
	checkQueries(t, s)
	must(t, s.Close())
	files, err := filepath.Glob(filepath.Join(dir, "index", "*", "root.bolt"))
	must(t, err)
	for _, f := range files {
		must(t, os.WriteFile(f, bytes.Repeat([]byte("junk"), 10_000), 0o600))
	}
	s = open(t, dir, -1)
	s.AlwaysAsk()
	for _, err := range s.Search(t.Context(), lastnight.SearchRequest{Query: "running"}) {
		if lastnight.CodeOf(err) != lastnight.CodeInternal || !strings.Contains(lastnight.HintOf(err), "remove the folder") {
			t.Errorf("got %v, hint %q", err, lastnight.HintOf(err))
		}
	}
	must(t, s.Rebuild(t.Context()))
	checkQueries(t, s)
	must(t, s.Close())
}

func TestBackup(t *testing.T) {
	s := open(t, t.TempDir(), -1)
	must(t, s.Index(t.Context(), storetest.Documents()))
	_, err := s.Put(t.Context(), "labels", "l1", []byte("one"), 0)
	must(t, err)
	var backup bytes.Buffer
	must(t, s.Backup(t.Context(), &backup))
	must(t, s.Index(t.Context(), []lastnight.Document{{ID: "later", Time: time.Now()}}))
	must(t, s.Close())

	dir := filepath.Join(t.TempDir(), "restored")
	must(t, blevestore.Restore(t.Context(), dir, bytes.NewReader(backup.Bytes())))
	s = open(t, dir, -1)
	s.AlwaysAsk()
	checkQueries(t, s)
	item, err := s.Get(t.Context(), "labels", "l1")
	must(t, err)
	if string(item.Value) != "one" {
		t.Errorf("got %q", item.Value)
	}
	must(t, s.Close())

	if err := blevestore.Restore(t.Context(), dir, bytes.NewReader(backup.Bytes())); lastnight.CodeOf(err) != lastnight.CodeConflict {
		t.Errorf("restoring over a store: %v", err)
	}
	for _, broken := range [][]byte{nil, []byte("junk"), backup.Bytes()[:backup.Len()/3], backup.Bytes()[:backup.Len()-backup.Len()/3]} {
		dir := t.TempDir()
		if err := blevestore.Restore(t.Context(), dir, bytes.NewReader(broken)); err == nil {
			t.Errorf("restored from %d of %d bytes", len(broken), backup.Len())
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q %v", left, err)
		}
	}
}

// TestManyDays: more days than indexes may be open, in and out of order.
func TestManyDays(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, -1)
	s.AlwaysAsk()
	var want []string
	for round := range 3 {
		var docs []lastnight.Document
		for day := range 12 {
			docs = append(docs, lastnight.Document{ID: fmt.Sprintf("%02d-%d", day, round), Time: night.AddDate(0, 0, day).Add(time.Duration(round)), Text: fmt.Sprintf("day%d common", day)})
		}
		must(t, s.Index(t.Context(), docs))
		if got, want := len(strings.Fields(ids(t, s, "common"))), 12*(round+1); got != want {
			t.Errorf("round %d: %d documents, want %d", round, got, want)
		}
	}
	for day := range 12 {
		for round := range 3 {
			want = append(want, fmt.Sprintf("%02d-%d", day, round))
		}
	}
	if diff := cmp.Diff(want, strings.Fields(ids(t, s, "common -absent"))); diff != "" {
		t.Error(diff)
	}
	n, err := s.DropDocuments(t.Context(), night.AddDate(0, 0, 6))
	must(t, err)
	folders, err := os.ReadDir(filepath.Join(dir, "index"))
	must(t, err)
	if n != 18 || len(folders) != 6 {
		t.Errorf("dropped %d, %d indexes left", n, len(folders))
	}
	if got := ids(t, s, "day5 or day6"); got != "06-0 06-1 06-2" {
		t.Errorf("after dropping: %s", got)
	}
	must(t, s.Close())
}

// TestLargeDay compares searches that ask the index with reading everything through,
// while part of the documents wait for the index.
func TestLargeDay(t *testing.T) {
	docs := someDocuments(12_000, 24*time.Hour)
	asked, read := open(t, t.TempDir(), 100), open(t, t.TempDir(), 1<<30)
	for i := 0; i < len(docs); i += 3000 {
		must(t, asked.Index(t.Context(), docs[i:i+3000]))
		must(t, read.Index(t.Context(), docs[i:i+3000]))
		ids(t, asked, "absent")
	}
	must(t, asked.Index(t.Context(), docs[5:300])) // again, and a few changed, which wait
	docs[7].Text += ", changed since"
	must(t, asked.Index(t.Context(), docs[7:8]))
	must(t, read.Index(t.Context(), docs[7:8]))
	for _, q := range []string{
		"expired", "changed", `"switched from RUNNING to FAILED"`, "attempt 7 -exception:*", "10.1.*", "job:job-7 exception:IOException", "pod:job-7-* level:warn /offset [0-9]*7$/", "orders-1*", "not failed",
	} {
		if a, b := ids(t, asked, q), ids(t, read, q); a != b || a == "" {
			t.Errorf("%s: %d found with the index, %d without", q, len(strings.Fields(a)), len(strings.Fields(b)))
		}
	}
	must(t, asked.Close())
	must(t, read.Close())
}

// TestShrunk: a store whose files are half empty pages is smaller once it was closed, and who waits for it to be closed gets
// the files that took their place, not those that are gone.
func TestShrunk(t *testing.T) {
	dir := t.TempDir()
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "exact.db"))
		must(t, err)
		return info.Size()
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for round := range 3 {
		s := open(t, dir, 0)
		for range 4 {
			var ts []lastnight.Template
			for range 2000 {
				ts = append(ts, lastnight.Template{ID: fmt.Sprintf("%016x", rnd.Uint64()), Text: fmt.Sprintf("text %x %x", rnd.Uint64(), rnd.Uint64())})
			}
			must(t, s.PutTemplates(t.Context(), ts))
		}
		before := size()
		type result struct {
			s   *blevestore.Store
			err error
		}
		waits := make(chan result)
		go func() {
			s, err := blevestore.Open(t.Context(), blevestore.Config{Dir: dir, LockWait: 20 * time.Second})
			waits <- result{s, err}
		}()
		time.Sleep(50 * time.Millisecond) // it waits, most likely; if not, it finds the new file at once
		must(t, s.Close())
		next := <-waits
		must(t, next.err)
		if after := size(); after > before*9/10 {
			t.Errorf("%d bytes, %d before", after, before)
		}
		_, err := next.s.Put(t.Context(), "bucket", fmt.Sprint("round", round), []byte("value"), 0)
		must(t, err)
		must(t, next.s.Close())
	}
	s := open(t, dir, 0)
	for round := range 3 {
		_, err := s.Get(t.Context(), "bucket", fmt.Sprint("round", round))
		must(t, err)
	}
	n := 0
	for _, err := range s.AllTemplates(t.Context()) {
		must(t, err)
		n++
	}
	if n != 3*4*2000 {
		t.Errorf("%d templates", n)
	}
	must(t, s.Close())
}
