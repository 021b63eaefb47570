package blevestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

const (
	// maxMapped is how much of documents.db transactions may bring into memory before it
	// is mapped anew: mapped pages count as ours, though the system could take them back.
	maxMapped = 64 << 20
	// lookupBytes is what one look-up at a place of its own may bring: the kernel maps
	// the pages around the one that is read.
	lookupBytes = 64 << 10
)

// mapped is a bbolt file that is closed and opened again, between transactions, when
// much of it has been read. Without that a process that has been through a large file
// holds all of it. exact.db keeps other processes out meanwhile.
type mapped struct {
	cfg     Config
	name    string
	touched atomic.Int64 // bytes that may have come into memory since the file was opened

	mu sync.RWMutex // held for reading by transactions
	db *bolt.DB     // nil if it could not be opened again; guarded by mu
}

func openMapped(cfg Config, name string) (*mapped, error) {
	db, err := openBolt(cfg, name)
	if err != nil {
		return nil, err
	}
	return &mapped{cfg: cfg, name: name, db: db}, nil
}

// touch notes that n bytes are read.
func (m *mapped) touch(n int) { m.touched.Add(int64(n)) }

// View runs f in a transaction that reads.
func (m *mapped) View(f func(*bolt.Tx) error) error {
	return m.with(func(db *bolt.DB) error { return db.View(f) })
}

// Update runs f in a transaction that writes.
func (m *mapped) Update(f func(*bolt.Tx) error) error {
	return m.with(func(db *bolt.DB) error { return db.Update(f) })
}

func (m *mapped) with(f func(*bolt.DB) error) error {
	m.mu.RLock()
	db := m.db
	if db == nil {
		m.mu.RUnlock()
		return fmt.Errorf("%s is closed", m.name)
	}
	err := f(db)
	m.mu.RUnlock()
	if m.touched.Load() > maxMapped {
		err = errors.Join(err, m.remap())
	}
	return err
}

// remap opens the file anew, unless it is small or somebody uses it just now.
func (m *mapped) remap() error {
	if !m.mu.TryLock() {
		return nil
	}
	defer m.mu.Unlock()
	m.touched.Store(0)
	info, err := os.Stat(filepath.Join(m.cfg.Dir, m.name))
	if m.db == nil || err == nil && info.Size() <= maxMapped {
		return nil
	}
	if err := m.db.Close(); err != nil {
		return fmt.Errorf("close %s to open it anew: %w", m.name, err)
	}
	if m.db, err = openBolt(m.cfg, m.name); err != nil {
		m.db = nil
		return fmt.Errorf("open %s anew: %w", m.name, err)
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
