package archive

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"

	"lastnight/query"
)

// rowSet is some records of a block.
type rowSet struct {
	all  bool
	bits []bool // by record, if not all; nil: none
}

func (s rowSet) none() bool { return !s.all && s.bits == nil }

func (s rowSet) has(row int) bool { return s.all || s.bits != nil && s.bits[row] }

// and and or may reuse the memory of s.
func (s rowSet) and(o rowSet) rowSet {
	switch {
	case s.all:
		return o
	case o.all || s.none():
		return s
	case o.none():
		return o
	}
	some := false
	for i, b := range o.bits {
		s.bits[i] = s.bits[i] && b
		some = some || s.bits[i]
	}
	if !some {
		s.bits = nil
	}
	return s
}

func (s rowSet) or(o rowSet) rowSet {
	switch {
	case s.all || o.none():
		return s
	case o.all || s.none():
		return o
	}
	for i, b := range o.bits {
		s.bits[i] = s.bits[i] || b
	}
	return s
}

// rowsWith gives those of some records that may have what is needed. It looks at shapes first,
// then at columns, and puts no line together.
func (v *view) rowsWith(c *cond, in rowSet) (rowSet, error) {
	if c == nil {
		return in, nil
	}
	if v.plain != nil {
		return v.plainRowsWith(c, in)
	}
	if err := v.loadColumns(); err != nil {
		return in, err
	}
	switch c.kind {
	case condAnd:
		for _, k := range c.kids { // each looks only at what those before have left
			kid, err := v.rowsWith(k, in)
			if err != nil || kid.none() {
				return kid, err
			}
			in = kid
		}
	case condOr:
		var set rowSet
		for _, k := range c.kids {
			kid, err := v.rowsWith(k, in)
			if err != nil {
				return kid, err
			}
			set = set.or(kid)
		}
		return set, nil
	case condText:
		return v.rowsWithText(c, in)
	case condRecord:
		set, err := v.rowsWithProperties(c.node)
		return set.and(in), err
	case condRegex:
		return v.rowsWithRegex(c, in)
	case condStream:
	}
	return in, nil
}

func (v *view) rowsWithProperties(n query.Node) (rowSet, error) {
	if err := v.loadLines(); err != nil {
		return rowSet{}, err
	}
	if err := v.loadMeta(); err != nil {
		return rowSet{}, err
	}
	match := make([]bool, len(v.props.props))
	some := false
	for i := range match {
		p := &v.props.props[i]
		match[i] = query.Match(n, propertiesDocument(p.level, p.template, p.exception))
		some = some || match[i]
	}
	if !some {
		return rowSet{}, nil
	}
	set := rowSet{bits: v.mem.bools.zeroed(v.rows())}
	for row, id := range v.rowMeta {
		set.bits[row] = match[id]
	}
	return set, nil
}

