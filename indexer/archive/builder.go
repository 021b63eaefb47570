package archive

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"lastnight"
	"lastnight/internal/tally"
)

// genKey names one generation of one stream in memory.
type genKey struct {
	stream uint64 // the stream's id as a number
	gen    lastnight.Generation
}

// tools are the buffers that writing files needs, reused over files. Not safe for concurrent use.
type tools struct {
	z     *compressor
	plain plainEncoder
	cols  columnEncoder
	words wordSet
	rows  []row  // of a block that is being made; empty between files
	buf   []byte // the last file
}

func newTools() (*tools, error) {
	z, err := newCompressor()
	if err != nil {
		return nil, err
	}
	return &tools{z: z}, nil
}

type minuteKey struct {
	stream, minute int32
	level          lastnight.Level
}

type templateKey struct {
	stream   int
	level    lastnight.Level
	template string
}

// builder makes a file block by block and keeps its directory.
type builder struct {
	t       *tools
	w       *fileWriter
	dir     *directory
	streams map[uint64]int
	keys    map[genKey]int
	jobs    map[[2]string]int // first stream of each job: names it in counts
	minutes tally.Tally[minuteKey]
	tmpls   tally.Tally[templateKey]
	jobOf   [2]int // stream of the last record, plus 1, and the one that names its job
	filters [][]byte
	columns bool // the layout of the next block: columns or, of what is soon to be compacted, plain
}

func newBuilder(t *tools, k kind) *builder {
	t.words.reset()
	return &builder{
		t: t, w: newFileWriter(k, t.buf), dir: &directory{kind: k}, columns: k == kindChunk,
		streams: map[uint64]int{}, keys: map[genKey]int{}, jobs: map[[2]string]int{},
	}
}

// key numbers a generation of a stream. What job a stream belongs to may become known only
// after its first lines: the last call has the last word, so all come before the first block.
func (b *builder) key(s streamEntry, g lastnight.Generation) int {
	stream, ok := b.streams[s.id]
	if !ok {
		stream = len(b.dir.streams)
		b.streams[s.id] = stream
		b.dir.streams = append(b.dir.streams, s)
	}
	b.dir.streams[stream] = s
	k := genKey{s.id, g}
	if i, ok := b.keys[k]; ok {
		return i
	}
	i := len(b.dir.keys)
	b.keys[k] = i
	b.dir.keys = append(b.dir.keys, keyEntry{stream: stream, gen: g})
	return i
}

// hold says that all lines that begin in [from, to) will be in the file. It comes before
// the blocks that have them. Ranges of one key must not overlap.
func (b *builder) hold(key int, from, to int64) {
	x := b.dir.keys[key].extents
	i, _ := slices.BinarySearchFunc(x, from, func(e extent, at int64) int { return cmp.Compare(e.from, at) })
	switch {
	case i > 0 && x[i-1].to == from:
		x[i-1].to = to
		if i < len(x) && x[i].from == to {
			x[i-1].to = x[i].to
			x = slices.Delete(x, i, i+1)
		}
	case i < len(x) && x[i].from == to:
		x[i].from = from
	default:
		x = slices.Insert(x, i, extent{from: from, to: to})
	}
	b.dir.keys[key].extents = x
}

// block adds a block of rows, which count knows. Rows with the same key must follow each other.
func (b *builder) block(rows []row) {
	if len(rows) == 0 {
		return
	}
	e := blockEntry{first: rows[0].rec.Lines[0].Time, last: rows[0].rec.Lines[0].Time}
	for i := range rows {
		if i == 0 || rows[i].key != rows[i-1].key {
			off := rows[i].rec.Lines[0].Offset
			t := rows[i].rec.Lines[0].Time
			e.keys = append(e.keys, blockKey{rows[i].key, off, off, t, t})
		}
		e.add(rows[i].rec)
	}
	e.keys = unite(e.keys)
	b.encode(rows, &e)
	e.filter = len(b.filters)
	b.filters = append(b.filters, filterOf(&b.t.words))
	b.t.words.reset()
	b.dir.blocks = append(b.dir.blocks, e)
}

// encode writes the block, with the words of its texts.
func (b *builder) encode(rows []row, e *blockEntry) {
	if b.columns {
		at := len(b.w.b)
		b.w.b = b.t.packColumns(b.w.b, rows)
		e.part = b.w.since(at)
		return
	}
	sections := b.t.plain.encode(rows)
	for i := range rows {
		for j := range rows[i].rec.Lines {
			addWords(&b.t.words, rows[i].rec.Lines[j].Text)
		}
	}
	at := len(b.w.b)
	b.w.b = b.t.z.pack(b.w.b, sections, codecS2)
	e.part = b.w.since(at)
}

