package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A segment and a chunk are the same kind of file with different blocks in it:
//
//	┌───────────┬───────┬───┬─────────┬───────────┬─────────┐
//	│ header 16 │ block │ … │ filters │ directory │ tail 32 │
//	└───────────┴───────┴───┴─────────┴───────────┴─────────┘
//	header: magic 8, version 4, zero 4
//	tail:   offset of the directory 8, its length 4, version 4, its checksum 8, magic 8
//
// Numbers are little endian; checksums are xxhash64. The directory lists offset, length
// and checksum of every block, and where the filters are (see filterTable). It is compressed with zstd. A file is read
// from its end: one range for tail and (mostly) directory, then one or two of filters, one per block.
const (
	magicSegment = "LNsegmnt"
	magicChunk   = "LNchunk\x00"
	// version is that of the files of any kind that are written now, and the only one that is read: none was promised yet.
	version = 5

	headerSize = 16
	tailSize   = 32
	// tailGuess is read of a file at first: most directories fit.
	tailGuess = 64 << 10
	// maxDirectory bounds a directory, compressed and not.
	maxDirectory = 64 << 20
)

// ErrVersion is in the chain of errors about a file of a version that is not known.
// Such a file is whole: a newer lastnight reads it.
var ErrVersion = errors.New("unknown version")

// kind tells a segment (just arrived) from a chunk (compacted).
type kind uint8

const (
	kindSegment kind = 1
	kindChunk   kind = 2
	// kindManifest lists chunks.
	kindManifest kind = 3
)

func (k kind) String() string {
	switch k {
	case kindSegment:
		return "segment"
	case kindManifest:
		return "manifest"
	case kindChunk:
	}
	return "chunk"
}

func (k kind) magic() string {
	switch k {
	case kindSegment:
		return magicSegment
	case kindManifest:
		return magicManifest
	case kindChunk:
	}
	return magicChunk
}

func kindOfMagic(magic []byte) (kind, bool) {
	switch string(magic) {
	case magicSegment:
		return kindSegment, true
	case magicChunk:
		return kindChunk, true
	case magicManifest:
		return kindManifest, true
	}
	return 0, false
}

// part is where a block lies in its file.
type part struct {
	off int64
	n   int64
	sum uint64
}

// fileWriter builds a file in memory.
type fileWriter struct {
	b    []byte
	kind kind
}

func newFileWriter(k kind, buf []byte) *fileWriter {
	b := buf[:0]
	b = append(b, k.magic()...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return &fileWriter{b: b, kind: k}
}

func (w *fileWriter) add(p []byte) part {
	at := len(w.b)
	w.b = append(w.b, p...)
	return w.since(at)
}

// since gives what has been written from at on as a part.
func (w *fileWriter) since(at int) part {
	return part{off: int64(at), n: int64(len(w.b) - at), sum: sum(w.b[at:])}
}

// finish adds directory (or what takes its place) and tail and gives the whole file.
func (w *fileWriter) finish(directory []byte, z *compressor) []byte {
	dir := z.zstd.EncodeAll(directory, nil)
	at := w.add(dir)
	w.b = binary.LittleEndian.AppendUint64(w.b, uint64(at.off))
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(at.n))
	w.b = binary.LittleEndian.AppendUint32(w.b, version)
	w.b = binary.LittleEndian.AppendUint64(w.b, at.sum)
	w.b = append(w.b, w.kind.magic()...)
	return w.b
}

// ranger gives n bytes of a file at off, all of them or an error.
type ranger func(ctx context.Context, off, n int64) ([]byte, error)

// readDirectory reads a file's directory; size is the file's length.
func readDirectory(ctx context.Context, size int64, get ranger) (*directory, error) {
	e, err := readEnd(ctx, size, get)
	if err != nil {
		return nil, err
	}
	if e.kind == kindManifest {
		return nil, corruptf("offset 0: a manifest, not a segment or chunk")
	}
	d, err := decodeDirectory(e.raw, e.off)
	if err != nil {
		return nil, fmt.Errorf("offset %d: directory: %w", e.off, err)
	}
	d.kind = e.kind
	return d, nil
}

