package blevestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	index "github.com/blevesearch/bleve_index_api"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"lastnight"
)

// format is the version of the files, and the only one that is read.
const format = 3

// allocBytes is by how much the files grow.
const allocBytes = 512 << 10

const (
	exactFile     = "exact.db"
	documentsFile = "documents.db"
	indexFolder   = "index"
	pidFile       = "pid"
)

var metaBucket, formatKey = []byte("meta"), []byte("format")

// Config says where a store lives.
type Config struct {
	Dir    string // its folder; made if it is missing
	Logger *slog.Logger

	// ScanBelow is how many documents a day has before it gets an index; 0 is 100,000.
	// MaxOpen is how many indexes are open at a time; 0 is 8.
	ScanBelow, MaxOpen int
	// LockWait is how long to wait for another process; 0 is a second.
	LockWait time.Duration
}

// Store is an open store. All methods may be called at once.
type Store struct {
	cfg       Config
	exact     *mapped
	documents *mapped
	analysis  *index.AnalysisQueue
	codec     *codec

	scanDocuments, maxPending, maxFresh, partTxBytes int // the constants of these names; others in tests

	writing sync.Mutex // held while documents are committed and noted in their day
	opened  sync.Pool  // of *packMemory

	mu   sync.Mutex
	days map[string]*day // by name; guarded by mu
	open []*day          // with an open index, least recently used first; guarded by mu
}

// Open opens the store in cfg.Dir, or makes one. Only one process may have it open.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, indexFolder), 0o700); err != nil {
		return nil, fmt.Errorf("make store folder: %w", err)
	}
	c, err := newCodec()
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, codec: c, days: map[string]*day{}, scanDocuments: scanDocuments, maxPending: maxPending, maxFresh: maxFresh, partTxBytes: partTxBytes}
	if s.exact, err = openMapped(cfg, exactFile); err != nil {
		return nil, err
	}
	if s.documents, err = openMapped(cfg, documentsFile); err != nil {
		return nil, errors.Join(err, s.exact.Close())
	}
	s.analysis = index.NewAnalysisQueue(2)
	pid := strconv.Itoa(os.Getpid())
	if err := os.WriteFile(filepath.Join(cfg.Dir, pidFile), []byte(pid+"\n"), 0o600); err != nil {
		cfg.Logger.Warn("others will not be told who has the store open", "err", err) // a full disk must not keep people from reading
	}
	if err := s.loadDays(); err != nil {
		return nil, errors.Join(err, s.Close()) //nolint:contextcheck // see Close
	}
	return s, nil
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.ScanBelow == 0 {
		c.ScanBelow = 100_000
	}
	if c.MaxOpen <= 0 {
		c.MaxOpen = 8
	}
	if c.LockWait <= 0 {
		c.LockWait = time.Second
	}
	return c
}

// Close writes what the indexes lack, packs and closes everything. Nothing is lost without
// it: documents are durable already. So packing that fails, on a full disk, is only logged. A file of which
// much is free is written anew.
func (s *Store) Close() error {
	err := s.closeIndexes()
	if s.analysis != nil {
		s.analysis.Close()
	}
	if err := errors.Join(s.packAll(), s.documents.shrink()); err != nil {
		s.cfg.Logger.Warn("the documents are not as small as they could be", "err", err)
	}
	removed := os.Remove(filepath.Join(s.cfg.Dir, pidFile))
	if errors.Is(removed, os.ErrNotExist) {
		removed = nil
	}
	err = errors.Join(err, removed, s.documents.Close())
	if err := s.exact.shrink(); err != nil {
		s.cfg.Logger.Warn("what is exact is not as small as it could be", "err", err)
	}
	return errors.Join(err, s.exact.Close())
}

// openBolt opens one of the two files and checks its version. Who had it open before may have written it anew while we waited
// for its lock: then ours is another file, and nobody's, and the new one is opened.
func openBolt(cfg Config, name string) (*bolt.DB, error) {
	path := filepath.Join(cfg.Dir, name)
	for range maxReplaced {
		db, replaced, err := openOnce(cfg, path)
		if err != nil || !replaced {
			return db, err
		}
		if err := db.Close(); err != nil {
			return nil, fmt.Errorf("close %s: %w", path, err)
		}
	}
	return nil, inUse(cfg.Dir)
}

// maxReplaced is how often a file may be written anew by others while it is opened.
const maxReplaced = 8

// openOnce opens a file, and tells whether another one has taken its place.
func openOnce(cfg Config, path string) (db *bolt.DB, replaced bool, err error) {
	var opened os.FileInfo
	open := func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		if err != nil {
			return nil, err
		}
		if opened, err = f.Stat(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	if db, err = openFile(cfg, path, open); err != nil {
		return nil, false, err
	}
	now, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, false, errors.Join(err, db.Close())
	}
	return db, err != nil || !os.SameFile(opened, now), nil
}

func openFile(cfg Config, path string, open func(string, int, os.FileMode) (*os.File, error)) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: cfg.LockWait, FreelistType: bolt.FreelistMapType, OpenFile: open})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, inUse(cfg.Dir)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return nil, lastnight.Errorf(lastnight.CodeInternal, "restore a backup, or move the file away to begin with an empty store", "%s is damaged or no file of lastnight: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.AllocSize = allocBytes
	if err := checkFormat(db, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// checkFormat refuses a file of another version, and notes ours in a new one.
func checkFormat(db *bolt.DB, path string) error {
	known := binary.BigEndian.AppendUint32(nil, format)
	var found []byte
	err := db.View(func(tx *bolt.Tx) error {
		if meta := tx.Bucket(metaBucket); meta != nil {
			found = bytes.Clone(meta.Get(formatKey))
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("read format of %s: %w", path, err)
	case bytes.Equal(found, known):
		return nil
	case found != nil:
		return newerFormat(path, found)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		return meta.Put(formatKey, known)
	})
	if err != nil {
		return fmt.Errorf("write format of %s: %w", path, err)
	}
	return nil
}

func newerFormat(path string, found []byte) error {
	version := "unknown"
	if len(found) == 4 {
		version = strconv.FormatUint(uint64(binary.BigEndian.Uint32(found)), 10)
	}
	return lastnight.Errorf(lastnight.CodeInvalid, "use the lastnight that wrote it or a newer one, or another --data",
		"%s has store format %s, this lastnight knows format %d", path, version, format)
}

func inUse(dir string) error {
	who := "another process"
	if b, err := os.ReadFile(filepath.Join(dir, pidFile)); err == nil && len(b) < 32 {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			who = fmt.Sprintf("process %d", pid)
		}
	}
	return lastnight.Errorf(lastnight.CodeConflict, "ask that server with --server, stop it, or use another --data", "the store in %s is in use by %s", dir, who)
}
