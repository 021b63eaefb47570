package archive

import "slices"

// Where a line stands in its file follows from the lengths of the lines before it, which are not stored: they
// follow from the variables. So that few columns are decoded for a few lines, a block has the sums of lengths of small groups,
// against the usual lengths of the lines' shapes, which makes them numbers of few bits.
//
//	usual length(uvarint) of each shape, numbers (see ints.go): for each whole group of the block, 2^63 more than
//	the sum of its lines' lengths less the usual ones
//
// sumLines is how many lines a group has.
const sumLines = 4

// writeSums adds the section of a block whose shapes are in order.
func (c *columnEncoder) writeSums(z *compressor) {
	if len(c.lengths) < sumLines {
		return
	}
	e := &c.lists.sums
	for _, s := range c.order {
		e.uint(usualLength(s))
	}
	c.groups = slices.Grow(c.groups[:0], len(c.lengths)/sumLines)
	list := c.groups[:len(c.lengths)/sumLines]
	for i := range list {
		sum := int64(0)
		for j := i * sumLines; j < (i+1)*sumLines; j++ {
			sum += c.lengths[j] - int64(usualLength(c.shapes[c.lineIDs[j]]))
		}
		list[i] = timeDelta(sum)
	}
	c.packer.numbers.ints.pack(e, list)
	z.add(section{id: secSums, raw: e.b, dense: true})
}

// usualLength gives the mean of a shape's lines.
func usualLength(s *shapeColumns) uint64 { return uint64(max(s.sum/int64(s.n), 0)) }

// loadSums reads the sums, if the block has them.
func (v *view) loadSums() error {
	if _, ok := v.stored[secSums]; !ok {
		return nil
	}
	d, err := v.open(secSums)
	if err != nil {
		return err
	}
	usual := v.mem.large.take(len(v.shapes))
	for i := range usual {
		usual[i] = int64(d.uint())
	}
	list := v.mem.nums.take(len(v.flags) / sumLines)
	if err := unpackInts(d, list, v.mem); err != nil {
		return err
	}
	v.usual, v.sums = usual, list
	return d.done("sums of lengths")
}

// group gives how far the line after a whole group is behind the group's first one.
func (v *view) group(g int32) int64 {
	n := int64(timeDelta(int64(v.sums[g]))) + sumLines*(usualHeader+1)
	for i := g * sumLines; i < (g+1)*sumLines; i++ {
		n += v.usual[v.shapeOf[i]] + v.delta(i+1)
	}
	return n
}

// fromBehind gives the offset of a line of a whole group that begins at an offset, from the sum of the group's lengths and those of that
// line, which mostly has been put together, and the ones behind it.
func (v *view) fromBehind(g, line int32, at int64) (int64, error) {
	at += int64(timeDelta(int64(v.sums[g]))) + int64(line-g*sumLines)*(usualHeader+1)
	for i := g * sumLines; i < (g+1)*sumLines; i++ {
		at += v.usual[v.shapeOf[i]]
		if i < line {
			at += v.delta(i + 1)
			continue
		}
		n, err := v.length(i)
		if err != nil {
			return 0, err
		}
		at -= n
	}
	return at, nil
}

// length gives what lengthOf gave of a line, from the lengths of what it is made of.
func (v *view) length(line int32) (int64, error) {
	s := &v.shapes[v.shapeOf[line]]
	n := s.fixed
	for i := range s.vars {
		k, err := v.valueLength(s.column+i, v.rank[line])
		if err != nil {
			return 0, err
		}
		n += k
	}
	if s.tail {
		if err := v.loadTails(); err != nil {
			return 0, err
		}
		n += len(v.tails[line])
	}
	if p, ok := v.parts[line]; ok {
		return partsLength(&dec{b: p}, int64(n)), nil
	}
	return int64(n), nil
}
