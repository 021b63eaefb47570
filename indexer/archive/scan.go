package archive

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"lastnight"
)

// place is where a record or line stands in an order: by time (major is the time), or
// file by file (major is the restart).
type place struct {
	major  int64
	stream uint64
	gen    lastnight.Generation
	off    int64
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.major, q.major), cmp.Compare(p.stream, q.stream), p.gen.Compare(q.gen), cmp.Compare(p.off, q.off))
}

// edge gives the first or, for sign -1, the last place of a time.
func edge(major int64, sign int) place {
	if sign > 0 {
		return place{major: major, gen: lastnight.Generation{Start: math.MinInt64}, off: math.MinInt64}
	}
	return place{major: major, stream: math.MaxUint64, gen: lastnight.Generation{Start: math.MaxInt64, Sum: math.MaxUint32}, off: math.MaxInt64}
}

// scanBudget is about how many bytes of results one scan holds back to put them in order.
const scanBudget = 24 << 20

// scan reads blocks of a snapshot of the archive. It is used by one goroutine.
type scan struct {
	a       *Archive
	files   []*file          // those that no manifest lists
	stocks  []stock          // manifests that have lines in the time asked for
	special map[genKey]*held // nil: none
	sign    int              // 1: ascending, -1: descending
	byTime  bool             // else file by file
	start   int64
	end     int64 // exclusive
	arrived int64 // of the oldest line of files at least
	stream  func(*streamEntry) bool
	narrow  bool          // stream leaves some out: see which files have any
	hashes  []uint64      // of words that all results have
	shelf   shelfOf       // that the file looked at last is on
	tables  []filterTable // of its files
	levels  byte          // of results, a bit each; 0: any
	budget  int64
	workers int // blocks that are read at once; 0 is 1
	limit   int // of results; 0: none
	after   *place
	choose  func(*index) map[string]bool // names, of files that no manifest lists; nil: all in the time asked for
	instead map[string][]*file           // of a scan by arrival: segments that are read in the place of a chunk
	doubled [][]*file                    // of a scan by arrival: replaced segments of one chunk that may have the same lines
	among   map[*file]map[genKey]*held   // of these: what they and all other files hold
	pin     *pin
}

// newScan takes hold of the files that have lines in the time asked for. Call release at the end.
func (a *Archive) newScan(ctx context.Context, req lastnight.SearchRequest) (*scan, error) {
	if err := a.refresh(ctx, false); err != nil {
		return nil, err
	}
	s := a.plan(req)
	return s, s.snapshot(ctx)
}

// plan is a scan that has taken hold of nothing yet.
func (a *Archive) plan(req lastnight.SearchRequest) *scan {
	s := &scan{
		a: a, sign: -1, byTime: true, start: math.MinInt64, end: math.MaxInt64, arrived: math.MinInt64, budget: scanBudget, limit: req.Limit,
		stream: func(e *streamEntry) bool { return wanted(e, &req) },
		narrow: req.Namespace != "" || req.Job != "" || req.Pod != "" || req.PodUID != "" || req.Container != "" || req.Node != "" || req.Restart != nil,
	}
	if req.Oldest {
		s.sign = 1
	}
	if !req.Start.IsZero() {
		s.start = clampNano(req.Start)
	}
	if !req.End.IsZero() {
		s.end = clampNano(req.End)
	}
	if !req.ArrivedSince.IsZero() {
		s.arrived = clampNano(req.ArrivedSince)
	}
	return s
}

// wanted tells whether a stream is asked for.
func wanted(e *streamEntry, req *lastnight.SearchRequest) bool {
	f := func(want, is string) bool { return want == "" || want == is }
	s := e.stream
	return f(req.Namespace, s.Namespace) && f(req.Job, e.job) && f(req.Pod, s.Pod) && f(req.PodUID, s.PodUID) &&
		f(req.Container, s.Container) && f(req.Node, s.Node) && (req.Restart == nil || *req.Restart == s.Restart)
}

// candidate is a shelf of a manifest, a file whose directory, or a block whose rows are still to be looked at.
type candidate struct {
	bound place // nothing in it comes before, in the order of the scan
	f     *file // nil: it is a shelf
	d     *directory
	keys  []bool // streams that are asked for; nil for a file or shelf
	block int    // or the shelf's number
	stock *stock // of a shelf
}

type candidates struct {
	list []candidate
	sign int
}

