package archive

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"sort"

	"lastnight"
)

// A question by time mostly wants the newest few of a block, or those of a few minutes. So the records of a block are put
// together in the order of time, only until there are enough; and before anything but times is decoded, it is
// known which can be results at all.

// inTime takes the results of a block of a scan by time.
func (l *look) inTime(c candidate, v *view, h *harvest[lastnight.Document]) error {
	set := rowSet{all: true}
	whole := l.cond != nil && v.plain == nil && l.inside(&c.d.blocks[c.block], h)
	if whole { // what it lacks may be known without any times
		var err error
		if set, err = v.rowsWith(l.cond, set); err != nil || set.none() {
			return err
		}
	}
	if err := v.loadTimes(); err != nil {
		return err
	}
	h.refresh()
	rows := l.timed(c, v, h)
	n := rows.left()
	if n == 0 {
		return nil
	}
	if err := v.loadLines(); err != nil {
		return err
	}
	if l.cond != nil && !whole && (n > fewRows || v.plain != nil) {
		return l.inPieces(v, rows, h)
	}
	_, err := l.inOrder(v, rows, set, h)
	return err
}

// firstPiece is how many records of a run are looked at together at least, where a few results are enough.
const firstPiece = 1 << 10

// inPieces takes the results among some records of a block. Where not all are wanted the first ones are looked for first, and
// the others maybe not at all.
func (l *look) inPieces(v *view, rows *timedRows, h *harvest[lastnight.Document]) error {
	for size := max(firstPiece, 2*min(h.limit, len(v.flags))); len(rows.runs) > 0; size *= 4 {
		piece := rows
		if h.limit > 0 {
			piece = rows.first(size)
		}
		set, err := v.rowsWith(l.cond, piece.set(v))
		if err != nil {
			return err
		}
		if done, err := l.inOrder(v, piece, set, h); err != nil || done {
			return err
		}
	}
	return nil
}

// inside tells whether all of a block is in the time that is asked for.
func (l *look) inside(b *blockEntry, h *harvest[lastnight.Document]) bool {
	first, last := l.accepted(h)
	return b.first >= first && b.last <= last
}

// accepted gives the time of results, both ends inclusive.
func (l *look) accepted(h *harvest[lastnight.Document]) (first, last int64) {
	if l.s.end == math.MinInt64 {
		return 0, -1
	}
	first, last = l.s.start, l.s.end-1
	from, to := h.after, h.until
	if l.s.sign < 0 {
		from, to = to, from
	}
	if from != nil {
		first = max(first, from.major)
	}
	if to != nil {
		last = min(last, to.major)
	}
	return first, last
}

// inOrder puts records together until there are as many results as are wanted: then it is done.
func (l *look) inOrder(v *view, rows *timedRows, set rowSet, h *harvest[lastnight.Document]) (done bool, err error) {
	rows.keep(set)
	for len(rows.runs) > 0 {
		r := rows.runs[0]
		row := r.row(rows.sign)
		at := l.s.placeOf(r.e, r.gen, r.major)
		if !h.acceptsMajor(at.major) { // the harvest has grown full, and those that follow are behind it too
			return true, nil
		}
		if err := l.row(v, row, r.e, at, h); err != nil {
			return true, err
		}
		if h.full() {
			return true, nil
		}
		rows.next()
	}
	return false, nil
}

// timed gives the records of a block that can be results by their time.
func (l *look) timed(c candidate, v *view, h *harvest[lastnight.Document]) *timedRows {
	out := &timedRows{sign: l.s.sign}
	first, last := l.accepted(h)
	for i := range v.runs {
		run := &v.runs[i]
		if !c.keys[run.key] {
			continue
		}
		k := &c.d.keys[run.key]
		r := &timedRun{v: v, e: &c.d.streams[k.stream], gen: k.gen, from: run.firstRow, to: run.endRow}
		if run.back {
			r.sort(first, last)
		} else {
			r.cut(first, last)
		}
		if r.from < r.to {
			out.runs = append(out.runs, r)
		}
	}
	return out
}

// timedRows gives records of several runs in the order of a scan: by time, stream, generation and offset. It is a heap, the
// run with the next record on top.
type timedRows struct {
	runs []*timedRun
	sign int
}

func (t *timedRows) Len() int           { return len(t.runs) }
func (t *timedRows) Less(i, j int) bool { return t.sign*t.runs[i].compare(t.runs[j]) < 0 }
func (t *timedRows) Swap(i, j int)      { t.runs[i], t.runs[j] = t.runs[j], t.runs[i] }
func (t *timedRows) Push(x any)         { t.runs = append(t.runs, x.(*timedRun)) } //nolint:forcetypeassert // ours
func (t *timedRows) Pop() any {
	n := len(t.runs) - 1
	x := t.runs[n]
	t.runs = t.runs[:n]
	return x
}

