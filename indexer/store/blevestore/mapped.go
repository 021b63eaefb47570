package blevestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	// maxMapped is how much of a file transactions may bring into memory before it is let go
	// of: mapped pages count as ours, though the system could take them back.
	maxMapped = 4 << 20
	// lookupBytes is what one look-up at a place of its own may bring: the kernel maps
	// the pages around the one that is read.
	lookupBytes = 64 << 10
	// transactionBytes is what a transaction may bring, besides what it tells of.
	transactionBytes = 4 * lookupBytes
)

// mapped is a bbolt file whose pages are let go of when much of it has been read. Without that a
// process that has been through a large file holds all of it.
type mapped struct {
	cfg     Config
	name    string
	touched atomic.Int64 // bytes that may have come into memory since the file was let go of

	mu sync.RWMutex // held for reading by transactions
	db *bolt.DB     // nil if it was closed to be written anew, and that failed; guarded by mu
}

func openMapped(cfg Config, name string) (*mapped, error) {
	db, err := openBolt(cfg, name)
	if err != nil {
		return nil, err
	}
	return &mapped{cfg: cfg, name: name, db: db}, nil
}

// touch notes that n bytes are read in a transaction.
func (m *mapped) touch(tx *bolt.Tx, n int) {
	if m.touched.Add(int64(n)) > maxMapped {
		m.touched.Store(0)
		letGo(tx)
	}
}

// View runs f in a transaction that reads.
func (m *mapped) View(f func(*bolt.Tx) error) error {
	return m.with(func(db *bolt.DB) error { return db.View(m.touching(f)) })
}

// Update runs f in a transaction that writes.
func (m *mapped) Update(f func(*bolt.Tx) error) error {
	return m.with(func(db *bolt.DB) error { return db.Update(m.touching(f)) })
}

func (m *mapped) touching(f func(*bolt.Tx) error) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		defer m.touch(tx, transactionBytes)
		return f(tx)
	}
}

func (m *mapped) with(f func(*bolt.DB) error) error {
	m.mu.RLock()
	db := m.db
	if db == nil {
		m.mu.RUnlock()
		return fmt.Errorf("%s is closed", m.name)
	}
	defer m.mu.RUnlock()
	return f(db)
}

// letGo tells the system that none of the file is needed just now. Who reads it at the same time, or later, gets what
// the system still has of it. While the transaction is open the file stays mapped where it is.
func letGo(tx *bolt.Tx) {
	if size := tx.Size(); size > maxMapped {
		forgetPages(tx.DB().Info().Data, uintptr(size))
	}
}

const (
	// shrinkFree is how much of the file may be free pages, as a part, before it is written anew; shrinkSmall how much of one
	// that has at most smallBytes.
	shrinkFree, shrinkSmall = 4, 16
	smallBytes              = 64 << 20
	// shrinkBytes bounds a file that is written anew: more would take long.
	shrinkBytes = 1 << 30
	shrinkTx    = 4 << 20
)

// shrink writes the file anew if much of it is free, and closes it then. If it stops anywhere the old file is there. The new one takes
// its place before the old one is let go of: see openBolt for who waits for that.
func (m *mapped) shrink() (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := filepath.Join(m.cfg.Dir, m.name)
	info, err := os.Stat(path)
	if m.db == nil || err != nil || info.Size() > shrinkBytes {
		return err
	}
	if due, err := m.spare(info.Size()); err != nil || !due {
		return err
	}
	temp := path + ".new"
	defer func() { err = errors.Join(err, removeIfThere(temp)) }()
	if err := removeIfThere(temp); err != nil {
		return err
	}
	if err := m.copyTo(temp); err != nil {
		return fmt.Errorf("write %s anew: %w", m.name, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("replace %s: %w", m.name, err)
	}
	err = m.db.Close()
	m.db = nil
	if err != nil {
		return fmt.Errorf("close %s: %w", m.name, err)
	}
	return syncDir(m.cfg.Dir)
}

// spare tells whether so much of the file is free that it is to be written anew. Of small ones half empty pages count, too:
// what comes in no order of its keys leaves many.
func (m *mapped) spare(size int64) (due bool, err error) {
	err = m.db.View(func(tx *bolt.Tx) error {
		defer letGo(tx) // half empty pages are found by reading them all
		stats := m.db.Stats()
		free := size - tx.Size() + int64((stats.FreePageN+stats.PendingPageN)*m.db.Info().PageSize)
		if size > smallBytes {
			due = free >= size/shrinkFree
			return nil
		}
		half := int64(0)
		err := tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			s := b.Stats()
			half += int64(s.LeafAlloc - s.LeafInuse)
			m.touch(tx, s.LeafAlloc+s.BranchAlloc)
			return nil
		})
		due = free >= max(size/shrinkSmall, allocBytes) || free+half >= max(size/shrinkFree, allocBytes)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read size of %s: %w", m.name, err)
	}
	return due, nil
}

// copyTo writes all that the file has into another one, and syncs it.
func (m *mapped) copyTo(path string) (err error) {
	dst, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: m.cfg.LockWait, NoSync: true})
	if err != nil {
		return err
	}
	dst.AllocSize = lookupBytes // the file has no more than what is in it
	defer func() { err = errors.Join(err, dst.Close()) }()
	stop := keepLettingGo(m.db, dst)
	err = bolt.Compact(dst, m.db, shrinkTx)
	stop()
	if err != nil {
		return err
	}
	return dst.Sync()
}

// letGoEvery is how often files that are read as a whole are let go of: a disk's page cache gives a few MB in that time.
const letGoEvery = 2 * time.Millisecond

// keepLettingGo lets go of files again and again until stop is called, which waits for the last time.
func keepLettingGo(dbs ...*bolt.DB) (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(letGoEvery):
			}
			for _, db := range dbs {
				_ = db.View(func(tx *bolt.Tx) error { letGo(tx); return nil })
			}
		}
	})
	return func() {
		close(done)
		wait.Wait()
	}
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Close waits for transactions and closes the file.
func (m *mapped) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.db == nil {
		return nil
	}
	err := m.db.Close()
	m.db = nil
	return err
}
