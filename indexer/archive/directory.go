package archive

import (
	"math"

	"lastnight"
)

// directory is a file's table of contents: enough to skip most blocks, to list streams
// and to count without reading any block. It is immutable once decoded.
type directory struct {
	kind     kind
	first    int64    // arrival of the oldest line, ns since 1970
	last     int64    // arrival of the newest line
	replaces []string // files whose lines this one holds: they are to be ignored
	streams  []streamEntry
	keys     []keyEntry
	blocks   []blockEntry
	filters  filterTable
	counts   []minuteCount
	tmpls    []templateCount
}

// streamEntry is a stream and the job it belongs to.
type streamEntry struct {
	stream    *lastnight.Stream
	id        uint64 // stream.ID() as a number
	job       string
	component string
	kind      lastnight.JobKind
}

// keyEntry is one generation of a stream: what blocks refer to.
type keyEntry struct {
	stream   int // in directory.streams
	gen      lastnight.Generation
	extents  []extent
	partials []partial
}

// extent says that every line that begins in [from, to) is held: to-from bytes of the
// container's log file.
type extent struct {
	from, to    int64
	lines       int64
	records     int64
	first, last int64 // time of lines, ns; 0 and 0 if there are none
}

// partial is a line whose end was not there yet.
type partial struct {
	off int64
	n   int64 // bytes of its text
}

// blockEntry describes a block.
type blockEntry struct {
	part
	raw         int64 // bytes of text
	lines       int64
	records     int64
	first, last int64 // time of lines, ns, both inclusive
	filter      int   // number in directory.filters; -1: none
	levels      uint8 // bit per lastnight.Level that occurs
	keys        []blockKey
}

// blockKey is a stream's generation in a block, with the offsets of its first and last line there, and the time of its
// oldest and newest one: a block of two streams may reach over a day and have nothing of its middle.
type blockKey struct {
	key         int // in directory.keys; ascending in blockEntry.keys
	from, to    int64
	first, last int64
}

// minuteCount counts records by job, level and minute. With thousands of jobs there is one for nearly each record: it is small.
type minuteCount struct {
	stream int32 // any stream of the job: names the job
	minute int32 // since 1970: what an int64 of ns has of them fits
	n      int32 // a file of so many records is none
	level  lastnight.Level
}

// templateCount counts records by job, template and level.
type templateCount struct {
	stream   int
	template string
	level    lastnight.Level
	n        int64
}

func (d *directory) encode() []byte {
	var e enc
	e.int(d.first)
	e.int(d.last)
	e.len(len(d.replaces))
	for _, r := range d.replaces {
		e.str(r)
	}
	d.encodeStreams(&e)
	d.encodeKeys(&e)
	d.filters.encode(&e)
	d.encodeBlocks(&e)
	d.encodeCounts(&e)
	d.encodeKeyTimes(&e)
	return e.b
}

func encodePart(e *enc, p part) {
	e.int(p.off)
	e.int(p.n)
	e.u64(p.sum)
}

func decodePart(d *dec, end int64) part {
	p := part{off: d.int(), n: d.int(), sum: d.u64()}
	if p.off < headerSize || p.n < 0 || p.off > end || p.n > end-p.off {
		d.fail("part outside the file")
	}
	return p
}

func (d *directory) encodeStreams(e *enc) {
	e.len(len(d.streams))
	for _, s := range d.streams {
		for _, v := range []string{s.stream.Cluster, s.stream.Namespace, s.stream.Pod, s.stream.PodUID, s.stream.Container, s.stream.Node, s.job, s.component, string(s.kind)} {
			e.str(v)
		}
		e.int(int64(s.stream.Restart))
	}
}

// directoryDecoder shares strings, most of which repeat from stream to stream.
type directoryDecoder struct {
	dec
	strings map[string]string
}

func (d *directoryDecoder) shared() string {
	b := d.bytes()
	s, ok := d.strings[string(b)]
	if !ok {
		s = string(b)
		d.strings[s] = s
	}
	return s
}

// decodeDirectory reads what encode wrote. Parts must end before end.
func decodeDirectory(raw []byte, end int64) (*directory, error) {
	d := &directoryDecoder{dec: dec{b: raw}, strings: map[string]string{}}
	out := &directory{first: d.int(), last: d.int()}
	for range d.count() {
		out.replaces = append(out.replaces, d.str())
	}
	for range d.count() {
		out.streams = append(out.streams, d.stream())
	}
	for range d.count() {
		out.keys = append(out.keys, d.key(len(out.streams)))
	}
	out.filters = decodeFilterTable(&d.dec, end)
	for range d.count() {
		out.blocks = append(out.blocks, d.block(out, end))
	}
	d.counts(out)
	d.keyTimes(out)
	if err := d.done("directory"); err != nil {
		return nil, err
	}
	return out, nil
}

