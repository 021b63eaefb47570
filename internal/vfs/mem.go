package vfs

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// ErrCrashed is what every operation gives after a Mem has crashed.
var ErrCrashed = errors.New("file system crashed")

// Mem is a file system in memory that can crash, run full, and count operations.
// Folders need not be made. Each Create, Write, File.Sync, Rename, Remove and Sync
// is one operation; reading is none.
type Mem struct {
	mu      sync.Mutex
	names   map[string]*inode // guarded by mu; as programs see it
	durable map[string]*inode // guarded by mu; as it is after a crash
	ops     int               // guarded by mu; operations begun
	failAt  int               // guarded by mu; the operation that crashes; 0: none
	space   int64             // guarded by mu; bytes left; <0: no limit
}

var _ FS = (*Mem)(nil)

// inode is a file's bytes, whatever its name. Its fields are guarded by Mem.mu.
type inode struct {
	data   []byte
	synced int // so many bytes of data survive a crash
}

// NewMem makes an empty file system without limits.
func NewMem() *Mem {
	return &Mem{names: map[string]*inode{}, durable: map[string]*inode{}, space: -1}
}

// FailAfter lets n more operations pass; the one after them and all later ones give ErrCrashed.
func (m *Mem) FailAfter(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failAt = m.ops + n + 1
}

// SetSpace lets so many more bytes be written; further writes give ENOSPC after the
// part that fits. A negative number removes the limit.
func (m *Mem) SetSpace(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.space = bytes
}

// Ops tells how many operations there were.
func (m *Mem) Ops() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// Crash gives the file system as a disk would have it after a power cut now. Without
// lucky, all that was not synced is lost; with it, all of it has survived by chance.
// A program must bear both, and CrashTorn. The old file system is dead afterwards.
func (m *Mem) Crash(lucky bool) *Mem {
	return m.crash(lucky, func(n *inode) int {
		if lucky {
			return len(n.data)
		}
		return n.synced
	})
}

// CrashTorn is Crash where the names have survived, and half of the bytes of each file that were not synced.
func (m *Mem) CrashTorn() *Mem {
	return m.crash(true, func(n *inode) int { return (n.synced + len(n.data)) / 2 })
}

func (m *Mem) crash(names bool, keep func(*inode) int) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failAt = 1
	from := m.durable
	if names {
		from = m.names
	}
	out := NewMem()
	for name, n := range from {
		data := slices.Clone(n.data[:keep(n)])
		kept := &inode{data: data, synced: len(data)}
		out.names[name], out.durable[name] = kept, kept
	}
	return out
}

// Corrupt changes a file's bytes in place, durably, as a failing disk does.
func (m *Mem) Corrupt(name string, change func([]byte) []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.names[path.Clean(name)]
	if n == nil {
		return &fs.PathError{Op: "corrupt", Path: name, Err: fs.ErrNotExist}
	}
	n.data = change(slices.Clone(n.data))
	n.synced = len(n.data)
	return nil
}

// begin counts an operation. Callers hold mu.
func (m *Mem) begin() error {
	if m.dead() {
		return ErrCrashed
	}
	m.ops++
	if m.dead() {
		return ErrCrashed
	}
	return nil
}

func (m *Mem) dead() bool { return m.failAt > 0 && m.ops >= m.failAt }

// Open opens a file for reading.
func (m *Mem) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead() {
		return nil, ErrCrashed
	}
	n := m.names[path.Clean(name)]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memFile{m: m, n: n}, nil
}

// Create makes a file for writing.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(); err != nil {
		return nil, err
	}
	n := &inode{}
	m.names[path.Clean(name)] = n
	return &memFile{m: m, n: n}, nil
}

// Rename gives a file another name at once.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(); err != nil {
		return err
	}
	n := m.names[path.Clean(from)]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(m.names, path.Clean(from))
	m.names[path.Clean(to)] = n
	return nil
}

// Remove deletes a file.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(); err != nil {
		return err
	}
	if m.names[path.Clean(name)] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.names, path.Clean(name))
	return nil
}

// List gives the files below a folder, by name.
func (m *Mem) List(dir string) ([]Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead() {
		return nil, ErrCrashed
	}
	dir = path.Clean(dir)
	var out []Info
	for name, n := range m.names {
		if dir == "." || strings.HasPrefix(name, dir+"/") {
			out = append(out, Info{Name: name, Size: int64(len(n.data))})
		}
	}
	slices.SortFunc(out, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Walk gives the files right in a folder, by name.
func (m *Mem) Walk(dir string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		list, err := m.List(dir)
		if err != nil {
			yield(Info{}, err)
			return
		}
		for _, i := range list {
			if path.Dir(i.Name) == path.Clean(dir) && !yield(i, nil) {
				return
			}
		}
	}
}

// Sync makes the names in a folder durable.
func (m *Mem) Sync(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(); err != nil {
		return err
	}
	dir = path.Clean(dir)
	for name := range m.durable {
		if path.Dir(name) == dir && m.names[name] == nil {
			delete(m.durable, name)
		}
	}
	for name, n := range m.names {
		if path.Dir(name) == dir {
			m.durable[name] = n
		}
	}
	return nil
}

// memFile is an open file of a Mem.
type memFile struct {
	m *Mem
	n *inode
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	switch {
	case f.m.dead():
		return 0, ErrCrashed
	case off < 0:
		return 0, &fs.PathError{Op: "read", Err: fs.ErrInvalid}
	case off >= int64(len(f.n.data)):
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Write(p []byte) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.begin(); err != nil {
		return 0, err
	}
	fits := p
	if f.m.space >= 0 {
		fits = p[:min(int64(len(p)), f.m.space)]
		f.m.space -= int64(len(fits))
	}
	f.n.data = append(f.n.data, fits...)
	if len(fits) < len(p) {
		return len(fits), &fs.PathError{Op: "write", Err: syscall.ENOSPC}
	}
	return len(p), nil
}

func (f *memFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.begin(); err != nil {
		return err
	}
	f.n.synced = len(f.n.data)
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *memFile) Close() error { return nil }
