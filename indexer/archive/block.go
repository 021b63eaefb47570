package archive

import (
	"lastnight"
)

// row is a record in a block: which generation of which stream (an index into
// directory.keys) and the record itself.
type row struct {
	key int
	rec *lastnight.Record
}

const (
	// usualHeader is what containerd writes before a line, in bytes: time, stream and tag, each
	// with a space. With it the next line's offset can be foretold; what differs is stored.
	usualHeader = 40
	// maxLine bounds one line's text, in bytes.
	maxLine = 128 << 20
	// maxBlockLines bounds the lines of a block, so that a reader knows what to allocate at most.
	maxBlockLines = 4 << 20
	// maxRecordLines bounds the lines of a record.
	maxRecordLines = 1 << 20
	// lineCost is what a line counts besides its text, in bytes, when blocks are cut: lines may be empty.
	lineCost = 16
)

// Flags of a line.
const (
	flagStderr  = 1
	flagPartial = 2
	flagParts   = 4
)

// foretell gives the offset at which the line after l begins, as far as one can know.
func foretell(l *lastnight.Line) int64 {
	if n := len(l.Parts); n > 0 {
		return l.Parts[n-1].Offset + usualHeader + int64(l.Parts[n-1].Size) + 1
	}
	return l.Offset + usualHeader + int64(len(l.Text)) + 1
}

// lineColumns encodes what lines have besides their text: which stream, how many a
// record, when, where, and how they were cut.
type lineColumns struct {
	runs, lines, offsets, flags, parts enc
	deltas                             []uint64 // of the lines' times
	times                              enc
	ints                               intPacker

	marks enc   // offset of each markEvery-th line, against the one before
	n     int   // lines
	mark  int64 // the last one
}

func (c *lineColumns) reset() {
	for _, e := range []*enc{&c.runs, &c.lines, &c.times, &c.offsets, &c.flags, &c.parts, &c.marks} {
		e.b = e.b[:0]
	}
	c.n, c.mark, c.deltas = 0, 0, c.deltas[:0]
}

// encode fills the columns. Rows of one key that follow each other are one run.
func (c *lineColumns) encode(rows []row) {
	c.reset()
	for i := 0; i < len(rows); {
		n := i + 1
		for n < len(rows) && rows[n].key == rows[i].key {
			n++
		}
		c.runs.len(rows[i].key)
		c.runs.len(n - i)
		var at, t int64
		for ; i < n; i++ {
			lines := rows[i].rec.Lines
			c.lines.len(len(lines))
			for j := range lines {
				at, t = c.line(&lines[j], at, t)
			}
		}
	}
}

// lengthOf gives how far the line after l is foretold to be behind l, but for a usual header and end: for one that
// is not cut the length of its text.
func lengthOf(l *lastnight.Line) int64 { return foretell(l) - l.Offset - usualHeader - 1 }

func (c *lineColumns) line(l *lastnight.Line, at, t int64) (nextAt, nextT int64) {
	c.deltas = append(c.deltas, timeDelta(l.Time-t))
	c.offsets.int(l.Offset - at)
	if c.n%markEvery == 0 {
		c.marks.int(l.Offset - c.mark)
		c.mark = l.Offset
	}
	c.n++
	var flags byte
	if l.Stderr {
		flags |= flagStderr
	}
	if l.Partial {
		flags |= flagPartial
	}
	if l.Parts != nil {
		flags |= flagParts
		c.parts.len(len(l.Parts))
		off, pt := l.Offset, l.Time
		for _, p := range l.Parts {
			c.parts.int(p.Offset - off)
			c.parts.int(p.Time - pt)
			c.parts.int(int64(p.Size))
			off, pt = p.Offset+usualHeader+int64(p.Size)+1, p.Time
		}
	}
	c.flags.byte(flags)
	return foretell(l), l.Time
}

// timeDelta makes the difference of two times a number whose order is that of the differences; it is its own inverse.
func timeDelta(ns int64) uint64 { return uint64(ns) ^ 1<<63 }

