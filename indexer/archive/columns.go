package archive

import (
	"cmp"
	"slices"

	"lastnight"
)

// The column layout of chunks: a dictionary of shapes, the shape of each line, and for
// each shape and variable a column of values. See shape.go, meta.go and docs/formats/chunk.md.

// Kinds of columns of variables.
const (
	colText    = 0 // values, each ended by a newline
	colDelta   = 1 // decimal numbers, as differences to the one before
	colSame    = 2 // one value, once
	colNumbers = 3 // see numbers.go
	bigColumn  = 2 << 10
	varNewline = '\n'
)

// shapeColumns is a shape with its columns while a block is encoded.
type shapeColumns struct {
	shape          []byte
	n              int   // lines
	sum            int64 // of their lengths
	at             int32 // in shapes
	id             int   // after sorting
	vars           []column
	meta           int   // the properties that its last record had; -1: none yet
	logger, thread fixed // of meta

	matcher shapeMatcher
	next    int32 // shape of the line that followed the last time, plus 1; 0: none yet
	words   wordPlaces
}

// columnEncoder encodes blocks in the column layout. Not safe for concurrent use.
type columnEncoder struct {
	cols    lineColumns
	split   splitter
	byText  map[string]*shapeColumns
	guesses guesses
	shapes  []*shapeColumns
	order   []*shapeColumns // the most frequent first
	spare   []*shapeColumns // of earlier blocks, for their memory
	lineIDs []int32         // shape of each line
	lengths []int64         // of each line, see lengthOf
	groups  []uint64        // of sums
	stamps  enc
	tails   enc
	meta    metaEncoder
	words   *wordSet
	stamped stampWords
	packer  columnPacker
	mem     columnMemory
	lists   columnLists
	raw     int // bytes of text
	shaped  int // bytes of shapes
}

// columnLists are sections that are made of all shapes, kept for their memory.
type columnLists struct{ dict, ids, small, kinds, classes, widths, fixed, smallNums, sums enc }

func (l *columnLists) reset() {
	for _, e := range []*enc{&l.dict, &l.ids, &l.small, &l.kinds, &l.classes, &l.widths, &l.fixed, &l.smallNums, &l.sums} {
		e.b = e.b[:0]
	}
}

// begin makes ready for a block.
func (c *columnEncoder) begin(words *wordSet) {
	if c.byText == nil {
		c.byText = map[string]*shapeColumns{}
	}
	clear(c.byText)
	c.guesses = guesses{}
	c.stamped = stampWords{minute: -1}
	for _, s := range c.shapes {
		for i := range s.vars {
			c.mem.release(&s.vars[i])
		}
	}
	c.lists.reset()
	c.spare = append(c.spare, c.shapes[:min(len(c.shapes), max(maxSpare-len(c.spare), 0))]...)
	clear(c.shapes)
	c.shapes, c.lineIDs, c.lengths = c.shapes[:0], c.lineIDs[:0], c.lengths[:0]
	c.stamps.b, c.tails.b = c.stamps.b[:0], c.tails.b[:0]
	c.words, c.raw, c.shaped = words, 0, 0
	c.meta.begin()
}

// maxSpare bounds how many shapes wait for being used again.
const maxSpare = 1 << 14

// encode cuts all lines of the rows into columns. The words of their texts are in the set when they have been written.
func (c *columnEncoder) encode(rows []row, words *wordSet) {
	c.begin(words)
	c.cols.encode(rows)
	for i := range rows {
		rec := rows[i].rec
		for j := range rec.Lines {
			l := &rec.Lines[j]
			c.raw += len(l.Text)
			s := c.add(l, j == 0, rec.Template)
			n := lengthOf(l)
			c.lengths = append(c.lengths, n)
			s.sum += n
			if j == 0 {
				c.meta.record(rec, &c.split, s)
			}
		}
	}
}

// add cuts a line, the first one of a record with that template or another, and takes it up.
func (c *columnEncoder) add(l *lastnight.Line, first bool, template string) *shapeColumns {
	sp := &c.split
	s := c.guesses.find(sp, c.shapes, l, first, template)
	if s == nil {
		sp.split(l.Text, l.Time)
		if s = c.byText[string(sp.shape)]; s == nil {
			s = c.newShape(l.Text)
		}
	}
	c.guesses.learn(c.shapes, s, first, template)
	known := s.n > 0
	if !known {
		addWords(c.words, l.Text)
	}
	s.n++
	c.lineIDs = append(c.lineIDs, s.at)
	changed := c.addVariables(s, l)
	if known {
		c.addWords(l.Text, &s.words, changed)
	}
	if sp.tail >= 0 {
		c.tails.bytes(l.Text[sp.tail:])
	}
	return s
}

