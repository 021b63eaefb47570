package archive

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"lastnight"
)

// A manifest lists many chunks, so that opening an archive reads a few files and not all directories,
// and neither chunks nor their byte ranges need be in memory:
//
//	┌───────────┬───────────────────┬────────────────────────┬───────┬─────────────────┬─────────┬──────┬─────────┐
//	│ header 16 │ page 0 … page n   │ plan 0, filters 0, …   │ index │ shelf 0 … shelf │ head    │ tail 32        │
//	└───────────┴───────────────────┴────────────────────────┴───────┴─────────────────┴─────────┴──────┴─────────┘
//
// Header and tail are those of segments; head takes the directory's place. A shelf lists some hundred chunks in the order of
// their names, which is that of their arrival; its plan tells which streams each of them has, its filters where each has its
// filters. A page has the byte ranges of some hundred generations, in order; the index tells where pages are. In memory is the
// head: what can be told of a shelf and of a part of the index as a whole. All of it stands in
// the chunks' directories too: a manifest is made again from them when it is lost or damaged, and whatever
// it says of chunks that are not there is of no account. See docs/formats/manifest.md.
const (
	manifestFolder = "manifests/"
	magicManifest  = "LNmanif\x00"

	// maxManifestFiles bounds the chunks of one manifest, and so what making one takes in memory.
	maxManifestFiles = 4096
	// maxManifestKeys bounds the generations of a manifest that is made of several.
	maxManifestKeys = 1 << 18
	// tierFactor is how many manifests of about one size become one of the next, and how many of the smallest have a shelf's chunks.
	tierFactor = 8
)

// manifest is what is in memory of one: of each chunk about a byte. It is immutable but for live and sums.
type manifest struct {
	name           string
	size           int64
	count          int // chunks that it lists
	keys           int // generations in them
	shelves        []shelf
	index          []fence  // of its pages
	special        []genKey // of which lines may be held twice
	minGen, maxGen int64    // when its generations start
	first, last    int64    // time of the first and the last line of what it lists

	live bitset // guarded by Archive.mu; chunks that are there and belong to this manifest; what it points to never changes
	sums totals // guarded by Archive.mu; of these
}

// totals counts files. Sizes are bytes.
type totals struct {
	chunks, blocks            int
	size, raw, lines, records int64
}

func (t *totals) add(f *file, sign int64) {
	t.chunks += int(sign)
	t.blocks += int(sign) * int(f.blocks)
	t.size += sign * f.size
	t.raw += sign * f.raw
	t.lines += sign * f.lines
	t.records += sign * f.records
}

// bitset is a set of numbers.
type bitset []uint64

func newBitset(n int) bitset          { return make(bitset, (n+63)/64) }
func (b bitset) has(n int) bool       { return b[n/64]&(1<<(n%64)) != 0 }
func (b bitset) set(n int)            { b[n/64] |= 1 << (n % 64) }
func (b bitset) clear(n int)          { b[n/64] &^= 1 << (n % 64) }
func (b bitset) without(n int) bitset { b = slices.Clone(b); b.clear(n); return b }

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
	keys    []listedKey
	streams []streamEntry // of all files
	of      [][]int       // by file: its streams, ascending
	filters []filterTable // by file
	special []genKey
}

// arrange puts chunks in the order of their names, and generations in theirs.
func (c *manifestContent) arrange() {
	order := make([]int, len(c.files))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return strings.Compare(c.files[i].name, c.files[j].name) })
	files, of, filters, at := make([]*file, len(order)), make([][]int, len(order)), make([]filterTable, len(order)), make([]int, len(order))
	for to, from := range order {
		files[to], of[to], filters[to], at[from] = c.files[from], c.of[from], c.filters[from], to
	}
	c.files, c.of, c.filters = files, of, filters
	for i := range c.keys {
		c.keys[i].file = at[c.keys[i].file]
	}
	slices.SortFunc(c.keys, func(x, y listedKey) int { return x.compare(&y) })
}

// encodeManifest gives the bytes of a manifest of what is arranged, with so many chunks on a shelf.
func encodeManifest(c *manifestContent, onShelf int, z *compressor) []byte {
	w := newFileWriter(kindManifest, nil)
	var head enc
	head.len(len(c.files))
	head.len(len(c.keys))
	index := writePages(w, c.keys, z)
	shelves := writeShelves(w, c, onShelf, z)
	head.len(len(index))
	for i := range index {
		encodeKey(&head, index[i].first)
		encodePart(&head, index[i].part)
	}
	head.len(len(shelves))
	for i := range shelves {
		shelves[i].encode(&head)
	}
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
	count := d.upTo(maxManifestFiles)
	m.keys = d.upTo(math.MaxInt32)
	for range d.count() {
		m.index = append(m.index, fence{decodeKey(d), decodePart(d, e.off)})
	}
	for range d.count() {
		s := decodeShelfHead(d, e.off)
		s.from = m.count
		m.count += s.count
		m.first, m.last = min(m.first, s.first), max(m.last, s.last)
		m.shelves = append(m.shelves, s)
	}
	for range d.count() {
		m.special = append(m.special, decodeKey(d))
	}
	m.minGen, m.maxGen = d.int(), d.int()
	if m.count != count {
		d.fail("shelves do not have as many chunks as there are")
	}
	if err := d.done("manifest"); err != nil {
		return nil, corruptf("offset %d: %w", e.off, err)
	}
	m.live = newBitset(m.count)
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

// ofManifest reads a part of a manifest that decode understands, or takes it from the cache. size is about how many bytes it has in memory.
func ofManifest[T any](ctx context.Context, a *Archive, m *manifest, key string, p part, decode func(raw []byte) (v T, size int64, err error)) (T, error) {
	if v, ok := a.cache.get(key).(T); ok {
		return v, nil
	}
	raw, err := readPacked(ctx, p, a.rangeOf(m.name))
	if err != nil {
		var none T
		return none, err
	}
	v, size, err := decode(raw)
	if err != nil {
		return v, fmt.Errorf("offset %d: %w", p.off, err)
	}
	a.cache.put(key, v, size)
	return v, nil
}
