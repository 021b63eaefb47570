package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"lastnight/collector"
)

// readNext reads the next block of a container's oldest file that has something to read; more is true if there is
// more to read in the container.
func (t *Tailer) readNext(ctx context.Context, c *container) (more bool) {
	now := time.Now()
	for i := 0; i < len(c.files); i++ {
		f := c.files[i]
		if !t.ready(f, now) || t.skip(f) {
			continue
		}
		limit, ok := t.allowed(c, f, now)
		if !ok {
			return false // it waits for its turn after the next poll
		}
		before := t.batch.bytes
		if isCompressed(f.path) {
			t.readPacked(ctx, c, f)
		} else {
			t.readPlain(c, f, now, limit)
		}
		c.pod.limit.take(t.batch.bytes - before)
		if t.ready(f, now) {
			return true // the one after it waits, so that they arrive in order
		}
		if t.batch.bytes > before {
			return i+1 < len(c.files)
		}
	}
	return false
}

// skip tells whether a file is to be left alone for now.
func (t *Tailer) skip(f *follow) bool { return t.cfg.Skip != nil && t.cfg.Skip(f.atRisk()) }

// readPlain reads a block of a file that is not compressed, at most limit bytes unless a line is longer.
func (t *Tailer) readPlain(c *container, f *follow, now time.Time, limit int64) {
	f.dirty = false
	if f.file == nil && !t.reopen(c, f) {
		return
	}
	size, err := fileSize(f.file)
	if err != nil {
		t.damagedFile(f, err)
		f.caught = f.size
		return
	}
	if size != f.size {
		f.size, f.grown = size, now
	}
	if !t.begin(c, f) {
		f.caught = f.size
		return
	}
	f.most = max(f.most, size)
	if f.at >= f.size {
		f.caught = f.size
		return
	}
	ending := t.ending(c, f, now)
	for n := min(limit, blockBytes); ; n *= 2 {
		if t.readBlock(c, f, ending, n) {
			return
		}
	}
}

// readBlock reads n bytes; false: they hold nothing complete, and there are more.
func (t *Tailer) readBlock(c *container, f *follow, ending collector.Ending, n int64) bool {
	n = min(n, f.size-f.at)
	b := t.blocks.get(int(n))
	b.Base = f.at
	k, err := f.file.ReadAt(b.Raw[:n], f.at)
	b.Raw = b.Raw[:k]
	if err != nil && !errors.Is(err, io.EOF) {
		t.damagedFile(f, err)
		f.caught = f.size
		return true
	}
	if !f.same() {
		t.blocks.put([]*collector.Block{b})
		f.dirty = true // truncated while it was read: what was read may be of either
		return true
	}
	last := f.at+int64(k) >= f.size || k < int(n)
	how := ending
	if !last {
		how = collector.More
	}
	t.parser.Reset(f.state)
	all := t.parser.Parse(b, how)
	if b.To == b.Base && !last && len(b.Records) == 0 {
		t.blocks.put([]*collector.Block{b})
		return false // a long line: read more at once
	}
	for _, d := range b.Damages(f.path) {
		t.lineDamage(d)
	}
	f.state = t.parser.State()
	if last && all {
		f.caught = f.size
		switch how {
		case collector.End:
			f.ended = f.size
		case collector.Quiet:
			f.closed = f.size
		case collector.More:
		}
	}
	f.at = b.To
	t.add(c, f, b)
	return true
}

// add puts a block into the batch.
func (t *Tailer) add(c *container, f *follow, b *collector.Block) {
	if len(b.Records) == 0 {
		t.blocks.put([]*collector.Block{b})
		return
	}
	span := b.Span(f.stream, f.gen)
	t.batch.spans = append(t.batch.spans, span)
	t.batch.blocks = append(t.batch.blocks, b)
	t.batch.bytes += span.RawBytes
	t.batch.lines += b.Lines
	t.batch.redacted += b.Redacted
	f.batch = t.number
	k := generation{f.stream.Restart, f.gen}
	c.reached[k] = reached{max(c.reached[k].offset, b.To), time.Now()}
}

// ending tells how the present end of a file is to be taken.
func (t *Tailer) ending(c *container, f *follow, now time.Time) collector.Ending {
	quiet := now.Sub(f.grown)
	switch {
	case f.gone && quiet >= t.cfg.Quiet, quiet >= t.cfg.Abandon && f.ended != f.size:
		return collector.End
	case quiet >= t.cfg.Quiet, c.goesOn(f):
		return collector.Quiet
	}
	return collector.More
}

// goesOn tells whether the container writes into a newer file already: then this one's last record is complete.
func (c *container) goesOn(f *follow) bool {
	for i := len(c.files) - 1; i >= 0 && c.files[i] != f; i-- {
		if g := c.files[i]; g.size > 0 && g.name != f.name {
			return true
		}
	}
	return false
}

// begin finds the generation of a file, and notices when it is another one than before; false if there is
// nothing to read yet.
func (t *Tailer) begin(c *container, f *follow) bool {
	mark, err := readMark(f.file)
	if err != nil {
		t.damagedFile(f, err)
		return false
	}
	if f.size < f.most || !bytes.HasPrefix(mark, f.mark) {
		// Truncated, or truncated and written again: what is there now is another generation.
		if f.named {
			t.miss(c, f, f.most, "the file was truncated before it was read to its end")
		}
		f.named, f.at, f.state, f.most, f.caught, f.closed, f.ended = false, 0, collector.State{}, f.size, -1, -1, -1
	}
	f.mark = mark
	if f.named {
		f.at = max(f.at, c.reached[generation{f.stream.Restart, f.gen}].offset) // its copy may have been read further
		return true
	}
	if len(mark) == 0 {
		return false
	}
	line, whole, err := firstLine(f.file)
	if err != nil || !whole && !f.gone {
		return false
	}
	f.gen, f.named = collector.GenerationOf(line), true
	f.at = t.position(c, f.stream, f.gen)
	return true
}

// readMark reads a file's first bytes.
func readMark(file *os.File) ([]byte, error) {
	mark := make([]byte, markBytes)
	n, err := file.ReadAt(mark, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the beginning: %w", err)
	}
	return mark[:n], nil
}

// same tells whether a file still has the beginning and the size it had before it was read.
func (f *follow) same() bool {
	size, err := fileSize(f.file)
	if err != nil || size < f.size {
		return false
	}
	mark, err := readMark(f.file)
	return err == nil && bytes.HasPrefix(mark, f.mark)
}

// firstLine reads a file's first line; whole is false if it has no newline yet.
func firstLine(f *os.File) (line []byte, whole bool, err error) {
	for n := 4 << 10; ; n *= 4 {
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
