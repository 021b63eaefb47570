package archive

import (
	"lastnight"
)

// view reads a block in the column layout as far as it is asked for: sections are
// decompressed when something needs them, and lines put together one by one. Most
// questions want few lines of a block. Not safe for concurrent use.
type view struct {
	blockReader
	keys int // of the file

	// known from open on
	shapes    []viewShape
	tokens    []shapeToken // of all shapes
	columns   []viewColumn
	ids       *dec   // shape of each line, not yet read
	dict      []byte // shapes as they lie in the block
	dictLower []byte // ASCII letters in lower case; nil: not yet made
	dictOther bool   // known with dictLower: there are other characters that stand for ASCII letters without case
	small     []byte
	smallNums []byte // of numbers

	// known after loadLines
	flags    []byte
	runs     []viewRun
	rowFirst []int32 // first line of each record, and behind the last one the number of lines
	shapeOf  []int32 // by line
	rank     []int32 // by line: how many lines of its shape come before it
	times    []int64 // by line

	// known after loadStamps, loadTails, loadOffsets, loadProperties
	stamps      []int64 // by line
	tails       map[int32][]byte
	deltas      []int64         // by line: offset against what the line before foretells; nil: see deltaBytes
	deltaBytes  []byte          // by line: deltas of one byte each
	longDeltas  map[int32]int64 // the others
	offsetsRead bool            // loadOffsets is done
	parts       map[int32][]byte
	marks       []int64
	usual       []int64  // by shape, see sums.go
	sums        []uint64 // by group; nil: the block has none
	window      offsetWindow
	props       *metaDecoder
	explicit    explicitMeta
	rowMeta     []int32 // by record: its properties; nil: see explicit
	appTime     []int64 // by record
	attrs       []string
	attrAt      []int32 // by record: its first value in attrs

	rec    lastnight.Record // scratch, of record
	text   []byte           // its texts
	number []byte           // scratch, of value
	vars   []piece          // of the last line put together

	plain *plainView // of a block in the plain layout, which has none of shapes, columns and what they need; else nil

	stampText stampText
	only      []bool // shapes whose lines are looked at for a text; nil: all
}

type viewRun struct {
	key, firstRow, endRow, firstLine, endLine int

	back bool // lines are not in the order of their times
}

// viewShape is a shape and where its variables are.
type viewShape struct {
	tokens  []shapeToken
	column  int // its first one; the others follow
	vars    int
	lines   int32
	fixed   int // bytes of a line but for its variables and tail
	dictEnd int // where it ends in the view's dict
	stamp   bool
	tail    bool
}

// newView is a view of a block of a file with so many keys. The view's memory is mem's.
func newView(stored map[sectionID]stored, keys int, mem *slabs) *view {
	v := &view{blockReader: blockReader{stored: stored, mem: mem, lists: mem}, keys: keys}
	if _, columns := stored[secShapes]; !columns {
		v.plain = &plainView{}
	}
	return v
}

// openView is newView with its columns loaded.
func openView(stored map[sectionID]stored, keys int, mem *slabs) (*view, error) {
	v := newView(stored, keys, mem)
	return v, v.loadColumns()
}

// loadColumns finds the shapes and columns of a block, if it has any.
func (v *view) loadColumns() error {
	if v.plain != nil || v.ids != nil {
		return nil
	}
	d, err := v.opens(secShapes, secShapeIDs, secVarKinds, secClasses, secWidths, secFixed)
	if err != nil {
		return err
	}
	if err := v.readColumns(d); err != nil {
		return err
	}
	v.ids = d[1]
	v.ids.upTo(maxSectionBytes)
	return nil
}

