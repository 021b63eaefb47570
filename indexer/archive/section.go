package archive

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// A block is a list of sections, each one column or a few that belong together, and
// each compressed by itself, so that a reader may decode only those it needs:
//
//	count { id(uvarint) codec(1) rawLen(uvarint) storedLen(uvarint) }… stored bytes…
type sectionID uint32

// Sections of a block. Numbers are for ever.
const (
	secRuns      sectionID = 1  // streams: which records belong to which
	secLines     sectionID = 2  // lines per record
	secTimes     sectionID = 3  // time of each line
	secOffsets   sectionID = 4  // offset of each line, against what the line before predicts
	secFlags     sectionID = 5  // stderr, partial, cut into parts
	secParts     sectionID = 6  // parts of the lines that were cut
	secDict      sectionID = 7  // strings that the following refer to
	secRecords   sectionID = 8  // level, logger, thread … of each record
	secAttrs     sectionID = 9  // attributes
	secLengths   sectionID = 10 // plain layout: length of each line
	secText      sectionID = 11 // plain layout: all text
	secShapes    sectionID = 12 // column layout: dictionary of shapes
	secShapeIDs  sectionID = 13 // column layout: shape of each line
	secMeta      sectionID = 14 // column layout: dictionary of record properties
	secMetaIDs   sectionID = 15 // column layout: which of them, if not the shape's usual ones
	secThreads   sectionID = 16 // column layout: explicit values of records whose text has them nowhere
	secAppTimes  sectionID = 17 // column layout: explicit application times
	secStamps    sectionID = 18 // column layout: stamps, against the time of the line
	secTails     sectionID = 19 // column layout: rests of lines
	secVarKinds  sectionID = 20 // column layout: kind and length of each column of variables
	secSmallVars sectionID = 21 // column layout: small columns of variables
	secMarks     sectionID = 22 // column layout: offset of each 256th line
	secClasses   sectionID = 23 // column layout: kinds of bytes that each column of variables has
	secSmallNums sectionID = 24 // column layout: small columns of numbers
	secPackTimes sectionID = 25 // time of each line, packed; instead of secTimes
	secWidths    sectionID = 26 // column layout: length of the longest value of each column of variables
	secSums      sectionID = 27 // column layout: length of each group of lines, against what their shapes foretell
	secFixed     sectionID = 28 // column layout: columns of variables all of whose values have one length, a bit each
	secFirstVars sectionID = 32 // column layout: this and all above are large columns of variables
	maxSections            = 1 << 16
)

type codec uint8

const (
	codecNone codec = 0
	codecS2   codec = 1
	codecZstd codec = 2
)

const (
	// maxSectionBytes bounds what one section may grow to when decompressed.
	maxSectionBytes = 256 << 20
	// maxBlockBytes bounds what all sections of a block together may grow to: twice the longest line and what belongs to it.
	maxBlockBytes = 512 << 20
	// minCompress is where compressing begins to be worth its header.
	minCompress = 24
)

type section struct {
	id    sectionID
	raw   []byte
	dense bool // compressing it again gains nothing
}

// compressor makes blocks: begin, add for each section, appendTo. Its memory is reused over blocks. Not safe for concurrent use.
type compressor struct {
	zstd  *zstd.Encoder
	codec codec // of the block that is being made
	n     int   // its sections
	head  enc   // what is told of each
	body  []byte
}

func newCompressor() (*compressor, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make zstd encoder: %w", err)
	}
	return &compressor{zstd: z}, nil
}

// begin begins a block whose sections are compressed with c where that makes them smaller.
func (z *compressor) begin(c codec) {
	z.codec, z.n, z.head.b, z.body = c, 0, z.head.b[:0], z.body[:0]
}

// add adds a section, whose bytes are not needed any more then.
func (z *compressor) add(s section) {
	from, used := len(z.body), codecNone
	if len(s.raw) >= minCompress && !s.dense {
		z.body, used = z.compress(z.body, s.raw, z.codec)
	}
	if used != codecNone && len(z.body)-from >= len(s.raw) {
		z.body, used = z.body[:from], codecNone
	}
	if used == codecNone {
		z.body = append(z.body, s.raw...)
	}
	z.note(s.id, used, len(s.raw), len(z.body)-from)
}

// addTried adds a section that zstd has made packed of.
func (z *compressor) addTried(s section, packed []byte) {
	if z.codec != codecZstd || len(packed) >= len(s.raw) {
		z.add(section{id: s.id, raw: s.raw, dense: z.codec == codecZstd})
		return
	}
	z.body = append(z.body, packed...)
	z.note(s.id, codecZstd, len(s.raw), len(packed))
}

func (z *compressor) note(id sectionID, used codec, raw, stored int) {
	z.n++
	z.head.uint(uint64(id))
	z.head.byte(byte(used))
	z.head.len(raw)
	z.head.len(stored)
}

// keep adds a section of another block as it lies there.
func (z *compressor) keep(s *listedSection) {
	z.body = append(z.body, s.data...)
	z.note(s.id, s.codec, s.rawLen, len(s.data))
}

