package archive

import (
	"cmp"
	"context"
	"math"
	"slices"

	"lastnight"
)

// A manifest lists many chunks, so that opening an archive reads a few files and not all directories,
// and byte ranges need not be in memory:
//
//	┌───────────┬────────┬───┬────────┬──────┬─────────┬──────┬─────────┐
//	│ header 16 │ page 0 │ … │ page n │ plan │ filters │ head │ tail 32 │
//	└───────────┴────────┴───┴────────┴──────┴─────────┴──────┴─────────┘
//
// Header and tail are those of segments; head takes the directory's place. A page has the byte ranges
// of some hundred generations, in order; the plan tells which streams each chunk has, filters where each has its filters. All of it stands in
// the chunks' directories too: a manifest is made again from them when it is lost or damaged, and whatever
// it says of chunks that are not there is of no account. See docs/formats/manifest.md.
const (
	manifestFolder = "manifests/"
	magicManifest  = "LNmanif\x00"

	// pageKeys is how many generations a page has: a few KB.
	pageKeys = 256
	// maxManifestFiles bounds the chunks of one manifest, and so what making one takes in memory.
	maxManifestFiles = 4096
	// tierFactor is how many manifests of about one size become one of the next.
	tierFactor = 8
)

// manifest is what is in memory of one. It is immutable but for files.
type manifest struct {
	name           string
	size           int64
	files          []*file // guarded by Archive.mu; by number; nil: gone, or listed elsewhere
	listed         []*file // as it lists them
	pages          []page
	plan           part
	filters        part
	special        []genKey // of which lines may be held twice
	minGen, maxGen int64    // when its generations start
	first, last    int64    // time of the first and the last line of what it lists
}

type page struct {
	first genKey
	part
}

func (k genKey) compare(l genKey) int {
	return cmp.Or(cmp.Compare(k.stream, l.stream), k.gen.Compare(l.gen))
}

// listedKey is a generation in one chunk of a manifest.
type listedKey struct {
	genKey
	file     int
	extents  []span
	partials []partial
}

func (k *listedKey) compare(l *listedKey) int {
	return cmp.Or(k.genKey.compare(l.genKey), cmp.Compare(k.file, l.file))
}

// manifestContent is everything that a manifest says.
type manifestContent struct {
	files   []*file
	keys    []listedKey   // in order
	streams []streamEntry // of all files
	of      [][]int       // by file: its streams, ascending
	filters []filterTable // by file
	special []genKey
}

// encodeManifest gives the bytes of a manifest.
func encodeManifest(c *manifestContent, z *compressor) []byte {
	w := newFileWriter(kindManifest, nil)
	var head enc
	head.len(len(c.files))
	for _, f := range c.files {
		encodeListed(&head, f)
	}
	var pages enc
	n := 0
	for keys := c.keys; len(keys) > 0; n++ {
		end := min(pageKeys, len(keys))
		for end < len(keys) && keys[end].genKey == keys[end-1].genKey {
			end++ // a generation is in one page
		}
		encodeKey(&pages, keys[0].genKey)
		encodePart(&pages, w.add(z.zstd.EncodeAll(encodePage(keys[:end]), nil)))
		keys = keys[end:]
	}
	head.len(n)
	head.b = append(head.b, pages.b...)
	encodePart(&head, w.add(z.zstd.EncodeAll(encodePlan(c), nil)))
	encodePart(&head, w.add(z.zstd.EncodeAll(encodeFilterTables(c.filters), nil)))
	head.len(len(c.special))
	for _, k := range c.special {
		encodeKey(&head, k)
	}
	first, last := int64(0), int64(0)
	for i := range c.keys {
		at := c.keys[i].gen.Start
		if i == 0 || at < first {
			first = at
		}
		if i == 0 || at > last {
			last = at
		}
	}
	head.int(first)
	head.int(last)
	return w.finish(head.b, z)
}

func encodeKey(e *enc, k genKey) {
	e.u64(k.stream)
	e.int(k.gen.Start)
	e.u32(k.gen.Sum)
}

func decodeKey(d *dec) genKey {
	return genKey{d.u64(), lastnight.Generation{Start: d.int(), Sum: d.u32()}}
}

func encodeListed(e *enc, f *file) {
	e.str(f.name)
	for _, v := range []int64{f.size, f.arrived, f.newest - f.arrived, f.first, f.last - f.first, f.raw, f.lines, f.records, int64(f.blocks)} {
		e.int(v)
	}
}

