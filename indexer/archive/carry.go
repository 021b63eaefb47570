package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"lastnight/internal/tally"
)

// Of a job that sent much at once a segment has blocks of columns (Config.ColumnBytes), large enough for a chunk. Compaction
// takes them over as they are, filters too: nothing is decompressed, cut or compressed again. Only a block some of whose
// lines are to be read from another file is taken apart.

// alone tells whether all lines of an input are read from it, and belong to the jobs that the chunk knows.
func (c *compaction) alone(in *input) bool {
	if c.drop != nil {
		return false
	}
	for i := range in.d.keys {
		k := &in.d.keys[i]
		e := &in.d.streams[k.stream]
		now := &c.b.dir.streams[c.b.dir.keys[in.keys[i]].stream]
		if c.special[genKey{e.id, k.gen}] != nil || len(k.partials) > 0 || now.jobName() != e.jobName() {
			return false
		}
	}
	return true
}

// carry takes over what need not be looked into: numbers, and large blocks. It comes before all other blocks. If a file is
// damaged it is bad.
func (c *compaction) carry(ctx context.Context) (bad *file, err error) {
	for i := range c.inputs {
		in := &c.inputs[i]
		if in.summed = c.alone(in); !in.summed {
			continue
		}
		c.b.sumUp(in.d, in.keys)
		if err := c.carryBlocks(ctx, in); err != nil {
			return in.f, err
		}
	}
	return nil, nil //nolint:nilnil // no damaged file and no error
}

// carryBlocks takes over the large blocks of an input.
func (c *compaction) carryBlocks(ctx context.Context, in *input) error {
	var filters [][]byte
	for i := range in.d.blocks {
		e := &in.d.blocks[i]
		if !c.a.large(e) || e.filter < 0 {
			continue
		}
		data, err := readBlock(ctx, in.d, i, in.get)
		if err != nil {
			return err
		}
		if filters == nil {
			switch filters, err = in.d.filters.readAll(ctx, in.get); {
			case errors.Is(err, errCorrupt):
				return nil // made again of the blocks' texts
			case err != nil:
				return err
			}
		}
		if in.carried[i], err = c.b.carry(data, e, in.keys, filters[e.filter]); err != nil {
			return fmt.Errorf("offset %d: block %d: %w", e.off, i, err)
		}
	}
	return nil
}

// large tells whether a block may have columns that a chunk takes over.
func (a *Archive) large(e *blockEntry) bool { return e.raw+lineCost*e.lines >= a.cfg.ColumnBytes }

// left tells which keys of an input have blocks that were not taken over.
func (in *input) left() []bool {
	left := make([]bool, len(in.d.keys))
	for i := range in.d.blocks {
		for _, k := range in.d.blocks[i].keys {
			left[k.key] = left[k.key] || !in.carried[i] && in.keys[k.key] >= 0
		}
	}
	return left
}

// carry adds a block of another file; keys says which key here each of the other file's is. false: the block is none for
// a chunk. It comes after all calls of key.
func (b *builder) carry(block []byte, e *blockEntry, keys []int, filter []byte) (bool, error) {
	list, err := listSections(block)
	if err != nil || slices.ContainsFunc(list, func(s listedSection) bool { return s.codec == codecS2 }) {
		return false, err
	}
	z := b.t.z
	z.begin(codecZstd)
	for i := range list {
		if list[i].id != secRuns {
			z.keep(&list[i])
			continue
		}
		runs, err := renumberRuns(&list[i].stored, keys)
		if err != nil {
			return false, err
		}
		z.add(section{id: secRuns, raw: runs})
	}
	now := *e
	now.keys = make([]blockKey, len(e.keys))
	for i, k := range e.keys {
		k.key = keys[k.key]
		now.keys[i] = k
	}
	slices.SortFunc(now.keys, func(x, y blockKey) int { return cmp.Compare(x.key, y.key) })
	at := len(b.w.b)
	b.w.b = z.appendTo(b.w.b)
	now.part = b.w.since(at)
	now.filter = len(b.filters)
	b.filters = append(b.filters, filter)
	b.dir.blocks = append(b.dir.blocks, now)
	return true, nil
}

// renumberRuns gives the section of runs with other keys.
func renumberRuns(s *stored, keys []int) ([]byte, error) {
	raw, err := s.openIn(nil)
	if err != nil {
		return nil, corruptf("section %d: %w", secRuns, err)
	}
	d, e := dec{b: raw}, enc{}
	for len(d.b) > 0 && d.err == nil {
		e.len(keys[d.index(len(keys))])
		e.uint(d.uint())
	}
	return e.b, d.done("streams")
}

// sumUp adds the numbers of another file, all of whose ranges are held here; keys is that of carry. It comes after all calls of
// key and hold.
func (b *builder) sumUp(d *directory, keys []int) {
	for i := range d.keys {
		k := &b.dir.keys[keys[i]]
		for _, x := range d.keys[i].extents {
			if in := k.extentAt(x.from); in != nil && x.lines > 0 {
				in.add(&x)
			}
		}
	}
	stream := func(n int) int { return b.jobStream(b.streams[d.streams[n].id]) }
	for _, c := range d.counts {
		b.minutes.AddN(&minuteKey{int32(stream(int(c.stream))), c.minute, c.level}, uint(c.level), int64(c.n))
	}
	for _, c := range d.tmpls {
		b.tmpls.AddN(&templateKey{stream(c.stream), c.level, c.template}, tally.SlotOf(c.template), c.n)
	}
}

// add adds the numbers of a range that lies in x and has lines.
func (x *extent) add(o *extent) {
	if x.lines == 0 {
		x.first, x.last = o.first, o.last
	}
	x.first, x.last = min(x.first, o.first), max(x.last, o.last)
	x.lines += o.lines
	x.records += o.records
}

// readAll gives all filters of a file.
func (t *filterTable) readAll(ctx context.Context, get ranger) ([][]byte, error) {
	filters := make([][]byte, len(t.each))
	err := t.readSlices(ctx, 0, t.slices-1, get, func(_ int, slice []byte) {
		for i, groups := range t.each {
			filters[i] = append(filters[i], slice[:groups*bloomGroup]...)
			slice = slice[groups*bloomGroup:]
		}
	})
	return filters, err
}
