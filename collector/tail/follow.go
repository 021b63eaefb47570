package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"lastnight"
	"lastnight/collector"
)

// fileID is a file whatever it is called.
type fileID struct{ dev, inode uint64 }

// follow is a file that is being read.
type follow struct {
	file   *os.File
	path   string // as last seen
	stream *lastnight.Stream
	id     lastnight.StreamID
	mark   []byte // its first bytes: another beginning is another file
	gen    lastnight.Generation
	named  bool  // gen is known: its first line is whole
	at     int64 // read and handed on, or in the batch
	last   int64 // time of the line before at
	size   int64 // when it was last looked at
	grown  time.Time
	dirty  bool
	gone   bool      // has no name any more: close it at its end
	left   time.Time // when it was found to be gone
	most   int64     // the largest size seen
	ended  int64     // size at which its unfinished lines came out as partial
	closed int64     // size at which it was read with all records closed
}

// markBytes of a file's beginning tell it from another: a CRI line's time alone is 30.
const markBytes = 96

// scan lists the directory, opens new files and marks those that are gone.
func (t *Tailer) scan() {
	t.watch(t.cfg.Dir)
	files, err := collector.ListPods(t.cfg.Dir, t.cfg.Node, t.damage)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.log.Warn("pods directory cannot be listed", "err", err)
		return
	}
	seen := map[fileID]bool{}
	for i := range files {
		if id, ok := t.found(&files[i]); ok {
			seen[id] = true
		}
	}
	t.byPath = make(map[string]*follow, len(t.files))
	for id, f := range t.files {
		t.byPath[f.path] = f
		f.dirty = true // a scan looks at every file: notifications may have been lost
		if f.gone = !seen[id]; f.gone && f.left.IsZero() {
			f.left = time.Now()
		}
	}
	t.letGo()
	for id := range t.read {
		if !seen[id] {
			delete(t.read, id)
		}
	}
	t.forgetStreams(files)
	t.mu.Lock()
	t.stats.Files = len(t.files)
	t.mu.Unlock()
}

// forgetStreams drops what was reached in streams that have no file any more.
func (t *Tailer) forgetStreams(files []collector.File) {
	live := map[lastnight.StreamID]bool{}
	for i := range files {
		live[files[i].Stream.ID()] = true
	}
	for _, f := range t.files {
		live[f.id] = true
	}
	for id := range t.reached {
		if !live[id] {
			delete(t.reached, id)
		}
	}
}

// found takes a listed file: a new one is opened, a known one may have another name.
func (t *Tailer) found(file *collector.File) (fileID, bool) {
	t.watch(filepath.Dir(filepath.Dir(file.Path)))
	t.watch(filepath.Dir(file.Path))
	info, err := os.Stat(file.Path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.damage(collector.Damage{File: file.Path, Reason: "cannot be opened: " + err.Error(), Count: 1})
		}
		return fileID{}, false
	}
	id, ok := idOf(info)
	if !ok || !info.Mode().IsRegular() {
		t.damage(collector.Damage{File: file.Path, Reason: "is not a regular file", Count: 1})
		return fileID{}, false
	}
	if f := t.files[id]; f != nil {
		f.path = file.Path
		return id, true
	}
	if t.read[id] {
		return id, true
	}
	stream := file.Stream
	stream.Cluster = t.cfg.Cluster
	f, err := os.Open(file.Path)
	if err != nil {
		t.damage(collector.Damage{File: file.Path, Reason: "cannot be opened: " + err.Error(), Count: 1})
		return id, true
	}
	t.files[id] = &follow{file: f, path: file.Path, stream: &stream, id: stream.ID(), grown: time.Now(), ended: -1, closed: -1}
	return id, true
}

func idOf(info fs.FileInfo) (fileID, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, false
	}
	return fileID{dev: uint64(s.Dev), inode: s.Ino}, true //nolint:unconvert // Dev has another type elsewhere
}