// add adds a record to the block's numbers; its key is the last one.
func (e *blockEntry) add(rec *lastnight.Record) {
	e.records++
	e.levels |= 1 << min(rec.Level, 7)
	in := &e.keys[len(e.keys)-1]
	for i := range rec.Lines {
		l := &rec.Lines[i]
		in.from, in.to = min(in.from, l.Offset), max(in.to, l.Offset)
		in.first, in.last = min(in.first, l.Time), max(in.last, l.Time)
		e.lines++
		e.raw += int64(len(l.Text))
		e.first, e.last = min(e.first, l.Time), max(e.last, l.Time)
	}
}

// count adds a record to the numbers of its range and its job.
func (b *builder) count(key int, rec *lastnight.Record) {
	k := &b.dir.keys[key]
	for i := range rec.Lines {
		l := &rec.Lines[i]
		if l.Partial {
			k.partials = append(k.partials, partial{l.Offset, int64(len(l.Text))})
			continue
		}
		x := k.extentAt(l.Offset)
		if x == nil {
			continue
		}
		if x.lines == 0 {
			x.first, x.last = l.Time, l.Time
		}
		x.first, x.last = min(x.first, l.Time), max(x.last, l.Time)
		x.lines++
		if i == 0 {
			x.records++
		}
	}
	stream := b.jobStream(k.stream)
	minute := rec.Lines[0].Time / int64(60e9)
	b.minutes.Add(&minuteKey{int32(stream), int32(minute), rec.Level}, uint(rec.Level))
	if rec.Template != "" {
		b.tmpls.Add(&templateKey{stream, rec.Level, rec.Template}, tally.SlotOf(rec.Template))
	}
}

// jobStream gives the stream that names the job of a stream in counts.
func (b *builder) jobStream(stream int) int {
	if b.jobOf[0] == stream+1 {
		return b.jobOf[1]
	}
	s := &b.dir.streams[stream]
	job := [2]string{s.stream.Namespace, s.job}
	named, ok := b.jobs[job]
	if !ok {
		named = stream
		b.jobs[job] = stream
	}
	b.jobOf = [2]int{stream + 1, named}
	return named
}

func (k *keyEntry) extentAt(off int64) *extent {
	for i := range k.extents {
		if x := &k.extents[i]; off >= x.from && off < x.to {
			return x
		}
	}
	return nil
}

// finish gives the whole file; it is valid until the tools make another.
func (b *builder) finish() ([]byte, error) {
	b.dir.filters = b.w.addFilters(b.filters)
	b.dir.counts = make([]minuteCount, 0, b.minutes.Len())
	for k, n := range b.minutes.All {
		b.dir.counts = append(b.dir.counts, minuteCount{stream: k.stream, minute: k.minute, n: int32(n), level: k.level})
	}
	slices.SortFunc(b.dir.counts, func(a, c minuteCount) int {
		return cmp.Or(cmp.Compare(a.stream, c.stream), cmp.Compare(a.level, c.level), cmp.Compare(a.minute, c.minute))
	})
	b.dir.tmpls = make([]templateCount, 0, b.tmpls.Len())
	for k, n := range b.tmpls.All {
		b.dir.tmpls = append(b.dir.tmpls, templateCount{stream: k.stream, template: k.template, level: k.level, n: n})
	}
	slices.SortFunc(b.dir.tmpls, func(a, c templateCount) int {
		return cmp.Or(cmp.Compare(a.stream, c.stream), cmp.Compare(a.template, c.template), cmp.Compare(a.level, c.level))
	})
	out := b.w.finish(b.dir.encode(), b.t.z)
	b.t.buf = out
	if n := max(len(b.dir.counts), len(b.dir.tmpls)); n > maxCounts {
		return nil, lastnight.Errorf(lastnight.CodeTooLarge, "send less at once", "a %s of %d counts is over the limit of %d", b.w.kind, n, maxCounts)
	}
	if n := len(out); n > maxFile {
		return nil, lastnight.Errorf(lastnight.CodeTooLarge, "send less at once", "a %s of %d bytes is over the limit of %d", b.w.kind, n, maxFile)
	}
	return out, nil
}

// maxFile bounds a file, in bytes.
const maxFile = 1 << 30

// streamNumber gives a stream's id as a number.
func streamNumber(id lastnight.StreamID) uint64 {
	var n uint64
	for i := range min(len(id), 16) {
		c := id[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		}
		n = n<<4 | uint64(c&15)
	}
	return n
}

// streamID is streamNumber the other way.
func streamID(n uint64) lastnight.StreamID {
	return lastnight.StreamID(hex.EncodeToString(binary.BigEndian.AppendUint64(nil, n)))
}

// unite sorts the keys of a block and joins those that come more than once.
func unite(keys []blockKey) []blockKey {
	slices.SortFunc(keys, func(a, b blockKey) int { return cmp.Compare(a.key, b.key) })
	out := keys[:0]
	for _, k := range keys {
		if n := len(out); n > 0 && out[n-1].key == k.key {
			x := &out[n-1]
			x.from, x.to, x.first, x.last = min(x.from, k.from), max(x.to, k.to), min(x.first, k.first), max(x.last, k.last)
			continue
		}
		out = append(out, k)
	}
	return out
}
