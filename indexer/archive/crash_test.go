package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// life does everything that changes an archive, until something fails, and tells which
// lines were acked.
func life(t *testing.T, fsys vfs.FS) (acked []string) { return lifeOf(t, fsys, 0) }

// lifeOf is life where appending so many bytes makes chunks at once.
func lifeOf(t *testing.T, fsys vfs.FS, direct int64) (acked []string) {
	dir, err := archive.NewDir(fsys)
	if err != nil {
		return nil
	}
	now := time.Unix(0, start)
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 1, DirectBytes: direct, Now: func() time.Time { return now }})
	if err != nil {
		return nil
	}
	one, two := newWriter("pod-1"), newWriter("pod-2")
	for i := range 6 {
		now = now.Add(time.Minute)
		lines := []string{fmt.Sprintf("line %d of one", i), fmt.Sprintf("java.lang.Boom %d\n\tat x.y(Z.java:%d)", i, i)}
		items := []archive.Item{one.span(lines...), two.span("two " + lines[0])}
		if _, err := a.Append(t.Context(), items); err != nil {
			return acked
		}
		acked = append(acked, strings.Split(strings.Join(lines, "\n"), "\n")...)
		acked = append(acked, "two "+lines[0])
		if i%3 == 2 {
			if err := a.Compact(t.Context()); err != nil {
				return acked
			}
		}
	}
	return acked
}

// TestCrashAnywhere stops the disk after every single operation of a life, opens what is left
// and goes on: what was acked is there, once, and what was not can be sent again.
func TestCrashAnywhere(t *testing.T) {
	crashAnywhere(t, 40, life)
	crashAnywhere(t, 20, func(t *testing.T, fsys vfs.FS) []string { return lifeOf(t, fsys, 1) })
}

func crashAnywhere(t *testing.T, minOps int, life func(*testing.T, vfs.FS) []string) {
	t.Helper()
	whole := vfs.NewMem()
	want := life(t, whole)
	slices.Sort(want)
	ops := whole.Ops()
	if len(want) != 24 || ops < minOps {
		t.Fatalf("%d lines, %d operations", len(want), ops)
	}
	for n := range ops {
		for _, lucky := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %d, lucky %t", n, lucky), func(t *testing.T) {
				fsys := vfs.NewMem()
				fsys.FailAfter(n)
				acked := life(t, fsys)
				after := fsys.Crash(lucky)
				a := open(t, after)
				got := raw(t, a, "")
				slices.Sort(got)
				if twice := slices.Compact(slices.Clone(got)); len(twice) != len(got) {
					t.Fatalf("lines are there twice: %q", got)
				}
				for _, line := range acked {
					if !slices.Contains(got, line) {
						t.Fatalf("%q was acked and is lost", line)
					}
				}
				life(t, after)
				a = open(t, after)
				got = raw(t, a, "")
				slices.Sort(got)
				equal(t, got, want)
				if a.Damaged() != 0 {
					t.Fatalf("%d damaged", a.Damaged())
				}
			})
		}
	}
}

// TestCrashInRetention: a chunk that is to go takes nothing back to life.
func TestCrashInRetention(t *testing.T) {
	whole := vfs.NewMem()
	life(t, whole)
	for n := range 12 {
		fsys := vfs.NewMem()
		life(t, fsys)
		a := open(t, fsys)
		before := len(raw(t, a, ""))
		fsys.FailAfter(n)
		err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1})
		fsys = fsys.Crash(false)
		a = open(t, fsys)
		if after := len(raw(t, a, "")); after > before || err == nil && n > 4 && after != 0 {
			t.Fatalf("after %d operations: %d lines of %d, %v", n, after, before, err)
		}
		if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
			t.Fatal(err)
		}
		equal(t, len(raw(t, open(t, fsys), "")), 0)
	}
}

// keeper is Blobs that can refuse to delete.
type keeper struct {
	archive.Blobs
	keep bool
}

func (k *keeper) Delete(ctx context.Context, name string) error {
	if k.keep {
		return errors.New("no")
	}
	return k.Blobs.Delete(ctx, name)
}