func (d *directoryDecoder) stream() streamEntry {
	s := &lastnight.Stream{Cluster: d.shared(), Namespace: d.shared(), Pod: d.shared(), PodUID: d.shared(), Container: d.shared(), Node: d.shared()}
	e := streamEntry{stream: s, job: d.shared(), component: d.shared(), kind: lastnight.JobKind(d.shared())}
	restart := d.int()
	if restart < math.MinInt32 || restart > math.MaxInt32 {
		d.fail("restart count out of range")
	}
	s.Restart = int(restart)
	if d.err == nil {
		e.id = streamNumber(s.ID())
	}
	return e
}

func (d *directory) encodeKeys(e *enc) {
	e.len(len(d.keys))
	for _, k := range d.keys {
		e.len(k.stream)
		e.int(k.gen.Start)
		e.u32(k.gen.Sum)
		e.len(len(k.extents))
		var at, t int64
		for _, x := range k.extents {
			for _, v := range []int64{x.from - at, x.to - x.from, x.lines, x.records, x.first - t, x.last - x.first} {
				e.int(v)
			}
			at, t = x.to, x.last
		}
		e.len(len(k.partials))
		for _, p := range k.partials {
			e.int(p.off)
			e.int(p.n)
		}
	}
}

func (d *directoryDecoder) key(streams int) keyEntry {
	k := keyEntry{stream: d.index(streams), gen: lastnight.Generation{Start: d.int(), Sum: d.u32()}}
	var at, t int64
	for range d.count() {
		x := extent{from: at + d.int()}
		x.to = x.from + d.int()
		x.lines, x.records = d.int(), d.int()
		x.first = t + d.int()
		x.last = x.first + d.int()
		if x.from < 0 || x.to < x.from || x.lines < 0 || x.records < 0 {
			d.fail("byte range runs backwards")
		}
		k.extents = append(k.extents, x)
		at, t = x.to, x.last
	}
	for range d.count() {
		p := partial{off: d.int(), n: d.int()}
		if p.off < 0 || p.n < 0 {
			d.fail("partial line before the file")
		}
		k.partials = append(k.partials, p)
	}
	return k
}

func (d *directory) encodeBlocks(e *enc) {
	e.len(len(d.blocks))
	for _, b := range d.blocks {
		encodePart(e, b.part)
		for _, v := range []int64{b.raw, b.lines, b.records, b.first, b.last - b.first, int64(b.filter)} {
			e.int(v)
		}
		e.byte(b.levels)
		e.len(len(b.keys))
		at := 0
		for _, k := range b.keys {
			e.len(k.key - at)
			e.int(k.from)
			e.int(k.to - k.from)
			at = k.key
		}
	}
}

func (d *directoryDecoder) block(dir *directory, end int64) blockEntry {
	b := blockEntry{part: decodePart(&d.dec, end), raw: d.int(), lines: d.int(), records: d.int(), first: d.int()}
	b.last = b.first + d.int()
	b.filter = int(d.int())
	b.levels = d.byte()
	if b.filter < -1 || b.filter >= len(dir.filters.each) || b.raw < 0 || b.lines < 0 || b.records < 0 {
		d.fail("block entry out of range")
	}
	at := 0
	for range d.count() {
		at += d.upTo(len(dir.keys))
		if at >= len(dir.keys) {
			d.fail("block of an unknown stream")
			break
		}
		k := blockKey{key: at, from: d.int()}
		k.to = k.from + d.int()
		b.keys = append(b.keys, k)
	}
	return b
}

// encodeKeyTimes writes the times of the streams in blocks that have several.
func (d *directory) encodeKeyTimes(e *enc) {
	for i := range d.blocks {
		b := &d.blocks[i]
		for _, k := range b.keys {
			if len(b.keys) > 1 {
				e.int(k.first - b.first)
				e.int(b.last - k.last)
			}
		}
	}
}

// keyTimes reads what encodeKeyTimes wrote.
func (d *directoryDecoder) keyTimes(out *directory) {
	for i := range out.blocks {
		b := &out.blocks[i]
		for j := range b.keys {
			b.keys[j].first, b.keys[j].last = b.first, b.last
			if len(b.keys) > 1 {
				b.keys[j].first += d.int()
				b.keys[j].last -= d.int()
			}
		}
	}
}

// times gives the time of the oldest and the newest line; 0 and 0 if there are none.
func (d *directory) times() (first, last int64) {
	for i, b := range d.blocks {
		if i == 0 || b.first < first {
			first = b.first
		}
		if i == 0 || b.last > last {
			last = b.last
		}
	}
	return first, last
}

// size gives a rough number of bytes that d takes in memory.
func (d *directory) size() int64 {
	n := 500*len(d.streams) + 150*len(d.keys) + 160*len(d.blocks) + 8*len(d.filters.each) + 16*len(d.counts) + 64*len(d.tmpls)
	for i := range d.blocks {
		n += 40 * len(d.blocks[i].keys)
	}
	return int64(n)
}
