package archive

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// shelf is what is in memory of some hundred chunks of a manifest, which it lists in the order of their names. It is immutable.
type shelf struct {
	part
	from, count    int    // numbers of its chunks
	name           string // of the first one
	oldest, newest int64  // arrival of lines
	first, last    int64  // time of lines; first > last: there are none
	direct         int    // chunks that never were segments
}

// shelved is all that a shelf tells. It is immutable.
type shelved struct {
	files         []file
	plan, filters part
}

// newShelf describes chunks.
func newShelf(files []*file) shelf {
	s := shelf{count: len(files), name: files[0].name, oldest: math.MaxInt64, newest: math.MinInt64, first: math.MaxInt64, last: math.MinInt64}
	for _, f := range files {
		s.oldest, s.newest = min(s.oldest, f.arrived), max(s.newest, f.newest)
		if !f.empty {
			s.first, s.last = min(s.first, f.first), max(s.last, f.last)
		}
		if f.isDirect() {
			s.direct++
		}
	}
	return s
}

func (s *shelf) encode(e *enc) {
	e.len(s.count)
	e.str(s.name)
	for _, v := range []int64{s.oldest, s.newest - s.oldest, s.first, s.last} {
		e.int(v)
	}
	e.len(s.direct)
	encodePart(e, s.part)
}

func decodeShelfHead(d *dec, end int64) shelf {
	s := shelf{count: d.upTo(maxManifestFiles), name: strings.Clone(d.str()), oldest: d.int()}
	s.newest = s.oldest + d.int()
	s.first, s.last = d.int(), d.int()
	s.direct = d.upTo(s.count)
	s.part = decodePart(d, end)
	return s
}

// writeShelves writes what a manifest lists, so many chunks on a shelf. Shelves lie side by side, since who opens an archive reads
// them all.
func writeShelves(w *fileWriter, c *manifestContent, onShelf int, z *compressor) []shelf {
	var shelves []shelf
	var lists [][]byte
	for from := 0; from < len(c.files); from += onShelf {
		to := min(from+onShelf, len(c.files))
		var e enc
		encodePart(&e, w.add(z.zstd.EncodeAll(encodePlan(c, from, to), nil)))
		encodePart(&e, w.add(z.zstd.EncodeAll(encodeFilterTables(c.filters[from:to]), nil)))
		for _, f := range c.files[from:to] {
			encodeListed(&e, f)
		}
		s := newShelf(c.files[from:to])
		s.from = from
		shelves, lists = append(shelves, s), append(lists, z.zstd.EncodeAll(e.b, nil))
	}
	for i := range shelves {
		shelves[i].part = w.add(lists[i])
	}
	return shelves
}

func encodeListed(e *enc, f *file) {
	e.str(f.name)
	for _, v := range []int64{f.size, f.arrived, f.newest - f.arrived, f.first, f.last - f.first, f.raw, f.lines, f.records, int64(f.blocks)} {
		e.int(v)
	}
}

func decodeListed(d *dec) file {
	f := file{kind: kindChunk, name: d.str(), size: d.int(), arrived: d.int()}
	f.newest = f.arrived + d.int()
	f.first = d.int()
	f.last = f.first + d.int()
	f.raw, f.lines, f.records, f.blocks = d.int(), d.int(), d.int(), int32(d.upTo(math.MaxInt32))
	f.empty = f.blocks == 0
	return f
}

// decodeShelf reads the ith shelf of a manifest.
func decodeShelf(raw []byte, m *manifest, i int) (*shelved, error) {
	s := &m.shelves[i]
	d := &dec{b: raw}
	out := &shelved{plan: decodePart(d, s.off), filters: decodePart(d, s.off), files: make([]file, 0, s.count)}
	for n := range s.count {
		f := decodeListed(d)
		f.man, f.num = m, int32(s.from+n)
		switch {
		case d.err != nil:
			return nil, d.err
		case n == 0 && f.name != s.name || n > 0 && f.name <= out.files[n-1].name:
			d.fail("chunks are not in the order of their names")
		case f.arrived < s.oldest || f.newest > s.newest || !f.empty && (f.first < s.first || f.last > s.last):
			d.fail("chunk with other times than its shelf has")
		}
		out.files = append(out.files, f)
	}
	return out, d.done("shelf")
}

// readShelf reads the ith shelf of a manifest by get.
func readShelf(ctx context.Context, m *manifest, i int, get ranger) (*shelved, error) {
	raw, err := readPacked(ctx, m.shelves[i].part, get)
	if err != nil {
		return nil, err
	}
	s, err := decodeShelf(raw, m, i)
	if err != nil {
		return nil, fmt.Errorf("offset %d: %w", m.shelves[i].off, err)
	}
	return s, nil
}

