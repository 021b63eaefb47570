package archive_test

import (
	"strings"
	"testing"

	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// TestVerifyNamesDamage: of a changed and of a cut file, name and offset are told; the rest is counted.
func TestVerifyNamesDamage(t *testing.T) {
	dir := archive.ReadDir(vfs.NewMem())
	a, err := archive.Open(t.Context(), archive.Config{Blobs: dir, ManifestChunks: 2})
	if err != nil {
		t.Fatal(err)
	}
	add(t, a, newWriter("a").span("one", "two"))
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, a, newWriter("b").span("three"))
	add(t, a, newWriter("c").span("four"))
	r, err := archive.Verify(t.Context(), dir)
	if err != nil || r.Files != 3 || len(r.Findings) != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	files := collect(t, dir.List(t.Context(), ""))
	for i, change := range []func(b []byte) []byte{
		func(b []byte) []byte { b[20] ^= 1; return b },
		func(b []byte) []byte { return b[:len(b)-5] },
	} {
		b, err := dir.Get(t.Context(), files[i].Name, 0, files[i].Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := dir.Put(t.Context(), files[i].Name, change(b)); err != nil {
			t.Fatal(err)
		}
	}
	r, err = archive.Verify(t.Context(), dir)
	if err != nil || r.Files != 3 || len(r.Findings) != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	for _, f := range r.Findings {
		if !strings.Contains(f.Error, "offset ") || f.File != files[0].Name && f.File != files[1].Name {
			t.Errorf("%+v does not tell where", f)
		}
	}
	s, err := archive.StatsOf(t.Context(), dir)
	if err != nil || s.Damaged != 1 || s.Segments+s.Chunks != 2 {
		t.Fatalf("%+v %v", s, err)
	}
}