func (v *view) readColumns(d []*dec) error {
	dict, kinds, classes, widths, fixed := d[0], d[2], d[3].b, d[4].b, d[5].b
	v.dict = dict.b
	small, smallNums, next := 0, 0, secFirstVars
	var room [48]byte
	for len(dict.b) > 0 {
		from := len(v.tokens)
		var err error
		if v.tokens, err = appendTokens(v.tokens, dict.bytes()); err != nil {
			return err
		}
		tokens := v.tokens[from:len(v.tokens):len(v.tokens)]
		s := viewShape{tokens: tokens, column: len(v.columns), dictEnd: len(v.dict) - len(dict.b)}
		for i := range tokens {
			s.fixed += len(tokens[i].lit)
			switch tokens[i].mark {
			case markStamp:
				s.stamp = true
				s.fixed += len(tokens[i].form.appendStamp(room[:0], 0))
			case markTail:
				s.tail = true
			case markVar:
				k := kinds.byte()
				c := viewColumn{kind: k >> 1, section: secSmallVars, classes: classAny, width: wide}
				if k&1 != 0 {
					c.section = next
					next++
				} else {
					at := &small
					if c.kind == colNumbers {
						at, c.section = &smallNums, secSmallNums
					}
					c.from = *at
					*at += kinds.upTo(maxSectionBytes)
					c.to = *at
				}
				if n := len(v.columns); n < len(classes) {
					c.classes = classes[n] & classAny
				}
				if n := len(v.columns); n < len(widths) {
					c.width = widths[n]
					c.fixed = c.width < wide && n/8 < len(fixed) && fixed[n/8]>>(n%8)&1 != 0
				}
				if c.kind > colNumbers {
					return corruptf("column of unknown kind %d", c.kind)
				}
				v.columns = append(v.columns, c)
			}
		}
		s.vars = len(v.columns) - s.column
		v.shapes = append(v.shapes, s)
	}
	if err := kinds.done("columns"); err != nil {
		return err
	}
	return dict.done("shapes")
}

// loadLines reads which lines there are, of which shapes and times.
func (v *view) loadLines() error {
	if err := v.loadColumns(); err != nil {
		return err
	}
	if err := v.loadTimes(); err != nil {
		return err
	}
	return v.loadShapes()
}

// loadTimes reads which lines there are, and their times.
func (v *view) loadTimes() (err error) {
	if v.rowFirst != nil {
		return nil
	}
	defer func() {
		if err != nil {
			v.rowFirst = nil // they are not loaded
		}
	}()
	d, err := v.opens(secRuns, secLines, secFlags)
	if err != nil {
		return err
	}
	runs, perRecord := d[0], d[1]
	v.flags = d[2].b
	n := len(v.flags)
	if n > maxBlockLines {
		return corruptf("%d lines are more than a block may have", n)
	}
	v.rowFirst = v.mem.small.take(len(perRecord.b) + 1)[:0]
	if v.times, err = v.timeDeltas(n); err != nil {
		return err
	}
	if len(perRecord.b) == n { // records of one line each, if each is to have any
		return v.loadRuns(runs, perRecord)
	}
	line, counts := 0, perRecord.b
	for len(runs.b) > 0 && runs.err == nil {
		run := viewRun{key: runs.index(v.keys), firstRow: len(v.rowFirst), firstLine: line}
		for range runs.upTo(len(counts)) {
			var k int
			if len(counts) > 0 && counts[0] < 0x80 && int(counts[0]) <= n-line {
				k, counts = int(counts[0]), counts[1:]
			} else {
				perRecord.b = counts
				k = perRecord.upTo(n - line)
				counts = perRecord.b
			}
			if k == 0 {
				return corruptf("record without lines")
			}
			v.rowFirst = append(v.rowFirst, int32(line))
			line += k
		}
		run.endRow, run.endLine = len(v.rowFirst), line
		run.sumUp(v.times)
		v.runs = append(v.runs, run)
	}
	if line != n || len(counts) > 0 {
		return corruptf("lines and records do not match")
	}
	v.rowFirst = append(v.rowFirst, int32(n))
	return runs.done("streams")
}

// loadRuns is what is left of loadTimes if each record has one line.
func (v *view) loadRuns(runs, perRecord *dec) error {
	n := len(v.flags)
	for i, k := range perRecord.b {
		if k != 1 {
			return corruptf("lines and records do not match")
		}
		v.rowFirst = append(v.rowFirst, int32(i))
	}
	line := 0
	for len(runs.b) > 0 && runs.err == nil {
		run := viewRun{key: runs.index(v.keys), firstRow: line, firstLine: line}
		line += runs.upTo(n - line)
		run.endRow, run.endLine = line, line
		run.sumUp(v.times)
		v.runs = append(v.runs, run)
	}
	if line != n {
		return corruptf("lines and records do not match")
	}
	v.rowFirst = append(v.rowFirst, int32(n))
	return runs.done("streams")
}

// sumUp makes times of differences.
func (r *viewRun) sumUp(times []int64) {
	if r.firstLine == r.endLine {
		return
	}
	t := times[r.firstLine]
	for i, delta := range times[r.firstLine+1 : r.endLine] {
		t += delta
		times[r.firstLine+1+i] = t
		r.back = r.back || delta < 0
	}
}

