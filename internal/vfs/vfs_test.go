package vfs_test

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight/internal/vfs"
)

func write(t *testing.T, f vfs.FS, name, data string, sync bool) {
	t.Helper()
	h, err := f.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(h, data); err != nil {
		t.Fatal(err)
	}
	if sync {
		err = h.Sync()
	}
	if err := errors.Join(err, h.Close()); err != nil {
		t.Fatal(err)
	}
}

// files gives all files with their content.
func files(t *testing.T, f vfs.FS) map[string]string {
	t.Helper()
	list, err := f.List(".")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, info := range list {
		h, err := f.Open(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, info.Size)
		if n, err := h.ReadAt(b, 0); int64(n) < info.Size {
			t.Fatal(err)
		}
		out[info.Name] = string(b)
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestBoth holds both file systems to the contract.
func TestBoth(t *testing.T) {
	disk, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = disk.Close() }()
	for name, f := range map[string]vfs.FS{"disk": disk, "memory": vfs.NewMem()} {
		t.Run(name, func(t *testing.T) {
			write(t, f, "a/b/one", "1", true)
			write(t, f, "two", "22", false)
			write(t, f, "two", "2", true)
			if err := errors.Join(f.Rename("two", "a/two"), f.Sync("."), f.Sync("a")); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(map[string]string{"a/b/one": "1", "a/two": "2"}, files(t, f)); d != "" {
				t.Fatal(d)
			}
			if list, err := f.List("a/b"); err != nil || len(list) != 1 || list[0].Name != "a/b/one" {
				t.Fatal(list, err)
			}
			if list, err := f.List("nowhere"); err != nil || len(list) != 0 {
				t.Fatal(list, err)
			}
			for dir, want := range map[string][]string{"a": {"a/two"}, "a/b": {"a/b/one"}, ".": nil, "nowhere": nil} {
				var got []string
				for info, err := range f.Walk(dir) {
					if err != nil || info.Size != 1 {
						t.Fatal(info, err)
					}
					got = append(got, info.Name)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Fatal(d)
				}
			}
			_, err := f.Open("two")
			for _, err := range []error{err, f.Remove("two"), f.Rename("two", "x")} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("missing file: %v", err)
				}
			}
			if err := f.Remove("a/two"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestOSStaysInside(t *testing.T) {
	f, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Create("../out"); err == nil {
		t.Fatal("a file was made outside")
	}
}

func TestCrashLosesWhatIsNotSynced(t *testing.T) {
	m := vfs.NewMem()
	write(t, m, "synced", "1", true)
	write(t, m, "named", "2", true)
	write(t, m, "bytes", "3", false)
	if err := m.Sync("."); err != nil {
		t.Fatal(err)
	}
	write(t, m, "unnamed", "4", true)
	if err := errors.Join(m.Remove("synced"), m.Rename("named", "renamed")); err != nil {
		t.Fatal(err)
	}
	lucky := map[string]string{"renamed": "2", "bytes": "3", "unnamed": "4"}
	if d := cmp.Diff(lucky, files(t, m)); d != "" {
		t.Fatal(d)
	}
	after := m.Crash(false)
	if d := cmp.Diff(map[string]string{"synced": "1", "named": "2", "bytes": ""}, files(t, after)); d != "" {
		t.Fatal(d)
	}
	if _, err := m.Create("x"); !errors.Is(err, vfs.ErrCrashed) {
		t.Fatalf("after the crash: %v", err)
	}
}

func TestFaults(t *testing.T) {
	m := vfs.NewMem()
	m.SetSpace(3)
	h, err := m.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.WriteString(h, "12345"); n != 3 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(n, err)
	}
	m.SetSpace(-1)
	m.FailAfter(1)
	if err := h.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := h.Sync(); !errors.Is(err, vfs.ErrCrashed) {
		t.Fatal(err)
	}
}
