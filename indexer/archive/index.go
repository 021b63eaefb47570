package archive

import (
	"cmp"
	"slices"
	"strings"

	"lastnight"
)

// file is what is always in memory of a segment or chunk.
type file struct {
	name        string
	kind        kind
	size        int64 // bytes
	arrived     int64 // arrival of its oldest line, ns since 1970
	newest      int64 // arrival of its newest line
	first, last int64 // time of lines, ns, both inclusive
	raw         int64 // bytes of log files it stands for
	lines       int64
	records     int64
	blocks      int
	empty       bool // no lines, only ranges without any
	replaces    []string

	refs int  // guarded by Archive.mu: queries that read it
	skip bool // guarded by Archive.mu: damaged, not to be compacted
	done bool // guarded by Archive.maint: Config.Ready said so
}

func newFile(name string, size int64, d *directory) *file {
	f := &file{
		name: name, kind: d.kind, size: size, arrived: d.first, newest: d.last,
		blocks: len(d.blocks), empty: len(d.blocks) == 0, replaces: d.replaces,
	}
	f.first, f.last = d.times()
	for _, k := range d.keys {
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

// index knows which byte ranges of which streams are held where. Its methods need Archive.mu.
type index struct {
	gens    map[genKey]*held
	special map[genKey]*held // those of gens that are special
}

func newIndex() *index {
	return &index{gens: map[genKey]*held{}, special: map[genKey]*held{}}
}

// add takes up a file.
func (x *index) add(f *file, d *directory) {
	for _, k := range d.keys {
		id := genKey{d.streams[k.stream].id, k.gen}
		h := &held{}
		if old := x.gens[id]; old != nil {
			*h = *old // appending behind what readers of old see changes nothing for them
		}
		for _, e := range k.extents {
			h.special = h.special || h.all.overlaps(e.from, e.to)
			h.all = h.all.add(e.from, e.to)
			h.ranges = append(h.ranges, heldRange{f, span{e.from, e.to}})
		}
		for _, p := range k.partials {
			h.partials = append(h.partials, heldPartial{f, p})
		}
		h.special = h.special || len(h.partials) > 0
		x.set(id, h)
	}
}

// removeFiles forgets files whose keys are not at hand: it looks at everything.
func (x *index) removeFiles(files map[*file]bool) {
	keys := map[genKey]bool{}
	for id, h := range x.gens {
		if slices.ContainsFunc(h.ranges, func(r heldRange) bool { return files[r.f] }) ||
			slices.ContainsFunc(h.partials, func(p heldPartial) bool { return files[p.f] }) {
			keys[id] = true
		}
	}
	x.remove(files, keys)
}

// remove forgets files, which have these keys.
func (x *index) remove(files map[*file]bool, keys map[genKey]bool) {
	for id := range keys {
		old := x.gens[id]
		if old == nil {
			continue
		}
		h := &held{}
		for _, r := range old.ranges {
			if files[r.f] {
				continue
			}
			h.special = h.special || h.all.overlaps(r.from, r.to)
			h.all = h.all.add(r.from, r.to)
			h.ranges = append(h.ranges, r)
		}
		for _, p := range old.partials {
			if !files[p.f] {
				h.partials = append(h.partials, p)
				h.special = true
			}
		}
		x.set(id, h)
	}
}

func (x *index) set(id genKey, h *held) {
	delete(x.special, id)
	switch {
	case len(h.ranges) == 0 && len(h.partials) == 0:
		delete(x.gens, id)
		return
	case h.special:
		x.special[id] = h
	}
	x.gens[id] = h
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
		if r.f != f && l.Offset >= r.from && l.Offset < r.to && r.f.compare(f) < 0 {
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
		if p.off == l.Offset && p.f != f && (p.n > n || p.n == n && p.f.compare(f) < 0) {
			return false
		}
		if p.off == l.Offset && p.f == f && p.n > n {
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
		if r.f != f && r.f.compare(f) < 0 {
			older = older.add(r.from, r.to)
		}
	}
	for _, r := range h.ranges {
		if r.f == f {
			for _, s := range older.without(r.from, r.to) {
				out = out.add(s.from, s.to)
			}
		}
	}
	return out
}