func (v *view) loadShapes() error {
	if v.plain != nil || v.shapeOf != nil {
		return nil
	}
	n := len(v.flags)
	v.shapeOf, v.rank = v.mem.small.take(n), v.mem.small.take(n)
	if b := v.ids.b; len(b) == n && len(v.shapes) <= 0x80 { // a byte each
		for i, s := range b {
			if int(s) >= len(v.shapes) {
				return corruptf("line of an unknown shape")
			}
			shape := &v.shapes[s]
			v.shapeOf[i], v.rank[i] = int32(s), shape.lines
			shape.lines++
		}
		return nil
	}
	list := v.mem.nums.take(n)
	v.ids.uints(list)
	for i, s := range list {
		if s >= uint64(len(v.shapes)) {
			return corruptf("line of an unknown shape")
		}
		v.shapeOf[i] = int32(s)
		v.rank[i] = v.shapes[s].lines
		v.shapes[s].lines++
	}
	return v.ids.done("shapes of lines")
}

func (v *view) rows() int { return len(v.rowFirst) - 1 }

func (v *view) loadStamps() error {
	if v.stamps != nil {
		return nil
	}
	d, err := v.open(secStamps)
	if err != nil {
		return err
	}
	n := 0
	for i := range v.shapes {
		if s := &v.shapes[i]; s.stamp {
			n += int(s.lines)
		}
	}
	list := v.mem.nums.take(n)
	d.uints(list)
	stamps, n := v.mem.large.zeroed(len(v.shapeOf)), 0
	for i, s := range v.shapeOf {
		if v.shapes[s].stamp {
			stamps[i] = signed(list[n])
			n++
		}
	}
	v.stamps = stamps
	return d.done("stamps")
}

func (v *view) loadTails() error {
	if v.tails != nil {
		return nil
	}
	d, err := v.open(secTails)
	if err != nil {
		return err
	}
	v.tails = map[int32][]byte{}
	for i := 0; i < len(v.shapeOf) && len(d.b) > 0; i++ {
		if v.shapes[v.shapeOf[i]].tail {
			v.tails[int32(i)] = d.bytes()
		}
	}
	return d.done("tails")
}

// appendLine appends the text of a line to dst; vars and stamp are then those of the line.
func (v *view) appendLine(dst []byte, line int32) (out []byte, stamp int64, err error) {
	s := &v.shapes[v.shapeOf[line]]
	from, at := len(dst), s.column
	v.vars = v.vars[:0]
	for i := range s.tokens {
		tok := &s.tokens[i]
		dst = append(dst, tok.lit...)
		begin := len(dst) - from
		switch tok.mark {
		case markVar:
			value, err := v.value(at, v.rank[line])
			if err != nil {
				return dst, 0, err
			}
			at++
			dst = append(dst, value...)
		case markStamp:
			if err := v.loadStamps(); err != nil {
				return dst, 0, err
			}
			stamp = stampOf(tok.form, v.stamps[line], v.times[line])
			dst = append(dst, v.stampText.of(tok.form, stamp)...)
		case markTail:
			if err := v.loadTails(); err != nil {
				return dst, 0, err
			}
			dst = append(dst, v.tails[line]...)
			continue
		default:
			continue
		}
		v.vars = append(v.vars, piece{begin, len(dst) - from})
	}
	if len(dst)-from > maxLine {
		return dst, 0, corruptf("line of %d bytes", len(dst)-from)
	}
	return dst, stamp, nil
}

// record puts a record together, without offsets and how its lines were cut. It is valid until the next call.
func (v *view) record(row int) (*lastnight.Record, error) {
	if v.plain != nil {
		return v.plainRecord(row)
	}
	if err := v.loadProperties(); err != nil {
		return nil, err
	}
	first, end := v.rowFirst[row], v.rowFirst[row+1]
	rec := &v.rec
	*rec = lastnight.Record{Lines: rec.Lines[:0]}
	v.text = v.text[:0]
	for i := first; i < end; i++ {
		from := len(v.text)
		text, stamp, err := v.appendLine(v.text, i)
		if err != nil {
			return nil, err
		}
		v.text = text
		text = text[from:len(text):len(text)]
		rec.Lines = append(rec.Lines, lastnight.Line{Time: v.times[i], Text: text, Stderr: v.flags[i]&flagStderr != 0, Partial: v.flags[i]&flagPartial != 0})
		if i == first {
			if err := v.describe(rec, row, stamp); err != nil {
				return nil, err
			}
		}
	}
	return rec, nil
}
