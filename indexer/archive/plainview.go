package archive

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"unicode/utf8"

	"lastnight"
	"lastnight/query"
)

// What has just arrived lies in blocks of the plain layout, and is asked for as much as what is old. Such a block is looked
// through as one text, for what every match has, before anything of it is decoded; then only the records that may match
// are put together. A text that is found across the border of two records is no match, which whoever puts the
// record together sees; so borders are looked up only where something was found.

// plainView is what a view knows of a block in the plain layout.
type plainView struct {
	text    []byte  // of all lines, one after the other; nil: not yet decompressed
	lower   []byte  // text, ASCII letters in lower case; nil: not yet made
	odd     bool    // known with lower: text has other characters that stand for ASCII letters without case
	ends    []int32 // by line: where it ends in text; nil: not yet read
	rowEnds []int32 // by record
	props   *plainProps
	offsets []int64 // by line; nil: not yet read
}

// plainProps is what is known of records besides their lines, as it lies in the block.
type plainProps struct {
	dict           dictionary
	records, attrs []byte
	at, attrAt     []int32 // by record: where it begins in these
}

// dictionary is numbered strings that are made when they are asked for. Number 0 is "".
type dictionary struct {
	raw   [][]byte
	known []string
}

func openDictionary(d *dec) (dictionary, error) {
	t := dictionary{raw: make([][]byte, 1, 64)}
	for len(d.b) > 0 && d.err == nil {
		t.raw = append(t.raw, d.bytes())
	}
	t.known = make([]string, len(t.raw))
	return t, d.done("dictionary")
}

// next gives the string whose number comes next in d.
func (t *dictionary) next(d *dec) string {
	i := d.index(len(t.raw))
	if i > 0 && t.known[i] == "" {
		t.known[i] = string(t.raw[i])
	}
	return t.known[i]
}

func (v *view) loadPlainText() error {
	if v.plain.text != nil {
		return nil
	}
	d, err := v.open(secText)
	if err != nil {
		return err
	}
	if v.plain.text = d.b; d.b == nil {
		v.plain.text = []byte{}
	}
	return nil
}

// plainText gives the block's text as a condition's is looked for in it; any tells that the text cannot tell what lacks it.
func (v *view) plainText(c *cond) (text []byte, anything bool, err error) {
	p := v.plain
	if err := v.loadPlainText(); err != nil || !c.fold {
		return p.text, false, err
	}
	if p.lower == nil {
		p.lower = v.mem.bytes.take(len(p.text))
		p.odd = toLower(p.lower, p.text) && hasOdd(p.text)
	}
	return p.lower, p.odd, nil
}

// hasOdd tells whether a text has characters beyond ASCII whose lower case is ASCII.
func hasOdd(text []byte) bool {
	return bytes.Contains(text, []byte("\u017f")) || bytes.Contains(text, []byte("\u212a"))
}

// toLower copies text, ASCII letters in lower case, and tells whether it has anything but ASCII.
func toLower(dst, text []byte) (other bool) {
	const (
		ones  = 0x0101010101010101
		highs = 0x80 * ones
	)
	var all uint64
	i := 0
	for ; i+8 <= len(text); i += 8 { // eight bytes at once; a byte's high bit says what holds for it
		x := binary.LittleEndian.Uint64(text[i:])
		all |= x
		low := x &^ highs
		atLeastA, aboveZ := low+(0x80-'A')*ones, low+(0x7f-'Z')*ones
		upper := (atLeastA ^ aboveZ) &^ x & highs
		binary.LittleEndian.PutUint64(dst[i:], x|upper>>2)
	}
	other = all&highs != 0
	for ; i < len(text); i++ {
		other = other || text[i] >= utf8.RuneSelf
		dst[i] = lower(text[i])
	}
	return other
}

