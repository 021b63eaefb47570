package blevestore

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"lastnight"
)

// Backup writes a tar of both files as they are now, while others go on writing. The
// indexes are not in it: they are built anew from the documents.
func (s *Store) Backup(ctx context.Context, w io.Writer) (err error) {
	out := tar.NewWriter(&withContext{ctx: ctx, w: w})
	s.writing.Lock() // so that the documents are as old as what refers to them
	s.documents.mu.RLock()
	defer s.documents.mu.RUnlock()
	s.exact.mu.RLock()
	defer s.exact.mu.RUnlock()
	documents, err := s.documents.db.Begin(false)
	if err != nil {
		s.writing.Unlock()
		return fmt.Errorf("back up documents: %w", err)
	}
	exact, err := s.exact.db.Begin(false)
	s.writing.Unlock()
	if err != nil {
		return errors.Join(fmt.Errorf("back up exact items: %w", err), documents.Rollback())
	}
	defer func() { err = errors.Join(err, documents.Rollback(), exact.Rollback()) }()
	for _, f := range []struct {
		name string
		tx   *bolt.Tx
	}{{exactFile, exact}, {documentsFile, documents}} {
		h := &tar.Header{Name: f.name, Mode: 0o600, Size: f.tx.Size(), ModTime: time.Now().UTC()}
		if err := out.WriteHeader(h); err != nil {
			return fmt.Errorf("back up %s: %w", f.name, err)
		}
		if _, err := f.tx.WriteTo(out); err != nil {
			return fmt.Errorf("back up %s: %w", f.name, err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("finish backup: %w", err)
	}
	return nil
}

// withContext stops writing when its context ends.
type withContext struct {
	ctx context.Context //nolint:containedctx // lives as long as the call that made it
	w   io.Writer
}

func (c *withContext) Write(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(b)
}

// Restore makes the store in dir from what Backup wrote. dir must have no store yet.
// On an error what was written so far is removed.
func Restore(ctx context.Context, dir string, r io.Reader) (err error) {
	for _, name := range []string{exactFile, documentsFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return lastnight.Errorf(lastnight.CodeConflict, "restore into an empty data folder, then swap the folders", "there is a store in %s already", dir)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make store folder: %w", err)
	}
	var made []string
	defer func() {
		for _, path := range made {
			if err != nil {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	in := tar.NewReader(r)
	for _, name := range []string{exactFile, documentsFile} {
		h, err := in.Next()
		if err == nil && h.Name != name {
			err = fmt.Errorf("%.80q where %s should be", h.Name, name)
		}
		if err != nil {
			return lastnight.Errorf(lastnight.CodeInvalid, "give the file that lastnight backup wrote", "this is no whole backup of a store: %w", err)
		}
		path := filepath.Join(dir, name)
		made = append(made, path)
		if err := restoreFile(ctx, path, in); err != nil {
			return fmt.Errorf("restore %s: %w", path, err)
		}
	}
	return syncDir(dir)
}

func restoreFile(ctx context.Context, path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(&withContext{ctx: ctx, w: f}, r)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