// fileEnd is a file's kind and directory, decompressed, and where that lies.
type fileEnd struct {
	kind kind
	raw  []byte
	off  int64
}

// readEnd reads the end of a file of any kind; size is the file's length.
func readEnd(ctx context.Context, size int64, get ranger) (fileEnd, error) {
	if size < headerSize+tailSize {
		return fileEnd{}, corruptf("offset 0: file of %d bytes is cut short", size)
	}
	n := min(size, tailGuess)
	end, err := get(ctx, size-n, n)
	if err != nil {
		return fileEnd{}, err
	}
	k, at, err := parseTail(end[n-tailSize:], size)
	if errors.Is(err, ErrVersion) {
		if damage := checkHeader(ctx, k, binary.LittleEndian.Uint32(end[n-tailSize+12:]), get); errors.Is(damage, errCorrupt) {
			return fileEnd{}, corruptf("offset %d: version: %w", size-tailSize+12, damage) // both have it: one of them has turned
		}
	}
	if err != nil {
		return fileEnd{}, err
	}
	var packed []byte
	if at.off >= size-n {
		packed = end[at.off-(size-n):][:at.n]
	} else if packed, err = get(ctx, at.off, at.n); err != nil {
		return fileEnd{}, err
	}
	if sum(packed) != at.sum {
		return fileEnd{}, corruptf("offset %d: directory: checksum does not match", at.off)
	}
	raw, err := inflate(packed, maxDirectory)
	if err != nil {
		return fileEnd{}, corruptf("offset %d: directory: %w", at.off, err)
	}
	return fileEnd{k, raw, at.off}, nil
}

// checkHeader holds a file's first bytes, which readers have no need of, against what its tail says.
func checkHeader(ctx context.Context, k kind, v uint32, get ranger) error {
	h, err := get(ctx, 0, headerSize)
	switch {
	case err != nil:
		return err
	case string(h[:8]) != k.magic():
		return corruptf("offset 0: not the header of a %s", k)
	case binary.LittleEndian.Uint32(h[8:]) != v || binary.LittleEndian.Uint32(h[12:]) != 0:
		return corruptf("offset 8: the header of a %s has version %d, its tail %d", k, binary.LittleEndian.Uint32(h[8:]), v)
	}
	return nil
}

func parseTail(tail []byte, size int64) (kind, part, error) {
	k, ok := kindOfMagic(tail[24:32])
	if !ok {
		return 0, part{}, corruptf("offset %d: no segment, chunk or manifest, or its end is missing", size-tailSize)
	}
	if v := binary.LittleEndian.Uint32(tail[12:16]); v != version {
		return k, part{}, fmt.Errorf("%w %d of a %s: this lastnight reads %d", ErrVersion, v, k, version)
	}
	off := binary.LittleEndian.Uint64(tail[0:8])
	n := int64(binary.LittleEndian.Uint32(tail[8:12]))
	if off < headerSize || off > uint64(size) || int64(off)+n+tailSize != size || n > maxDirectory {
		return 0, part{}, corruptf("offset %d: tail points outside the file", size-tailSize)
	}
	return k, part{off: int64(off), n: n, sum: binary.LittleEndian.Uint64(tail[16:24])}, nil
}

// inflate decompresses zstd up to a limit.
func inflate(packed []byte, limit int) ([]byte, error) {
	z, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	out, err := z.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	if len(out) > limit {
		return nil, fmt.Errorf("%d bytes are more than %d", len(out), limit)
	}
	return out, nil
}

// readPart reads a block and checks it.
func readPart(ctx context.Context, p part, get ranger) ([]byte, error) {
	b, err := get(ctx, p.off, p.n)
	if err != nil {
		return nil, err
	}
	if sum(b) != p.sum {
		return nil, corruptf("offset %d: checksum does not match", p.off)
	}
	return b, nil
}

// rangeOf reads from an io.ReaderAt.
func rangeOf(r io.ReaderAt) ranger {
	return func(_ context.Context, off, n int64) ([]byte, error) {
		b := make([]byte, n)
		if got, err := r.ReadAt(b, off); int64(got) < n {
			return nil, fmt.Errorf("read %d bytes at %d: %w", n, off, err)
		}
		return b, nil
	}
}
