package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/memblob"

	"lastnight"
	"lastnight/indexer"
	"lastnight/indexer/archive"
	"lastnight/indexer/store"
	"lastnight/indexer/store/blevestore"
)

// errDead is what a process meets that is no more.
var errDead = errors.New("killed")

// fate is what happens to a process at one of its writes.
type fate struct {
	mu    sync.Mutex
	at    int           // the number of the write; 0: nothing ever happens
	after bool          // the write is carried out first
	pause chan struct{} // not nil: it waits there rather than dies
	here  chan struct{} // closed when it happens
	n     int           // guarded by mu
	dead  bool          // guarded by mu
}

// write does a write, or what the fate has for it.
func (f *fate) write(do func() error) error {
	f.mu.Lock()
	f.n++
	hit, dead := f.n == f.at, f.dead
	if hit && f.pause == nil {
		f.dead = true
	}
	f.mu.Unlock()
	switch {
	case dead:
		return errDead
	case !hit:
		return do()
	}
	var err error
	if f.after {
		err = do()
	}
	close(f.here)
	if f.pause == nil {
		return errDead
	}
	<-f.pause
	if !f.after {
		err = do()
	}
	return err
}

func (f *fate) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

type fatedBlobs struct {
	archive.Blobs
	f *fate
}

func (b fatedBlobs) Put(ctx context.Context, name string, data []byte) error {
	return b.f.write(func() error { return b.Blobs.Put(ctx, name, data) })
}

func (b fatedBlobs) Delete(ctx context.Context, name string) error {
	return b.f.write(func() error { return b.Blobs.Delete(ctx, name) })
}

type fatedStore struct {
	store.Store
	f *fate
}

func (s fatedStore) Index(ctx context.Context, d []lastnight.Document) error {
	return s.f.write(func() error { return s.Store.Index(ctx, d) })
}

func (s fatedStore) PutCounts(ctx context.Context, source string, c []lastnight.TemplateCount) error {
	return s.f.write(func() error { return s.Store.PutCounts(ctx, source, c) })
}

func (s fatedStore) PutTemplates(ctx context.Context, ts []lastnight.Template) error {
	return s.f.write(func() error { return s.Store.PutTemplates(ctx, ts) })
}

func (s fatedStore) PutJobs(ctx context.Context, jobs []lastnight.Job) error {
	return s.f.write(func() error { return s.Store.PutJobs(ctx, jobs) })
}

func (s fatedStore) Put(ctx context.Context, bucket, key string, v []byte, ifVersion int64) (version int64, err error) {
	err = s.f.write(func() error {
		version, err = s.Store.Put(ctx, bucket, key, v, ifVersion)
		return err
	})
	return version, err
}

// world is what replicas share, and the time.
type world struct {
	store store.Store
	blobs archive.Blobs
	mu    sync.Mutex
	now   time.Time      // guarded by mu
	marks []indexer.Mark // guarded by mu
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Microsecond)
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// replica is one process.
type replica struct {
	*indexer.Indexer
	archive *archive.Archive
	fate    *fate
	w       *world
}

const settleAfter = 30 * time.Second