func (c *candidates) Len() int           { return len(c.list) }
func (c *candidates) Less(i, j int) bool { return c.sign*c.list[i].bound.compare(c.list[j].bound) < 0 }
func (c *candidates) Swap(i, j int)      { c.list[i], c.list[j] = c.list[j], c.list[i] }
func (c *candidates) Push(x any)         { c.list = append(c.list, x.(candidate)) } //nolint:forcetypeassert // ours
func (c *candidates) Pop() any {
	n := len(c.list) - 1
	x := c.list[n]
	c.list = c.list[:n]
	return x
}

// begin gives the candidates of a pass.
func (s *scan) begin(ctx context.Context) (*candidates, error) {
	q := &candidates{sign: s.sign}
	if !s.byTime { // which places a file has is known from its directory only
		return q, s.each(ctx, func(f *file) error { return s.expand(ctx, candidate{f: f}, q) })
	}
	for _, f := range s.files {
		q.list = append(q.list, candidate{f: f, bound: s.edgeOf(f.first, f.last)})
	}
	for i := range s.stocks {
		for j := range s.stocks[i].m.shelves {
			if sh := &s.stocks[i].m.shelves[j]; s.reaches(sh) {
				q.list = append(q.list, candidate{stock: &s.stocks[i], block: j, bound: s.edgeOf(sh.first, sh.last)})
			}
		}
	}
	heap.Init(q)
	return q, nil
}

// edgeOf gives a place before all lines of a time.
func (s *scan) edgeOf(first, last int64) place {
	if s.sign > 0 {
		return edge(first, 1)
	}
	return edge(last, -1)
}

// expand looks into a shelf or a file's directory and adds the files or blocks that may have something.
func (s *scan) expand(ctx context.Context, c candidate, q *candidates) error {
	if c.f == nil {
		return s.take(ctx, c.stock, c.block, func(f *file) error {
			heap.Push(q, candidate{f: f, bound: s.edgeOf(f.first, f.last)})
			return nil
		})
	}
	may, err := s.sieveListed(ctx, c.f)
	if err != nil || may != nil && !slices.Contains(may, true) {
		return err
	}
	d, err := s.a.directory(ctx, c.f)
	if err != nil {
		return s.skip(ctx, c.f, err)
	}
	keys := make([]bool, len(d.keys))
	some := false
	for i := range d.keys {
		keys[i] = s.stream(&d.streams[d.keys[i].stream])
		some = some || keys[i]
	}
	if !some {
		return nil
	}
	var list []candidate
	for i := range d.blocks {
		b := &d.blocks[i]
		bound, ok := s.bound(d, b, keys, s.sign)
		if !ok || s.levels != 0 && b.levels&s.levels == 0 {
			continue
		}
		if end, _ := s.bound(d, b, keys, -s.sign); s.after != nil && s.sign*end.compare(*s.after) <= 0 {
			continue
		}
		list = append(list, candidate{bound: bound, f: c.f, d: d, keys: keys, block: i})
	}
	if len(list) > 0 && len(s.hashes) > 0 && len(may) != len(d.filters.each) {
		if may, err = s.sieve(ctx, c.f, &d.filters); err != nil {
			if err := s.skip(ctx, c.f, err); err != nil {
				return err
			}
		}
	}
	for _, c := range list {
		if n := d.blocks[c.block].filter; n < 0 || n >= len(may) || may[n] {
			heap.Push(q, c)
		}
	}
	return nil
}

// sieveListed is sieve for a file whose filters a manifest tells of, so that its directory need not be read if it lacks a word.
// nil: look into the directory.
func (s *scan) sieveListed(ctx context.Context, f *file) ([]bool, error) {
	if len(s.hashes) == 0 {
		return nil, nil
	}
	if f.man == nil {
		return nil, nil
	}
	at := shelfOf{f.man, f.man.shelfOf(f.num)}
	if s.shelf != at {
		tables, err := s.a.filtersOf(ctx, at.m, at.i)
		switch {
		case errors.Is(err, errCorrupt): // the chunks themselves know
			return nil, s.a.dissolve(ctx, at.m, err)
		case errors.Is(err, fs.ErrNotExist): // merged into another one meanwhile
			return nil, nil
		case err != nil:
			return nil, lastnight.Errorf(lastnight.CodeUnavailable, "", "read %s: %w", at.m.name, err)
		}
		s.shelf, s.tables = at, tables
	}
	t := &s.tables[int(f.num)-at.m.shelves[at.i].from]
	if len(t.each) == 0 {
		return nil, nil
	}
	may, err := s.sieve(ctx, f, t)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			may = []bool{}
		}
		err = s.skip(ctx, f, err)
	}
	return may, err
}

// asks tells whether a stream of a block, that is asked for, reaches into the time asked for.
func (s *scan) asks(k *blockKey) bool { return k.last >= s.start && k.first < s.end }

