package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lastnight/internal/vfs"
)

// Blobs is where the archive keeps its files: a folder, or an object store. Names are
// slash-separated. All methods may be called at once. A missing blob gives an error
// that is fs.ErrNotExist.
type Blobs interface {
	// Put stores a blob, replacing one of that name. When it returns nil the blob is durable and
	// whole; when it fails, or the process dies in it, nothing of the new blob is ever seen.
	Put(ctx context.Context, name string, data []byte) error
	// Get gives n bytes from off on, all of them or an error.
	Get(ctx context.Context, name string, off, n int64) ([]byte, error)
	// Size gives the length of a blob in bytes.
	Size(ctx context.Context, name string) (int64, error)
	// List streams the blobs whose name begins with prefix, by name.
	List(ctx context.Context, prefix string) iter.Seq2[BlobInfo, error]
	// Delete removes a blob. A missing one is no error.
	Delete(ctx context.Context, name string) error
}

// BlobInfo is a blob as List gives it.
type BlobInfo struct {
	Name string
	Size int64 // bytes
}

// tempFolder holds what is being written; it is never listed.
const tempFolder = ".tmp"

// Dir keeps blobs as files: written aside, synced, renamed, and the folder synced.
type Dir struct {
	fs    vfs.FS
	nonce string       // in names of temporary files: no other process has it
	next  atomic.Int64 // number of the next temporary file
	made  sync.Map     // folders known to exist
}

var _ Blobs = (*Dir)(nil)

// NewDir makes Blobs of a file system, which must have no other writer, and removes
// what writes that never finished have left.
func NewDir(fsys vfs.FS) (*Dir, error) { return newDir(fsys, time.Unix(0, math.MaxInt64)) }

// unfinishedAge is how old an unfinished file in a shared folder is that nobody writes any more.
const unfinishedAge = time.Hour

// NewSharedDir is NewDir for a folder that other processes write to: of what is unfinished, only
// what was begun an hour ago is removed.
func NewSharedDir(fsys vfs.FS) (*Dir, error) { return newDir(fsys, time.Now().Add(-unfinishedAge)) }

// newDir removes what was begun before a time.
func newDir(fsys vfs.FS, begun time.Time) (*Dir, error) {
	d := &Dir{fs: fsys, nonce: rand.Text()}
	if _, err := d.dropUnfinished(begun); err != nil {
		return nil, err
	}
	return d, nil
}

// ReadDir makes Blobs of a file system that another process may be writing. Only read from it.
func ReadDir(fsys vfs.FS) *Dir { return &Dir{fs: fsys} }

// Put stores a blob.
func (d *Dir) Put(ctx context.Context, name string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	temp := fmt.Sprintf("%s/%x-%s-%d", tempFolder, time.Now().UnixNano(), d.nonce, d.next.Add(1)) // when it began comes first
	if err := d.write(temp, data); err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, d.discard(temp)))
	}
	if err := d.moveTo(temp, name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// moveTo gives a written file its name. If that cannot be made durable the name is
// taken back, so that a failed Put is not seen.
func (d *Dir) moveTo(temp, name string) error {
	if err := d.makeFolder(path.Dir(name)); err != nil {
		return errors.Join(err, d.discard(temp))
	}
	if err := d.fs.Rename(temp, name); err != nil {
		return errors.Join(err, d.discard(temp))
	}
	if err := d.fs.Sync(path.Dir(name)); err != nil {
		return errors.Join(err, d.discard(name))
	}
	return nil
}

// makeFolder makes a folder by making a file in it: a vfs has no other way.
func (d *Dir) makeFolder(dir string) error {
	if _, known := d.made.Load(dir); known || dir == "." {
		return nil
	}
	keep := dir + "/.keep"
	f, err := d.fs.Create(keep)
	if err != nil {
		return err
	}
	d.made.Store(dir, true) // not before: another writer renames into it as soon as it is known
	return errors.Join(f.Close(), d.discard(keep))
}

func (d *Dir) discard(name string) error {
	if err := d.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

func (d *Dir) write(name string, data []byte) error {
	f, err := d.fs.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// filler is what Blobs may do besides: read into memory at hand.
type filler interface {
	// fill gives the bytes from off on, as many as p has, in p; all of them or an error.
	fill(ctx context.Context, name string, off int64, p []byte) error
}

// Get reads a range.
func (d *Dir) Get(ctx context.Context, name string, off, n int64) ([]byte, error) {
	return d.read(ctx, name, off, n, nil)
}

func (d *Dir) fill(ctx context.Context, name string, off int64, p []byte) error {
	_, err := d.read(ctx, name, off, int64(len(p)), p)
	return err
}

// read reads a range into p, which has its length, or into memory of its own.
func (d *Dir) read(ctx context.Context, name string, off, n int64, p []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := d.fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer func() { _ = f.Close() }() // only read
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if off < 0 || n < 0 || off > size || n > size-off {
		return nil, fmt.Errorf("read %s: %d bytes at %d of %d: %w", name, n, off, size, io.ErrUnexpectedEOF)
	}
	if p == nil {
		p = make([]byte, n)
	}
	if got, err := f.ReadAt(p, off); int64(got) < n {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return p, nil
}

// Size gives the length of a blob.
func (d *Dir) Size(ctx context.Context, name string) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	f, err := d.fs.Open(name)
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", name, err)
	}
	size, err := f.Size()
	return size, errors.Join(err, f.Close())
}

// List streams the blobs by name.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[BlobInfo, error] {
	return func(yield func(BlobInfo, error) bool) {
		for f, err := range d.walk(prefix) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(BlobInfo{}, fmt.Errorf("list blobs: %w", err))
				return
			}
			if !strings.HasPrefix(f.Name, prefix) || strings.HasPrefix(path.Base(f.Name), ".") || strings.HasPrefix(f.Name, tempFolder+"/") {
				continue
			}
			if !yield(BlobInfo{Name: f.Name, Size: f.Size}, nil) {
				return
			}
		}
	}
}

// walk gives the files of a folder, of which there may be very many, or all there are. Folders are of one level.
func (d *Dir) walk(prefix string) iter.Seq2[vfs.Info, error] {
	if i := strings.LastIndexByte(prefix, '/'); i > 0 {
		return d.fs.Walk(prefix[:i])
	}
	return func(yield func(vfs.Info, error) bool) {
		files, err := d.fs.List(".")
		if err != nil {
			yield(vfs.Info{}, err)
			return
		}
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
	}
}

// Delete removes a blob, durably.
func (d *Dir) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := d.fs.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.fs.Sync(path.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}
