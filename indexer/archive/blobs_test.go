package archive_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"golang.org/x/sync/errgroup"

	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// TestBlobs holds every kind of Blobs to the contract.
func TestBlobs(t *testing.T) {
	dir := func(fsys vfs.FS) archive.Blobs {
		d, err := archive.NewDir(fsys)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	disk, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	mem := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = mem.Close() })
	file, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	for name, b := range map[string]archive.Blobs{
		"disk": dir(disk), "memory": dir(vfs.NewMem()), "memblob": archive.NewBucket(mem), "fileblob": archive.NewBucket(file),
	} {
		t.Run(name, func(t *testing.T) {
			testBlobs(t, b)
			testArchiveOn(t, b)
		})
	}
}

func testBlobs(t *testing.T, b archive.Blobs) {
	ctx := t.Context()
	put := func(name, data string) {
		t.Helper()
		if err := b.Put(ctx, name, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	list := func(prefix string) []archive.BlobInfo { return collect(t, b.List(ctx, prefix)) }
	equal(t, len(list("")), 0)
	put("x/b", "0123456789")
	put("x/a", "")
	put("y/c", "old")
	put("y/c", "newer")
	equal(t, list(""), []archive.BlobInfo{{"x/a", 0}, {"x/b", 10}, {"y/c", 5}})
	equal(t, list("x/"), []archive.BlobInfo{{"x/a", 0}, {"x/b", 10}})
	for _, g := range []struct {
		name   string
		off, n int64
		want   string
	}{{"x/b", 0, 10, "0123456789"}, {"x/b", 3, 4, "3456"}, {"x/b", 9, 1, "9"}, {"y/c", 0, 5, "newer"}} {
		data, err := b.Get(ctx, g.name, g.off, g.n)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, string(data), g.want)
	}
	for _, g := range [][2]int64{{0, 11}, {9, 2}, {1 << 40, 1}, {-1, 2}, {0, -1}, {2, 1 << 60}} {
		if _, err := b.Get(ctx, "x/b", g[0], g[1]); err == nil {
			t.Errorf("%d bytes at %d: no error", g[1], g[0])
		}
	}
	if _, err := b.Get(ctx, "z", 0, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get of a missing blob: %v", err)
	}
	if _, err := b.Size(ctx, "z"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("size of a missing blob: %v", err)
	}
	size, err := b.Size(ctx, "x/b")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, size, int64(10))
	for _, name := range []string{"x/a", "x/b", "y/c", "z"} {
		if err := b.Delete(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, len(list("")), 0)
}

// testArchiveOn goes once through an archive's life.
func testArchiveOn(t *testing.T, b archive.Blobs) {
	a, err := archive.Open(t.Context(), archive.Config{Blobs: b, ManifestChunks: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter("pod-1")
	add(t, a, w.span("one", "two"))
	add(t, a, w.span("three"))
	if err := a.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, a, w.span("four"))
	for range 2 {
		equal(t, raw(t, a, "pod-1"), []string{"one", "two", "three", "four"})
		if a, err = archive.Open(t.Context(), archive.Config{Blobs: b, ManifestChunks: 1}); err != nil {
			t.Fatal(err)
		}
	}
	st, err := a.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, []int{st.Segments, st.Chunks, st.Garbage}, []int{1, 1, 0})
}

// slowFolders is a disk on which a folder takes a moment to make.
type slowFolders struct{ vfs.FS }

func (s slowFolders) Create(name string) (vfs.File, error) {
	if strings.HasSuffix(name, ".keep") {
		time.Sleep(20 * time.Millisecond)
	}
	return s.FS.Create(name)
}

// TestFirstPutsAtOnce holds that two writers of a folder that is not there yet do not trip over each other.
func TestFirstPutsAtOnce(t *testing.T) {
	disk, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = disk.Close() }()
	d, err := archive.NewDir(slowFolders{disk})
	if err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	for i := range 4 {
		g.Go(func() error {
			time.Sleep(time.Duration(i) * 5 * time.Millisecond)
			return d.Put(t.Context(), fmt.Sprintf("new/%d", i), []byte("x"))
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	equal(t, len(collect(t, d.List(t.Context(), "new/"))), 4)
}
