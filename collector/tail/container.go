package tail

import (
	"bytes"
	"cmp"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"lastnight"
	"lastnight/collector"
)

// fileID is a file whatever it is called.
type fileID struct{ dev, inode uint64 }

func idOf(info fs.FileInfo) fileID {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{dev: uint64(s.Dev), inode: s.Ino} //nolint:unconvert // Dev has another type elsewhere
}

// pod is a pod's directory.
type pod struct {
	stream lastnight.Stream // without container and restart
	gone   bool
	limit  bucket
}

// container is a container's directory and its files, oldest first.
type container struct {
	dir      string
	pod      *pod
	stream   lastnight.Stream // without restart
	files    []*follow
	finished map[fileID]finished
	reached  map[generation]reached // what went into batches in this run
	gone     bool
	queued   bool // in one of the queues
}

// generation is a file generation of a container.
type generation struct {
	restart int
	gen     lastnight.Generation
}

type reached struct {
	offset int64
	when   time.Time
}

// finished is a file that was read to its end, will not grow, and was closed: it is told from another file with
// the same inode by these.
type finished struct {
	size     int64
	modified time.Time
}

// name is what a log file's name says.
type name struct {
	restart int
	rotated string // "" if it is the present one
}

// follow is a file that is being read.
type follow struct {
	file   *os.File // nil: closed to save descriptors, opened again when it changes
	packed *packed  // reading of a compressed file
	id     fileID
	path   string // as last seen
	name   name
	stream *lastnight.Stream

	mark     []byte // its first bytes: another beginning is another file
	gen      lastnight.Generation
	named    bool            // gen is known: its first line is whole
	at       int64           // read and in a batch
	state    collector.State // of parsing, at at
	size     int64           // when it was last looked at
	most     int64           // the largest size seen
	modified time.Time
	grown    time.Time
	waits    time.Time // since when there is something to read
	dirty    bool      // it has not been read since it changed
	gone     bool      // has no name any more: close it at its end
	left     time.Time // when it was found to be gone
	caught   int64     // size up to which it was read, but for what is held back; -1: not yet
	closed   int64     // size at which it was read with all records closed
	ended    int64     // size at which its unfinished lines came out as partial
	limited  bool      // waits for the rate limit
	batch    int64     // number of the last batch that has something of it
}

// markBytes of a file's beginning tell it from another: a CRI line's time alone is 30.
const markBytes = 96

func isCompressed(path string) bool {
	return strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".zst")
}

// atRisk tells a file that rotation has begun to take away.
func (f *follow) atRisk() bool { return f.gone || f.name.rotated != "" }

// unread gives the bytes that are there and were not read; of a compressed file its size.
func (f *follow) unread() int64 {
	if isCompressed(f.path) || f.ended == f.size {
		if isCompressed(f.path) && f.ended != f.size {
			return f.size
		}
		return 0
	}
	return max(0, f.size-f.at)
}

func (c *container) file(id fileID) *follow {
	for _, f := range c.files {
		if f.id == id {
			return f
		}
	}
	return nil
}

// drop stops following a file.
func (c *container) drop(f *follow) {
	f.close()
	c.files = slices.DeleteFunc(c.files, func(x *follow) bool { return x == f })
}

func (f *follow) close() {
	f.packed.close()
	f.packed = nil
	if f.file != nil {
		_ = f.file.Close()
		f.file = nil
	}
}

// forget drops what was reached in generations that no file has any more.
func (c *container) forget(now time.Time) {
	const linger = time.Minute // a compressed copy may be about to appear
	for k, r := range c.reached {
		if now.Sub(r.when) < linger {
			continue
		}
		if !slices.ContainsFunc(c.files, func(f *follow) bool { return !f.named || f.gen == k.gen && f.stream.Restart == k.restart }) {
			delete(c.reached, k)
		}
	}
}

// position tells where to read on in a generation.
func (t *Tailer) position(c *container, s *lastnight.Stream, gen lastnight.Generation) int64 {
	at := c.reached[generation{s.Restart, gen}].offset
	if t.cfg.Positions != nil {
		at = max(at, t.cfg.Positions.Position(*s, gen))
	}
	return at
}

// compareFiles puts the oldest first: by restart, then time of rotation, the present one last; a plain file before
// its compressed copy.
func compareFiles(a, b *follow) int {
	if d := cmp.Compare(a.name.restart, b.name.restart); d != 0 {
		return d
	}
	if (a.name.rotated == "") != (b.name.rotated == "") {
		return cmp.Compare(len(b.name.rotated), len(a.name.rotated))
	}
	return cmp.Or(cmp.Compare(a.name.rotated, b.name.rotated), cmp.Compare(len(a.path), len(b.path)), cmp.Compare(a.path, b.path))
}

