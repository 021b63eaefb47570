package elasticstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/indexer/store/elasticstore"
	"lastnight/internal/testenv/elasticsearch"
)

var night = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

func documents(n int) []lastnight.Document {
	docs := make([]lastnight.Document, n)
	for i := range docs {
		docs[i] = lastnight.Document{ID: fmt.Sprintf("d%05d", i), Kind: lastnight.DocumentRecord, Time: night.Add(time.Duration(i) * time.Second), Text: fmt.Sprintf("record %d of many", i), Level: "WARN", Job: "orders", Namespace: "flink"}
	}
	return docs
}

// wantAll fails unless exactly the documents are there, each once.
func wantAll(t *testing.T, s store.Documents, docs []lastnight.Document) {
	t.Helper()
	i := 0
	for d, err := range s.Search(t.Context(), lastnight.SearchRequest{Oldest: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if i >= len(docs) || d.ID != docs[i].ID || d.Text != docs[i].Text {
			t.Fatalf("document %d is %s", i, d.ID)
		}
		i++
	}
	if i != len(docs) {
		t.Fatalf("%d documents, want %d", i, len(docs))
	}
}

// storm refuses, cuts or loses the answer of about half of all requests.
func storm(seed uint64) *proxy {
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(seed, 1))
	roll := func() int {
		mu.Lock()
		defer mu.Unlock()
		return rnd.IntN(100)
	}
	return &proxy{
		fault: func(w http.ResponseWriter, _ *http.Request) bool {
			switch n := roll(); {
			case n < 12:
				w.WriteHeader(http.StatusTooManyRequests)
			case n < 20:
				w.WriteHeader(http.StatusServiceUnavailable)
			case n < 30:
				cut(w)
			default:
				return false
			}
			return true
		},
		after: func(*http.Request) bool { return roll() < 20 },
	}
}