// rowsWithText gives the records one of whose lines may have a text.
func (v *view) rowsWithText(c *cond, in rowSet) (rowSet, error) {
	lines := make([]lineSetOfShape, len(v.shapes))
	shapes := v.shapesIn(in)
	some := false
	for i := range v.shapes {
		if shapes != nil && shapes[i].none() || v.only != nil && !v.only[i] {
			continue
		}
		var err error
		if lines[i], err = v.shapeWithText(&v.shapes[i], c, ranksOf(shapes, i)); err != nil {
			return rowSet{}, err
		}
		some = some || !lines[i].none()
	}
	if !some {
		return rowSet{}, nil
	}
	if err := v.loadLines(); err != nil {
		return rowSet{}, err
	}
	set := rowSet{bits: v.mem.bools.zeroed(v.rows())}
	for row := range set.bits {
		if !in.has(row) {
			continue
		}
		for i := v.rowFirst[row]; i < v.rowFirst[row+1] && !set.bits[row]; i++ {
			of := &lines[v.shapeOf[i]]
			if set.bits[row] = of.has(v.rank[i]); set.bits[row] || !of.stamp {
				continue
			}
			var err error
			if set.bits[row], err = v.stampHas(i, c); err != nil {
				return rowSet{}, err
			}
		}
	}
	return set, nil
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
	for row, b := range in.bits {
		for i := v.rowFirst[row]; b && i < v.rowFirst[row+1]; i++ {
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

// shapeWithText tells which lines of some of a shape may have a text: it stands in the shape itself, in
// one of the variables, or (then it may be any line) across the border of both.
func (v *view) shapeWithText(s *viewShape, c *cond, in ranks) (set lineSetOfShape, err error) {
	across, stamp := c.across(s, v.columns)
	if set.stamp = stamp; s.tail || across {
		return lineSetOfShape{all: true}, nil
	}
	for i := range s.vars {
		if col := &v.columns[s.column+i]; len(c.text) > int(col.width) && col.width < wide || !c.within(col.classes) {
			continue
		}
		if set.all, err = v.scanColumn(s.column+i, c, in, &set); set.all || err != nil {
			return set, err
		}
	}
	return set, nil
}

// within tells whether a text may stand in a variable with bytes of these classes.
func (c *cond) within(classes uint8) bool {
	for _, b := range c.text {
		if !c.isIn(b, classes) {
			return false
		}
	}
	return true
}

// isIn tells whether a byte of the text may be in a variable with such bytes.
func (c *cond) isIn(b byte, classes uint8) bool {
	class := columnClass[b]
	if c.fold {
		class |= class << 2 & (classHighHex | classHigh) // letters are lower case
	}
	return class&classes != 0
}

// across tells whether a text stands in a shape, or may stand across the borders of its variables;
// and whether it may stand in its stamp.
func (c *cond) across(s *viewShape, columns []viewColumn) (across, stamp bool) {
	for i := range s.tokens {
		if c.fold && hasOther(s.tokens[i].lit) || c.mayText(s.tokens[i].lit) {
			return true, false
		}
	}
	// Bit j of state: the first j bytes of the text may end here.
	state, column := uint64(0), s.column
	done := uint64(1) << len(c.text)
	for i := range s.tokens {
		tok := &s.tokens[i]
		for _, b := range tok.lit {
			if state = (state | 1) << 1 & c.places[b]; state&done != 0 {
				return true, stamp
			}
		}
		var in, fresh uint64
		switch tok.mark {
		case markVar:
			in, fresh = c.through(state, columns[column].classes), c.through(1, columns[column].classes)
			column++
		case markStamp:
			in, fresh = c.throughStamp(state, tok.form), c.throughStamp(1, tok.form)
			stamp = stamp || fresh&done != 0
		default:
			continue
		}
		if in&done != 0 {
			return true, stamp
		}
		state = (in | fresh) &^ done
	}
	return false, stamp
}

// through gives how much of the text may end in a variable that begins in state.
func (c *cond) through(state uint64, classes uint8) (out uint64) {
	var may uint64
	for j, t := range c.text {
		if c.isIn(t, classes) {
			may |= 2 << j
		}
	}
	for state = state << 1 & may; state != 0; state = state << 1 & may {
		out |= state
	}
	return out
}

// throughStamp is through for a stamp of a form.
func (c *cond) throughStamp(state uint64, f stampForm) (out uint64) {
	var may uint64
	for j, t := range c.text {
		if c.inStamp(j, t, f) {
			may |= 2 << j
		}
	}
	for state = state << 1 & may; state != 0; state = state << 1 & may {
		out |= state
	}
	return out
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
	if col := &v.columns[column]; col.kind == colNumbers && col.ends == nil && in != allRanks {
		return false, v.scanNumbers(col, c, in, set)
	}
	col, err := v.load(column)
	if err != nil {
		return false, err
	}
	text := col.text
	if c.fold && col.classes&(classHighHex|classHigh) != 0 {
		if col.lower == nil {
			col.lower = bytes.ToLower(text)
		}
		text = col.lower
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
		if n >= int(in.to) {
			return false, nil
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
