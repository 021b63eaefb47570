package tail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"lastnight/collector"
)

// inotifyMask has no IN_MODIFY: see the package's comment.
const inotifyMask = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// inotify tells which directories changed.
type inotify struct {
	file *os.File
	fd   int
	out  chan change
	done chan struct{}
	wg   sync.WaitGroup

	mu   sync.Mutex
	dirs map[int32]string // guarded by mu
	wds  map[string]int32 // guarded by mu
}

func newNotifier() (notifier, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	n := &inotify{
		file: os.NewFile(uintptr(fd), "inotify"), fd: fd, out: make(chan change), done: make(chan struct{}),
		dirs: map[int32]string{}, wds: map[string]int32{},
	}
	n.wg.Go(n.read)
	return n, nil
}

// Add asks for the changes of a directory.
func (n *inotify) Add(dir string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	wd, err := unix.InotifyAddWatch(n.fd, dir, inotifyMask)
	if err != nil {
		return fmt.Errorf("inotify %s: %w", dir, err)
	}
	n.dirs[int32(wd)], n.wds[dir] = dir, int32(wd)
	return nil
}

// Remove asks for them no longer.
func (n *inotify) Remove(dir string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	wd, ok := n.wds[dir]
	if !ok {
		return
	}
	delete(n.wds, dir)
	if n.dirs[wd] == dir {
		delete(n.dirs, wd)
		_, _ = unix.InotifyRmWatch(n.fd, uint32(wd))
	}
}

// Changes gives the directories that changed.
func (n *inotify) Changes() <-chan change { return n.out }

// Close ends it.
func (n *inotify) Close() error {
	close(n.done)
	err := n.file.Close()
	n.wg.Wait()
	return err
}

// read turns what the kernel says into changes until the file is closed. Changes that nobody has
// taken yet are gathered, so the kernel's queue is emptied whatever the reader does.
func (n *inotify) read() {
	raw := make(chan change)
	n.wg.Go(func() { gather(raw, n.out, n.done) })
	defer close(raw)
	buf := make([]byte, 64<<10)
	for {
		k, err := n.file.Read(buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		c := n.parse(buf[:k])
		select {
		case raw <- c:
		case <-n.done:
			closeOpened(c.opened)
			return
		}
	}
}

// parse reads the kernel's records. A file that comes is opened at once, however busy the tailer is: it may live for a moment.
func (n *inotify) parse(b []byte) change {
	c := change{dirs: map[string]bool{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(b) >= unix.SizeofInotifyEvent {
		wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
		end := min(len(b), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:])))
		base := strings.TrimRight(string(b[unix.SizeofInotifyEvent:end]), "\x00")
		b = b[end:]
		dir, known := n.dirs[wd]
		switch {
		case mask&unix.IN_Q_OVERFLOW != 0:
			c.all = true
		case mask&unix.IN_IGNORED != 0:
			delete(n.dirs, wd)
			if n.wds[dir] == wd {
				delete(n.wds, dir)
			}
			c.gone = append(c.gone, dir)
		case known:
			c.dirs[dir] = true
			if _, _, isLog := collector.ParseLogName(base); isLog && mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0 && mask&unix.IN_ISDIR == 0 {
				c.opened = append(c.opened, openNow(dir, base)...)
			}
		}
	}
	return c
}

func openNow(dir, base string) []opened {
	f, err := os.OpenFile(filepath.Join(dir, base), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil // the listing tells why, if it is there still
	}
	return []opened{{dir, base, f}}
}
