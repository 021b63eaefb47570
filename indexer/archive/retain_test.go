package archive_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// TestOldest: what arrived lately counts, however old its lines are.
func TestOldest(t *testing.T) {
	a := open(t, vfs.NewMem())
	if at, ok, err := a.Oldest(t.Context(), time.Unix(0, 0)); ok || err != nil {
		t.Fatalf("an empty archive has lines of %s: %v", at, err)
	}
	before := time.Now().Add(-time.Minute)
	w := newWriter("p")
	w.time -= int64(1000 * 24 * time.Hour)
	first := w.time + 1_234_567
	add(t, a, w.span("one", "two"))
	add(t, a, newWriter("q").span("three"))
	at, ok, err := a.Oldest(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, ok, true)
	equal(t, at.UnixNano(), first)
	if _, ok, err = a.Oldest(t.Context(), time.Now().Add(time.Hour)); ok || err != nil {
		t.Fatal(ok, err)
	}
}

// days is a policy that keeps namespaces for so many days.
func days(byDefault int, of map[string]int) archive.Policy {
	p := archive.Policy{MaxAge: time.Duration(byDefault) * 24 * time.Hour, NamespaceAge: map[string]time.Duration{}}
	for ns, n := range of {
		p.NamespaceAge[ns] = time.Duration(n) * 24 * time.Hour
	}
	return p
}

// in is a writer of a namespace, with a job of that name.
type in struct {
	*writer
	namespace string
}

func newIn(namespace string) in {
	w := newWriter("pod-" + namespace)
	w.stream.Namespace = namespace
	return in{w, namespace}
}

func (w in) span(texts ...string) archive.Item {
	it := w.writer.span(texts...)
	it.Job = "job-" + w.namespace
	return it
}

// calendar is what archives of a test go by.
type calendar struct{ now time.Time }