func (w *world) replica(t *testing.T, f *fate) *replica {
	t.Helper()
	r := &replica{fate: f, w: w}
	var err error
	r.archive, err = archive.Open(t.Context(), archive.Config{
		Blobs: fatedBlobs{w.blobs, f}, Shared: true, Now: w.clock,
		Ready: func(ctx context.Context, name string) (bool, error) { return r.Ready(ctx, name) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Indexer, err = indexer.Open(t.Context(), indexer.Config{
		Archive: r.archive, Store: fatedStore{w.store, f}, Recognizer: boomer{}, Sink: r, Logger: slogDiscard(),
		Shared: true, SettleAfter: settleAfter, Now: w.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Mark implements indexer.SignalSink: marks are durable, as those on the board are.
func (r *replica) Mark(_ context.Context, marks []indexer.Mark) error {
	return r.fate.write(func() error {
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		r.w.marks = append(r.w.marks, marks...)
		return nil
	})
}

// tend is what the holder of the lease of the archive does.
func (r *replica) tend(ctx context.Context) error {
	if err := r.Settle(ctx); err != nil {
		return err
	}
	return r.archive.Compact(ctx)
}

// boomer sees a signal in each line with Boom.
type boomer struct{}

func (boomer) Recognize(_ *lastnight.Stream, r *lastnight.Record, to *lastnight.Recognition) {
	if strings.Contains(r.Text(), "Boom") {
		to.Signals = []string{lastnight.SignalTransition}
	}
}

const perBatch = 6

// batch makes lines of two pods, a minute from one to the next, so that none is merged with another.
func batch(namespace string, n int) lastnight.Batch {
	var b lastnight.Batch
	for pod := range 2 {
		s := lastnight.Stream{Namespace: namespace, Pod: fmt.Sprint("job-", pod), PodUID: fmt.Sprint(namespace, pod), Container: "main"}
		span := lastnight.Span{Stream: &s, Generation: lastnight.Generation{Start: 1, Sum: uint32(pod)}, From: int64(n * perBatch * 1000)}
		for i := range perBatch {
			at := n*perBatch + i
			text := fmt.Sprintf("worker %d has done %d of them", at, at*7)
			if i%3 == 1 {
				text = fmt.Sprintf("Boom number %d", at)
			}
			span.Records = append(span.Records, lastnight.Record{Lines: []lastnight.Line{{
				Time: start.Add(time.Duration(at) * time.Minute).UnixNano(), Offset: int64(at * 1000), Text: []byte(text),
			}}})
		}
		span.To = int64((n + 1) * perBatch * 1000)
		span.RawBytes = span.To - span.From
		b.Spans = append(b.Spans, span)
	}
	b.Elsewhere = true
	return b
}

var start = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

const batches = 5

// step is one thing that a server does; those of the lease are idempotent.
type step func(ctx context.Context, r *replica) error

// script is what happens: batches come, and between them the duties are done.
func script(namespace string) []step {
	send := func(n int) step {
		return func(ctx context.Context, r *replica) error { return r.Ingest(ctx, batch(namespace, n)) }
	}
	tend := func(ctx context.Context, r *replica) error { return r.tend(ctx) }
	flush := func(ctx context.Context, r *replica) error { return r.Flush(ctx) }
	return []step{send(0), send(1), flush, tend, send(2), send(3), tend, send(4), flush}
}

// TestKilledAtEachStep kills a server at each of its writes, before and after the write is carried out. Another
// takes over what it did not acknowledge, and its duties: nothing is lost, nothing doubled.
func TestKilledAtEachStep(t *testing.T) {
	each(t, func(t *testing.T, w *world, namespace string, f *fate) bool {
		a, b := w.replica(t, f), w.replica(t, &fate{})
		for _, s := range script(namespace) {
			if err := s(t.Context(), a); err == nil {
				continue
			} else if !a.fate.isDead() {
				t.Fatal(err)
			}
			if err := s(t.Context(), b); err != nil { // the collector goes to the other one; the lease too
				t.Fatal(err)
			}
		}
		check(t, w, b, namespace)
		return a.fate.isDead()
	})
}

// TestStoppedAtEachStep stops a server at each of its writes, as a pause of the whole process does. Another takes over
// what it did not acknowledge, and its duties, compacts and deletes; then the first goes on as if
// nothing had happened, and another look of the holder puts it right.
func TestStoppedAtEachStep(t *testing.T) {
	each(t, func(t *testing.T, w *world, namespace string, f *fate) bool {
		f.pause = make(chan struct{})
		a, b := w.replica(t, f), w.replica(t, &fate{})
		steps := script(namespace)
		at, done := 0, make(chan error, 1)
		go func() {
			for i, s := range steps {
				w.mu.Lock()
				at = i
				w.mu.Unlock()
				if err := s(t.Context(), a); err != nil {
					done <- err
					return
				}
				select {
				case <-f.here: // it was stopped in this step, and is no holder any more
					done <- nil
					return
				default:
				}
			}
			done <- nil
		}()
		select {
		case err := <-done: // it makes fewer writes
			if err != nil {
				t.Fatal(err)
			}
			check(t, w, b, namespace)
			return false
		case <-f.here:
		}
		w.mu.Lock()
		rest := steps[at:]
		w.mu.Unlock()
		for _, s := range rest {
			if err := s(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			w.pass(settleAfter)
		}
		for range 3 { // late enough for everything, the deletion of what chunks have replaced included
			w.pass(time.Hour)
			if err := b.tend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		close(f.pause)
		if err := <-done; err != nil && lastnight.CodeOf(err) != lastnight.CodeConflict && lastnight.CodeOf(err) != lastnight.CodeUnavailable {
			t.Logf("who was stopped meets: %v", err)
		}
		check(t, w, b, namespace)
		return true
	})
}

// each runs f with ever later fates until one never comes.
func each(t *testing.T, f func(t *testing.T, w *world, namespace string, fate *fate) bool) {
	t.Helper()
	s, err := blevestore.Open(t.Context(), blevestore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for n := 1; ; n++ {
		came := false
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("write-%d-%v", n, after)
			ok := t.Run(name, func(t *testing.T) {
				w := &world{store: s, blobs: archive.NewBucket(memblob.OpenBucket(nil)), now: time.Now()}
				came = f(t, w, name, &fate{at: n, after: after, here: make(chan struct{})})
			})
			if !ok {
				return
			}
		}
		if !came {
			if n < 30 {
				t.Errorf("only %d writes", n-1)
			}
			return
		}
	}
}

// check lets the holder of the lease look until all is settled, then compares what there is with what was sent.
func check(t *testing.T, w *world, b *replica, namespace string) {
	t.Helper()
	for range 4 {
		w.pass(time.Hour)
		if err := b.tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := b.archive.Segments(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("segments that never became chunks: %v, %v", left, err)
	}
	var lines []string
	for l, err := range b.RawLines(t.Context(), lastnight.SearchRequest{Namespace: namespace}) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(l.Text))
	}
	var want []string
	important := map[string]bool{}
	for n := range batches {
		for _, s := range batch(namespace, n).Spans {
			for _, r := range s.Records {
				want = append(want, r.Text())
				if strings.Contains(r.Text(), "Boom") {
					important[string(lastnight.NewLineID(s.Stream.ID(), s.Generation, r.Lines[0].Offset))] = true
				}
			}
		}
	}
	slices.Sort(lines)
	slices.Sort(want)
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("lines (-sent +held):\n%s", d)
	}
	byTemplate := map[string]int64{}
	records := 0
	for d, err := range b.Search(t.Context(), lastnight.SearchRequest{Namespace: namespace, Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord}}) {
		if err != nil {
			t.Fatal(err)
		}
		records++
		byTemplate[d.Template]++
	}
	for c, err := range w.store.Counts(t.Context(), store.CountsRequest{Namespace: namespace}) {
		if err != nil {
			t.Fatal(err)
		}
		if byTemplate[c.Template] -= c.Count; byTemplate[c.Template] == 0 {
			delete(byTemplate, c.Template)
		}
	}
	if records != len(want) || len(byTemplate) > 0 {
		t.Errorf("%d of %d records; counts are off by %v", records, len(want), byTemplate)
	}
	found := map[string]bool{}
	for d, err := range b.Search(t.Context(), lastnight.SearchRequest{Namespace: namespace, Important: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if found[d.ID] || d.Alike > 1 {
			t.Errorf("%s: twice, or %d alike", d.ID, d.Alike)
		}
		found[d.ID] = true
	}
	if d := cmp.Diff(important, found); d != "" {
		t.Errorf("important documents (-written +held):\n%s", d)
	}
	checkMarks(t, w)
}

// checkMarks: each signal is in a mark of its workload.
func checkMarks(t *testing.T, w *world) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for at := range batches * perBatch {
		signal := start.Add(time.Duration(at) * time.Minute)
		if at%perBatch%3 == 1 && !slices.ContainsFunc(w.marks, func(m indexer.Mark) bool { return !signal.Before(m.From) && !signal.After(m.To) }) {
			t.Errorf("nobody was told of the signal at %s", signal)
		}
	}
}

// TestTemplatesOfTwo: two servers that get halves of one job's lines find the templates that one finds which gets all, links
// followed, and both know them after they have met.
func TestTemplatesOfTwo(t *testing.T) {
	s, err := blevestore.Open(t.Context(), blevestore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	w := &world{store: s, blobs: archive.NewBucket(memblob.OpenBucket(nil)), now: time.Now()}
	texts := jobLines(3000)
	one, two := w.replica(t, &fate{}), [2]*replica{w.replica(t, &fate{}), w.replica(t, &fate{})}
	for i := 0; i < len(texts); i += together {
		for namespace, r := range map[string]*replica{"one": one, "two": two[i/together%2]} {
			stream := lastnight.Stream{Namespace: namespace, Pod: fmt.Sprint("job-", i/together%2), PodUID: namespace, Container: "main"}
			span := lastnight.Span{Stream: &stream, Generation: lastnight.Generation{Start: 1}, From: int64(i), To: int64(i + together), RawBytes: together}
			for j, text := range texts[i : i+together] {
				span.Records = append(span.Records, lastnight.Record{Lines: []lastnight.Line{{
					Time: start.Add(time.Duration(i+j) * time.Second).UnixNano(), Offset: int64(i + j), Text: []byte(text),
				}}})
			}
			if err := r.Ingest(t.Context(), lastnight.Batch{Spans: []lastnight.Span{span}}); err != nil {
				t.Fatal(err)
			}
		}
		if i%500 == 0 {
			for _, r := range []*replica{one, two[0], two[1], two[0]} {
				if err := r.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, r := range []*replica{one, two[0], two[1]} {
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want, got := finalTemplates(t, w, one, "one"), finalTemplates(t, w, one, "two")
	same, all := int64(0), int64(0)
	for id, n := range want {
		all += n
		same += min(n, got[id])
	}
	t.Logf("%d of %d records have the same template; %d templates of one server, %d of two", same, all, len(want), len(got))
	if all != int64(len(texts)) || same < all*98/100 || len(got) > len(want)+2 {
		t.Errorf("only %d of %d records have the same template; %d templates of one server, %d of two", same, all, len(want), len(got))
	}
}

// finalTemplates counts a job's records by template, links followed to their end.
func finalTemplates(t *testing.T, w *world, r *replica, namespace string) map[string]int64 {
	t.Helper()
	infos, err := r.Templates(t.Context(), lastnight.TemplatesRequest{Namespace: namespace, Job: "job"})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, info := range infos {
		id, link := info.ID, info.Link
		for link != "" {
			ts, err := w.store.Templates(t.Context(), []string{link})
			if err != nil || len(ts) != 1 {
				t.Fatalf("%s leads to %s, which is not there: %v", id, link, err)
			}
			id, link = ts[0].ID, ts[0].Link
		}
		out[id] += info.Count
	}
	if len(out) == 0 {
		t.Fatalf("no templates in %s: %v", namespace, slices.Collect(maps.Keys(out)))
	}
	return out
}

// together is how many lines come at once.
const together = 25

// jobLines makes lines with words that turn out to be variable only after many of them.
func jobLines(n int) []string {
	states := []string{"CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING", "FINISHED", "CANCELING", "CANCELED", "FAILED", "RECONCILING"}
	lines := make([]string, n)
	for i := range lines {
		switch i % 5 {
		case 0:
			lines[i] = fmt.Sprintf("user %s%c logged in from the office", []string{"ann", "bob", "carl", "dora"}[i/5%4], 'a'+rune(i/20%26))
		case 1:
			lines[i] = fmt.Sprintf("task switched from %s to %s by the scheduler", states[i/5%10], states[(i/5+1+i/50)%10])
		case 2:
			lines[i] = fmt.Sprintf("checkpoint %d completed in %d ms", i, i%100)
		case 3:
			// Ten words make a variable. Who gets every other together of lines sees seven of fourteen.
			regions := []string{"north", "south", "east", "west", "centre", "coast", "hills", "lakes", "woods", "valley", "delta", "plains", "island", "desert"}
			lines[i] = fmt.Sprintf("cache of region %s was rebuilt", regions[i/together%2*7+i/5%7])
		default:
			lines[i] = "heartbeat sent"
		}
	}
	return lines
}

func slogDiscard() *slog.Logger { return slog.New(slog.DiscardHandler) }