// shelfOf gives the shelf that has a number.
func (m *manifest) shelfOf(num int32) int {
	return sort.Search(len(m.shelves), func(i int) bool { return m.shelves[i].from+m.shelves[i].count > int(num) })
}

// shelfFor gives the shelf that has a chunk of that name if any has; -1: none does.
func (m *manifest) shelfFor(name string) int {
	return sort.Search(len(m.shelves), func(i int) bool { return m.shelves[i].name > name }) - 1
}

// find gives a chunk by its name; nil: it is not on this shelf.
func (s *shelved) find(name string) *file {
	i, found := slices.BinarySearchFunc(s.files, name, func(f file, name string) int { return strings.Compare(f.name, name) })
	if !found {
		return nil
	}
	return &s.files[i]
}

// fileSize is about how many bytes a file has in memory, its name included.
const fileSize = 256

// shelf gives the ith shelf of a manifest, from the cache or read anew.
func (a *Archive) shelf(ctx context.Context, m *manifest, i int) (*shelved, error) {
	key := m.name + "#shelf" + strconv.Itoa(i)
	if s, ok := a.cache.get(key).(*shelved); ok && len(s.files) > 0 && s.files[0].man != m { // it has been read anew
		a.cache.remove(key)
	}
	return ofManifest(ctx, a, m, key, m.shelves[i].part, func(raw []byte) (*shelved, int64, error) {
		s, err := decodeShelf(raw, m, i)
		return s, int64(fileSize * m.shelves[i].count), err
	})
}

// encodePlan writes the streams of some chunks.
func encodePlan(c *manifestContent, from, to int) []byte {
	var streams []streamEntry
	numbers := map[int]int{}
	of := make([][]int, 0, to-from)
	for _, all := range c.of[from:to] {
		var list []int
		for _, s := range all {
			n, ok := numbers[s]
			if !ok {
				n = len(streams)
				numbers[s], streams = n, append(streams, c.streams[s])
			}
			list = append(list, n)
		}
		slices.Sort(list)
		of = append(of, list)
	}
	var e enc
	(&directory{streams: streams}).encodeStreams(&e)
	for _, list := range of {
		e.len(len(list))
		at := 0
		for _, s := range list {
			e.len(s - at)
			at = s
		}
	}
	return e.b
}

// plan tells which streams the chunks of a shelf have. It is immutable.
type plan struct {
	streams []streamEntry
	of      [][]int32 // by chunk
}

func decodePlan(raw []byte, files int) (*plan, error) {
	d := &directoryDecoder{dec: dec{b: raw}, strings: map[string]string{}}
	p := &plan{of: make([][]int32, files)}
	for range d.count() {
		p.streams = append(p.streams, d.stream())
	}
	for i := range p.of {
		at := 0
		for range d.count() {
			if at += d.upTo(len(p.streams)); at >= len(p.streams) {
				d.fail("chunk with an unknown stream")
				break
			}
			p.of[i] = append(p.of[i], int32(at))
		}
	}
	return p, d.done("plan")
}

func encodeFilterTables(tables []filterTable) []byte {
	var e enc
	for i := range tables {
		tables[i].encode(&e)
	}
	return e.b
}

// decodeFilterTables reads where files have their filters.
func decodeFilterTables(raw []byte, files []file) ([]filterTable, error) {
	d := &dec{b: raw}
	tables := make([]filterTable, len(files))
	for i := range files {
		tables[i] = decodeFilterTable(d, files[i].size)
	}
	return tables, d.done("filters")
}

func (p *plan) size() int64 {
	n := 500 * len(p.streams)
	for _, of := range p.of {
		n += 24 + 4*len(of)
	}
	return int64(n)
}

// streamsOf gives the plan of a shelf, from the cache or read anew.
func (a *Archive) streamsOf(ctx context.Context, m *manifest, i int) (*plan, error) {
	s, err := a.shelf(ctx, m, i)
	if err != nil {
		return nil, err
	}
	return ofManifest(ctx, a, m, m.name+"#plan"+strconv.Itoa(i), s.plan, func(raw []byte) (*plan, int64, error) {
		p, err := decodePlan(raw, len(s.files))
		if err != nil {
			return nil, 0, err
		}
		return p, p.size(), nil
	})
}

// filtersOf tells where the chunks of a shelf have their filters, from the cache or read anew.
func (a *Archive) filtersOf(ctx context.Context, m *manifest, i int) ([]filterTable, error) {
	s, err := a.shelf(ctx, m, i)
	if err != nil {
		return nil, err
	}
	return ofManifest(ctx, a, m, m.name+"#filters"+strconv.Itoa(i), s.filters, func(raw []byte) ([]filterTable, int64, error) {
		tables, err := decodeFilterTables(raw, s.files)
		size := int64(0)
		for i := range tables {
			size += 40 + 8*int64(len(tables[i].each))
		}
		return tables, size, err
	})
}
