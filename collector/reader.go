package collector

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"lastnight"
	"lastnight/collector/cri"
)

// Reader reads log files into blocks, one file after another. Not for several
// goroutines at once.
type Reader struct {
	// Position tells where to begin in a generation; nil: at 0.
	Position func(lastnight.Generation) int64
	// Emit takes a parsed block, which is its own from then on. An error ends the reading.
	Emit func(lastnight.Generation, *Block) error
	// NewBlock gives a block whose Raw has room for n bytes; nil: a new one each time.
	NewBlock func(n int) *Block
	// Damage reports what could not be read, at most once a file and reason; may be nil.
	Damage func(Damage)
	// Redact masks lines; nil: nothing is masked. Set it before the first Read.
	Redact Redactor

	parser *Parser
	raw    []byte // read and not yet handed on
}

// Read reads one file to its end. Only what Emit and ctx say is an error: what is
// wrong with the file is Damage.
func (r *Reader) Read(ctx context.Context, path string) error {
	f, err := openRegular(path)
	if err != nil {
		r.report(Damage{File: path, Reason: "cannot be opened: " + reason(err), Count: 1})
		return nil
	}
	defer func() { _ = f.Close() }()
	return r.ReadFile(ctx, f, path)
}

// ReadFile is Read of an open file, from its beginning; path is what it is called in findings. It does not close it.
func (r *Reader) ReadFile(ctx context.Context, f *os.File, path string) error {
	if r.parser == nil {
		r.parser = NewParser()
		r.parser.Redact = r.Redact
	}
	r.parser.Reset(State{})
	in, closeIn, err := decompress(f)
	if err != nil {
		r.report(Damage{File: path, Reason: reason(err), Count: 1})
		return nil
	}
	defer closeIn()
	file := &reading{Reader: r, path: path, in: in, found: map[string]*Damage{}}
	if in == io.Reader(f) {
		file.seek = f
	}
	err = file.run(ctx)
	for _, d := range file.found {
		r.report(*d)
	}
	return err
}

func (r *Reader) report(d Damage) {
	if r.Damage != nil {
		r.Damage(d)
	}
}

func (r *Reader) block(n int) *Block {
	if r.NewBlock == nil {
		return &Block{Raw: make([]byte, 0, n)}
	}
	return r.NewBlock(n)
}

// reading is the state of reading one file.
type reading struct {
	*Reader
	path  string
	in    io.Reader
	seek  io.Seeker // nil if the file is compressed
	base  int64     // offset of raw
	eof   bool
	gen   lastnight.Generation
	found map[string]*Damage
}

func (f *reading) run(ctx context.Context) error {
	f.raw = f.raw[:0]
	if !f.firstLine() {
		return nil
	}
	if f.Position != nil {
		f.skipTo(f.Position(f.gen))
	}
	want := blockBytes
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", f.path, err)
		}
		f.fill(want)
		if len(f.raw) == 0 {
			return nil
		}
		b := f.hand()
		ending := More
		if f.eof {
			ending = End
		}
		all := f.parser.Parse(b, ending)
		f.count(b)
		n := int(b.To - f.base)
		f.raw = append(f.raw[:0], b.Raw[n:]...)
		f.base = b.To
		want = blockBytes
		if n == 0 {
			want = max(2*len(f.raw), blockBytes)
		}
		if len(b.Records) > 0 {
			if err := f.Emit(f.gen, b); err != nil {
				return err
			}
		}
		if f.eof && all {
			return nil
		}
	}
}

// hand gives a block of what was read. Of a large file the block takes the memory itself, and the next bytes are read into
// that of a block used before; raw may be overwritten in any case.
func (f *reading) hand() *Block {
	b := f.block(len(f.raw))
	b.Base = f.base
	if cap(f.raw) == blockBytes && cap(b.Raw) == blockBytes {
		b.Raw, f.raw = f.raw, b.Raw
		return b
	}
	b.Raw = append(b.Raw[:0], f.raw...)
	return b
}