// poll asks all files for their size and queues the containers that have something to read.
func (t *Tailer) poll(now time.Time) {
	t.followLinks()
	t.releaseHeld()
	var sum sums
	for _, c := range t.containers {
		var unread int64
		ready := false
		for i := 0; i < len(c.files); i++ {
			f := c.files[i]
			t.size(f, now)
			if t.ended(c, f, now) {
				i--
				continue
			}
			unread += sum.add(f, now)
			ready = ready || t.ready(f, now)
		}
		if ready && !c.queued {
			t.queue(c, unread)
		}
	}
	if sum.open > t.cfg.MaxOpen {
		t.park(sum.open - t.cfg.MaxOpen)
	}
	t.settleMissing(now)
	t.tellSums(&sum, now)
	t.warn(now, sum.risk, sum.held)
}

// sums is what all files come to.
type sums struct {
	files, open        int
	behind, risk, held int64
	longest            time.Time // since when the one that waits the longest has had something to read
}

// add counts a file and gives what there is to read.
func (s *sums) add(f *follow, now time.Time) int64 {
	n := f.unread()
	s.files++
	s.behind += n
	if f.file != nil {
		s.open++
	}
	if f.atRisk() {
		s.risk += n
	}
	if f.gone {
		s.held += f.size
	}
	switch {
	case n == 0 || f.caught == f.size:
		f.waits = time.Time{}
	case f.waits.IsZero():
		f.waits = now
	case s.longest.IsZero() || f.waits.Before(s.longest):
		s.longest = f.waits
	}
	return n
}

func (t *Tailer) tellSums(s *sums, now time.Time) {
	unwatched := len(t.finder.failed)
	if t.finder.notify == nil {
		unwatched = len(t.containers) + len(t.pods) + 1
	}
	var lag time.Duration
	if !s.longest.IsZero() {
		lag = now.Sub(s.longest)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	st := &t.stats
	st.Files, st.Open, st.Unwatched = s.files, s.open, unwatched
	st.Behind, st.AtRisk, st.Held, st.Lag = s.behind, s.risk, s.held, lag
}

// queue puts a container where its turn comes.
func (t *Tailer) queue(c *container, unread int64) {
	c.queued = true
	if unread <= quickBytes {
		t.quick = append(t.quick, c)
	} else {
		t.bulk = append(t.bulk, c)
	}
}

// size notes how large a file is.
func (t *Tailer) size(f *follow, now time.Time) {
	var size int64
	var err error
	if f.file != nil {
		size, err = fileSize(f.file)
	} else {
		var info fs.FileInfo
		if info, err = os.Stat(f.path); err == nil {
			size = info.Size()
			if idOf(info) != f.id || !info.ModTime().Equal(f.modified) {
				f.dirty = true
			}
		}
	}
	if err != nil {
		return // of a closed file: a scan finds out where it is
	}
	if size == f.size {
		return
	}
	f.size, f.grown, f.dirty = size, now, true
	if size > f.most && f.file != nil {
		// What was truncated and has grown again has another beginning, and its size says nothing of what was there.
		if mark, err := readMark(f.file); err == nil && bytes.HasPrefix(mark, f.mark) {
			f.most = size
		}
	}
}

// ready tells whether there is something to read in a file now.
func (t *Tailer) ready(f *follow, now time.Time) bool {
	if isCompressed(f.path) {
		return f.ended != f.size
	}
	switch quiet := now.Sub(f.grown); {
	case f.dirty || f.caught != f.size:
		return true
	case f.at >= f.size || f.ended == f.size || !f.named && !f.gone:
		return false
	case quiet >= t.cfg.Abandon, f.gone && quiet >= t.cfg.Quiet:
		return true
	default:
		return quiet >= t.cfg.Quiet && f.closed != f.size
	}
}

// ended drops a file that is read to its end and will not grow; true if it did.
func (t *Tailer) ended(c *container, f *follow, now time.Time) bool {
	if f.dirty || isCompressed(f.path) && f.ended != f.size {
		return false
	}
	read := f.at >= f.size || f.ended == f.size || f.gone && !f.named && f.caught == f.size
	switch {
	case !read:
		return false
	case f.gone && (now.Sub(f.left) < t.cfg.Quiet || f.batch > t.taken):
		return false // who writes it may not have ended yet, or what it had is not safe yet
	case f.gone:
		c.drop(f)
		return true
	case isCompressed(f.path), f.name.rotated != "" && now.Sub(f.grown) >= t.cfg.Abandon:
		if f.file != nil {
			if info, err := f.file.Stat(); err == nil && info.Size() == f.size {
				f.modified = info.ModTime()
			}
		}
		c.finished[f.id] = finished{f.size, f.modified}
		c.drop(f)
		return true
	}
	return false
}

// damagedFile tells of a file that cannot be read.
func (t *Tailer) damagedFile(f *follow, err error) {
	t.damage(collector.Damage{File: f.path, Offset: f.at, Reason: "cannot be read: " + err.Error(), Count: 1})
}