// appendTo appends the block to dst.
func (z *compressor) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(z.n))
	return append(append(dst, z.head.b...), z.body...)
}

// pack appends a block of sections, compressed with c where that makes them smaller, to dst.
func (z *compressor) pack(dst []byte, sections []section, c codec) []byte {
	z.begin(c)
	z.addAll(sections)
	return z.appendTo(dst)
}

func (z *compressor) addAll(sections []section) {
	for _, s := range sections {
		z.add(s)
	}
}

func (z *compressor) compress(dst, raw []byte, c codec) ([]byte, codec) {
	switch c {
	case codecS2:
		n := s2.MaxEncodedLen(len(raw))
		if n < 0 {
			return dst, codecNone
		}
		from := len(dst)
		dst = growBy(dst, n)
		out := s2.Encode(dst[from:from+n], raw)
		return dst[:from+len(out)], codecS2
	case codecZstd:
		return z.zstd.EncodeAll(raw, dst), codecZstd
	case codecNone:
	}
	return dst, codecNone
}

// growBy gives b with room for n more bytes.
func growBy(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	grown := make([]byte, len(b), len(b)+n+len(b)/2)
	copy(grown, b)
	return grown
}

// stored is a section as it lies in a block.
type stored struct {
	codec  codec
	rawLen int
	data   []byte
}

// listedSection is a section as a block lists it.
type listedSection struct {
	id sectionID
	stored
}

// sections finds the sections of a block without decompressing any.
func sections(block []byte) (map[sectionID]stored, error) {
	list, err := listSections(block)
	if err != nil {
		return nil, err
	}
	out := make(map[sectionID]stored, len(list))
	for i := range list {
		if _, twice := out[list[i].id]; twice {
			return nil, corruptf("section %d twice", list[i].id)
		}
		out[list[i].id] = list[i].stored
	}
	return out, nil
}

// listSections is sections in the order of the block.
func listSections(block []byte) ([]listedSection, error) {
	d := dec{b: block}
	n := d.upTo(min(maxSections, len(block)))
	list, sizes := make([]listedSection, 0, min(n, len(d.b)/4+1)), make([]int, 0, min(n, len(d.b)/4+1))
	total := 0
	for range n {
		if d.err != nil {
			break
		}
		s := listedSection{id: sectionID(d.upTo(1 << 30))}
		s.codec, s.rawLen = codec(d.byte()), d.upTo(maxSectionBytes)
		list, sizes = append(list, s), append(sizes, d.upTo(maxSectionBytes))
		if total += s.rawLen; total > maxBlockBytes {
			return nil, corruptf("sections of more than %d bytes", maxBlockBytes)
		}
	}
	for i := range list {
		list[i].data = d.take(sizes[i])
	}
	return list, d.done("block")
}

// decompressors are shared: zstd's one-shot decoding may be called at once.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxSectionBytes), zstd.WithDecoderLowmem(true))
})

// cappedDecoder gives no more than there is room for: of what does not say how long it is, as zstd leaves out below maxUnsaid.
var cappedDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
})

const maxUnsaid = 256

// openIn decompresses a section, into memory of a slab if there is one.
func (s stored) openIn(mem *slab[byte]) ([]byte, error) {
	var room []byte
	if mem != nil && s.codec != codecNone {
		room = mem.take(min(s.rawLen, max(64*len(s.data), 1<<16)))[:0]
	}
	switch s.codec {
	case codecNone:
		if len(s.data) != s.rawLen {
			return nil, corruptf("section of %d bytes says %d", len(s.data), s.rawLen)
		}
		return s.data, nil
	case codecS2:
		n, err := s2.DecodedLen(s.data)
		if err != nil || n != s.rawLen {
			return nil, corruptf("section says %d bytes, its content %d", s.rawLen, n)
		}
		out, err := s2.Decode(room[:cap(room)], s.data)
		if err != nil {
			return nil, corruptf("decompress: %w", err)
		}
		return out, nil
	case codecZstd:
		z, err := zstdDecoder()
		if err != nil {
			return nil, fmt.Errorf("make zstd decoder: %w", err)
		}
		var frame zstd.Header
		switch err := frame.Decode(s.data); {
		case err != nil:
			return nil, corruptf("decompress %d bytes: %w", len(s.data), err)
		case frame.HasFCS && frame.FrameContentSize != uint64(s.rawLen): // before it grows
			return nil, corruptf("section says %d bytes, its content %d", s.rawLen, frame.FrameContentSize)
		case !frame.HasFCS && s.rawLen >= maxUnsaid:
			return nil, corruptf("section of %d bytes, and its content says nothing", s.rawLen)
		case !frame.HasFCS:
			if z, err = cappedDecoder(); err != nil {
				return nil, fmt.Errorf("make zstd decoder: %w", err)
			}
			if mem == nil { // else it has just that much
				room = make([]byte, 0, s.rawLen)
			}
		}
		out, err := z.DecodeAll(s.data, room)
		if err != nil || len(out) != s.rawLen {
			return nil, corruptf("decompress %d bytes to %d: %w", len(s.data), s.rawLen, err)
		}
		return out, nil
	}
	return nil, corruptf("codec %d is not known", s.codec)
}