// loadEnds reads where lines and records end in the text.
func (v *view) loadEnds() error {
	p := v.plain
	if p.ends != nil {
		return nil
	}
	if err := v.loadLines(); err != nil {
		return err
	}
	if err := v.loadPlainText(); err != nil {
		return err
	}
	d, err := v.open(secLengths)
	if err != nil {
		return err
	}
	ends, at := v.mem.small.take(len(v.flags)), 0
	for i := range ends {
		at += d.upTo(len(p.text) - at)
		ends[i] = int32(at)
	}
	if err := d.done("lengths"); err != nil {
		return err
	}
	if at != len(p.text) {
		return corruptf("text does not end with a line")
	}
	p.rowEnds = v.mem.small.take(v.rows())
	for row := range p.rowEnds {
		p.rowEnds[row] = ends[v.rowFirst[row+1]-1]
	}
	p.ends = ends
	return nil
}

// plainRowsWith is rowsWith in the plain layout.
func (v *view) plainRowsWith(c *cond, in rowSet) (rowSet, error) {
	if c == nil || in.none() {
		return in, nil
	}
	switch c.kind {
	case condAnd:
		for _, k := range c.kids { // each looks only at what those before have left
			var err error
			if in, err = v.plainRowsWith(k, in); err != nil || in.none() {
				return in, err
			}
		}
	case condOr:
		var set rowSet
		for _, k := range c.kids {
			kid, err := v.plainRowsWith(k, in)
			if err != nil {
				return kid, err
			}
			set = set.or(kid)
		}
		return set, nil
	case condText:
		return v.plainWithText(c, in)
	case condRecord:
		return v.plainWithProperties(c.node, in)
	case condRegex:
		return v.plainWithRegex(c, in)
	case condStream:
	}
	return in, nil
}

// plainWithText gives those of some records in which a text stands.
func (v *view) plainWithText(c *cond, in rowSet) (rowSet, error) {
	text, anything, err := v.plainText(c)
	if err != nil || anything {
		return in, err
	}
	at := bytes.Index(text, c.text)
	if at < 0 {
		return rowSet{}, nil
	}
	if err := v.loadEnds(); err != nil {
		return rowSet{}, err
	}
	out := v.mem.small.take(in.count(v.rows()))[:0]
	if !in.all { // they may be few: only they are looked through
		for _, row := range in.rows {
			from := int32(0)
			if row > 0 {
				from = v.plain.rowEnds[row-1]
			}
			if bytes.Contains(text[from:v.plain.rowEnds[row]], c.text) {
				out = append(out, row)
			}
		}
		return rowSet{rows: out}, nil
	}
	for row, end := range v.plain.rowEnds {
		if at >= int(end) {
			continue
		}
		out = append(out, int32(row))
		next := bytes.Index(text[end:], c.text)
		if next < 0 {
			break
		}
		at = int(end) + next
	}
	return rowSet{rows: out}, nil
}

// plainWithRegex gives those of some records one of whose lines matches.
func (v *view) plainWithRegex(c *cond, in rowSet) (rowSet, error) {
	in, err := v.plainRowsWith(c.short, in)
	if err != nil || in.none() {
		return in, err
	}
	if err := v.loadEnds(); err != nil {
		return rowSet{}, err
	}
	w := c.regex.get()
	defer c.regex.walkers.Put(w)
	out := v.mem.small.take(in.count(v.rows()))[:0]
	for row := range in.of(v.rows()) {
		first, end := v.rowFirst[row], v.rowFirst[row+1]
		may := c.regex.single && end-first > 1
		for line := first; line < end && !may; line++ {
			may = w.d.May(v.plainLine(line))
		}
		if may {
			out = append(out, int32(row))
		}
	}
	return rowSet{rows: out}, nil
}

// plainLine gives the text of a line, once loadEnds has been called.
func (v *view) plainLine(line int32) []byte {
	from := int32(0)
	if line > 0 {
		from = v.plain.ends[line-1]
	}
	end := v.plain.ends[line]
	return v.plain.text[from:end:end]
}

// loadPlainProps finds where what is known of each record begins.
func (v *view) loadPlainProps() error {
	if v.plain.props != nil {
		return nil
	}
	if err := v.loadLines(); err != nil {
		return err
	}
	d, err := v.opens(secDict, secRecords, secAttrs)
	if err != nil {
		return err
	}
	records, attrs := d[1], d[2]
	p := &plainProps{records: records.b, attrs: attrs.b, at: v.mem.small.take(v.rows()), attrAt: v.mem.small.take(v.rows())}
	if p.dict, err = openDictionary(d[0]); err != nil {
		return err
	}
	for row := range p.at {
		p.at[row], p.attrAt[row] = int32(len(p.records)-len(records.b)), int32(len(p.attrs)-len(attrs.b))
		skipRecord(records, attrs)
	}
	if err := attrs.done("attributes"); err != nil {
		return err
	}
	v.plain.props = p
	return records.done("records")
}

