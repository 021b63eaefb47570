package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"lastnight"
)

// dataFormat is the version of the data directory's layout:
//
//	lastnight.json   this version
//	lock             held by the process that uses it; tells its pid and address
//	archive/         segments and chunks
//	store/           bleve index and bbolt file
//	audit/           who did what
const dataFormat = 1

type dataMark struct {
	Format int    `json:"format"`
	By     string `json:"by"`
}

// holder tells who uses a data directory.
type holder struct {
	PID    int    `json:"pid"`
	Listen string `json:"listen,omitempty"` // address of its server, if it is one
}

// dataDir is a data directory that this process holds.
type dataDir struct {
	path string
	lock *os.File
}

// defaultDataDir is $XDG_DATA_HOME/lastnight, as root /var/lib/lastnight.
func defaultDataDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/lastnight", nil
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "lastnight"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", lastnight.Errorf(lastnight.CodeInvalid, "--data DIR", "no data directory: %w", err)
	}
	return filepath.Join(home, ".local", "share", "lastnight"), nil
}

// openDataDir takes a data directory for this process alone; create makes it if it is not there.
func openDataDir(path string, create bool, listen string) (*dataDir, error) {
	if create {
		if err := os.MkdirAll(path, 0o750); err != nil {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--data DIR names a directory that you may write", "make data directory: %w", err)
		}
	}
	fresh, err := checkDataMark(path, create)
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o640) //nolint:gosec // the user names the directory
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--data DIR names a directory that you may write", "lock data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		h := readHolder(path)
		_ = lock.Close()
		return nil, inUse(path, h)
	}
	d := &dataDir{path: path, lock: lock}
	if err := d.tell(holder{PID: os.Getpid(), Listen: listen}); err != nil {
		_ = d.Close()
		return nil, err
	}
	if fresh {
		if err := writeDataMark(path); err != nil {
			_ = d.Close()
			return nil, err
		}
	}
	return d, nil
}

// checkDataMark refuses what is no data directory or one of another version.
func checkDataMark(path string, create bool) (fresh bool, err error) {
	b, err := os.ReadFile(filepath.Join(path, "lastnight.json"))
	if errors.Is(err, fs.ErrNotExist) {
		entries, dirErr := os.ReadDir(path)
		switch {
		case errors.Is(dirErr, fs.ErrNotExist):
			return false, lastnight.Errorf(lastnight.CodeNotFound, "lastnight import DIR, lastnight run, or --server URL", "there is no data directory %s", path)
		case dirErr != nil:
			return false, lastnight.Errorf(lastnight.CodeInvalid, "--data DIR names a directory that you may read", "read data directory: %w", dirErr)
		case foreign(entries):
			return false, lastnight.Errorf(lastnight.CodeInvalid, "--data DIR names an empty directory or one of lastnight", "%s holds other files and no lastnight.json", path)
		case !create:
			return false, lastnight.Errorf(lastnight.CodeNotFound, "lastnight import DIR, or --data DIR names another", "the data directory %s is empty", path)
		}
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read data directory: %w", err)
	}
	var m dataMark
	if err := json.Unmarshal(b, &m); err != nil {
		return false, lastnight.Errorf(lastnight.CodeInternal, "restore it from a backup, or write {\"format\":1} into it", "%s/lastnight.json is damaged: %w", path, err)
	}
	if m.Format != dataFormat {
		return false, lastnight.Errorf(lastnight.CodeInvalid, "use the version of lastnight that wrote it ("+m.By+"), or another --data DIR",
			"data directory %s has format %d, this lastnight knows format %d", path, m.Format, dataFormat)
	}
	return false, nil
}

// foreign tells whether a directory without our mark holds something that is not ours.
func foreign(entries []os.DirEntry) bool {
	for _, e := range entries {
		switch e.Name() {
		case "lock", "archive", "store", "audit", "lost+found":
		default:
			return true
		}
	}
	return false
}

func writeDataMark(path string) error {
	b, err := json.Marshal(dataMark{Format: dataFormat, By: "lastnight " + version})
	if err != nil {
		return fmt.Errorf("mark data directory: %w", err)
	}
	tmp := filepath.Join(path, "lastnight.json.tmp")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o640); err != nil { //nolint:gosec // readable by the group on purpose
		return fmt.Errorf("mark data directory: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(path, "lastnight.json")); err != nil {
		return fmt.Errorf("mark data directory: %w", err)
	}
	return nil
}

// tell writes who holds the directory, for those who find it locked.
func (d *dataDir) tell(h holder) error {
	b, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("mark lock: %w", err)
	}
	if err := d.lock.Truncate(0); err != nil {
		return fmt.Errorf("mark lock: %w", err)
	}
	if _, err := d.lock.WriteAt(append(b, '\n'), 0); err != nil {
		return fmt.Errorf("mark lock: %w", err)
	}
	return nil
}

// readHolder tells who holds the directory; zero if that cannot be read.
func readHolder(path string) holder {
	var h holder
	b, err := os.ReadFile(filepath.Join(path, "lock"))
	if err == nil {
		_ = json.Unmarshal(b, &h)
	}
	return h
}

// heldBy tells which server holds the directory now; false if none does.
func heldBy(path string) (holder, bool) {
	lock, err := os.Open(filepath.Join(path, "lock"))
	if err != nil {
		return holder{}, false
	}
	defer func() { _ = lock.Close() }()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return holder{}, false
	}
	return readHolder(path), true
}

func inUse(path string, h holder) error {
	hint := "wait for it, stop it, or name another --data DIR"
	if h.Listen != "" {
		hint = "ask it: --server " + h.Listen
	}
	return lastnight.Errorf(lastnight.CodeConflict, hint, "data directory %s is in use by process %d", path, h.PID)
}

// Close lets go of the directory.
func (d *dataDir) Close() error {
	if err := d.lock.Close(); err != nil {
		return fmt.Errorf("unlock data directory: %w", err)
	}
	return nil
}