// addVariables adds those of a line that has just been cut to the shape's columns, and gives bits of those that are not the same in all
// lines so far.
func (c *columnEncoder) addVariables(s *shapeColumns, l *lastnight.Line) (changed uint64) {
	sp, v := &c.split, 0
	for i, p := range sp.vars {
		if i == sp.stamp {
			c.stamps.int(stampDelta(sp.stamps.form, sp.stampNS, l.Time))
			continue
		}
		switch col := &s.vars[v]; {
		case sp.ways[i] == columnSame:
			col.n++
		case sp.ways[i] == columnNumbers:
			c.mem.keep(col, p.to-p.from)
			changed |= variableBit(i)
		case c.mem.add(col, l.Text[p.from:p.to]):
			changed |= variableBit(i)
		}
		v++
	}
	return changed
}

// newShape adds the shape of the text that has just been split.
func (c *columnEncoder) newShape(text []byte) *shapeColumns {
	var s *shapeColumns
	if n := len(c.spare); n > 0 {
		s = c.spare[n-1]
		c.spare = c.spare[:n-1]
	} else {
		s = &shapeColumns{}
	}
	vars := len(c.split.vars)
	if c.split.stamp >= 0 {
		vars--
	}
	s.shape = append(s.shape[:0], c.split.shape...)
	s.n, s.sum, s.meta, s.next = 0, 0, -1, 0
	s.vars = slices.Grow(s.vars[:0], vars)[:vars]
	s.matcher.of(s.shape)
	s.words.of(text, &c.split)
	s.at = int32(len(c.shapes))
	c.shapes = append(c.shapes, s)
	c.byText[string(s.shape)] = s
	c.shaped += len(s.shape)
	return s
}

// write adds the block's sections.
func (c *columnEncoder) write(z *compressor) {
	c.order = append(c.order[:0], c.shapes...)
	slices.SortStableFunc(c.order, func(a, b *shapeColumns) int { return cmp.Compare(b.n, a.n) }) // frequent ones get short numbers
	l := &c.lists
	for i, s := range c.order {
		s.id = i
		l.dict.bytes(s.shape)
	}
	l.ids.len(c.raw)
	for _, id := range c.lineIDs {
		l.ids.len(c.shapes[id].id)
	}
	z.addAll(c.cols.sections())
	z.add(section{id: secShapes, raw: l.dict.b})
	z.add(section{id: secShapeIDs, raw: l.ids.b})
	z.add(section{id: secStamps, raw: c.stamps.b})
	z.add(section{id: secTails, raw: c.tails.b})
	next := secFirstVars
	for _, s := range c.order {
		for i := range s.vars {
			next = c.writeColumn(z, s, i, next)
		}
	}
	c.writeSums(z)
	z.add(section{id: secVarKinds, raw: l.kinds.b})
	z.add(section{id: secSmallVars, raw: l.small.b})
	z.add(section{id: secSmallNums, raw: l.smallNums.b, dense: true})
	z.add(section{id: secClasses, raw: l.classes.b})
	z.add(section{id: secWidths, raw: l.widths.b})
	z.add(section{id: secFixed, raw: l.fixed.b})
	z.add(section{id: secMarks, raw: c.cols.marks.b})
	z.addAll(c.meta.sections())
}

// writeColumn adds the nth column of a shape: to those of its kind that are small, or as a section of its own, next.
func (c *columnEncoder) writeColumn(z *compressor, s *shapeColumns, n int, next sectionID) sectionID {
	l, col := &c.lists, &s.vars[n]
	var words *wordSet
	if s.words.alone[n] {
		words = c.words
	}
	p := c.packer.pack(col, z, words)
	l.classes.byte(p.classes)
	if len(l.widths.b)%8 == 0 {
		l.fixed.byte(0)
	}
	if col.fixed() {
		l.fixed.b[len(l.widths.b)/8] |= 1 << (len(l.widths.b) % 8)
	}
	l.widths.byte(uint8(min(col.width, wide)))
	if len(p.data) >= bigColumn {
		l.kinds.byte(p.kind<<1 | 1)
		switch s := (section{id: next, raw: p.data, dense: p.kind == colNumbers}); {
		case p.tried != nil:
			z.addTried(s, p.tried)
		default:
			z.add(s)
		}
		return next + 1
	}
	l.kinds.byte(p.kind << 1)
	l.kinds.len(len(p.data))
	if p.kind == colNumbers {
		l.smallNums.b = append(l.smallNums.b, p.data...)
	} else {
		l.small.b = append(l.small.b, p.data...)
	}
	return next
}

// packColumns makes a block in the column layout or, if that is smaller, in the plain one, and appends it to dst.
func (t *tools) packColumns(dst []byte, rows []row) []byte {
	t.cols.encode(rows, &t.words)
	t.z.begin(codecZstd)
	t.cols.write(t.z)
	at := len(dst)
	dst = t.z.appendTo(dst)
	if t.cols.shaped*4 < t.cols.raw {
		return dst
	}
	columns := len(dst)
	if dst = t.z.pack(dst, t.plain.encode(rows), codecZstd); len(dst)-columns < columns-at {
		return append(dst[:at], dst[columns:]...)
	}
	return dst[:columns]
}