// skipRecord reads what decodeRecord does.
func skipRecord(d, attrs *dec) {
	d.byte()
	for range 4 { // logger, thread, template, where the message begins
		d.uint()
	}
	if d.byte() != 0 {
		d.uint()
	}
	for range d.count() {
		d.uint()
	}
	if d.byte() == 0 {
		return
	}
	for range attrs.upTo(min(maxAttrs, len(attrs.b))) {
		attrs.uint()
		attrs.bytes()
	}
}

// plainWithProperties gives those of some records whose properties a query matches that asks for nothing else.
func (v *view) plainWithProperties(n query.Node, in rowSet) (rowSet, error) {
	if err := v.loadPlainProps(); err != nil {
		return rowSet{}, err
	}
	type properties struct {
		level    lastnight.Level
		template string
	}
	known := map[properties]bool{} // of records without an exception
	out := v.mem.small.take(in.count(v.rows()))[:0]
	for row := range in.of(v.rows()) {
		p := v.plain.props
		d := &dec{b: p.records[p.at[row]:]}
		is := properties{level: lastnight.Level(d.byte())}
		d.uint()
		d.uint()
		is.template = p.dict.next(d)
		d.uint()
		if d.byte() != 0 {
			d.uint()
		}
		var exception []string
		for range d.count() {
			exception = append(exception, p.dict.next(d))
		}
		if d.err != nil {
			return rowSet{}, d.err
		}
		match, ok := known[is]
		if !ok || exception != nil {
			match = query.Match(n, propertiesDocument(is.level, is.template, exception))
		}
		if exception == nil {
			known[is] = match
		}
		if match {
			out = append(out, int32(row))
		}
	}
	return rowSet{rows: out}, nil
}

// plainRecord is record in the plain layout. The texts of its lines are the view's.
func (v *view) plainRecord(row int) (*lastnight.Record, error) {
	if err := v.loadEnds(); err != nil {
		return nil, err
	}
	if err := v.loadPlainProps(); err != nil {
		return nil, err
	}
	first, end := v.rowFirst[row], v.rowFirst[row+1]
	r := &lastnight.Record{Lines: make([]lastnight.Line, end-first)}
	for i := range r.Lines {
		line := first + int32(i)
		r.Lines[i] = lastnight.Line{
			Time: v.times[line], Text: v.plainLine(line), Stderr: v.flags[line]&flagStderr != 0, Partial: v.flags[line]&flagPartial != 0,
		}
	}
	p := v.plain.props
	d, attrs := &dec{b: p.records[p.at[row]:]}, &dec{b: p.attrs[p.attrAt[row]:]}
	decodeRecord(d, attrs, &p.dict, r)
	return r, cmp.Or(d.err, attrs.err)
}

// plainOffset is offset in the plain layout: the first call finds those of all lines.
func (v *view) plainOffset(line int32) (int64, error) {
	if v.plain.offsets != nil {
		return v.plain.offsets[line], nil
	}
	if err := v.loadEnds(); err != nil {
		return 0, err
	}
	d, err := v.opens(secOffsets, secParts)
	if err != nil {
		return 0, err
	}
	offsets, parts := d[0], d[1]
	out := v.mem.large.take(len(v.flags))
	for _, run := range v.runs {
		at := int64(0)
		for i := run.firstLine; i < run.endLine; i++ {
			out[i] = at + offsets.int()
			n := int64(len(v.plainLine(int32(i))))
			if v.flags[i]&flagParts != 0 {
				n = partsLength(parts, n)
			}
			at = out[i] + n + usualHeader + 1
		}
	}
	if err := parts.done("parts"); err != nil {
		return 0, err
	}
	if err := offsets.done("offsets"); err != nil {
		return 0, err
	}
	v.plain.offsets = out
	return out[line], nil
}