// watch asks for notifications of a directory.
func (t *Tailer) watch(dir string) {
	if t.watcher == nil || t.watched[dir] {
		return
	}
	if err := t.watcher.Add(dir); err == nil {
		t.watched[dir] = true
	}
}

// look reads what is new in the files that may have changed, oldest rotation first, and hands it on.
func (t *Tailer) look(ctx context.Context) error {
	ids := make([]fileID, 0, len(t.files))
	for id := range t.files {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b fileID) int { return comparePaths(t.files[a].path, t.files[b].path) })
	for _, id := range ids {
		f := t.files[id]
		if t.skip(f) {
			continue
		}
		if isCompressed(f.path) {
			if err := t.readCompressed(ctx, id, f); err != nil {
				return err
			}
			continue
		}
		done, err := t.readOn(ctx, f)
		if err != nil {
			return err
		}
		if done {
			if err := t.ingest(ctx); err != nil {
				return err
			}
			_ = f.file.Close()
			delete(t.files, id)
		}
	}
	err := t.ingest(ctx)
	t.measure()
	return err
}

// comparePaths puts the rotated files of a container before the present one, and compressed ones last.
func comparePaths(a, b string) int {
	if ca, cb := isCompressed(a), isCompressed(b); ca != cb {
		if ca {
			return 1
		}
		return -1
	}
	if d := strings.Compare(filepath.Dir(a), filepath.Dir(b)); d != 0 {
		return d
	}
	if la, lb := strings.HasSuffix(a, ".log"), strings.HasSuffix(b, ".log"); la != lb {
		if la {
			return 1
		}
		return -1
	}
	return strings.Compare(a, b)
}

func isCompressed(path string) bool {
	return strings.HasSuffix(path, ".gz") || strings.HasSuffix(path, ".zst")
}

// readOn reads what is new in a file; done is true if it is gone and was read to its end.
func (t *Tailer) readOn(ctx context.Context, f *follow) (done bool, err error) {
	now := time.Now()
	if !f.dirty && !f.gone && (f.at >= f.size || now.Sub(f.grown) < t.cfg.Quiet) {
		return false, nil
	}
	f.dirty = false
	info, err := f.file.Stat()
	if err != nil {
		t.damage(collector.Damage{File: f.path, Offset: f.at, Reason: "cannot be read: " + err.Error(), Count: 1})
		return true, nil
	}
	f.sized(info.Size(), now)
	t.begin(f)
	for more := f.named && f.at < f.size; more; {
		if more, err = t.readBlock(ctx, f, t.ending(f, now)); err != nil {
			return false, err
		}
	}
	return f.gone && (f.at >= f.size || f.ended == f.size || !f.named), nil
}

// ending tells how the present end of a file is to be taken.
func (t *Tailer) ending(f *follow, now time.Time) collector.Ending {
	quiet := now.Sub(f.grown)
	switch {
	case f.gone && quiet >= t.cfg.Quiet, quiet >= t.cfg.Abandon && f.ended != f.size:
		return collector.End
	case quiet >= t.cfg.Quiet:
		return collector.Quiet
	}
	return collector.More
}

// begin finds the generation of a file, and notices when it is another one than before.
func (t *Tailer) begin(f *follow) {
	mark := make([]byte, markBytes)
	n, err := f.file.ReadAt(mark, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		t.damage(collector.Damage{File: f.path, Reason: "cannot be read: " + err.Error(), Count: 1})
		return
	}
	mark = mark[:n]
	if f.size < f.at || !bytes.HasPrefix(mark, f.mark) {
		// Truncated, or truncated and written again: what is there now is another generation.
		if f.named && f.most > f.at {
			t.lost(f, f.most, "the file was truncated before it was read to its end")
		}
		f.most = f.size
		f.named, f.at, f.last, f.ended, f.closed = false, 0, 0, -1, -1
	}
	f.mark = mark
	if f.named {
		f.at = max(f.at, t.reached[f.id][f.gen], t.pending[generation{f.id, f.gen}]) // its compressed copy may have been read further
		return
	}
	if n == 0 {
		return
	}
	line, whole, err := firstLine(f.file)
	if err != nil || !whole && !f.gone {
		return
	}
	f.gen, f.named = collector.GenerationOf(line), true
	f.at = t.position(*f.stream, f.gen)
}

