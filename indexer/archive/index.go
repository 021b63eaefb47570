package archive

import (
	"cmp"
	"slices"
	"strings"

	"lastnight"
)

// file is what is told of a segment or chunk without its directory: always in memory if no manifest lists it, else read when it is
// asked for.
type file struct {
	name        string
	size        int64 // bytes
	arrived     int64 // arrival of its oldest line, ns since 1970
	newest      int64 // arrival of its newest line
	first, last int64 // time of lines, ns, both inclusive
	raw         int64 // bytes of log files it stands for
	lines       int64
	records     int64
	replaces    []string // of a chunk that a manifest lists: unknown

	man     *manifest // the file was found in, as its num-th; nil: in none
	num     int32
	blocks  int32
	kind    kind
	empty   bool // no lines, only ranges without any
	partial bool // of a segment: some lines' ends were not there yet
	skip    bool // guarded by Archive.mu: damaged, not to be compacted
	done    bool // guarded by Archive.maint: Config.Ready said so
}

// is tells whether two stand for the same: what a manifest lists is read again and again.
func (f *file) is(g *file) bool { return f == g || f.name == g.name }

// alone gives a copy that keeps nothing else of its shelf in memory.
func (f *file) alone() *file {
	g := *f
	g.name = strings.Clone(f.name)
	return &g
}

func newFile(name string, size int64, d *directory) *file {
	f := &file{
		name: name, kind: d.kind, size: size, arrived: d.first, newest: d.last,
		blocks: int32(len(d.blocks)), empty: len(d.blocks) == 0, replaces: d.replaces,
	}
	f.first, f.last = d.times()
	for _, k := range d.keys {
		f.partial = f.partial || len(k.partials) > 0
		for _, x := range k.extents {
			f.raw += x.to - x.from
		}
	}
	for i := range d.blocks {
		f.lines += d.blocks[i].lines
		f.records += d.blocks[i].records
	}
	return f
}

// isDirect tells whether a chunk's lines never were a segment. Its name says so; see chunkName.
func (f *file) isDirect() bool { return f.kind == kindChunk && strings.HasSuffix(f.name, directSuffix) }

// hasReplaced tells whether a chunk was made of f, which is still read for those who ask by arrival.
func (f *file) hasReplaced(old *file) bool {
	return old.kind == kindSegment && slices.Contains(f.replaces, old.name)
}

// compare orders files by age: of what two of them have, the older one's is read.
func (f *file) compare(g *file) int {
	return cmp.Or(cmp.Compare(f.arrived, g.arrived), strings.Compare(f.name, g.name))
}

// held is what is held of one generation of one stream. It is immutable.
type held struct {
	all      spans
	ranges   []heldRange
	partials []heldPartial
	special  bool // lines may be there twice: readers must ask shows
}

type heldRange struct {
	f *file
	span
}

type heldPartial struct {
	f *file
	partial
}

// hold notes that f has a range. The held must be the caller's alone.
func (h *held) hold(f *file, from, to int64) {
	h.special = h.special || h.all.overlaps(from, to)
	h.all = h.all.add(from, to)
	h.ranges = append(h.ranges, heldRange{f, span{from, to}})
}

// without gives what is held if some files are not; nil: nothing is.
func (h *held) without(files map[string]bool) *held {
	out := &held{}
	for _, r := range h.ranges {
		if !files[r.f.name] {
			out.hold(r.f, r.from, r.to)
		}
	}
	for _, p := range h.partials {
		if !files[p.f.name] {
			out.partials = append(out.partials, p)
			out.special = true
		}
	}
	if len(out.ranges) == 0 && len(out.partials) == 0 {
		return nil
	}
	return out
}

// index knows which byte ranges of which streams are held where, as far as that must be in memory: by
// files that no manifest lists, and where several files have the same. Its methods need Archive.mu.
type index struct {
	gens    map[genKey]*held // by files that no manifest lists
	special map[genKey]*held // by all files: generations some of whose lines may be there twice
}

func newIndex() *index {
	return &index{gens: map[genKey]*held{}, special: map[genKey]*held{}}
}