// fill reads until raw has n bytes or the file ends.
func (f *reading) fill(n int) {
	for !f.eof && len(f.raw) < n {
		if cap(f.raw) < n {
			f.raw = append(make([]byte, 0, n), f.raw...)
		}
		k, err := f.in.Read(f.raw[len(f.raw):n])
		f.raw = f.raw[:len(f.raw)+k]
		if err != nil {
			f.eof = true
			if !errors.Is(err, io.EOF) {
				f.damage(f.base+int64(len(f.raw)), "the rest cannot be read: "+reason(err), 1)
			}
		}
	}
}

// firstLine reads until the first whole line and makes the generation from it; false if the file is empty.
func (f *reading) firstLine() bool {
	n := -1
	for want := 64 << 10; n < 0; want *= 2 {
		f.fill(want)
		n = bytes.IndexByte(f.raw, '\n')
		if f.eof || len(f.raw) >= MaxRaw {
			break
		}
	}
	if len(f.raw) == 0 {
		return false
	}
	line := f.raw[:min(len(f.raw), MaxRaw)]
	if n >= 0 && n < len(line) {
		line = line[:n]
	}
	f.gen = GenerationOf(line)
	return true
}

// GenerationOf names a file by its first whole line, without the newline.
func GenerationOf(line []byte) lastnight.Generation {
	g := lastnight.Generation{Sum: uint32(xxhash.Sum64(line) & 0xffffffff)}
	if e, ok := cri.Parse(line); ok {
		g.Start = e.Time
	}
	return g
}

// skipTo goes on to an offset.
func (f *reading) skipTo(offset int64) {
	if offset <= 0 {
		return
	}
	if have := int64(len(f.raw)); offset <= have {
		f.raw = f.raw[:copy(f.raw, f.raw[offset:])]
		f.base = offset
		return
	}
	if f.seek != nil {
		if _, err := f.seek.Seek(offset, io.SeekStart); err != nil {
			f.damage(offset, "cannot be read from here: "+reason(err), 1)
			f.eof = true
		}
	} else if _, err := io.CopyN(io.Discard, f.in, offset-int64(len(f.raw))); err != nil {
		f.eof = true
		if !errors.Is(err, io.EOF) {
			f.damage(offset, "the rest cannot be read: "+reason(err), 1)
		}
	}
	f.raw, f.base = f.raw[:0], offset
}

// count keeps a block's damages, one finding a reason.
func (f *reading) count(b *Block) {
	for _, d := range b.Damages(f.path) {
		f.damage(d.Offset, d.Reason, d.Count)
	}
}

func (f *reading) damage(offset int64, reason string, n int64) {
	if d := f.found[reason]; d != nil {
		d.Count += n
		return
	}
	f.found[reason] = &Damage{File: f.path, Offset: offset, Reason: reason, Count: n}
}

// FirstLine gives the first whole line of a plain or compressed file, of at most 64 KiB; ok is false if there is
// none or it cannot be read.
func FirstLine(f *os.File) (line []byte, ok bool) {
	in, closeIn, err := decompress(f)
	if err != nil {
		return nil, false
	}
	defer closeIn()
	head := make([]byte, 64<<10)
	n, _ := io.ReadFull(in, head) // what there is may do
	i := bytes.IndexByte(head[:n], '\n')
	if i < 0 {
		return nil, false
	}
	return head[:i], true
}

// openRegular opens a regular file; a named pipe would block for ever.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	return os.Open(path)
}

// decompress finds gzip and zstd by their first bytes, whatever the file is called.
// A plain file is given back as it is, at its beginning.
func decompress(f *os.File) (io.Reader, func(), error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, nil, fmt.Errorf("cannot be read: %w", err)
	}
	var magic [4]byte
	n, err := io.ReadFull(f, magic[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, fmt.Errorf("cannot be read: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, nil, fmt.Errorf("cannot be read: %w", err)
	}
	switch {
	case n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(bufio.NewReaderSize(f, 64<<10))
		if err != nil {
			return nil, nil, fmt.Errorf("is no readable gzip file: %w", err)
		}
		return z, func() { _ = z.Close() }, nil
	case n == 4 && magic == [4]byte{0x28, 0xb5, 0x2f, 0xfd}:
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return nil, nil, fmt.Errorf("is no readable zstd file: %w", err)
		}
		return z, z.Close, nil
	}
	return f, func() {}, nil
}

// reason gives an error without the path, which Damage has.
func reason(err error) string {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
