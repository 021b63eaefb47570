package main

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// smallDisk is a directory on a disk of its own that can be made full. Only root may have one.
type smallDisk struct{ dir string }

const roomyDisk = "size=4g,mode=755" // a limit: memory is taken for what is written

// newSmallDisk mounts a disk at a directory; nil where that is not allowed.
func newSmallDisk(t *testing.T, dir string) *smallDisk {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, roomyDisk); err != nil {
		t.Logf("no disk is filled: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return &smallDisk{dir}
}

// fill leaves no room.
func (d *smallDisk) fill(t *testing.T) {
	for range 20 { // it cannot be made smaller than what is written meanwhile
		var s syscall.Statfs_t
		if err := syscall.Statfs(d.dir, &s); err != nil {
			t.Error(err)
			return
		}
		used := int64(s.Blocks-s.Bfree+1) * s.Bsize
		if syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d,mode=755", used)) == nil {
			return
		}
	}
}

// empty gives the room back.
func (d *smallDisk) empty(t *testing.T) {
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, roomyDisk); err != nil {
		t.Error(err)
	}
}