func decodeListed(d *dec) *file {
	f := &file{kind: kindChunk, name: d.str(), size: d.int(), arrived: d.int()}
	f.newest = f.arrived + d.int()
	f.first = d.int()
	f.last = f.first + d.int()
	f.raw, f.lines, f.records, f.blocks = d.int(), d.int(), d.int(), int32(d.upTo(math.MaxInt32))
	f.empty = f.blocks == 0
	return f
}

// encodePage writes generations in order.
func encodePage(keys []listedKey) []byte {
	var e enc
	e.len(len(keys))
	var last uint64
	for i := range keys {
		k := &keys[i]
		e.uint(k.stream - last)
		last = k.stream
		e.int(k.gen.Start)
		e.u32(k.gen.Sum)
		e.len(k.file)
		e.len(len(k.extents))
		var at int64
		for _, x := range k.extents {
			e.int(x.from - at)
			e.int(x.to - x.from)
			at = x.to
		}
		e.len(len(k.partials))
		for _, p := range k.partials {
			e.int(p.off)
			e.int(p.n)
		}
	}
	return e.b
}

func decodePage(raw []byte, files int) ([]listedKey, error) {
	d := &dec{b: raw}
	var keys []listedKey
	var last uint64
	for range d.count() {
		last += d.uint()
		k := listedKey{genKey: genKey{last, lastnight.Generation{Start: d.int(), Sum: d.u32()}}, file: d.index(files)}
		var at int64
		for range d.count() {
			s := span{from: at + d.int()}
			s.to = s.from + d.int()
			at = s.to
			k.extents = append(k.extents, s)
		}
		for range d.count() {
			k.partials = append(k.partials, partial{d.int(), d.int()})
		}
		if d.err != nil {
			break
		}
		keys = append(keys, k)
	}
	return keys, d.done("page")
}

func encodePlan(c *manifestContent) []byte {
	var e enc
	(&directory{streams: c.streams}).encodeStreams(&e)
	for _, of := range c.of {
		e.len(len(of))
		at := 0
		for _, s := range of {
			e.len(s - at)
			at = s
		}
	}
	return e.b
}

// plan tells which streams the chunks of a manifest have. It is immutable.
type plan struct {
	streams []streamEntry
	of      [][]int32 // by file
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
func decodeFilterTables(raw []byte, files []*file) ([]filterTable, error) {
	d := &dec{b: raw}
	tables := make([]filterTable, len(files))
	for i, f := range files {
		tables[i] = decodeFilterTable(d, f.size)
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

// readManifest reads the head of a manifest.
func readManifest(ctx context.Context, name string, size int64, get ranger) (*manifest, error) {
	e, err := readEnd(ctx, size, get)
	if err != nil {
		return nil, err
	}
	if e.kind != kindManifest {
		return nil, corruptf("offset 0: a %s, not a manifest", e.kind)
	}
	d := &dec{b: e.raw}
	m := &manifest{name: name, size: size, first: math.MaxInt64, last: math.MinInt64}
	for range d.count() {
		f := decodeListed(d)
		m.listed = append(m.listed, f)
		m.first, m.last = min(m.first, f.first), max(m.last, f.last)
		if d.err != nil {
			break
		}
	}
	for range d.count() {
		m.pages = append(m.pages, page{decodeKey(d), decodePart(d, e.off)})
	}
	m.plan = decodePart(d, e.off)
	m.filters = decodePart(d, e.off)
	for range d.count() {
		m.special = append(m.special, decodeKey(d))
	}
	m.minGen, m.maxGen = d.int(), d.int()
	if err := d.done("manifest"); err != nil {
		return nil, corruptf("offset %d: %w", e.off, err)
	}
	return m, nil
}

// readPacked reads a part of a manifest that is compressed.
func readPacked(ctx context.Context, p part, get ranger) ([]byte, error) {
	b, err := readPart(ctx, p, get)
	if err != nil {
		return nil, err
	}
	raw, err := inflate(b, maxDirectory)
	if err != nil {
		return nil, corruptf("offset %d: %w", p.off, err)
	}
	return raw, nil
}

// pageOf gives the number of the page that has a generation if any has; -1: none does.
func (m *manifest) pageOf(k genKey) int {
	if k.gen.Start < m.minGen || k.gen.Start > m.maxGen {
		return -1
	}
	i, found := slices.BinarySearchFunc(m.pages, k, func(p page, k genKey) int { return p.first.compare(k) })
	if found {
		return i
	}
	return i - 1
}
