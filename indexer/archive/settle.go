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
		if f.kind == kindChunk && !waited[f.name] {
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
		n := m.sums.chunks
		tier := 0
		for size := a.cfg.ManifestChunks * tierFactor; n >= size; size *= tierFactor {
			tier++
		}
		if n > 0 && n < maxManifestFiles/2 && m.keys < maxManifestKeys/2 {
			tiers[tier] = append(tiers[tier], m)
		}
	}
	for _, list := range tiers {
		if len(list) < tierFactor {
			continue
		}
		slices.SortFunc(list, func(x, y *manifest) int { return cmp.Compare(x.minGen, y.minGen) })
		n, files, keys := 0, 0, 0
		for n < len(list) && n < tierFactor && files+list[n].sums.chunks <= maxManifestFiles && keys+list[n].keys <= maxManifestKeys {
			files, keys = files+list[n].sums.chunks, keys+list[n].keys
			n++
		}
		if n > 1 {
			return list[:n]
		}
	}
	return nil
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
	data := encodeManifest(c, a.cfg.ManifestChunks*tierFactor, t.z)
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
	return a.install(ctx, m, c.files, old)
}

// describe puts what a manifest says in order and tells which generations are special.
func (a *Archive) describe(c *manifestContent) {
	c.arrange()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range c.keys {
		k := c.keys[i].genKey
		if (i == 0 || c.keys[i-1].genKey != k) && a.index.special[k] != nil {
			c.special = append(c.special, k)
		}
	}
}

// install takes up a new manifest of files in the place of old ones.
func (a *Archive) install(ctx context.Context, m *manifest, files []*file, old []*manifest) error {
	select {
	case <-a.lists.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { a.lists.turn <- struct{}{} }()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range old {
		if !slices.Contains(a.manifests, x) { // a listing has done without it meanwhile
			a.garbage[m.name] = a.newGarbage(nil)
			return nil
		}
	}
	settled := map[string]bool{}
	for i, f := range files {
		switch {
		case f.man == nil && a.files[f.name] == f:
			settled[f.name] = true
			delete(a.files, f.name)
		case f.man == nil || !f.man.live.has(int(f.num)):
			continue // gone meanwhile
		}
		m.live.set(i)
		m.sums.add(f, 1)
	}
	a.manifests = append(slices.DeleteFunc(slices.Clone(a.manifests), func(x *manifest) bool { return slices.Contains(old, x) }), m)
	for _, x := range old {
		a.garbage[x.name] = a.newGarbage(nil)
	}
	a.changed()
	a.leave(settled)
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
		if m.sums.chunks > 0 {
			kept = append(kept, m)
		} else {
			a.garbage[m.name] = a.newGarbage(nil)
		}
	}
	a.manifests = kept
	for name := range a.lists.bad {
		if _, waiting := a.garbage[name]; !waiting && strings.HasPrefix(name, manifestFolder) {
			a.garbage[name] = a.newGarbage(nil)
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
	a.mu.Lock()
	live := m.live
	a.mu.Unlock()
	numbers := make([]int, m.count)
	for i := range m.shelves {
		s, err := a.shelf(ctx, m, i)
		if err != nil {
			return a.lost(ctx, m, err)
		}
		p, err := a.streamsOf(ctx, m, i)
		if err != nil {
			return a.lost(ctx, m, err)
		}
		filters, err := a.filtersOf(ctx, m, i)
		if err != nil {
			return a.lost(ctx, m, err)
		}
		for j := range s.files {
			f := &s.files[j]
			if !live.has(int(f.num)) {
				numbers[f.num] = -1
				continue
			}
			streams := make([]int, len(p.of[j]))
			for k, n := range p.of[j] {
				streams[k] = g.stream(p.streams[n])
			}
			numbers[f.num] = g.file(f, streams, filters[j])
		}
	}
	if err := m.eachPage(ctx, a.rangeOf(m.name), func(keys []listedKey) {
		for _, k := range keys {
			if k.file = numbers[k.file]; k.file >= 0 {
				g.c.keys = append(g.c.keys, k)
			}
		}
	}); err != nil {
		return a.lost(ctx, m, err)
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
