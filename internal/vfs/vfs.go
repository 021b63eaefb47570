// Package vfs is the little of a file system that durable parts need: write a
// file, sync it, rename it, sync its folder. There are two of it: OS, a folder on
// a disk, and Mem, which lives in memory and can crash, so that a test can stop
// the world after any single operation and see what a disk would have kept.
//
// Names are slash-separated paths relative to the file system's root. Nothing is
// durable before it was synced: a file's bytes by File.Sync, its name (after
// Create, Rename or Remove) by FS.Sync of its folder.
package vfs

import (
	"io"
	"iter"
)

// FS is a file system. All methods may be called at once.
type FS interface {
	// Open opens a file for reading. A missing one gives an error that is fs.ErrNotExist.
	Open(name string) (File, error)
	// Create makes a file for writing, emptying one of that name, and its folders if need be.
	Create(name string) (File, error)
	// Rename gives a file another name at once, replacing what had that name.
	Rename(from, to string) error
	// Remove deletes a file. A missing one gives an error that is fs.ErrNotExist.
	Remove(name string) error
	// List gives the files below a folder, at any depth, by name. A missing folder has none.
	List(dir string) ([]Info, error)
	// Walk gives the files right in a folder, by name, in bounded memory however many there are. What comes or goes meanwhile
	// is among them or not. A missing folder has none.
	Walk(dir string) iter.Seq2[Info, error]
	// Sync makes the names in a folder durable; "." is the root.
	Sync(dir string) error
}

// File is an open file: written from front to back, or read anywhere.
type File interface {
	io.ReaderAt
	io.Writer
	io.Closer
	// Sync makes what was written durable.
	Sync() error
	// Size gives the file's length in bytes.
	Size() (int64, error)
}

// Info is a file as List gives it.
type Info struct {
	Name string // relative to the root of the file system
	Size int64  // bytes
}