// left gives how many records there are.
func (t *timedRows) left() (n int) {
	for _, r := range t.runs {
		n += r.to - r.from
	}
	return n
}

// first takes away about so many records, the first ones in the order of the scan: all up to some time. Call it before keep.
func (t *timedRows) first(size int) *timedRows {
	longest := slices.MaxFunc(t.runs, func(a, b *timedRun) int { return cmp.Compare(a.to-a.from, b.to-b.from) })
	if longest.to-longest.from <= size {
		all := &timedRows{runs: t.runs, sign: t.sign}
		t.runs = nil
		return all
	}
	last := longest.time(longest.from + size - 1)
	if t.sign < 0 {
		last = longest.time(longest.to - size)
	}
	taken, left := &timedRows{sign: t.sign}, t.runs[:0]
	for _, r := range t.runs {
		p := *r
		n := sort.Search(r.to-r.from, func(i int) bool { at := r.time(r.from + i); return at > last || at == last && t.sign < 0 })
		if t.sign < 0 {
			p.from += n
			r.to = p.from
		} else {
			p.to = p.from + n
			r.from = p.to
		}
		if p.from < p.to {
			taken.runs = append(taken.runs, &p)
		}
		if r.from < r.to {
			left = append(left, r)
		}
	}
	t.runs = left
	return taken
}

// set gives the records as a set. Call it before keep.
func (t *timedRows) set(v *view) rowSet {
	out := v.mem.small.take(t.left())[:0]
	for _, r := range t.runs { // in the order in which they lie in the block
		from := len(out)
		for i := r.from; i < r.to; i++ {
			out = append(out, int32(r.at(i)))
		}
		if r.order != nil {
			slices.Sort(out[from:])
		}
	}
	return rowSet{rows: out}
}

// keep leaves the records that are in a set, and puts the first one on top.
func (t *timedRows) keep(set rowSet) {
	t.runs = slices.DeleteFunc(t.runs, func(r *timedRun) bool { return !r.keep(set) || !r.begin(t.sign) })
	heap.Init(t)
}

// next leaves the record on top and puts the next one there.
func (t *timedRows) next() {
	r := t.runs[0]
	if t.sign < 0 {
		r.to--
	} else {
		r.from++
	}
	switch {
	case !r.begin(t.sign):
		heap.Pop(t)
	case len(t.runs) > 1:
		heap.Fix(t, 0)
	}
}

// timedRun is the records of a run that are left, in the order of time.
type timedRun struct {
	v        *view
	e        *streamEntry
	gen      lastnight.Generation
	from, to int     // of its records, or of order
	order    []int32 // its records by time; nil: they are so as they lie
	major    int64   // time of the next one
}

func (r *timedRun) compare(o *timedRun) int {
	return cmp.Or(cmp.Compare(r.major, o.major), cmp.Compare(r.e.id, o.e.id), r.gen.Compare(o.gen))
}

// at gives the ith record.
func (r *timedRun) at(i int) int {
	if r.order == nil {
		return i
	}
	return int(r.order[i])
}

func (r *timedRun) time(i int) int64 { return r.v.times[r.v.rowFirst[r.at(i)]] }

// row gives the next record.
func (r *timedRun) row(sign int) int {
	if sign < 0 {
		return r.at(r.to - 1)
	}
	return r.at(r.from)
}

// begin looks up the next record; false: there is none.
func (r *timedRun) begin(sign int) bool {
	if r.from == r.to {
		return false
	}
	r.major = r.v.times[r.v.rowFirst[r.row(sign)]]
	return true
}

// keep leaves the records that are in a set; false: there are none.
func (r *timedRun) keep(set rowSet) bool {
	switch {
	case set.all:
	case r.order == nil:
		r.order = set.within(r.from, r.to)
		r.from, r.to = 0, len(r.order)
	default:
		r.order = slices.DeleteFunc(r.order[r.from:r.to], func(row int32) bool { return !set.has(int(row)) })
		r.from, r.to = 0, len(r.order)
	}
	return r.from < r.to
}

// cut leaves those in a time of a run whose records lie in the order of theirs.
func (r *timedRun) cut(first, last int64) {
	from, n := r.from, r.to-r.from
	r.from = from + sort.Search(n, func(i int) bool { return r.time(from+i) >= first })
	r.to = from + sort.Search(n, func(i int) bool { return r.time(from+i) > last })
}

// sort is cut for records that lie in any order.
func (r *timedRun) sort(first, last int64) {
	order := []int32{}
	for row := r.from; row < r.to; row++ {
		if t := r.time(row); t >= first && t <= last {
			order = append(order, int32(row))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		return cmp.Compare(r.v.times[r.v.rowFirst[a]], r.v.times[r.v.rowFirst[b]])
	})
	r.order, r.from, r.to = order, 0, len(order)
}
