package archive

import (
	"encoding/binary"
	"slices"

	"lastnight"
)

// loadProperties reads what is known of records besides their texts.
func (v *view) loadProperties() error {
	if v.props != nil {
		return nil
	}
	m, err := v.metaDecoder(len(v.shapes))
	if err != nil {
		return err
	}
	if !m.apart() {
		v.explicit, err = m.explicit(v)
		v.props = m
		return err
	}
	n := v.rows()
	v.rowMeta, v.attrAt = v.mem.small.take(n), v.mem.small.take(n)
	v.appTime = v.mem.large.zeroed(n)
	for row := range n {
		shape := v.shapeOf[v.rowFirst[row]]
		if id := m.ids.upTo(len(m.props)); id > 0 {
			m.last[shape] = id
		}
		id := m.last[shape] - 1
		if id < 0 {
			return corruptf("record without properties")
		}
		v.rowMeta[row] = int32(id)
		v.attrAt[row] = int32(len(v.attrs))
		p := &m.props[id]
		if p.app == appGiven {
			v.appTime[row] = m.appTimes.int()
		}
		for i := range p.attrs {
			if p.attrs[i].how == refColumn {
				v.attrs = append(v.attrs, m.attrs.str())
			}
		}
	}
	if err := m.done(); err != nil {
		return err
	}
	v.props = m
	return nil
}

// apart tells whether some records have values of their own.
func (m *metaDecoder) apart() bool {
	for i := range m.props {
		p := &m.props[i]
		if p.app == appGiven || slices.ContainsFunc(p.attrs, func(a attrRef) bool { return a.how == refColumn }) {
			return true
		}
	}
	return false
}

// explicitMeta is the records whose properties are told, by shape and then in order: those of the others are those of the one before.
type explicitMeta struct {
	ends []int32 // by shape: where its records end in rows
	rows []int32
	ids  []int32
}

// explicit reads which records have their properties told.
func (m *metaDecoder) explicit(v *view) (x explicitMeta, err error) {
	rows, ids := v.mem.small.take(len(m.ids.b))[:0], v.mem.small.take(len(m.ids.b))[:0]
	all, at := m.ids.b, 0
	for row := 0; row < v.rows(); row++ {
		if n := zerosAt(all[at:], v.rows()-row); n > 0 { // of most records
			at, row = at+n, row+n
			if row == v.rows() {
				break
			}
		}
		m.ids.b = all[at:]
		id := m.ids.upTo(len(m.props))
		if at = len(all) - len(m.ids.b); id > 0 {
			rows, ids = append(rows, int32(row)), append(ids, int32(id-1))
		}
	}
	m.ids.b = all[at:]
	if err := m.done(); err != nil {
		return x, err
	}
	x = explicitMeta{ends: v.mem.small.zeroed(len(v.shapes) + 1), rows: v.mem.small.take(len(rows)), ids: v.mem.small.take(len(rows))}
	for _, row := range rows {
		x.ends[v.shapeOf[v.rowFirst[row]]+1]++
	}
	for i := 1; i < len(x.ends); i++ {
		x.ends[i] += x.ends[i-1]
	}
	for i, row := range rows { // what was where a shape's records begin becomes where they end
		at := &x.ends[v.shapeOf[v.rowFirst[row]]]
		x.rows[*at], x.ids[*at] = row, ids[i]
		*at++
	}
	return x, nil
}

// zerosAt gives how many bytes at the beginning of b are 0, of not more than limit.
func zerosAt(b []byte, limit int) (n int) {
	b = b[:min(len(b), limit)]
	for n+8 <= len(b) && binary.LittleEndian.Uint64(b[n:]) == 0 {
		n += 8
	}
	for n < len(b) && b[n] == 0 {
		n++
	}
	return n
}

// meta gives the number of a record's properties.
func (v *view) meta(row int) (int32, error) {
	if v.rowMeta != nil {
		return v.rowMeta[row], nil
	}
	x, shape := &v.explicit, v.shapeOf[v.rowFirst[row]]
	from := int32(0)
	if shape > 0 {
		from = x.ends[shape-1]
	}
	i, same := slices.BinarySearch(x.rows[from:x.ends[shape]], int32(row))
	if !same {
		i--
	}
	if i < 0 {
		return 0, corruptf("record without properties")
	}
	return x.ids[from+int32(i)], nil
}

// describe fills a record whose first line has just been put together.
func (v *view) describe(r *lastnight.Record, row int, stamp int64) error {
	m, text := v.props, r.Lines[0].Text
	id, err := v.meta(row)
	if err != nil {
		return err
	}
	p := &m.props[id]
	at, ok := p.message.in(v.vars, len(text))
	if !ok {
		return corruptf("message begins outside the line")
	}
	r.Level, r.Template, r.MessageAt, r.Exception = p.level, p.template, at, slices.Clip(p.exception)
	switch p.app {
	case appStamp:
		r.AppTime = stamp
	case appGiven:
		r.AppTime = r.Lines[0].Time + v.appTime[row]
	}
	if r.Logger, ok = m.string(&p.logger, text, v.vars); !ok {
		return corruptf("logger outside the line")
	}
	if r.Thread, ok = m.string(&p.thread, text, v.vars); !ok {
		return corruptf("thread outside the line")
	}
	if !p.hasAttrs {
		return nil
	}
	r.Attrs = make(map[string]string, len(p.attrs))
	next := v.attrAt[row]
	for i := range p.attrs {
		a := &p.attrs[i]
		if a.how == refColumn {
			r.Attrs[a.name] = v.attrs[next]
			next++
			continue
		}
		if r.Attrs[a.name], ok = m.string(&a.ref, text, v.vars); !ok {
			return corruptf("attribute outside the line")
		}
	}
	return nil
}