// firstLine reads a file's first line; whole is false if it has no newline yet.
func firstLine(f *os.File) (line []byte, whole bool, err error) {
	for n := 64 << 10; ; n *= 2 {
		buf := make([]byte, min(n, collector.MaxRaw))
		k, err := f.ReadAt(buf, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, fmt.Errorf("read first line: %w", err)
		}
		if i := bytes.IndexByte(buf[:k], '\n'); i >= 0 {
			return buf[:i], true, nil
		}
		if k == collector.MaxRaw {
			return buf, true, nil
		}
		if k < len(buf) {
			return buf[:k], false, nil
		}
	}
}

// readBlock reads and parses the next piece of a file into the batch; more is true if another follows.
func (t *Tailer) readBlock(ctx context.Context, f *follow, ending collector.Ending) (more bool, err error) {
	if ending == collector.Quiet && f.closed == f.size || ending == collector.End && f.ended == f.size {
		return false, nil
	}
	for n := int64(readBytes); ; n *= 2 {
		n = min(n, f.size-f.at)
		b := &collector.Block{Raw: make([]byte, n), Base: f.at}
		k, err := f.file.ReadAt(b.Raw, f.at)
		if err != nil && !errors.Is(err, io.EOF) {
			t.damage(collector.Damage{File: f.path, Offset: f.at, Reason: "cannot be read: " + err.Error(), Count: 1})
			return false, nil
		}
		b.Raw = b.Raw[:k]
		last := f.at+int64(k) >= f.size || k < int(n)
		how := ending
		if !last {
			how = collector.More
		}
		t.parser.Reset(f.last)
		all := t.parser.Parse(b, how)
		if b.To == b.Base && !last && len(b.Records) == 0 {
			continue // a long line: read more at once
		}
		for _, d := range b.Damages(f.path) {
			t.lineDamage(d)
		}
		f.last = t.parser.Last()
		if last && all {
			switch how {
			case collector.End:
				f.ended = f.size
			case collector.Quiet:
				f.closed = f.size
			case collector.More:
			}
		}
		return t.add(ctx, f, b, !last || !all)
	}
}

// add puts a block into the batch and hands the batch on when it is large enough.
func (t *Tailer) add(ctx context.Context, f *follow, b *collector.Block, more bool) (bool, error) {
	if len(b.Records) > 0 {
		span := b.Span(f.stream, f.gen)
		t.batch.spans = append(t.batch.spans, span)
		t.batch.bytes += span.RawBytes
		t.batch.lines += b.Lines
		k := generation{f.id, f.gen}
		t.pending[k] = max(t.pending[k], b.To)
	}
	f.at = b.To
	if t.batch.bytes >= batchBytes {
		return more, t.ingest(ctx)
	}
	return more, nil
}

// readCompressed reads a rotated file that was compressed, once, from where it was left.
func (t *Tailer) readCompressed(ctx context.Context, id fileID, f *follow) error {
	_ = f.file.Close()
	delete(t.files, id)
	t.read[id] = true
	r := collector.Reader{
		Damage:   t.damage,
		Position: func(gen lastnight.Generation) int64 { return t.position(*f.stream, gen) },
		Emit: func(gen lastnight.Generation, b *collector.Block) error {
			f.gen = gen
			_, err := t.add(ctx, f, b, false)
			return err
		},
	}
	return r.Read(ctx, f.path)
}

// closeAll lets go of all files.
func (t *Tailer) closeAll() {
	for _, f := range t.files {
		_ = f.file.Close()
	}
}