func (c *lineColumns) sections() []section {
	c.ints.pack(&c.times, c.deltas)
	return []section{
		{id: secRuns, raw: c.runs.b},
		{id: secLines, raw: c.lines.b},
		{id: secPackTimes, raw: c.times.b, dense: true},
		{id: secOffsets, raw: c.offsets.b},
		{id: secFlags, raw: c.flags.b},
		{id: secParts, raw: c.parts.b},
	}
}

// blockReader gives the sections of a block as decoders.
type blockReader struct {
	stored map[sectionID]stored
	mem    *slabs    // of decompressed sections; nil: each has its own
	lists  *slabs    // of lists of numbers; may be mem
	rows   *rowSlabs // of rows and their texts; nil: they have their own
}

// rowSlabs is the memory of rows that are needed no longer than until all of it is given back.
type rowSlabs struct {
	bytes   slab[byte]
	rows    slab[row]
	records slab[lastnight.Record]
	lines   slab[lastnight.Line]
}

func (s *rowSlabs) reset() { s.bytes.used, s.rows.used, s.records.used, s.lines.used = 0, 0, 0, 0 }

// take gives lines that are zero, and rows and records, whatever is in them.
func (s *rowSlabs) take(rows, lines int) ([]row, []lastnight.Record, []lastnight.Line) {
	if s == nil {
		return make([]row, rows), make([]lastnight.Record, rows), make([]lastnight.Line, lines)
	}
	return s.rows.take(rows), s.records.take(rows), s.lines.zeroed(lines)
}

func (r *blockReader) open(id sectionID) (*dec, error) {
	s, ok := r.stored[id]
	if !ok {
		return &dec{}, nil
	}
	var mem *slab[byte]
	switch {
	case r.mem != nil:
		mem = &r.mem.bytes
	case r.rows != nil:
		mem = &r.rows.bytes
	}
	b, err := s.openIn(mem)
	if err != nil {
		return nil, corruptf("section %d: %w", id, err)
	}
	return &dec{b: b}, nil
}

// lines gives how many lines the block says that it has.
func (r *blockReader) lines() int { return min(r.stored[secFlags].rawLen, maxBlockLines) }

// opens opens several sections at once.
func (r *blockReader) opens(ids ...sectionID) ([]*dec, error) {
	out := make([]*dec, len(ids))
	for i, id := range ids {
		d, err := r.open(id)
		if err != nil {
			return nil, err
		}
		out[i] = d
	}
	return out, nil
}

// lineSet is a block's lines while they are being decoded.
type lineSet struct {
	rows   []row
	lines  []lastnight.Line // of all rows, in order; the rows' Lines share it
	starts []bool           // lines that begin a run
	flags  []byte
}

// decodeBlock gives the rows of a block, of a file with so many keys. Texts share one
// piece of memory.
func decodeBlock(block []byte, keys int) ([]row, error) {
	return decodeBlockWith(block, keys, &slabs{}, nil)
}

// decodeBlockWith is decodeBlock with scratch memory, which the rows do not share, and memory for these; nil: they have their own.
func decodeBlockWith(block []byte, keys int, lists *slabs, mem *rowSlabs) ([]row, error) {
	stored, err := sections(block)
	if err != nil {
		return nil, err
	}
	r := &blockReader{stored: stored, lists: lists, rows: mem}
	set, err := r.decodeLines(keys)
	if err != nil {
		return nil, err
	}
	if err := r.decodeTimes(set); err != nil {
		return nil, err
	}
	if _, columns := stored[secShapes]; columns {
		err = r.decodeColumns(set)
	} else {
		err = r.decodePlain(set)
	}
	if err != nil {
		return nil, err
	}
	return set.rows, r.decodeOffsets(set)
}

