package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// OS is a folder on a disk. Names cannot lead out of it, by .. or by symlinks.
type OS struct {
	root *os.Root
}

var _ FS = (*OS)(nil)

// NewOS makes the folder dir if need be and opens it. Close it after use.
func NewOS(dir string) (*OS, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	return &OS{root: root}, nil
}

// Close lets go of the folder.
func (o *OS) Close() error { return o.root.Close() }

// Open opens a file for reading.
func (o *OS) Open(name string) (File, error) {
	f, err := o.root.Open(name)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Create makes a file for writing. Folders it has to make are durable at once.
func (o *OS) Create(name string) (File, error) {
	f, err := o.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if errors.Is(err, fs.ErrNotExist) {
		if err := o.makeFolders(path.Dir(name)); err != nil {
			return nil, err
		}
		f, err = o.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	}
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// makeFolders makes dir and syncs every folder above it, since a folder's name is
// only durable once the folder that holds it is synced.
func (o *OS) makeFolders(dir string) error {
	if err := o.root.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for dir != "." && dir != "/" {
		dir = path.Dir(dir)
		if err := o.Sync(dir); err != nil {
			return err
		}
	}
	return nil
}

// Rename gives a file another name at once.
func (o *OS) Rename(from, to string) error { return o.root.Rename(from, to) }

// Remove deletes a file.
func (o *OS) Remove(name string) error { return o.root.Remove(name) }

// List gives the regular files below a folder, by name.
func (o *OS) List(dir string) ([]Info, error) {
	var out []Info
	err := fs.WalkDir(o.root.FS(), dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone between being listed and being looked at
		case err != nil:
			return err
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		out = append(out, Info{Name: name, Size: info.Size()})
		return nil
	})
	return out, err
}

// Sync makes the names in a folder durable.
func (o *OS) Sync(dir string) error {
	f, err := o.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// osFile is an os.File that tells its size.
type osFile struct {
	*os.File
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
