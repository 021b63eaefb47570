package archive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// life does everything that changes an archive, until something fails, and tells which
// lines were acked.
func life(t *testing.T, fsys vfs.FS) (acked []string) { return lifeOf(t, fsys, 0, 0) }

// lifeOf is life where appending so many bytes makes chunks at once, and so many bytes of a job columns.
func lifeOf(t *testing.T, fsys vfs.FS, direct, columns int64) (acked []string) {
	dir, err := archive.NewDir(fsys)
	if err != nil {
		return nil
	}
	now := time.Unix(0, start)
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 1, DirectBytes: direct, ColumnBytes: columns, Now: func() time.Time { return now }})
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
	crashAnywhere(t, 20, func(t *testing.T, fsys vfs.FS) []string { return lifeOf(t, fsys, 1, 0) })
	crashAnywhere(t, 40, func(t *testing.T, fsys vfs.FS) []string { return lifeOf(t, fsys, 0, 1) })
}

// crashes are what a power cut may leave.
var crashes = map[string]func(*vfs.Mem) *vfs.Mem{
	"lost": func(m *vfs.Mem) *vfs.Mem { return m.Crash(false) },
	"kept": func(m *vfs.Mem) *vfs.Mem { return m.Crash(true) },
	"torn": (*vfs.Mem).CrashTorn,
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
		for how, crash := range crashes {
			t.Run(fmt.Sprintf("after %d, what was not synced is %s", n, how), func(t *testing.T) {
				fsys := vfs.NewMem()
				fsys.FailAfter(n)
				acked := life(t, fsys)
				after := crash(fsys)
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

// TestDiskFullAnywhere lets the disk be full at any point of a life: what was acked is read, and when there is room again the same
// archive goes on as if nothing had been.
func TestDiskFullAnywhere(t *testing.T) {
	whole := vfs.NewMem()
	want := life(t, whole)
	slices.Sort(want)
	var most int64
	for room := int64(0); most == 0 || room < most; room += 61 {
		fsys := vfs.NewMem()
		fsys.SetSpace(room)
		acked := life(t, fsys)
		if len(acked) == len(want) {
			most = max(room, 1)
		}
		a := open(t, fsys)
		got := raw(t, a, "")
		for _, line := range acked {
			if !slices.Contains(got, line) {
				t.Fatalf("with %d bytes: %q was acked and is lost", room, line)
			}
		}
		fsys.SetSpace(-1)
		if err := errors.Join(a.Compact(t.Context()), a.Retain(t.Context(), archive.Policy{MaxAge: 1000 * 24 * time.Hour})); err != nil {
			t.Fatalf("with %d bytes, and room again: %v", room, err)
		}
		after := raw(t, a, "")
		slices.Sort(after)
		slices.Sort(got)
		equal(t, after, got)
		life(t, fsys)
		a = open(t, fsys)
		got = raw(t, a, "")
		slices.Sort(got)
		equal(t, got, want)
		equal(t, a.Damaged(), int64(0))
		temp, err := fsys.List(".tmp")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, len(temp), 0)
	}
	if most == 0 {
		t.Fatal("it never fitted")
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

// dying is Blobs of a process that dies at an operation: that one may be done, and its answer is never seen; none after it is.
type dying struct {
	archive.Blobs
	left int  // operations until then
	done bool // the last one is carried out
}

var errDead = errors.New("the process is dead")

func (d *dying) do(op func() error) error {
	switch d.left--; {
	case d.left > 0:
		return op()
	case d.left == 0 && d.done:
		_ = op() // nobody sees how it went
	}
	return errDead
}

func (d *dying) Put(ctx context.Context, name string, data []byte) error {
	return d.do(func() error { return d.Blobs.Put(ctx, name, data) })
}

func (d *dying) Delete(ctx context.Context, name string) error {
	return d.do(func() error { return d.Blobs.Delete(ctx, name) })
}

// TestDeathAtEachPut ends the process at each put and delete of a life on an object store, alone and among others: what was acked is
// there, once, for whoever comes next, who finishes what was begun.
func TestDeathAtEachPut(t *testing.T) {
	policy := days(30, map[string]int{"dev": 3})
	for _, shared := range []bool{false, true} {
		for _, done := range []bool{false, true} {
			for n := 1; ; n++ {
				bucket := memblob.OpenBucket(nil)
				blobs := archive.NewBucket(bucket)
				c := &calendar{time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
				d := &dying{blobs, n, done}
				acked := bucketLife(t, c, d, shared, policy)
				died := d.left <= 0
				a := c.open(t, blobs, shared)
				for range 3 {
					got := raw(t, a, "")
					slices.Sort(got)
					if len(slices.Compact(slices.Clone(got))) != len(got) {
						t.Fatalf("at %d (done %t, shared %t): twice: %q", n, done, shared, got)
					}
					for _, line := range acked {
						if !slices.Contains(got, line) && !strings.HasPrefix(line, "dev") {
							t.Fatalf("at %d (done %t, shared %t): %q was acked and is lost", n, done, shared, line)
						}
					}
					retain(t, a, policy)
					if err := a.Compact(t.Context()); err != nil {
						t.Fatal(err)
					}
					c.now = c.now.Add(time.Hour)
					equal(t, a.Damaged(), int64(0))
				}
				a = c.open(t, blobs, shared)
				st := stats(t, a)
				equal(t, []int{st.Segments, st.Garbage}, []int{0, 0})
				if err := bucket.Close(); err != nil {
					t.Fatal(err)
				}
				if !died {
					equal(t, len(acked), 12)
					break
				}
			}
		}
	}
}

// bucketLife appends, compacts and retains, until something fails, and tells which lines were acked.
func bucketLife(t *testing.T, c *calendar, b archive.Blobs, shared bool, p archive.Policy) (acked []string) {
	a := c.open(t, b, shared)
	dev, prod := newIn("dev"), newIn("prod")
	for i := range 6 {
		lines := []string{fmt.Sprint("dev ", i), fmt.Sprint("prod ", i)}
		if _, err := a.Append(t.Context(), []archive.Item{dev.span(lines[0]), prod.span(lines[1])}); err != nil {
			return acked
		}
		acked = append(acked, lines...)
		c.now = c.now.Add(time.Hour)
		if i%2 == 1 && a.Compact(t.Context()) != nil {
			return acked
		}
		if i == 3 {
			c.pass(4)
			if a.Retain(t.Context(), p) != nil {
				return acked
			}
		}
	}
	return acked
}