func TestStormLosesAndDoublesNothing(t *testing.T) {
	cfg := config(t)
	direct := open(t, cfg)
	cfg.Addresses = []string{storm(7).before(t, cfg.Addresses[0])}
	cfg.MaxWait, cfg.BatchDocuments = 2*time.Minute, 50
	s := open(t, cfg)
	docs := documents(300)
	if err := s.Index(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for i := range 6 {
		source, id := fmt.Sprintf("s%d", i), fmt.Sprintf("t%d", i)
		ids = append(ids, id)
		err := errors.Join(
			s.PutCounts(t.Context(), source, []lastnight.TemplateCount{{Namespace: "flink", Job: "orders", Template: "t", Minute: night, Count: 3}}),
			s.PutTemplates(t.Context(), []lastnight.Template{{ID: id, Text: "x", FirstSeen: night, LastSeen: night}}),
		)
		if err != nil {
			t.Fatal(err)
		}
		countUp(t, s)
	}
	wantAll(t, direct, docs)
	sum := int64(0)
	for c, err := range direct.Counts(t.Context(), store.CountsRequest{Template: "t"}) {
		if err != nil {
			t.Fatal(err)
		}
		sum += c.Count
	}
	ts, err := direct.Templates(t.Context(), ids)
	if err != nil || len(ts) != 6 || sum != 18 {
		t.Errorf("%d templates, want 6; counts add up to %d, want 18; %v", len(ts), sum, err)
	}
	item, err := direct.Get(t.Context(), "b", "n")
	if err != nil || string(item.Value) != "6" {
		t.Errorf("counted to %s, want 6; %v", item.Value, err)
	}
	t.Logf("%+v", s.Metrics())
}

// countUp adds one to an item. A conflict means that nothing was changed.
func countUp(t *testing.T, s store.Exact) {
	t.Helper()
	n := 0
	item, err := s.Get(t.Context(), "b", "n")
	if lastnight.CodeOf(err) != lastnight.CodeNotFound {
		if err != nil {
			t.Fatal(err)
		}
		n, _ = strconv.Atoi(string(item.Value))
	}
	if _, err := s.Put(t.Context(), "b", "n", []byte(strconv.Itoa(n+1)), item.Version); err != nil {
		t.Fatal(err)
	}
}

func TestNodeKilledInABulk(t *testing.T) {
	n := elasticsearch.Start(t)
	s := open(t, elasticstore.Config{Addresses: []string{n.URL}, MaxWait: 3 * time.Minute, BatchDocuments: 50})
	docs := documents(4000)
	done := make(chan error, 1)
	go func() { done <- s.Index(t.Context(), docs) }()
	for s.Metrics().Requests < 30 { // it is in the middle of it
		time.Sleep(5 * time.Millisecond)
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("it was done before the node was killed: %v", err)
	default:
	}
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantAll(t, s, docs)
}

// An index that takes no writes, by an administrator or because the disk is full, is back-pressure.
func TestWriteBlockIsBackPressure(t *testing.T) {
	for _, block := range []string{"index.blocks.write", "index.blocks.read_only_allow_delete", "index.blocks.read_only"} {
		t.Run(block, func(t *testing.T) {
			cfg := config(t)
			cfg.MaxWait, cfg.DeadLetters = time.Second, filepath.Join(t.TempDir(), "dead")
			s := open(t, cfg)
			const tries = 3
			docs := documents(10 * tries)
			must(t, s.Index(t.Context(), docs[:1]))
			set := func(on string) {
				do(t.Context(), t, "PUT", cfg.Addresses[0]+"/"+cfg.Prefix+"-documents-v2-2026.11.21/_settings", fmt.Sprintf(`{%q:%s}`, block, on))
			}
			var err error
			for try := 1; try <= tries && err == nil; try++ { // of a disk with room Elasticsearch takes read_only_allow_delete away each half minute
				set("true")
				err = s.Index(t.Context(), docs[:10*try])
			}
			if lastnight.CodeOf(err) != lastnight.CodeUnavailable {
				t.Errorf("while it is set: %v", err)
			}
			set("null")
			must(t, s.Index(t.Context(), docs))
			wantAll(t, s, docs)
			if b, err := os.ReadFile(cfg.DeadLetters); err != nil || len(b) > 0 {
				t.Errorf("dead letters: %s %v", b, err)
			}
		})
	}
}

func TestMappingConflictGoesToTheDeadLetters(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "dead")
		mappingConflict(t, file, func(*elasticstore.Store) []string {
			b, err := os.ReadFile(file)
			must(t, err)
			return slices.Collect(strings.Lines(string(b)))
		})
	})
	t.Run("items", func(t *testing.T) {
		mappingConflict(t, "", func(s *elasticstore.Store) (letters []string) {
			for item, err := range s.List(t.Context(), "dead-letters", "") {
				must(t, err)
				letters = append(letters, string(item.Value))
			}
			return letters
		})
	})
}

// mappingConflict puts documents of which one is refused until its reason is gone; letters reads the dead ones.
func mappingConflict(t *testing.T, file string, letters func(*elasticstore.Store) []string) {
	t.Helper()
	cfg := config(t)
	cfg.DeadLetters = file
	s := open(t, cfg)
	// An administrator's template of a higher priority makes a field another type.
	do(t.Context(), t, "PUT", cfg.Addresses[0]+"/"+cfg.Prefix+"-documents-v2-2026.11.21", `{"mappings":{"properties":{"alike":{"type":"boolean"}}}}`)
	docs := documents(10)
	docs[3].Alike = 7
	must(t, s.Index(t.Context(), docs))
	dead := letters(s)
	if len(dead) != 1 || !strings.Contains(dead[0], `"id":"d00003"`) || !strings.Contains(dead[0], "alike") {
		t.Errorf("dead letters: %q", dead)
	}
	wantAll(t, s, append(docs[:3:3], docs[4:]...))
	if m := s.Metrics(); m.DeadLetters != 1 || m.Documents != 9 {
		t.Errorf("%+v", m)
	}
	for range 2 {
		if done, left, err := s.RetryDeadLetters(t.Context()); done != 0 || left != 1 || err != nil {
			t.Errorf("while the reason is there: put %d, left %d, %v", done, left, err)
		}
	}
	do(t.Context(), t, "DELETE", cfg.Addresses[0]+"/"+cfg.Prefix+"-documents-v2-2026.11.21", "")
	must(t, s.Close())
	s = open(t, cfg)
	must(t, s.Index(t.Context(), append(docs[:3:3], docs[4:]...)))
	if done, left, err := s.RetryDeadLetters(t.Context()); done != 1 || left != 0 || err != nil {
		t.Errorf("when the reason is gone: put %d, left %d, %v", done, left, err)
	}
	if dead := letters(s); len(dead) > 0 {
		t.Errorf("dead letters are left: %q", dead)
	}
	wantAll(t, s, docs)
}

