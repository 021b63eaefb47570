package archive

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"lastnight"
)

// look finds documents in blocks. It may be used by several goroutines at once.
type look struct {
	s     *scan
	cond  *cond
	match func(*lastnight.Document) bool // nil: all match
}

// find takes the documents of a block that match. Only what is needed of it is decoded, unless some of its lines are to be read from another file.
func (l *look) find(ctx context.Context, c candidate, h *harvest[lastnight.Document]) error {
	mem := l.s.a.slabs.get() // of which nothing is in results
	defer l.s.a.slabs.put(mem)
	data, err := l.s.a.data(ctx, c.f, c.d, c.block, mem)
	if err == nil {
		err = l.inBlock(c, data, h, mem)
	}
	if err != nil {
		return l.s.skip(ctx, c.f, err)
	}
	return nil
}

func (l *look) inBlock(c candidate, data []byte, h *harvest[lastnight.Document], mem *slabs) error {
	stored, err := sections(data)
	if err == nil {
		if l.s.isSpecial(c) {
			err = l.inRows(c, data, h)
		} else {
			err = l.inView(c, stored, h, mem)
		}
	}
	if err != nil {
		return fmt.Errorf("offset %d: block %d: %w", c.d.blocks[c.block].off, c.block, err)
	}
	return nil
}

// isSpecial tells whether some of a block's lines may be held twice.
func (s *scan) isSpecial(c candidate) bool {
	return len(s.special)+len(s.among) > 0 && slices.ContainsFunc(c.d.blocks[c.block].keys, func(k blockKey) bool {
		e := &c.d.keys[k.key]
		return c.keys[k.key] && s.twice(c.f, genKey{c.d.streams[e.stream].id, e.gen}) != nil
	})
}

// inRows looks at a block that is decoded as a whole.
func (l *look) inRows(c candidate, data []byte, h *harvest[lastnight.Document]) error {
	rows, err := decodeBlock(data, len(c.d.keys))
	if err != nil {
		return err
	}
	l.s.shown(c, rows, func(key int, r *lastnight.Record) {
		k := &c.d.keys[key]
		e := &c.d.streams[k.stream]
		at := l.s.placeOf(e, k.gen, r.Lines[0].Time)
		at.off = r.Lines[0].Offset
		if !l.s.inTime(r.Lines[0].Time) || !h.accepts(at) || !l.cond.mayRecord(r) {
			return
		}
		d := document(e, r)
		if l.match == nil || l.match(&d) {
			identify(&d, at)
			h.take(found[lastnight.Document]{at, documentSize(&d), &d})
		}
	})
	return nil
}

// placeOf gives the place of a record but for its offset.
func (s *scan) placeOf(e *streamEntry, g lastnight.Generation, time int64) place {
	p := place{major: time, stream: e.id, gen: g}
	if !s.byTime {
		p.major = int64(e.stream.Restart)
	}
	return p
}

func (s *scan) inTime(t int64) bool { return t >= s.start && t < s.end }

// fewRows is how many records of a block are put together rather than looked for in its columns.
const fewRows = 400

func (l *look) inView(c candidate, stored map[sectionID]stored, h *harvest[lastnight.Document], mem *slabs) error {
	v := newView(stored, len(c.d.keys), mem)
	mem.lend(v)
	defer mem.keep(v)
	if l.s.byTime {
		return l.inTime(c, v, h)
	}
	if err := v.loadLines(); err != nil {
		return err
	}
	for i := range v.runs {
		run := v.runs[i]
		if l.s.sign < 0 { // the sooner the later ones are seen, the more of the others need no look
			run = v.runs[len(v.runs)-1-i]
		}
		if !c.keys[run.key] {
			continue
		}
		if err := l.inRun(c, v, run, h); err != nil {
			return err
		}
	}
	return nil
}

// inRun takes the results in a run, of a scan that is file by file.
func (l *look) inRun(c candidate, v *view, run viewRun, h *harvest[lastnight.Document]) error {
	k := &c.d.keys[run.key]
	e := &c.d.streams[k.stream]
	first, end, err := l.part(v, run, l.s.placeOf(e, k.gen, 0), h)
	if err != nil {
		return err
	}
	for i := range end - first {
		row := first + i
		if l.s.sign < 0 {
			row = end - 1 - i
		}
		t := v.times[v.rowFirst[row]]
		if !l.s.inTime(t) {
			continue
		}
		at := l.s.placeOf(e, k.gen, t)
		if !h.acceptsMajor(at.major) {
			return nil
		}
		if h.until != nil { // those that follow are behind it too
			if at.off, err = v.offset(v.rowFirst[row]); err != nil || !h.accepts(at) {
				return err
			}
		}
		if err := l.row(v, row, e, at, h); err != nil {
			return err
		}
	}
	return nil
}

// part gives which rows of a run may be accepted.
func (l *look) part(v *view, run viewRun, at place, h *harvest[lastnight.Document]) (first, end int, err error) {
	first, end = run.firstRow, run.endRow
	if h.after == nil || at.major != h.after.major || at.stream != h.after.stream || at.gen != h.after.gen {
		return first, end, nil
	}
	i := first + sort.Search(end-first, func(i int) bool {
		off, failed := v.offset(v.rowFirst[first+i])
		if failed != nil {
			err = failed
		}
		if l.s.sign > 0 {
			return off > h.after.off
		}
		return off >= h.after.off
	})
	if l.s.sign > 0 {
		return i, end, err
	}
	return first, i, err
}

// row takes a record if it matches.
func (l *look) row(v *view, row int, e *streamEntry, at place, h *harvest[lastnight.Document]) error {
	r, err := v.record(row)
	if err != nil {
		return err
	}
	if !l.cond.mayRecord(r) {
		return nil
	}
	d := document(e, r)
	if l.match != nil && !l.match(&d) {
		return nil
	}
	if at.off, err = v.offset(v.rowFirst[row]); err != nil {
		return err
	}
	if h.accepts(at) {
		identify(&d, at)
		h.take(found[lastnight.Document]{at, documentSize(&d), &d})
	}
	return nil
}
