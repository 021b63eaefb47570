package tail

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// Descriptors.
const (
	spareFiles = 256    // of the process's limit, for everything else
	mostFiles  = 16_384 // held open in any case
)

// defaultOpen is how many files may be held open.
func defaultOpen() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur > mostFiles+spareFiles {
		return mostFiles
	}
	return max(int(r.Cur)-spareFiles, 16)
}

var errNotDir = syscall.ENOTDIR

// openFile opens a log file, never waiting: a pipe could have taken its place.
func (t *Tailer) openFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		t.park(spareFiles / 4)
		f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return f, nil
}

// fileSize asks an open file for its size.
func fileSize(f *os.File) (int64, error) {
	var s syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &s); err != nil {
		return 0, fmt.Errorf("stat: %w", err)
	}
	return s.Size, nil
}

// park closes n files that were read to their end and have a name, those that have been quiet the longest first.
func (t *Tailer) park(n int) {
	var idle []*follow
	for _, c := range t.containers {
		for _, f := range c.files {
			if f.file != nil && !f.gone && !f.dirty && f.packed == nil && f.at >= f.size && f.size > 0 {
				idle = append(idle, f)
			}
		}
	}
	slices.SortFunc(idle, func(a, b *follow) int { return a.grown.Compare(b.grown) })
	for _, f := range idle[:min(n, len(idle))] {
		if info, err := f.file.Stat(); err == nil {
			f.modified = info.ModTime()
		}
		f.close()
	}
	if len(idle) < n && time.Since(t.warned) > warnEvery {
		t.warned = time.Now()
		t.log.Warn("too many files are open and not read yet", "hint", "raise the limit of open files (ulimit -n)")
	}
}

// reopen opens a parked file; false if it is not there any more, or another has taken its name.
func (t *Tailer) reopen(c *container, f *follow) bool {
	file, err := t.openFile(f.path)
	if err == nil {
		var info os.FileInfo
		if info, err = file.Stat(); err == nil && idOf(info) == f.id {
			f.file = file
			return true
		}
		_ = file.Close()
	}
	// Its end was read when it was parked; if it has another name now, the next listing finds it.
	f.caught = f.size
	t.listContainer(c, time.Now())
	return false
}