// A document that is too large by itself is dead; the others of its batch are not.
func TestTooLargeBulkIsSplit(t *testing.T) {
	cfg := config(t)
	p := &proxy{fault: func(w http.ResponseWriter, r *http.Request) bool {
		if r.ContentLength <= 8<<10 {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	}}
	cfg.Addresses = []string{p.before(t, cfg.Addresses[0])}
	cfg.DeadLetters = filepath.Join(t.TempDir(), "dead")
	s := open(t, cfg)
	docs := documents(300)
	huge := docs[7]
	huge.ID, huge.Text = "huge", strings.Repeat("x ", 8<<10)
	must(t, s.Index(t.Context(), append(slices.Clip(docs), huge)))
	wantAll(t, s, docs)
	if b, err := os.ReadFile(cfg.DeadLetters); err != nil || strings.Count(string(b), "\n") != 1 || !strings.Contains(string(b), `"status":413`) || !strings.Contains(string(b), `"id":"huge"`) {
		t.Errorf("dead letters: %.300s %v", b, err)
	}
}

func TestSlowAnswersEndWithTheContext(t *testing.T) {
	cfg := config(t)
	slow := make(chan struct{})
	p := &proxy{after: func(r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/_bulk") {
			<-slow
		}
		return false
	}}
	direct := open(t, cfg)
	cfg.Addresses = []string{p.before(t, cfg.Addresses[0])}
	s := open(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	docs := documents(20)
	if err := s.Index(ctx, docs); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an answer that does not come: %v", err)
	}
	close(slow)
	must(t, s.Index(t.Context(), docs))
	wantAll(t, direct, docs)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A shard that is gone while it is read is an error, not the end of what there is; the point in time is closed
// then, and when the caller stops or its context ends.
func TestReadsThatEndEarly(t *testing.T) {
	cfg := config(t)
	var opened, closed atomic.Int64
	broken := atomic.Bool{}
	p := &proxy{
		fault: func(w http.ResponseWriter, r *http.Request) bool {
			if broken.Load() && r.URL.Path == "/_search" {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			return false
		},
		after: func(r *http.Request) bool {
			switch {
			case strings.HasSuffix(r.URL.Path, "/_pit") && r.Method == http.MethodPost:
				opened.Add(1)
			case r.URL.Path == "/_pit" && r.Method == http.MethodDelete:
				closed.Add(1)
			}
			return false
		},
	}
	direct := cfg.Addresses[0]
	cfg.Addresses, cfg.MaxWait = []string{p.before(t, direct)}, time.Second
	s := open(t, cfg)
	docs := documents(1200)
	must(t, s.Index(t.Context(), docs))
	read := func(ctx context.Context, at10 func()) (n int, err error) {
		for _, err := range s.Search(ctx, lastnight.SearchRequest{}) {
			if err != nil {
				return n, err
			}
			if n++; n == 10 {
				at10()
			}
		}
		return n, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	if n, err := read(ctx, cancel); !errors.Is(err, context.Canceled) || n >= len(docs) {
		t.Errorf("a context that ends: %d documents, %v", n, err)
	}
	for _, err := range s.Search(t.Context(), lastnight.SearchRequest{}) {
		must(t, err)
		break
	}
	n, err := read(t.Context(), func() { broken.Store(true) })
	if broken.Store(false); lastnight.CodeOf(err) != lastnight.CodeUnavailable || n >= len(docs) {
		t.Errorf("searches that fail: %d documents, %v", n, err)
	}
	n, err = read(t.Context(), func() { do(t.Context(), t, "DELETE", direct+"/"+cfg.Prefix+"-documents-v2-2026.11.21", "") })
	if err == nil || n >= len(docs) {
		t.Errorf("a shard that is gone: %d of %d documents and %v", n, len(docs), err)
	}
	if o, c := opened.Load(), closed.Load(); o != 4 || c != o {
		t.Errorf("%d points in time were opened, %d closed", o, c)
	}
}