// decodeLines reads which lines there are and how they make records.
func (r *blockReader) decodeLines(keys int) (*lineSet, error) {
	d, err := r.opens(secRuns, secLines, secFlags)
	if err != nil {
		return nil, err
	}
	runs, perRecord, flags := d[0], d[1], d[2].b
	if len(flags) > maxBlockLines {
		return nil, corruptf("%d lines are more than a block may have", len(flags))
	}
	n := min(len(perRecord.b), len(flags)) // a record takes a byte and a line at least
	rows, records, lines := r.rows.take(n, len(flags))
	rows, records = rows[:0], records[:0]
	set := &lineSet{lines: lines, starts: r.lists.bools.zeroed(len(flags)), flags: flags}
	used := 0
	for len(runs.b) > 0 && runs.err == nil {
		key := runs.index(keys)
		n := runs.upTo(len(perRecord.b))
		for i := range n {
			k := perRecord.upTo(len(set.lines) - used)
			if k == 0 {
				return nil, corruptf("record without lines")
			}
			set.starts[used] = i == 0
			records = append(records, lastnight.Record{Lines: set.lines[used : used+k : used+k]})
			rows = append(rows, row{key: key, rec: &records[len(records)-1]})
			used += k
		}
	}
	if used != len(set.lines) || len(perRecord.b) > 0 {
		return nil, corruptf("lines and records do not match")
	}
	set.rows = rows
	return set, runs.done("streams")
}

func (r *blockReader) decodeTimes(set *lineSet) error {
	deltas, err := r.timeDeltas(len(set.lines))
	if err != nil {
		return err
	}
	var t int64
	for i := range set.lines {
		if set.starts[i] {
			t = 0
		}
		t += deltas[i]
		l := &set.lines[i]
		l.Time, l.Stderr, l.Partial = t, set.flags[i]&flagStderr != 0, set.flags[i]&flagPartial != 0
	}
	return nil
}

// timeDeltas gives the time of each of n lines, against the one before in its run.
func (r *blockReader) timeDeltas(n int) ([]int64, error) {
	out := r.lists.large.take(n)
	if _, packed := r.stored[secPackTimes]; !packed {
		d, err := r.open(secTimes)
		if err != nil {
			return nil, err
		}
		for i := range out {
			out[i] = d.int()
		}
		return out, d.done("times")
	}
	d, err := r.open(secPackTimes)
	if err != nil {
		return nil, err
	}
	list := r.lists.nums.take(n)
	if err := unpackInts(d, list, r.lists); err != nil {
		return nil, err
	}
	for i, v := range list {
		out[i] = int64(v ^ 1<<63)
	}
	return out, d.done("times")
}

// decodeOffsets comes after the texts, whose lengths foretell the offsets.
func (r *blockReader) decodeOffsets(set *lineSet) error {
	d, err := r.opens(secOffsets, secParts)
	if err != nil {
		return err
	}
	offsets, parts := d[0], d[1]
	var at int64
	for i := range set.lines {
		if set.starts[i] {
			at = 0
		}
		l := &set.lines[i]
		l.Offset = at + offsets.int()
		if set.flags[i]&flagParts != 0 {
			decodeParts(parts, l)
		}
		at = foretell(l)
	}
	if err := parts.done("parts"); err != nil {
		return err
	}
	return offsets.done("offsets")
}

func decodeParts(d *dec, l *lastnight.Line) {
	n := d.count()
	l.Parts = make([]lastnight.Part, 0, n)
	off, t := l.Offset, l.Time
	for range n {
		p := lastnight.Part{Offset: off + d.int(), Time: t + d.int(), Size: int(d.int())}
		l.Parts = append(l.Parts, p)
		off, t = p.Offset+usualHeader+int64(p.Size)+1, p.Time
	}
}

// partsLength gives what lengthOf gives of a line with these parts and a text of n bytes.
func partsLength(d *dec, n int64) int64 {
	var off int64
	for range d.count() {
		at := off + d.int()
		d.int()
		size := d.int()
		off = at + usualHeader + size + 1
		n = off - usualHeader - 1
	}
	return n
}
