package archive

import (
	"cmp"
	"slices"

	"lastnight"
)

// rowAt stands for a row while rows are put in order: they are large, and would be moved around many times.
type rowAt struct {
	job, key  int32
	row       int // number of the row
	time, off int64
}

// arrange gathers rows by what they belong to, a number below n, and puts each group in order by less significant
// things. Both orders are mostly there already: segments come one after the other.
func (c *compaction) arrange(order []rowAt, n int, group func(*rowAt) int32, compare func(x, y rowAt) int) {
	if cap(c.ends) < n {
		c.ends = make([]int, n)
	}
	ends := c.ends[:n]
	clear(ends)
	for i := range order {
		ends[group(&order[i])]++
	}
	at := 0
	for i, n := range ends {
		ends[i] = at
		at += n
	}
	c.spare = append(c.spare[:0], order...)
	for i := range c.spare {
		g := group(&c.spare[i])
		order[ends[g]] = c.spare[i]
		ends[g]++
	}
	at = 0
	for _, end := range ends {
		if part := order[at:end]; !slices.IsSortedFunc(part, compare) {
			slices.SortStableFunc(part, compare)
		}
		at = end
	}
}

// numberJobs gives the number of its job for each key, in the order of the jobs' names.
func numberJobs(d *directory) []int32 {
	names := make([]jobName, len(d.keys))
	for i := range d.keys {
		names[i] = d.streams[d.keys[i].stream].jobName()
	}
	distinct := slices.Clone(names)
	slices.SortFunc(distinct, jobName.compare)
	distinct = slices.Compact(distinct)
	out := make([]int32, len(names))
	for i, n := range names {
		at, _ := slices.BinarySearchFunc(distinct, n, jobName.compare)
		out[i] = int32(at)
	}
	return out
}

// write cuts the rows into blocks: those of a large job by time, small jobs together.
func (c *compaction) write() {
	c.order = c.order[:0]
	for i := range c.rows {
		r := &c.rows[i]
		l := &r.rec.Lines[0]
		c.order = append(c.order, rowAt{c.jobs[r.key], int32(r.key), i, l.Time, l.Offset})
	}
	c.arrange(c.order, len(c.b.dir.keys), func(x *rowAt) int32 { return x.job }, func(x, y rowAt) int { return cmp.Compare(x.time, y.time) })
	from, size := 0, 0
	for i := 0; i < len(c.order); {
		n, bytes := i, 0
		for n < len(c.order) && c.order[n].job == c.order[i].job {
			bytes += c.size(n)
			n++
		}
		if size > 0 && size+bytes > blockRaw {
			c.block(c.order[from:i])
			from, size = i, 0
		}
		size += bytes
		i = n
		if size > blockRaw {
			c.byTime(c.order[from:i], size)
			from, size = i, 0
		}
	}
	c.block(c.order[from:])
}

// size is rowSize of the nth row in order.
func (c *compaction) size(n int) int { return rowSize(c.rows[c.order[n].row].rec) }

// byTime cuts rows in order of time into blocks of about the same size.
func (c *compaction) byTime(order []rowAt, size int) {
	each := evenly(size)
	from, n := 0, 0
	for i := range order {
		if n += rowSize(c.rows[order[i].row].rec); n >= each {
			c.block(order[from : i+1])
			from, n = i+1, 0
		}
	}
	c.block(order[from:])
}

// block writes rows, those of one stream and generation side by side in the order of the file.
func (c *compaction) block(order []rowAt) {
	c.arrange(order, len(c.b.dir.keys), func(x *rowAt) int32 { return x.key }, func(x, y rowAt) int { return cmp.Compare(x.off, y.off) })
	clear(c.out)
	c.out = c.out[:0]
	for _, at := range order {
		c.out = append(c.out, c.rows[at.row])
	}
	c.b.block(c.out)
}

// rowSize is what a record counts when blocks are cut.
func rowSize(r *lastnight.Record) int {
	n := lineCost * len(r.Lines)
	for i := range r.Lines {
		n += len(r.Lines[i].Text)
	}
	return n
}
