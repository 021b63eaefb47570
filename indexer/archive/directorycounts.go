package archive

import (
	"math"
	"slices"
	"strings"

	"lastnight"
)

// Counts are most of a directory of many small jobs, each of which has a few for nearly each minute. What is alike in them lies
// side by side; the lists of numbers (see ints.go) say how many they have by what is before them:
//
//	minutes:   list { stream(uint) level(1) minutes(uint) first minute(int) } numbers: less 1, minutes since the one before;
//	           numbers: records
//	templates: list of template(string); list of streams { uint, against the one before; its templates(uint) }
//	           numbers: the template's, less that before in its stream (-1 at first); numbers: levels; numbers: records

// maxCounts bounds how many counts of either kind a file has.
const maxCounts = 4 << 20

func (d *directory) encodeCounts(e *enc) {
	var p intPacker
	d.encodeMinutes(e, &p)
	d.encodeTemplates(e, &p)
}

// encodeMinutes writes the counts per minute, which are in order of stream, level and minute.
func (d *directory) encodeMinutes(e *enc, p *intPacker) {
	var runs enc
	gaps, records := make([]uint64, 0, len(d.counts)), make([]uint64, 0, len(d.counts))
	n := 0
	for i := 0; i < len(d.counts); n++ {
		first, from := d.counts[i], i
		last := int64(first.minute) - 1
		for ; i < len(d.counts) && d.counts[i].stream == first.stream && d.counts[i].level == first.level; i++ {
			minute := int64(d.counts[i].minute)
			gaps = append(gaps, uint64(minute-last-1))
			records = append(records, uint64(d.counts[i].n))
			last = minute
		}
		runs.len(int(first.stream))
		runs.byte(byte(first.level))
		runs.len(i - from)
		runs.int(int64(first.minute))
	}
	e.len(n)
	e.b = append(e.b, runs.b...)
	p.pack(e, gaps)
	p.pack(e, records)
}

// encodeTemplates writes the counts of templates, which are in order of stream, template and level.
func (d *directory) encodeTemplates(e *enc, p *intPacker) {
	names := make([]string, len(d.tmpls))
	for i := range d.tmpls {
		names[i] = d.tmpls[i].template
	}
	slices.Sort(names)
	names = slices.Compact(names)
	e.len(len(names))
	for _, name := range names {
		e.str(name)
	}
	var runs enc
	which, levels, records := make([]uint64, len(d.tmpls)), make([]uint64, len(d.tmpls)), make([]uint64, len(d.tmpls))
	n, before := 0, 0
	for i := 0; i < len(d.tmpls); n++ {
		stream, from, last := d.tmpls[i].stream, i, -1
		for ; i < len(d.tmpls) && d.tmpls[i].stream == stream; i++ {
			c := &d.tmpls[i]
			name, _ := slices.BinarySearchFunc(names, c.template, strings.Compare)
			which[i], levels[i], records[i] = uint64(name-last), uint64(c.level), uint64(c.n)
			last = name
		}
		runs.len(stream - before)
		runs.len(i - from)
		before = stream
	}
	e.len(n)
	e.b = append(e.b, runs.b...)
	p.pack(e, which)
	p.pack(e, levels)
	p.pack(e, records)
}

func (d *directoryDecoder) counts(out *directory) {
	mem := &slabs{}
	d.minutes(out, mem)
	d.templates(out, mem)
}

// numbers reads a list of n numbers.
func (d *directoryDecoder) numbers(n int, mem *slabs) []uint64 {
	list := make([]uint64, n)
	if err := unpackInts(&d.dec, list, mem); err != nil {
		d.fail("counts are damaged")
	}
	return list
}

func (d *directoryDecoder) minutes(out *directory, mem *slabs) {
	for range d.count() {
		c := minuteCount{stream: int32(d.index(len(out.streams))), level: lastnight.Level(d.byte())}
		n, first := d.upTo(maxCounts-len(out.counts)), d.int()
		if c.minute = int32(first); int64(c.minute) != first {
			d.fail("a count of a minute is out of range")
		}
		if d.err != nil {
			return
		}
		for range n {
			out.counts = append(out.counts, c)
		}
	}
	gaps, records := d.numbers(len(out.counts), mem), d.numbers(len(out.counts), mem)
	for i := range out.counts {
		c := &out.counts[i]
		minute := int64(c.minute) + int64(gaps[i])
		if i > 0 && out.counts[i-1].stream == c.stream && out.counts[i-1].level == c.level {
			minute = int64(out.counts[i-1].minute) + int64(gaps[i]) + 1
		}
		c.minute, c.n = int32(minute), int32(records[i])
		if int64(c.minute) != minute || c.n < 0 || uint64(c.n) != records[i] {
			d.fail("a count of a minute is out of range")
			return
		}
	}
}

func (d *directoryDecoder) templates(out *directory, mem *slabs) {
	var names []string
	for range d.count() {
		if names = append(names, d.shared()); d.err != nil {
			return
		}
	}
	stream := 0
	for range d.count() {
		stream += d.upTo(len(out.streams))
		n := d.upTo(maxCounts - len(out.tmpls))
		if stream >= len(out.streams) {
			d.fail("counts of no stream")
		}
		if d.err != nil {
			return
		}
		for range n {
			out.tmpls = append(out.tmpls, templateCount{stream: stream})
		}
	}
	which, levels, records := d.numbers(len(out.tmpls), mem), d.numbers(len(out.tmpls), mem), d.numbers(len(out.tmpls), mem)
	name := uint64(0)
	for i := range out.tmpls {
		c := &out.tmpls[i]
		if i == 0 || out.tmpls[i-1].stream != c.stream {
			name = math.MaxUint64
		}
		if name += which[i]; name >= uint64(len(names)) || levels[i] > math.MaxUint8 {
			d.fail("counts of no template or level")
			return
		}
		c.template, c.level, c.n = names[name], lastnight.Level(levels[i]), int64(records[i])
	}
}