// bound gives a place in a block before which it has nothing in the direction of sign, and whether it
// has anything that is asked for.
func (s *scan) bound(d *directory, b *blockEntry, keys []bool, sign int) (place, bool) {
	found := false
	var first place
	for i := range b.keys {
		k := &b.keys[i]
		if !keys[k.key] || !s.asks(k) {
			continue
		}
		p := edge(max(k.first, s.start), 1)
		if sign < 0 {
			p = edge(min(k.last, s.end-1), -1)
		}
		if !s.byTime {
			e := &d.keys[k.key]
			st := &d.streams[e.stream]
			p = place{major: int64(st.stream.Restart), stream: st.id, gen: e.gen, off: k.from}
			if sign < 0 {
				p.off = k.to
			}
		}
		if !found || sign*p.compare(first) < 0 {
			first, found = p, true
		}
	}
	return first, found
}

// skip decides about a part that cannot be read: damage and a missing file are reported and
// skipped, anything else ends the scan. A file that others may have deleted is errVanished.
func (s *scan) skip(ctx context.Context, f *file, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s.a.cfg.Shared && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", errVanished, f.name)
	}
	if errors.Is(err, ErrVersion) { // it was of ours when it was listed
		err = corruptf("offset %d: %w", f.size-tailSize, err)
	}
	if errors.Is(err, errCorrupt) || errors.Is(err, fs.ErrNotExist) {
		s.a.damage(f.name, err)
		return nil
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "", "read the archive: %w", err)
}

// data reads a block, into scratch memory if that is possible. Nobody paces a question.
func (a *Archive) data(ctx context.Context, f *file, d *directory, block int, mem *slabs) ([]byte, error) {
	get := a.rangeOf(f.name)
	if blobs, ok := a.cfg.Blobs.(filler); ok {
		get = func(ctx context.Context, off, n int64) ([]byte, error) {
			p := mem.bytes.take(int(n))
			return p, blobs.fill(ctx, f.name, off, p)
		}
	}
	return readBlock(ctx, d, block, get)
}

func readBlock(ctx context.Context, d *directory, block int, get ranger) ([]byte, error) {
	data, err := readPart(ctx, d.blocks[block].part, get)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", block, err)
	}
	return data, nil
}

// rows reads a block's rows.
func (a *Archive) rows(ctx context.Context, f *file, d *directory, block int) ([]row, error) {
	return a.rowsBy(ctx, a.rangeOf(f.name), d, block, nil)
}

// rowsBy reads a block's rows from where get says, into memory of its own if mem is nil.
func (a *Archive) rowsBy(ctx context.Context, get ranger, d *directory, block int, mem *rowSlabs) ([]row, error) {
	data, err := readBlock(ctx, d, block, get)
	if err != nil {
		return nil, err
	}
	lists := a.slabs.get()
	defer a.slabs.put(lists)
	rows, err := decodeBlockWith(data, len(d.keys), lists, mem)
	if err != nil {
		return nil, fmt.Errorf("offset %d: block %d: %w", d.blocks[block].off, block, err)
	}
	return rows, nil
}

// visit calls take with every record of a block that is asked for, without the lines that
// are read from elsewhere.
func (s *scan) visit(ctx context.Context, c candidate, take func(*streamEntry, lastnight.Generation, *lastnight.Record)) error {
	rows, err := s.a.rows(ctx, c.f, c.d, c.block)
	if err != nil {
		return s.skip(ctx, c.f, err)
	}
	s.shown(c, rows, func(key int, r *lastnight.Record) {
		k := &c.d.keys[key]
		take(&c.d.streams[k.stream], k.gen, r)
	})
	return nil
}

// shown calls take with the records that are to be read from c's file.
func (s *scan) shown(c candidate, rows []row, take func(key int, r *lastnight.Record)) {
	last := -1
	var h *held
	for i := range rows {
		r := &rows[i]
		if s.sign < 0 { // the sooner the later ones are seen, the more of the others need no look
			r = &rows[len(rows)-1-i]
		}
		if !c.keys[r.key] {
			continue
		}
		if r.key != last {
			k := &c.d.keys[r.key]
			last = r.key
			h = s.twice(c.f, genKey{c.d.streams[k.stream].id, k.gen})
		}
		if h != nil {
			rec, ok := trimRecord(*r.rec, func(l *lastnight.Line) bool { return h.shows(c.f, l) })
			if !ok {
				continue
			}
			r.rec = &rec
		}
		take(r.key, r.rec)
	}
}
