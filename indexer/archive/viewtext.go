package archive

import (
	"bytes"
	"math/bits"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// A text stands in the shapes of a block, which are looked through as one; or in the values of their variables, column by
// column; or, what is told by the kinds of bytes that these have, across the borders of both.

// rowsWithText gives those of some records one of whose lines may have a text.
func (v *view) rowsWithText(c *cond, in rowSet) (rowSet, error) {
	said, lines := v.shapesSaying(c), make([]lineSetOfShape, len(v.shapes))
	shapes := v.shapesIn(in)
	some := false
	for i := range v.shapes {
		if shapes != nil && shapes[i].none() || v.only != nil && !v.only[i] {
			continue
		}
		if lines[i].all = said[i]; !said[i] {
			var err error
			if lines[i], err = v.shapeWithText(&v.shapes[i], c, ranksOf(shapes, i)); err != nil {
				return rowSet{}, err
			}
		}
		some = some || !lines[i].none()
	}
	if !some {
		return rowSet{}, nil
	}
	if err := v.loadLines(); err != nil {
		return rowSet{}, err
	}
	return v.rowsWithLines(in, lines, func(line int32) (bool, error) { return v.stampHas(line, c) })
}

// rowsWithLines gives those of some records that have one of some lines; stamp tells of those which a shape leaves open.
func (v *view) rowsWithLines(in rowSet, lines []lineSetOfShape, stamp func(int32) (bool, error)) (rowSet, error) {
	may := v.mem.bools.take(len(lines))
	for i := range may {
		may[i] = !lines[i].none()
	}
	out := v.mem.small.take(in.count(v.rows()))[:0]
	var err error
	has := func(line int32) bool {
		of := &lines[v.shapeOf[line]]
		if of.has(v.rank[line]) || !of.stamp || err != nil {
			return of.has(v.rank[line])
		}
		ok, failed := stamp(line)
		err = failed
		return ok
	}
	if !in.all {
		for _, row := range in.rows {
			for i := v.rowFirst[row]; i < v.rowFirst[row+1]; i++ {
				if may[v.shapeOf[i]] && has(i) {
					out = append(out, row)
					break
				}
			}
		}
		return rowSet{rows: out}, err
	}
	row, next := int32(0), int32(0) // the lines of a record that was taken are not asked
	for i, shape := range v.shapeOf {
		if !may[shape] || int32(i) < next || !has(int32(i)) {
			continue
		}
		for v.rowFirst[row+1] <= int32(i) {
			row++
		}
		out, next = append(out, row), v.rowFirst[row+1]
	}
	return rowSet{rows: out}, err
}

// shapesSaying tells by shape whether a text stands in it, between its marks. Of a few it says so although
// the text stands across the border of two, or is not told apart by case.
func (v *view) shapesSaying(c *cond) []bool {
	said, text := v.mem.bools.zeroed(len(v.shapes)), v.dict
	if c.fold {
		if v.dictLower == nil {
			v.dictLower = v.mem.bytes.take(len(v.dict))
			v.dictOther = toLower(v.dictLower, v.dict) && hasOdd(v.dict)
		}
		if text = v.dictLower; v.dictOther {
			for i := range v.shapes {
				said[i] = slices.ContainsFunc(v.shapes[i].tokens, func(t shapeToken) bool { return hasOther(t.lit) })
			}
		}
	}
	for at := 0; ; {
		i := bytes.Index(text[at:], c.text)
		if i < 0 {
			return said
		}
		at += i
		n := sort.Search(len(v.shapes), func(k int) bool { return v.shapes[k].dictEnd > at })
		if n == len(v.shapes) {
			return said
		}
		said[n] = true
		at = v.shapes[n].dictEnd
	}
}

// ranks are some lines of a shape that follow each other: from one on, to one exclusive.
type ranks struct{ from, to int32 }

func (r ranks) none() bool { return r.from == r.to }

// allRanks are all lines of a shape, however many it has.
var allRanks = ranks{0, maxBlockLines + 1}

func ranksOf(shapes []ranks, i int) ranks {
	if shapes == nil {
		return allRanks
	}
	return shapes[i]
}

// shapesIn tells which lines of each shape these records have, and those between; nil: any.
func (v *view) shapesIn(in rowSet) []ranks {
	if in.all {
		return nil
	}
	shapes := make([]ranks, len(v.shapes))
	for _, row := range in.rows {
		for i := v.rowFirst[row]; i < v.rowFirst[row+1]; i++ {
			s, n := &shapes[v.shapeOf[i]], v.rank[i]
			if s.none() {
				s.from = n
			}
			s.to = n + 1
		}
	}
	return shapes
}

// stampHas tells whether a line's stamp may have a text.
func (v *view) stampHas(line int32, c *cond) (bool, error) {
	if err := v.loadStamps(); err != nil {
		return false, err
	}
	s := &v.shapes[v.shapeOf[line]]
	for i := range s.tokens {
		if tok := &s.tokens[i]; tok.mark == markStamp {
			if c.mayText(v.stampText.of(tok.form, stampOf(tok.form, v.stamps[line], v.times[line]))) {
				return true, nil
			}
		}
	}
	return false, nil
}

// lineSetOfShape is some lines of a shape.
type lineSetOfShape struct {
	all   bool
	stamp bool   // those whose stamp has the text too
	hits  []bool // by rank; what is not in it is none
}

func (s *lineSetOfShape) none() bool { return !s.all && !s.stamp && len(s.hits) == 0 }
func (s *lineSetOfShape) has(rank int32) bool {
	return s.all || int(rank) < len(s.hits) && s.hits[rank]
}

// shapeWithText tells which lines of some of a shape may have a text that the shape itself does not have: it stands in
// one of the variables, or (then it may be any line) across the border of both.
func (v *view) shapeWithText(s *viewShape, c *cond, in ranks) (set lineSetOfShape, err error) {
	across, stamp := c.across(s, v.columns)
	if set.stamp = stamp; s.tail || across {
		return lineSetOfShape{all: true}, nil
	}
	for i := range s.vars {
		if !c.inColumn(&v.columns[s.column+i]) {
			continue
		}
		if set.all, err = v.scanColumn(s.column+i, c, in, &set); set.all || err != nil {
			return set, err
		}
	}
	return set, nil
}

// inColumn tells whether a text may stand in a value of a column.
func (c *cond) inColumn(col *viewColumn) bool {
	return (len(c.text) <= int(col.width) || col.width == wide) && c.mayPlaces(col.classes) == c.done()<<1-2
}

// done is the bit for all of the text, in a set of places of it.
func (c *cond) done() uint64 { return 1 << len(c.text) }

// mayPlaces gives the places of the text behind which a byte of these classes stands, a bit each.
func (c *cond) mayPlaces(classes uint8) (places uint64) {
	for ; classes != 0; classes &= classes - 1 {
		places |= c.classes[bits.TrailingZeros8(classes)]
	}
	return places
}

// across tells whether a text may stand across the borders of a shape's variables; and whether it may stand in its stamp.
func (c *cond) across(s *viewShape, columns []viewColumn) (across, stamp bool) {
	// Bit j of state: the first j bytes of the text may end here, having begun in a variable or right before one.
	state, column, done := uint64(0), s.column, c.done()
	for i := range s.tokens {
		tok := &s.tokens[i]
		for j := 0; j < len(tok.lit) && state != 0; j++ {
			if state = state << 1 & c.places[tok.lit[j]]; state&done != 0 {
				return true, stamp
			}
		}
		if tok.mark != markVar && tok.mark != markStamp {
			continue
		}
		begun := uint64(0)
		for _, b := range tok.lit[max(0, len(tok.lit)-len(c.text)+1):] {
			begun = (begun | 1) << 1 & c.places[b]
		}
		state |= begun
		var may uint64
		if tok.mark == markVar {
			may = c.mayPlaces(columns[column].classes)
			column++
		} else {
			may = c.stampPlaces(tok.form)
		}
		in, fresh := through(state, may), through(1, may)
		if in&done != 0 {
			return true, stamp
		}
		stamp = stamp || tok.mark == markStamp && fresh&done != 0
		state = (in | fresh) &^ done
	}
	return false, stamp
}

// through gives how much of a text may end in a variable that begins in state and has the bytes of these places.
func through(state, may uint64) (out uint64) {
	for state = state << 1 & may; state != 0; state = state << 1 & may {
		out |= state
	}
	return out
}

// stampPlaces gives the places of the text behind which a byte stands that may be in a stamp of a form.
func (c *cond) stampPlaces(f stampForm) (may uint64) {
	for j, t := range c.text {
		if c.inStamp(j, t, f) {
			may |= 2 << j
		}
	}
	return may
}

// digitsAround gives how many digits stand together at the jth byte of the text.
func (c *cond) digitsAround(j int) int {
	from, to := j, j
	for from > 0 && isDigit(c.text[from-1]) {
		from--
	}
	for to < len(c.text) && isDigit(c.text[to]) {
		to++
	}
	return to - from
}

const lowerMonths = "jan feb mar apr may jun jul aug sep oct nov dec"

// inStamp tells whether the byte t, the jth of the text, may be in a stamp.
func (c *cond) inStamp(j int, t byte, f stampForm) bool {
	switch {
	case isDigit(t):
		return c.digitsAround(j) <= f.maxDigits()
	case t == ' ', t == ':', t == f.point, t == f.between, c.fold && t == lower(f.between):
		return true
	case t == '-':
		return f.date == dateDashes
	case t == '/':
		return f.date == dateSlash || f.date == dateShort
	case f.date != dateMonth || byteClass[t] != classLetter:
		return false
	}
	from, to := j, j+1 // the letters around it
	for from > 0 && byteClass[c.text[from-1]] == classLetter {
		from--
	}
	for to < len(c.text) && byteClass[c.text[to]] == classLetter {
		to++
	}
	run := bytes.ToLower(c.text[max(from, j-2):min(to, j+3)])
	return len(run) <= 3 && strings.Contains(lowerMonths, string(run))
}

// hasOther tells whether there is anything but ASCII: letters whose lower case is ASCII, maybe.
func hasOther(lit []byte) bool {
	for _, b := range lit {
		if b >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// scanColumn adds those of some lines whose value in a column has the text; all says that each has.
func (v *view) scanColumn(column int, c *cond, in ranks, set *lineSetOfShape) (all bool, err error) {
	if col := &v.columns[column]; col.kind == colNumbers && col.ends == nil && (in != allRanks || c.digits != nil) {
		return false, v.scanNumbers(col, c, in, set)
	}
	col, err := v.load(column)
	if err != nil {
		return false, err
	}
	text := col.text
	if n := int(in.to); n > 0 && n <= len(col.ends) && col.kind != colSame {
		text = text[:col.ends[n-1]+1]
	}
	if c.fold && col.classes&(classHighHex|classHigh) != 0 {
		if col.lower == nil {
			col.lower = v.mem.bytes.take(len(col.text))
			toLower(col.lower, col.text)
		}
		text = col.lower[:len(text)]
	}
	at := 0
	if n := int(in.from); col.kind != colSame && n > 0 && n <= len(col.ends) {
		at = int(col.ends[n-1]) + 1
	}
	for {
		i := bytes.Index(text[at:], c.text)
		if i < 0 {
			return false, nil
		}
		if col.kind == colSame {
			return true, nil
		}
		at += i
		n := sort.Search(len(col.ends), func(k int) bool { return int(col.ends[k]) >= at })
		if n == len(col.ends) {
			return false, corruptf("column does not end with a value")
		}
		v.hit(set, n, len(col.ends))
		at = int(col.ends[n])
	}
}

// scanNumbers is scanColumn for some lines of a column of numbers, of which only theirs are written out.
func (v *view) scanNumbers(col *viewColumn, c *cond, in ranks, set *lineSetOfShape) error {
	if err := v.loadNumbers(col); err != nil {
		return err
	}
	if int(in.to)-int(in.from) > manyAsked {
		col.numbers.unpack(v.mem)
		if c.digits != nil && col.numbers.onlyRuns() {
			return v.scanDigits(col.numbers, c.digits, in, set)
		}
	}
	const piece, most = 128, 1 << 16 // values looked through at once, and from how many bytes on these are enough
	var ends [piece]int
	text, to := v.number, min(int(in.to), col.numbers.n)
	for n := int(in.from); n < to; {
		text = text[:0]
		values := 0
		for ; values < piece && n+values < to && len(text) < most; values++ {
			text = append(col.numbers.appendValue(text, n+values), varNewline)
			ends[values] = len(text)
		}
		if c.fold {
			lowerASCII(text)
		}
		for i, at := 0, 0; ; {
			hit := bytes.Index(text[at:], c.text)
			if hit < 0 {
				break
			}
			for ends[i] <= at+hit {
				i++
			}
			v.hit(set, n+i, col.numbers.n)
			at = ends[i]
		}
		n += values
	}
	v.number = text
	return nil
}

// scanDigits is scanNumbers for numbers that are unpacked and digits that only they may have, which none is written out for.
func (v *view) scanDigits(col *numberColumn, digits *digitText, in ranks, set *lineSetOfShape) error {
	to := min(int(in.to), col.n)
	for i := range col.runs {
		list := col.runs[i].list[:to]
		for n := int(in.from); n < to; n++ {
			if digits.in(list[n]) {
				v.hit(set, n, col.n)
			}
		}
	}
	return nil
}

// lowerASCII makes letters small.
func lowerASCII(text []byte) {
	for i, b := range text {
		text[i] = lower(b)
	}
}

// hit adds a line of a shape that has so many.
func (v *view) hit(set *lineSetOfShape, rank, lines int) {
	if len(set.hits) < lines {
		hits := v.mem.bools.zeroed(lines)
		copy(hits, set.hits)
		set.hits = hits
	}
	set.hits[rank] = true
}
