package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// settle lists chunks in manifests: as soon as there are enough that none lists, and several manifests of one
// size become one of the next, so that each chunk is listed again a few times only. Stopped anywhere it
// leaves manifests that say the same twice, or are of no use any more; those are deleted the next time.
// Callers hold maint.
func (a *Archive) settle(ctx context.Context) error {
	a.mu.Lock()
	loose := a.loose()
	a.mu.Unlock()
	for from := 0; len(loose)-from >= a.cfg.ManifestChunks; {
		n := min(len(loose)-from, maxManifestFiles)
		if err := a.makeManifest(ctx, loose[from:from+n], nil); err != nil {
			return err
		}
		from += n
	}
	for {
		merge := a.mergeable()
		if len(merge) == 0 {
			return a.sweepManifests(ctx)
		}
		if err := a.makeManifest(ctx, nil, merge); err != nil {
			return err
		}
	}
}

// loose gives the chunks that no manifest lists and that no segment waits for. Callers hold mu.
func (a *Archive) loose() []*file {
	waited := map[string]bool{}
	for _, g := range a.garbage {
		waited[g.by] = true
	}
	var out []*file
	for _, f := range a.files {
		if f.kind == kindChunk && f.man == nil && !waited[f.name] {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, (*file).compare)
	return out
}

// mergeable gives manifests that are to become one: as many of about one size as make one of the next.
func (a *Archive) mergeable() []*manifest {
	a.mu.Lock()
	defer a.mu.Unlock()
	tiers := map[int][]*manifest{}
	for _, m := range a.manifests {
		n := m.live()
		tier := 0
		for size := a.cfg.ManifestChunks * tierFactor; n >= size; size *= tierFactor {
			tier++
		}
		if n > 0 && n < maxManifestFiles/2 {
			tiers[tier] = append(tiers[tier], m)
		}
	}
	for _, list := range tiers {
		if len(list) < tierFactor {
			continue
		}
		slices.SortFunc(list, func(x, y *manifest) int { return cmp.Compare(x.minGen, y.minGen) })
		n, files := 0, 0
		for n < len(list) && n < tierFactor && files+list[n].live() <= maxManifestFiles {
			files += list[n].live()
			n++
		}
		if n > 1 {
			return list[:n]
		}
	}
	return nil
}

// live counts the chunks that are still there. Callers hold Archive.mu.
func (m *manifest) live() int {
	n := 0
	for _, f := range m.files {
		if f != nil {
			n++
		}
	}
	return n
}

// makeManifest writes a manifest of chunks and of what other manifests list, and takes it up in their place.
func (a *Archive) makeManifest(ctx context.Context, chunks []*file, old []*manifest) error {
	c := &manifestContent{}
	g := gathering{c: c, streams: map[uint64]int{}}
	for _, m := range old {
		if err := a.gatherManifest(ctx, &g, m); err != nil {
			return err
		}
	}
	for _, f := range chunks {
		d, err := a.directory(ctx, f)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errCorrupt) {
			continue // told by whoever reads it
		}
		if err != nil {
			return fmt.Errorf("list %s in a manifest: %w", f.name, err)
		}
		g.directory(f, d)
	}
	if len(c.files) == 0 {
		return nil
	}
	a.describe(c)
	t, err := a.borrow()
	if err != nil {
		return err
	}
	data := encodeManifest(c, t.z)
	a.giveBack(t)
	a.chunks++
	name := fmt.Sprintf("%s%016x-%s-%x.man", manifestFolder, uint64(a.now().UnixNano()), a.nonce, a.chunks)
	if err := a.blobs.Put(ctx, name, data); err != nil {
		return writeError(err)
	}
	m, err := readManifest(ctx, name, int64(len(data)), rangeOf(bytes.NewReader(data)))
	if err != nil {
		return fmt.Errorf("read back %s: %w", name, err)
	}
	m.listed = c.files
	return a.install(ctx, m, old)
}

// describe puts a manifest's generations in order and says which are special.
func (a *Archive) describe(c *manifestContent) {
	slices.SortFunc(c.keys, func(x, y listedKey) int { return x.compare(&y) })
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range c.keys {
		k := c.keys[i].genKey
		if (i == 0 || c.keys[i-1].genKey != k) && a.index.special[k] != nil {
			c.special = append(c.special, k)
		}
	}
}

