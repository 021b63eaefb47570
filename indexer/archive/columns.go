package archive

import (
	"bytes"
	"cmp"
	"slices"
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
	shape []byte
	n     int   // lines
	sum   int64 // of their lengths
	id    int   // after sorting
	vars  []column
	meta  int // the properties that its last record had; -1: none yet
}

// column is one variable of a shape.
type column struct {
	text []byte // values, each ended by a newline
	n    int
}

// columnEncoder encodes blocks in the column layout. Not safe for concurrent use.
type columnEncoder struct {
	cols    lineColumns
	split   splitter
	byText  map[string]int // shape → index in shapes
	shapes  []*shapeColumns
	spare   []*shapeColumns // of earlier blocks, for their memory
	lineIDs []int           // shape of each line
	lengths []int64         // of each line, see lengthOf
	stamps  enc
	tails   enc
	meta    metaEncoder
	words   *wordSet
	z       *compressor
	numbers numberPacker
	trial   []byte // compressed to see how large it is
	mem     pieces // of columns
	taken   [][]byte
	lists   columnLists
	raw     int // bytes of text
	shaped  int // bytes of shapes
}

// columnLists are sections that are made of all shapes, kept for their memory.
type columnLists struct{ dict, ids, small, kinds, classes, widths, smallNums enc }

func (l *columnLists) reset() {
	for _, e := range []*enc{&l.dict, &l.ids, &l.small, &l.kinds, &l.classes, &l.widths, &l.smallNums} {
		e.b = e.b[:0]
	}
}

// begin makes ready for a block.
func (c *columnEncoder) begin(words *wordSet) {
	if c.byText == nil {
		c.byText = map[string]int{}
	}
	clear(c.byText)
	for _, s := range c.shapes {
		for i := range s.vars {
			c.mem.put(s.vars[i].text)
			s.vars[i] = column{}
		}
	}
	for _, p := range c.taken {
		c.mem.put(p)
	}
	clear(c.taken)
	c.taken = c.taken[:0]
	c.lists.reset()
	c.spare = append(c.spare, c.shapes...)
	c.shapes, c.lineIDs, c.lengths = c.shapes[:0:0], c.lineIDs[:0], c.lengths[:0]
	c.stamps.b, c.tails.b = c.stamps.b[:0], c.tails.b[:0]
	c.words, c.raw, c.shaped = words, 0, 0
	c.meta.begin()
}

// encode cuts all lines of the rows into columns, and their words into the set.
func (c *columnEncoder) encode(rows []row, words *wordSet) {
	c.begin(words)
	c.cols.encode(rows)
	for i := range rows {
		rec := &rows[i].rec
		for j := range rec.Lines {
			l := &rec.Lines[j]
			c.raw += len(l.Text)
			c.split.split(l.Text, l.Time)
			s := c.add(l.Text, l.Time)
			n := lengthOf(l)
			c.lengths = append(c.lengths, n)
			c.shapes[s].sum += n
			if j == 0 {
				c.meta.record(rec, &c.split, c.shapes[s])
			}
		}
	}
}

// add takes up the line that has just been split.
func (c *columnEncoder) add(text []byte, near int64) int {
	sp := &c.split
	id, known := c.byText[string(sp.shape)]
	if !known {
		id = c.newShape()
	}
	s := c.shapes[id]
	s.n++
	c.lineIDs = append(c.lineIDs, id)
	v := 0
	for i, p := range sp.vars {
		if i == sp.stamp {
			c.stamps.int(stampDelta(sp.form, sp.stampNS, near))
			continue
		}
		col := &s.vars[v]
		v++
		if need := len(col.text) + p.to - p.from + 1; need > cap(col.text) {
			col.text = c.mem.grow(col.text, need)
		}
		col.text = append(append(col.text, text[p.from:p.to]...), varNewline)
		col.n++
	}
	c.addWordsOf(text, known)
	if sp.tail >= 0 {
		c.tails.bytes(text[sp.tail:])
	}
	return id
}

// addWordsOf adds the words of a line: of a shape seen before only those that a
// variable, a stamp or the tail is a part of.
func (c *columnEncoder) addWordsOf(text []byte, known bool) {
	if !known {
		addWords(c.words, text)
		return
	}
	last := 0
	for _, p := range c.split.vars {
		from, to := wordAround(text, p)
		from = max(from, last)
		if from < to {
			addWords(c.words, text[from:to])
		}
		last = max(last, to)
	}
	if t := c.split.tail; t >= 0 {
		from, _ := wordAround(text, piece{t, t})
		addWords(c.words, text[max(from, last):])
	}
}

// wordAround widens a piece to the words that it is a part of.
func wordAround(text []byte, p piece) (from, to int) {
	from, to = p.from, p.to
	for from > 0 && wordBytes[text[from-1]] != 0 {
		from--
	}
	for to < len(text) && wordBytes[text[to]] != 0 {
		to++
	}
	return from, to
}

// newShape adds the shape of the line that has just been split.
func (c *columnEncoder) newShape() int {
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
	s.n, s.sum, s.meta = 0, 0, -1
	s.vars = slices.Grow(s.vars[:0], vars)[:vars]
	id := len(c.shapes)
	c.shapes = append(c.shapes, s)
	c.byText[string(s.shape)] = id
	c.shaped += len(s.shape)
	return id
}

