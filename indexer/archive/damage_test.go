package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
	"lastnight/query"
)

// small is a disk with every kind of file that an archive has, and the lines that each of them holds: two chunks in manifests, one
// that never was a segment, a loose one, and segments, the last of them with columns.
func small(t *testing.T) (fsys *vfs.Mem, lines map[string][]string) {
	t.Helper()
	fsys = vfs.NewMem()
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	one, two := newWriter("pod-1"), newWriter("pod-2")
	a := open(t, fsys)
	piece := func(n int) {
		add(t, a, one.span(fmt.Sprintf("line %d of one", n), fmt.Sprintf("java.lang.Boom %d\n\tat x.y(Z.java:%d)", n, n)), two.span(fmt.Sprint("two ", n)))
	}
	compact := func() {
		if err := a.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 4 {
		piece(n)
		if n%2 == 1 {
			compact()
		}
	}
	if a, err = archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 100, DirectBytes: 1}); err != nil {
		t.Fatal(err)
	}
	piece(4)
	a = openWith(t, fsys, 100)
	piece(5)
	compact()
	piece(6)
	if a, err = archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 100, ColumnBytes: 1}); err != nil {
		t.Fatal(err)
	}
	piece(7)
	whole := raw(t, a, "")
	lines = map[string][]string{}
	for _, info := range collect(t, dir.List(t.Context(), "")) {
		without := fsys.Crash(true)
		if err := without.Remove(info.Name); err != nil {
			t.Fatal(err)
		}
		left := raw(t, openWith(t, without, 100), "")
		lines[info.Name] = slices.DeleteFunc(slices.Clone(whole), func(l string) bool { return slices.Contains(left, l) })
	}
	if len(lines) < 7 || len(whole) != 32 {
		t.Fatalf("%d files, %d lines", len(lines), len(whole))
	}
	return fsys, lines
}

// damaged opens a disk of which one file was changed, and holds that the lines of all others are read, that no line is read which was
// not written, and that the damage is told with file and offset, by reading as by verifying.
func damaged(t *testing.T, fsys *vfs.Mem, file string, at int64, lines map[string][]string) {
	t.Helper()
	what := fmt.Sprintf("%s, at %d", file, at)
	dir, err := archive.NewDir(fsys)
	if err != nil {
		t.Fatal(err)
	}
	report, err := archive.Verify(t.Context(), dir)
	unknown := errors.Is(err, archive.ErrVersion)
	switch {
	case unknown: // of a newer lastnight, as far as anybody can tell: refused by name
	case err != nil:
		t.Fatalf("%s: verify: %v", what, err)
	case len(report.Findings) == 0:
		t.Fatalf("%s: verify finds nothing", what)
	}
	for _, f := range report.Findings {
		if f.File != file || !strings.Contains(f.Error, "offset ") {
			t.Fatalf("%s: verify finds %+v", what, f)
		}
	}
	if _, err := archive.StatsOf(t.Context(), dir); err != nil && !errors.Is(err, archive.ErrVersion) {
		t.Fatalf("%s: stats: %v", what, err)
	}
	var log bytes.Buffer
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 100, ColumnBytes: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		if !errors.Is(err, archive.ErrVersion) || !strings.Contains(err.Error(), file) {
			t.Fatalf("%s: %v", what, err)
		}
		return
	}
	node, err := query.Parse("/o/")
	if err != nil {
		t.Fatal(err)
	}
	for range collect(t, a.Search(t.Context(), lastnight.SearchRequest{}, func(d *lastnight.Document) bool { return query.Match(node, d) }, archive.NeedOf(node))) {
		continue // as little as reading lines may it fail
	}
	got := raw(t, a, "")
	lost := 0
	for name, of := range lines {
		for _, line := range of {
			switch there := slices.Contains(got, line); {
			case !there && name != file:
				t.Fatalf("%s: %q of %s is lost", what, line, name)
			case !there:
				lost++
			}
		}
	}
	all := slices.Concat(slices.Collect(func(yield func([]string) bool) {
		for _, of := range lines {
			if !yield(of) {
				return
			}
		}
	})...)
	for _, line := range got {
		if !slices.Contains(all, line) {
			t.Fatalf("%s: read %q, which nobody wrote", what, line)
		}
	}
	if said := log.String(); lost > 0 && (a.Damaged() == 0 || !strings.Contains(said, file) || !strings.Contains(said, "offset ")) {
		t.Fatalf("%s: %d lines are lost, and what is said: %s", what, lost, said)
	}
	if at%16 != 0 { // the rest takes longest
		return
	}
	if err := a.Compact(t.Context()); err != nil { // of what is whole
		t.Fatalf("%s: compact: %v", what, err)
	}
	if after := raw(t, a, ""); len(after) != len(got) {
		t.Fatalf("%s: %d lines after compaction, %d before", what, len(after), len(got))
	}
}

// TestEveryByteFlipped turns a bit of each byte of each file of a small archive, one at a time.
func TestEveryByteFlipped(t *testing.T) {
	whole, lines := small(t)
	rnd := rand.New(rand.NewPCG(11, 12))
	for _, info := range collect(t, archive.ReadDir(whole.Crash(true)).List(t.Context(), "")) {
		for at := range info.Size {
			bit := byte(1) << rnd.IntN(8)
			fsys := whole.Crash(true) // a copy
			if err := fsys.Corrupt(info.Name, func(b []byte) []byte { b[at] ^= bit; return b }); err != nil {
				t.Fatal(err)
			}
			damaged(t, fsys, info.Name, at, lines)
		}
	}
}

// TestEveryLengthCut ends each file of a small archive after each of its bytes, as a store does that loses the rest.
func TestEveryLengthCut(t *testing.T) {
	whole, lines := small(t)
	for _, info := range collect(t, archive.ReadDir(whole.Crash(true)).List(t.Context(), "")) {
		for n := range info.Size {
			fsys := whole.Crash(true) // a copy
			if err := fsys.Corrupt(info.Name, func(b []byte) []byte { return b[:n] }); err != nil {
				t.Fatal(err)
			}
			damaged(t, fsys, info.Name, n, lines)
		}
	}
}