// install takes up a new manifest in the place of old ones.
func (a *Archive) install(ctx context.Context, m *manifest, old []*manifest) error {
	select {
	case <-a.lists.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { a.lists.turn <- struct{}{} }()
	a.mu.Lock()
	defer a.mu.Unlock()
	m.files = make([]*file, len(m.listed))
	settled, keys := map[*file]bool{}, map[genKey]bool{}
	for i, f := range m.listed {
		switch {
		case a.files[f.name] != f:
			continue // gone meanwhile
		case f.man != nil:
			f.man.files[f.num] = nil
		default:
			settled[f] = true
		}
		m.files[i], f.man, f.num = f, m, int32(i)
		delete(a.unlisted, f.name)
	}
	a.manifests = slices.DeleteFunc(slices.Clone(a.manifests), func(x *manifest) bool { return slices.Contains(old, x) })
	a.manifests = append(a.manifests, m)
	for _, x := range old {
		a.garbage[x.name] = garbage{since: a.now()}
	}
	a.changed()
	for id, h := range a.index.gens {
		if slices.ContainsFunc(h.ranges, func(r heldRange) bool { return settled[r.f] }) ||
			slices.ContainsFunc(h.partials, func(p heldPartial) bool { return settled[p.f] }) {
			keys[id] = true
		}
	}
	for id := range keys {
		a.index.settle(settled, id)
	}
	return nil
}

// sweepManifests marks those that list nothing that is there, or cannot be read, for being deleted.
func (a *Archive) sweepManifests(ctx context.Context) error {
	select {
	case <-a.lists.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	a.mu.Lock()
	var kept []*manifest
	for _, m := range a.manifests {
		if m.live() > 0 {
			kept = append(kept, m)
		} else {
			a.garbage[m.name] = garbage{since: a.now()}
		}
	}
	a.manifests = kept
	for name := range a.lists.bad {
		if _, waiting := a.garbage[name]; !waiting && strings.HasPrefix(name, manifestFolder) {
			a.garbage[name] = garbage{since: a.now()}
		}
	}
	a.mu.Unlock()
	a.lists.turn <- struct{}{}
	a.sweep(ctx)
	return nil
}

// gathering collects what a manifest says.
type gathering struct {
	c       *manifestContent
	streams map[uint64]int
}

func (g *gathering) stream(e streamEntry) int {
	i, ok := g.streams[e.id]
	if !ok {
		i = len(g.c.streams)
		g.streams[e.id] = i
		g.c.streams = append(g.c.streams, e)
	}
	return i
}

// file adds a chunk with its streams and filters, and gives its number.
func (g *gathering) file(f *file, streams []int, filters filterTable) int {
	slices.Sort(streams)
	g.c.files = append(g.c.files, f)
	g.c.filters = append(g.c.filters, filters)
	g.c.of = append(g.c.of, slices.Compact(streams))
	return len(g.c.files) - 1
}

// directory adds a chunk by its directory.
func (g *gathering) directory(f *file, d *directory) {
	streams := make([]int, len(d.streams))
	for i := range d.streams {
		streams[i] = g.stream(d.streams[i])
	}
	num := g.file(f, streams, d.filters)
	for i := range d.keys {
		k := &d.keys[i]
		l := listedKey{genKey: genKey{d.streams[k.stream].id, k.gen}, file: num, partials: k.partials}
		for _, x := range k.extents {
			l.extents = append(l.extents, span{x.from, x.to})
		}
		g.c.keys = append(g.c.keys, l)
	}
}

// gatherManifest adds the chunks of a manifest that are still there.
func (a *Archive) gatherManifest(ctx context.Context, g *gathering, m *manifest) error {
	p, err := a.streamsOf(ctx, m)
	if err != nil {
		return a.lost(ctx, m, err)
	}
	filters, err := a.filtersOf(ctx, m)
	if err != nil {
		return a.lost(ctx, m, err)
	}
	pages := make([][]listedKey, len(m.pages))
	for i := range m.pages {
		if pages[i], err = a.page(ctx, m, i); err != nil {
			return a.lost(ctx, m, err)
		}
	}
	a.mu.Lock()
	files := slices.Clone(m.files)
	a.mu.Unlock()
	numbers := make([]int, len(files))
	for i, f := range files {
		if f == nil {
			numbers[i] = -1
			continue
		}
		streams := make([]int, len(p.of[i]))
		for j, s := range p.of[i] {
			streams[j] = g.stream(p.streams[s])
		}
		numbers[i] = g.file(f, streams, filters[i])
	}
	for _, keys := range pages {
		for _, k := range keys {
			if k.file = numbers[k.file]; k.file >= 0 {
				g.c.keys = append(g.c.keys, k)
			}
		}
	}
	return nil
}

// lost does without a manifest that cannot be read, and lets the caller begin anew.
func (a *Archive) lost(ctx context.Context, m *manifest, err error) error {
	if errors.Is(err, errCorrupt) || errors.Is(err, fs.ErrNotExist) {
		if err := a.dissolve(ctx, m, err); err != nil {
			return err
		}
		return errManifestLost
	}
	return fmt.Errorf("read %s: %w", m.name, err)
}

// errManifestLost says that a manifest could not be read and its chunks are in none any more.
var errManifestLost = errors.New("a manifest could not be read")