// add takes up a file that no manifest lists. settled is what those that are in manifests hold of its generations.
func (x *index) add(f *file, d *directory, settled map[genKey]*held) {
	for i := range d.keys {
		k := &d.keys[i]
		id := genKey{d.streams[k.stream].id, k.gen}
		recent, all := x.gens[id].adding(f, k), x.special[id]
		switch {
		case all != nil:
			all = all.adding(f, k)
		case settled[id] != nil:
			all = x.gens[id].with(settled[id]).adding(f, k)
		default:
			all = recent
		}
		if x.gens[id] = recent; all.special {
			x.special[id] = all
		}
	}
}

// adding gives what is held together with a file's ranges.
func (h *held) adding(f *file, k *keyEntry) *held {
	out := &held{}
	if h != nil {
		*out = *h // appending behind what readers of h see changes nothing for them
	}
	for _, e := range k.extents {
		out.hold(f, e.from, e.to)
	}
	for _, p := range k.partials {
		out.partials = append(out.partials, heldPartial{f, p})
		out.special = true
	}
	return out
}

// removeFiles forgets files whose generations are not at hand: it looks at everything.
func (x *index) removeFiles(files map[string]bool) {
	keys := map[genKey]bool{}
	for _, m := range []map[genKey]*held{x.gens, x.special} {
		for id, h := range m {
			if slices.ContainsFunc(h.ranges, func(r heldRange) bool { return files[r.f.name] }) ||
				slices.ContainsFunc(h.partials, func(p heldPartial) bool { return files[p.f.name] }) {
				keys[id] = true
			}
		}
	}
	x.remove(files, keys)
}

// remove forgets files, which have these generations.
func (x *index) remove(files map[string]bool, keys map[genKey]bool) {
	for id := range keys {
		x.settle(files, id)
		if h := x.special[id]; h != nil {
			if h = h.without(files); h != nil && h.special {
				x.special[id] = h
			} else {
				delete(x.special, id)
			}
		}
	}
}

// settle leaves a generation's ranges in some files to their manifest.
func (x *index) settle(files map[string]bool, id genKey) {
	h := x.gens[id]
	if h == nil {
		return
	}
	if h = h.without(files); h == nil {
		delete(x.gens, id)
	} else {
		x.gens[id] = h
	}
}

// shows tells whether a line is to be read from f: whether no older file has it and,
// if it is partial, no file has more of it.
func (h *held) shows(f *file, l *lastnight.Line) bool {
	if h == nil {
		return true
	}
	if l.Partial {
		return h.showsPartial(f, l)
	}
	for _, r := range h.ranges {
		if !r.f.is(f) && l.Offset >= r.from && l.Offset < r.to && r.f.compare(f) < 0 && !r.f.hasReplaced(f) {
			return false
		}
	}
	return true
}

func (h *held) showsPartial(f *file, l *lastnight.Line) bool {
	if h.all.has(l.Offset) {
		return false
	}
	n := int64(len(l.Text))
	for _, p := range h.partials {
		if p.off == l.Offset && !p.f.is(f) && (p.n > n || p.n == n && p.f.compare(f) < 0 && !p.f.hasReplaced(f)) {
			return false
		}
		if p.off == l.Offset && p.f.is(f) && p.n > n {
			return false
		}
	}
	return true
}

// has tells whether appending a line would add nothing.
func (h *held) has(l *lastnight.Line) bool {
	if h == nil {
		return false
	}
	if h.all.has(l.Offset) {
		return true
	}
	return l.Partial && slices.ContainsFunc(h.partials, func(p heldPartial) bool {
		return p.off == l.Offset && p.n >= int64(len(l.Text))
	})
}

// owned gives the parts of f's ranges that are to be read from f.
func (h *held) owned(f *file) spans {
	var out, older spans
	for _, r := range h.ranges {
		if !r.f.is(f) && r.f.compare(f) < 0 {
			older = older.add(r.from, r.to)
		}
	}
	for _, r := range h.ranges {
		if r.f.is(f) {
			for _, s := range older.without(r.from, r.to) {
				out = out.add(s.from, s.to)
			}
		}
	}
	return out
}