// TestKilledBeforeDeletingSegments: the chunk is there, its segments are too.
func TestKilledBeforeDeletingSegments(t *testing.T) {
	dir, err := archive.NewDir(vfs.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	b := &keeper{Blobs: dir, keep: true}
	var later time.Duration // than it is
	reopen := func() *archive.Archive {
		a, err := archive.Open(t.Context(), archive.Config{Blobs: b, ManifestChunks: 1, Now: func() time.Time { return time.Now().Add(later) }})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := reopen()
	w := newWriter("pod-1")
	add(t, a, w.span("one", "two"))
	add(t, a, w.span("three"))
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"one", "two", "three"}
	equal(t, raw(t, a, ""), want)
	a = reopen()
	equal(t, raw(t, a, ""), want)
	if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	equal(t, raw(t, a, ""), want)        // the chunk may not go before its segments
	b.keep, later = false, 2*time.Minute // when nobody asks what arrived
	a = reopen()
	st, err := a.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, []int{st.Segments, st.Chunks, st.Garbage}, []int{0, 1, 0})
	equal(t, len(collect(t, b.List(t.Context(), ""))), 1)
	if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	equal(t, len(collect(t, b.List(t.Context(), ""))), 0)
}

// TestQueryOutlivesDeletion: what a running query reads is not taken away.
func TestQueryOutlivesDeletion(t *testing.T) {
	a := open(t, vfs.NewMem())
	w := newWriter("pod-1")
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprint("line ", i))
		add(t, a, w.span(want[i]))
	}
	var got []string
	for d, err := range a.Search(t.Context(), lastnight.SearchRequest{Oldest: true}, nil, archive.Need{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			if err := errors.Join(a.Compact(t.Context()), a.Retain(t.Context(), archive.Policy{MaxBytes: 1})); err != nil {
				t.Fatal(err)
			}
		}
		got = append(got, d.Text)
	}
	equal(t, got, want)
	count := func() []int {
		st, err := a.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return []int{st.Segments, st.Chunks, st.Garbage}
	}
	equal(t, count(), []int{0, 1, 0}) // the chunk may go only after its segments, which were being read
	if err := a.Retain(t.Context(), archive.Policy{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	equal(t, count(), []int{0, 0, 0})
}

func TestFullDisk(t *testing.T) {
	fsys := vfs.NewMem()
	a := open(t, fsys)
	w := newWriter("pod-1")
	add(t, a, w.span("one"))
	it := w.span("two")
	fsys.SetSpace(100)
	_, err := a.Append(t.Context(), []archive.Item{it})
	if lastnight.CodeOf(err) != lastnight.CodeUnavailable || lastnight.HintOf(err) == "" {
		t.Fatalf("full disk: %v", err)
	}
	equal(t, raw(t, a, ""), []string{"one"})
	equal(t, raw(t, open(t, fsys), ""), []string{"one"})
	fsys.SetSpace(-1)
	add(t, a, it)
	equal(t, raw(t, a, ""), []string{"one", "two"})
}

// TestBitFlips changes every byte of every file, one at a time: nothing panics, no line is
// read that was not written, and damage is told.
func TestBitFlips(t *testing.T) {
	whole := vfs.NewMem()
	want := life(t, whole)
	files, err := whole.List(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for at := int64(0); at < f.Size; at += 1 + f.Size/200 {
			fsys := vfs.NewMem()
			life(t, fsys)
			files, err := fsys.List(".")
			if err != nil {
				t.Fatal(err)
			}
			name := files[slices.IndexFunc(files, func(x vfs.Info) bool { return x.Name[:20] == f.Name[:20] })].Name
			err = fsys.Corrupt(name, func(b []byte) []byte {
				b[at%int64(len(b))] ^= 0x55
				return b
			})
			if err != nil {
				t.Fatal(err)
			}
			checkDamaged(t, fsys, want, fmt.Sprintf("%s at %d", name, at))
		}
	}
}

func checkDamaged(t *testing.T, fsys vfs.FS, want []string, what string) {
	t.Helper()
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if errors.Is(err, archive.ErrVersion) {
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got := raw(t, a, "")
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Fatalf("%s: read %q", what, line)
		}
	}
	if len(got) < len(want) && (a.Damaged() == 0 || !strings.Contains(log.String(), "offset")) {
		t.Fatalf("%s: %d lines of %d, and nothing is said of it: %s", what, len(got), len(want), log.String())
	}
}