// sections gives the block's sections. They are valid until the next block.
func (c *columnEncoder) sections() []section {
	order := slices.Clone(c.shapes)
	slices.SortStableFunc(order, func(a, b *shapeColumns) int { return cmp.Compare(b.n, a.n) }) // frequent ones get short numbers
	l := &c.lists
	for i, s := range order {
		s.id = i
		l.dict.bytes(s.shape)
	}
	l.ids.len(c.raw)
	for _, id := range c.lineIDs {
		l.ids.len(c.shapes[id].id)
	}
	out := append(c.cols.sections(), section{id: secShapes, raw: l.dict.b}, section{id: secShapeIDs, raw: l.ids.b}, section{id: secStamps, raw: c.stamps.b}, section{id: secTails, raw: c.tails.b})
	next := secFirstVars
	for _, s := range order {
		for i := range s.vars {
			kind, data := c.pack(&s.vars[i])
			l.classes.byte(classesOf(s.vars[i].text))
			l.widths.byte(widthOf(s.vars[i].text))
			if len(data) >= bigColumn {
				l.kinds.byte(kind<<1 | 1)
				if kind == colNumbers {
					data = c.clone(data)
				}
				out = append(out, section{id: next, raw: data, dense: kind == colNumbers})
				next++
				continue
			}
			l.kinds.byte(kind << 1)
			l.kinds.len(len(data))
			if kind == colNumbers {
				l.smallNums.b = append(l.smallNums.b, data...)
			} else {
				l.small.b = append(l.small.b, data...)
			}
		}
	}
	out = append(out, c.sums(order)...)
	out = append(out, section{id: secVarKinds, raw: l.kinds.b}, section{id: secSmallVars, raw: l.small.b}, section{id: secSmallNums, raw: l.smallNums.b, dense: true}, section{id: secClasses, raw: l.classes.b}, section{id: secWidths, raw: l.widths.b}, section{id: secMarks, raw: c.cols.marks.b})
	return append(out, c.meta.sections()...)
}

// clone copies data into memory that lasts until the next block.
func (c *columnEncoder) clone(data []byte) []byte {
	p := append(c.mem.take(len(data)), data...)
	c.taken = append(c.taken, p)
	return p
}

// pack gives the kind and bytes of a column: the smallest, as far as one can tell without trying all.
func (c *columnEncoder) pack(col *column) (kind byte, data []byte) {
	end := bytes.IndexByte(col.text, varNewline) + 1
	if col.same(col.text[:end]) {
		return colSame, col.text[:end]
	}
	kind, data = colText, col.text
	size := c.sizeOf(col.text, col.repeats())
	if d := col.deltas(); d != nil {
		if n := c.sizeOf(d, true); n < size {
			kind, data, size = colDelta, d, n
		}
	}
	if d := c.numbers.pack(col.text, col.n); d != nil && len(d) < size {
		return colNumbers, d
	}
	return kind, data
}

const (
	// digitWorth is how many bytes compressing makes of 256 that are numbers without repeats: 3.3 bits of a digit.
	digitWorth = 112
	// repeatWorth is that of a small column in which values come again.
	repeatWorth = 64
)

// sizeOf gives how many bytes a column has when it is compressed: by trying where values come again, else as is usual.
func (c *columnEncoder) sizeOf(data []byte, repeats bool) int {
	switch {
	case !repeats:
		return len(data) * digitWorth / 256
	case len(data) < bigColumn || c.z == nil:
		return len(data) * repeatWorth / 256
	}
	c.trial = c.z.zstd.EncodeAll(data, c.trial[:0])
	return len(c.trial)
}

// repeats tells whether many of the first values come again soon: then compressing finds them.
func (c *column) repeats() bool {
	var seen [1 << 9]uint32
	n, again := 0, 0
	for t := c.text; len(t) > 0 && n < 2048; n++ {
		h, i := uint32(2166136261), 0
		for ; t[i] != varNewline; i++ {
			h = (h ^ uint32(t[i])) * 16777619
		}
		t = t[i+1:]
		if slot := &seen[(h^h>>15)%uint32(len(seen))]; *slot == h {
			again++
		} else {
			*slot = h
		}
	}
	return again*3 > n
}

// same tells whether all values are v.
func (c *column) same(v []byte) bool {
	if len(c.text) != len(v)*c.n {
		return false
	}
	for at := 0; at < len(c.text); at += len(v) {
		if !bytes.Equal(c.text[at:at+len(v)], v) {
			return false
		}
	}
	return true
}

// deltas gives the column as differences of numbers, or nil where that is not worth it.
func (c *column) deltas() []byte {
	if c.n < 4 {
		return nil
	}
	var e enc
	var last int64
	for t := c.text; len(t) > 0; {
		i := bytes.IndexByte(t, varNewline)
		n, ok := decimal(t[:i])
		if !ok {
			return nil
		}
		e.int(n - last)
		last = n
		t = t[i+1:]
		if len(e.b) > 64 && len(e.b)*deltaWorth > (len(c.text)-len(t))*2 {
			return nil
		}
	}
	if len(e.b)*deltaWorth > len(c.text)*2 {
		return nil
	}
	return e.b
}

// deltaWorth is how much shorter, in halves, differences must be than digits: those of numbers without
// order compress worse than the digits.
const deltaWorth = 5

// packColumns makes a block in the column layout or, if that is smaller, in the plain one.
func (t *tools) packColumns(rows []row) []byte {
	t.cols.z = t.z
	t.cols.encode(rows, &t.words)
	block := t.z.pack(t.cols.sections(), codecZstd)
	if t.cols.shaped*4 < t.cols.raw {
		return block
	}
	if plain := t.z.pack(t.plain.encode(rows), codecZstd); len(plain) < len(block) {
		return plain
	}
	return block
}