func (c *calendar) open(t testing.TB, b archive.Blobs, shared bool) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.Context(), archive.Config{Blobs: b, ManifestChunks: 1, Shared: shared, Now: func() time.Time { return c.now }, UpkeepBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (c *calendar) pass(days int) { c.now = c.now.Add(time.Duration(days) * 24 * time.Hour) }

func retain(t testing.TB, a *archive.Archive, p archive.Policy) {
	t.Helper()
	if err := a.Retain(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

// TestRetentionByNamespace: of chunks that several namespaces share, each goes at its time and the others stay, whether a
// manifest lists the chunk or not, for whoever opened the archive when; and a search that is under way misses nothing.
func TestRetentionByNamespace(t *testing.T) {
	fsys := vfs.NewMem()
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	b := &counting{Blobs: dir}
	c := &calendar{time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
	a := c.open(t, b, false)
	dev, prod, audit := newIn("dev"), newIn("prod"), newIn("audit")
	for i := range 3 {
		n := fmt.Sprint(" ", i)
		add(t, a, dev.span("dev"+n), prod.span("prod"+n), audit.span("audit"+n))
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, stats(t, a).Listed, 3)
	p := days(30, map[string]int{"dev": 3, "audit": 0})
	all := []string{"audit 0", "audit 1", "audit 2", "dev 0", "dev 1", "dev 2", "prod 0", "prod 1", "prod 2"}
	c.pass(2)
	retain(t, a, p)
	equal(t, sorted(raw(t, a, "")), all)

	c.pass(2)
	var seen []string
	for d, err := range a.Search(t.Context(), lastnight.SearchRequest{Oldest: true}, nil, archive.Need{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) == 0 {
			retain(t, a, p)
		}
		seen = append(seen, d.Text)
	}
	equal(t, sorted(seen), all)
	want := []string{"audit 0", "audit 1", "audit 2", "prod 0", "prod 1", "prod 2"}
	check := func() {
		t.Helper()
		equal(t, sorted(raw(t, a, "")), want)
		equal(t, sorted(search(t, a, lastnight.SearchRequest{})), want)
		equal(t, a.Damaged(), int64(0))
	}
	check()
	equal(t, a.Position(*dev.stream, dev.gen), int64(0))
	equal(t, a.Position(*prod.stream, prod.gen), prod.at)
	for range 2 {
		st := stats(t, a)
		equal(t, []int{st.Chunks, st.Garbage}, []int{3, 0})
		a = c.open(t, b, false)
		check()
		if err := a.Compact(t.Context()); err != nil { // lists the new chunks in a manifest
			t.Fatal(err)
		}
		check()
	}
	equal(t, stats(t, a).Listed, 3)

	retain(t, a, p)
	gets := b.gets.Load()
	retain(t, a, p)
	equal(t, b.gets.Load(), gets) // what is not due is not looked at
	c.pass(30)
	want = []string{"audit 0", "audit 1", "audit 2"}
	retain(t, a, p)
	check()
	retain(t, a, days(30, nil))
	equal(t, len(raw(t, a, "")), 0)
}

// TestNamespaceRetentionKeepsEvidence: what an incident refers to stays, of a namespace that is kept shortly too, and so
// does what happened around it, but not of namespaces that have an age of their own.
func TestNamespaceRetentionKeepsEvidence(t *testing.T) {
	dir, err := archive.NewDir(vfs.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	c := &calendar{time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
	a := c.open(t, dir, false)
	add(t, a, newIn("dev").span("dev"), newIn("test").span("test"), newIn("prod").span("prod"))
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.pass(60)
	p := days(30, map[string]int{"dev": 3, "test": 3})
	p.Keep = func(job string, _, _ time.Time) bool { return job == "job-dev" }
	retain(t, a, p)
	equal(t, sorted(raw(t, a, "")), []string{"dev", "prod"})
	p.Keep = nil
	c.pass(1)
	retain(t, a, p)
	equal(t, len(raw(t, a, "")), 0)
}

// TestRetentionLeavesDamage: a chunk that cannot be read whole is not written anew: what is damaged might be mended.
func TestRetentionLeavesDamage(t *testing.T) {
	fsys := vfs.NewMem()
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	c := &calendar{time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
	a := c.open(t, dir, false)
	add(t, a, newIn("dev").span("dev"), newIn("prod").span("prod"))
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	name := collect(t, dir.List(t.Context(), "chunks/"))[0].Name
	flip := func(b []byte) []byte { b[20] ^= 1; return b }
	if err := fsys.Corrupt(name, flip); err != nil {
		t.Fatal(err)
	}
	c.pass(10)
	p := days(30, map[string]int{"dev": 3})
	retain(t, a, p)
	equal(t, collect(t, dir.List(t.Context(), "chunks/"))[0].Name, name)
	if err := fsys.Corrupt(name, flip); err != nil {
		t.Fatal(err)
	}
	c.pass(1)
	retain(t, a, p)
	equal(t, raw(t, a, ""), []string{"prod"})
}

// TestSharedRetentionByNamespace: other processes go on with the old chunk until they know the new one.
func TestSharedRetentionByNamespace(t *testing.T) {
	dir, err := archive.NewDir(vfs.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	c := &calendar{time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
	a := c.open(t, dir, true)
	dev, prod := newIn("dev"), newIn("prod")
	for i := range 2 {
		add(t, a, dev.span(fmt.Sprint("dev ", i)), prod.span(fmt.Sprint("prod ", i)))
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.now = c.now.Add(time.Hour)
	}
	if err := a.Compact(t.Context()); err != nil { // segments are gone, chunks in manifests
		t.Fatal(err)
	}
	other := c.open(t, dir, true)
	c.pass(4)
	p := days(30, map[string]int{"dev": 3})
	retain(t, a, p)
	equal(t, sorted(raw(t, a, "")), []string{"prod 0", "prod 1"})
	late := c.open(t, dir, true) // knows old and new at once
	equal(t, sorted(raw(t, late, "")), []string{"prod 0", "prod 1"})
	for range 4 {
		got := sorted(raw(t, other, ""))
		if len(got) == 4 {
			equal(t, got, []string{"dev 0", "dev 1", "prod 0", "prod 1"})
		} else {
			equal(t, got, []string{"prod 0", "prod 1"})
		}
		c.now = c.now.Add(6 * time.Minute)
		retain(t, a, p)
	}
	for _, x := range []*archive.Archive{a, other, late, c.open(t, dir, true)} {
		equal(t, sorted(raw(t, x, "")), []string{"prod 0", "prod 1"})
		st := stats(t, x)
		equal(t, st.Chunks, 2)
		equal(t, x.Damaged(), int64(0))
	}
	equal(t, len(collect(t, dir.List(t.Context(), "chunks/"))), 2)
}

// TestCrashInNamespaceRetention stops the disk after each operation: what is to stay is there, once, what was to go goes
// the next time.
func TestCrashInNamespaceRetention(t *testing.T) {
	p := days(30, map[string]int{"dev": 3})
	for n := 0; ; n++ {
		last := false
		for how, crash := range crashes {
			fsys := vfs.NewMem()
			dir, err := archive.NewDir(fsys)
			if err != nil {
				t.Fatal(err)
			}
			c := &calendar{time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
			a := c.open(t, dir, false)
			dev, prod := newIn("dev"), newIn("prod")
			for i := range 2 {
				add(t, a, dev.span(fmt.Sprint("dev ", i)), prod.span(fmt.Sprint("prod ", i)))
				if err := a.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			c.pass(4)
			before := fsys.Ops()
			fsys.FailAfter(n)
			done := errors.Join(a.Retain(t.Context(), p), a.Compact(t.Context())) == nil
			if done && n < 8 {
				t.Fatalf("after %d operations: no error", fsys.Ops()-before)
			}
			after := crash(fsys)
			last = last || done
			for range 2 {
				if dir, err = archive.NewDir(after); err != nil {
					t.Fatal(err)
				}
				a = c.open(t, dir, false)
				got := sorted(raw(t, a, ""))
				kept := slices.DeleteFunc(slices.Clone(got), func(l string) bool { return strings.HasPrefix(l, "dev") })
				equal(t, kept, []string{"prod 0", "prod 1"})
				equal(t, len(slices.Compact(slices.Clone(got))), len(got))
				retain(t, a, p)
				equal(t, sorted(raw(t, a, "")), []string{"prod 0", "prod 1"})
				st := stats(t, a)
				equal(t, []int{st.Chunks, st.Garbage, int(a.Damaged())}, []int{2, 0, 0})
				if err := a.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if a.Damaged() != 0 {
				t.Fatalf("after %d operations, what was not synced is %s: damage", n, how)
			}
		}
		if last {
			return
		}
	}
}

// TestRetentionOfLateChunk: a chunk that is made when the age of some of its lines has passed already, and comes into a manifest at once, is looked
// at all the same.
func TestRetentionOfLateChunk(t *testing.T) {
	dir, err := archive.NewDir(vfs.NewMem())
	if err != nil {
		t.Fatal(err)
	}
	c := &calendar{time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
	a := c.open(t, dir, false)
	add(t, a, newIn("dev").span("dev"), newIn("prod").span("prod"))
	p := days(30, map[string]int{"dev": 3})
	c.pass(4)
	retain(t, a, p) // a segment goes when all of it may
	equal(t, sorted(raw(t, a, "")), []string{"dev", "prod"})
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, stats(t, a).Listed, 1)
	c.now = c.now.Add(10 * time.Minute)
	retain(t, a, p)
	equal(t, raw(t, a, ""), []string{"prod"})
}