// markEvery is how many lines apart a block tells offsets as they are.
const markEvery = 256

// offsetWindow is the offsets of lines that follow each other.
type offsetWindow struct {
	from int32
	at   []int64
}

// loadOffsets reads differences of offsets; the lengths they go with come from the lines.
func (v *view) loadOffsets() error {
	if v.offsetsRead {
		return nil
	}
	d, err := v.opens(secOffsets, secParts, secMarks)
	if err != nil {
		return err
	}
	if long := len(d[0].b) - len(v.flags); long >= 0 && long <= maxLong {
		v.loadDeltas(d[0])
	} else {
		v.deltas = v.mem.large.take(len(v.flags))
		list := v.mem.nums.take(len(v.flags))
		d[0].uints(list)
		for i := range v.deltas {
			v.deltas[i] = signed(list[i])
		}
	}
	for i := 0; i < len(v.flags) && len(d[1].b) > 0; i++ {
		if v.flags[i]&flagParts == 0 {
			continue
		}
		if v.parts == nil {
			v.parts = map[int32][]byte{}
		}
		begin := d[1].b
		for range d[1].count() {
			d[1].int()
			d[1].int()
			d[1].int()
		}
		v.parts[int32(i)] = begin[:len(begin)-len(d[1].b)]
	}
	var at int64
	for len(d[2].b) > 0 {
		at += d[2].int()
		v.marks = append(v.marks, at)
	}
	if err := v.loadSums(); err != nil {
		return err
	}
	if err := d[1].done("parts"); err != nil {
		return err
	}
	if err := d[2].done("marks"); err != nil {
		return err
	}
	v.offsetsRead = true
	return d[0].done("offsets")
}

// maxLong is how many bytes more than one each all differences of offsets may take to be looked up where they lie.
const maxLong = 256

// loadDeltas leaves differences of offsets as they lie but for those of several bytes: mostly those of the first lines of runs.
func (v *view) loadDeltas(d *dec) {
	all, at := d.b, 0
	v.deltaBytes = v.mem.bytes.take(len(v.flags))
	v.longDeltas = map[int32]int64{}
	for i := range v.deltaBytes {
		if at < len(all) && all[at] < 0x80 {
			v.deltaBytes[i] = all[at]
			at++
			continue
		}
		d.b = all[at:]
		v.deltaBytes[i], v.longDeltas[int32(i)] = isLong, d.int()
		at = len(all) - len(d.b)
	}
	d.b = all[at:]
}

// isLong stands for a difference that is in longDeltas.
const isLong = 0xff

// delta gives how far a line is from where the one before foretells it to be.
func (v *view) delta(line int32) int64 {
	if v.deltas != nil {
		return v.deltas[line]
	}
	if b := v.deltaBytes[line]; b != isLong {
		return signed(uint64(b))
	}
	return v.longDeltas[line]
}

// offset gives where a line begins in its file. It works forward from a mark or the beginning of the run, by groups of
// lines as far as it can, and remembers what it passes then, so that asking for all lines, in whatever direction, costs little.
func (v *view) offset(line int32) (int64, error) {
	if v.plain != nil {
		return v.plainOffset(line)
	}
	if err := v.loadOffsets(); err != nil {
		return 0, err
	}
	w := &v.window
	if i := int(line - w.from); i >= 0 && i < len(w.at) {
		return w.at[i], nil
	}
	from, at, err := v.before(line)
	if err != nil {
		return 0, err
	}
	steps := line - from
	if from == w.from && len(w.at) > 0 {
		steps -= int32(len(w.at)) - 1
	}
	if g := line / sumLines; from == g*sumLines && int(g) < len(v.sums) && steps > from+sumLines-1-line { // fewer lines are behind it
		return v.fromBehind(g, line, at)
	}
	if from != w.from || len(w.at) == 0 {
		w.from, w.at = from, append(w.at[:0], at)
	}
	for i := from + int32(len(w.at)) - 1; i < line; i++ {
		at, err := v.next(i, w.at[i-from])
		if err != nil {
			return 0, err
		}
		w.at = append(w.at, at)
	}
	return w.at[line-from], nil
}

// before gives the offset of a line that is not far before another one of its run, or that one.
func (v *view) before(line int32) (from int32, at int64, err error) {
	from = int32(v.runOf(line).firstLine)
	at = v.delta(from)
	if m := line / markEvery; m*markEvery > from && int(m) < len(v.marks) {
		from, at = m*markEvery, v.marks[m]
	}
	first, last := (from+sumLines-1)/sumLines, line/sumLines
	if v.sums == nil || last <= first {
		return from, at, nil
	}
	for ; from < first*sumLines; from++ {
		if at, err = v.next(from, at); err != nil {
			return 0, 0, err
		}
	}
	for g := first; g < last; g++ {
		at += v.group(g)
	}
	return last * sumLines, at, nil
}

// next gives the offset of the line after one at an offset, of the same run.
func (v *view) next(line int32, at int64) (int64, error) {
	n, err := v.length(line)
	return at + n + usualHeader + 1 + v.delta(line+1), err
}

// runOf finds the run of a line.
func (v *view) runOf(line int32) viewRun {
	i, _ := slices.BinarySearchFunc(v.runs, int(line), func(r viewRun, at int) int {
		if r.endLine <= at {
			return -1
		}
		return 1
	})
	return v.runs[i]
}
