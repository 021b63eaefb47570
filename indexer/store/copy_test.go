package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/store"
	"lastnight/indexer/store/blevestore"
)

var night = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// failing fails at one of the puts.
type failing struct {
	store.Store
	left    int
	indexed int // documents
}

var errFailed = errors.New("failed")

func (f *failing) step() error {
	if f.left--; f.left == 0 {
		return errFailed
	}
	return nil
}

func (f *failing) Put(ctx context.Context, bucket, key string, value []byte, ifVersion int64) (int64, error) {
	if err := f.step(); err != nil {
		return 0, err
	}
	return f.Store.Put(ctx, bucket, key, value, ifVersion)
}

func (f *failing) PutCounts(ctx context.Context, source string, counts []lastnight.TemplateCount) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.Store.PutCounts(ctx, source, counts)
}

func (f *failing) Index(ctx context.Context, docs []lastnight.Document) error {
	f.indexed += len(docs)
	return errors.Join(f.Store.Index(ctx, docs), f.step()) // put, and the answer lost
}

func open(t *testing.T) store.Store {
	t.Helper()
	s, err := blevestore.Open(t.Context(), blevestore.Config{Dir: t.TempDir(), ScanBelow: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func filled(t *testing.T, documents int) store.Store {
	t.Helper()
	s := open(t)
	docs := make([]lastnight.Document, documents)
	for i := range docs {
		docs[i] = lastnight.Document{ID: fmt.Sprintf("d%05d", i), Kind: lastnight.DocumentRecord, Time: night.Add(time.Duration(i) * time.Second), Text: "x"}
	}
	err := errors.Join(s.Index(t.Context(), docs), s.PutTemplates(t.Context(), []lastnight.Template{{ID: "t", Text: "x"}}),
		s.PutPods(t.Context(), []lastnight.Pod{{Namespace: "flink", Name: "p", UID: "u"}}), s.PutJobs(t.Context(), []lastnight.Job{{Namespace: "flink", Name: "j"}}),
		s.PutIncidents(t.Context(), []lastnight.Incident{{ID: "i", Start: night}, {ID: "p", Start: night, Planned: true}}))
	for i := range 3 {
		source := fmt.Sprint(i)
		_, e := s.Put(t.Context(), "labels", source, []byte(source), 0)
		err = errors.Join(err, e, s.PutCounts(t.Context(), source, []lastnight.TemplateCount{{Template: "t", Minute: night, Count: int64(i)}}))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A copy that fails at each of its puts in turn, and goes on, ends the same, and puts few documents again.
func TestCopyGoesOn(t *testing.T) {
	const n = 45_500
	from, to := filled(t, n), &failing{Store: open(t)}
	tries := 0
	var have store.Summary
	for err := errFailed; err != nil; tries++ {
		if !errors.Is(err, errFailed) || tries > 1000 {
			t.Fatal(tries, err)
		}
		to.left = 2 + tries*5
		have, _, err = store.Copy(t.Context(), store.CopyConfig{From: from, To: to, ToName: "there"})
		if half, e := store.UnfinishedCopy(t.Context(), to); e != nil || half != (err != nil) {
			t.Fatalf("unfinished: %v %v after %v", half, e, err)
		}
	}
	days := 0
	for kind, tally := range have {
		if strings.HasPrefix(kind, "documents ") {
			days += tally.Values
		}
	}
	if days != n || have["incidents"].Values != 2 || have["items of labels"].Values != 3 || have["sources of counts"].Values != 3 || have["jobs"].Values+have["pods"].Values+have["templates"].Values != 3 {
		t.Errorf("copied %+v", have)
	}
	if again := to.indexed - n; tries < 5 || again < 1000 || again > tries*20_000 {
		t.Errorf("%d tries put %d documents again: it did not go on where it stopped", tries, again)
	}
	if _, done, err := store.Copy(t.Context(), store.CopyConfig{From: from, To: to}); !done || err != nil {
		t.Errorf("once more: done %v, %v", done, err)
	}
}

func TestCopyNamesWhatDiffers(t *testing.T) {
	from, to := filled(t, 10), open(t)
	spoil := func(ctx context.Context) error { // as somebody else would who writes there
		return to.PutIncidents(ctx, []lastnight.Incident{{ID: "other", Start: night}})
	}
	_, _, err := store.Copy(t.Context(), store.CopyConfig{From: from, To: to, ToName: "there", Also: spoil})
	if err == nil || !strings.Contains(err.Error(), "there differs from its source: incidents: 3, should be 2") {
		t.Errorf("one too many: %v", err)
	}
	if _, _, err := store.Copy(t.Context(), store.CopyConfig{From: filled(t, 1), To: filled(t, 1), ToName: "there"}); lastnight.CodeOf(err) != lastnight.CodeConflict || !strings.Contains(err.Error(), "there holds items already") {
		t.Errorf("into a store that is not empty: %v", err)
	}
}
