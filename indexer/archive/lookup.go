package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
)

// heldOf tells what is held of a generation: by files of no manifest from memory, by others from the
// pages of manifests that may have it, of which those used last are cached. nil: nothing is.
func (a *Archive) heldOf(ctx context.Context, k genKey) (*held, error) {
	for {
		a.mu.Lock()
		special, recent, epoch := a.index.special[k], a.index.gens[k], a.epoch
		a.mu.Unlock()
		if special != nil {
			return special, nil
		}
		settled, err := a.settled(ctx, []genKey{k})
		if err != nil {
			return nil, err
		}
		a.mu.Lock()
		same := a.epoch == epoch
		if same {
			a.learnEnds([]genKey{k}, settled)
		}
		a.mu.Unlock()
		if same {
			return recent.with(settled[k]), nil
		}
	}
}

// with gives what two hold together.
func (h *held) with(o *held) *held {
	switch {
	case o == nil:
		return h
	case h == nil:
		return o
	}
	out := &held{}
	for _, x := range []*held{h, o} {
		for _, r := range x.ranges {
			out.hold(r.f, r.from, r.to)
		}
		out.partials = append(out.partials, x.partials...)
	}
	out.special = out.special || len(out.partials) > 0
	return out
}

// foundKey is a generation in a page, and the manifest.
type foundKey struct {
	m *manifest
	k *listedKey
}

// settled tells what chunks of manifests hold of generations, which are in order. What is not in the
// result they do not have.
func (a *Archive) settled(ctx context.Context, keys []genKey) (map[genKey]*held, error) {
	for n := 0; ; n++ {
		out, bad, err := a.lookUp(ctx, keys)
		switch {
		case err == nil:
			return out, nil
		case n == maxRelists || !errors.Is(err, errCorrupt) && !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("look up byte ranges in %s: %w", bad.name, err)
		}
		if err := a.dissolve(ctx, bad, err); err != nil {
			return nil, err
		}
	}
}

// lookUp is settled, but gives up at a manifest that cannot be read.
func (a *Archive) lookUp(ctx context.Context, keys []genKey) (out map[genKey]*held, bad *manifest, err error) {
	a.mu.Lock()
	manifests := a.manifests
	a.mu.Unlock()
	var hits []foundKey
	for _, m := range manifests {
		if hits, err = a.inManifest(ctx, m, keys, hits); err != nil {
			return nil, m, err
		}
	}
	return a.resolve(hits), nil, nil
}

// resolve makes files of their numbers.
func (a *Archive) resolve(hits []foundKey) map[genKey]*held {
	if len(hits) == 0 {
		return nil
	}
	out := map[genKey]*held{}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, hit := range hits {
		f := hit.m.files[hit.k.file]
		if f == nil {
			continue
		}
		h := out[hit.k.genKey]
		if h == nil {
			h = &held{}
			out[hit.k.genKey] = h
		}
		for _, x := range hit.k.extents {
			h.hold(f, x.from, x.to)
		}
		for _, p := range hit.k.partials {
			h.partials = append(h.partials, heldPartial{f, p})
			h.special = true
		}
	}
	return out
}

// inManifest adds what a manifest says of generations to hits.
func (a *Archive) inManifest(ctx context.Context, m *manifest, keys []genKey, hits []foundKey) ([]foundKey, error) {
	last, loaded := -1, []listedKey(nil)
	for _, k := range keys {
		i := m.pageOf(k)
		if i < 0 {
			continue
		}
		if i != last {
			var err error
			if loaded, err = a.page(ctx, m, i); err != nil {
				return hits, err
			}
			last = i
		}
		at, _ := slices.BinarySearchFunc(loaded, k, func(e listedKey, k genKey) int { return e.genKey.compare(k) })
		for ; at < len(loaded) && loaded[at].genKey == k; at++ {
			hits = append(hits, foundKey{m, &loaded[at]})
		}
	}
	return hits, nil
}

// page gives a page of a manifest, from the cache or read anew.
func (a *Archive) page(ctx context.Context, m *manifest, i int) ([]listedKey, error) {
	name := m.name + "#" + strconv.Itoa(i)
	if keys, ok := a.cache.get(name).([]listedKey); ok {
		return keys, nil
	}
	raw, err := readPacked(ctx, m.pages[i].part, a.rangeOf(m.name))
	if err != nil {
		return nil, err
	}
	keys, err := decodePage(raw, len(m.listed))
	if err != nil {
		return nil, fmt.Errorf("offset %d: %w", m.pages[i].off, err)
	}
	var size int64
	for i := range keys {
		size += int64(96 + 16*(len(keys[i].extents)+len(keys[i].partials)))
	}
	a.cache.put(name, keys, size)
	return keys, nil
}

// streamsOf gives the plan of a manifest, from the cache or read anew.
func (a *Archive) streamsOf(ctx context.Context, m *manifest) (*plan, error) {
	name := m.name + "#plan"
	if p, ok := a.cache.get(name).(*plan); ok {
		return p, nil
	}
	raw, err := readPacked(ctx, m.plan, a.rangeOf(m.name))
	if err != nil {
		return nil, err
	}
	p, err := decodePlan(raw, len(m.listed))
	if err != nil {
		return nil, fmt.Errorf("offset %d: %w", m.plan.off, err)
	}
	a.cache.put(name, p, p.size())
	return p, nil
}

// filtersOf tells where the chunks of a manifest have their filters, from the cache or read anew.
func (a *Archive) filtersOf(ctx context.Context, m *manifest) ([]filterTable, error) {
	name := m.name + "#filters"
	if tables, ok := a.cache.get(name).([]filterTable); ok {
		return tables, nil
	}
	raw, err := readPacked(ctx, m.filters, a.rangeOf(m.name))
	if err != nil {
		return nil, err
	}
	tables, err := decodeFilterTables(raw, m.listed)
	if err != nil {
		return nil, fmt.Errorf("offset %d: %w", m.filters.off, err)
	}
	size := int64(0)
	for i := range tables {
		size += 40 + 8*int64(len(tables[i].each))
	}
	a.cache.put(name, tables, size)
	return tables, nil
}

// dissolve does without a manifest that cannot be read: the directories of its chunks are. One that is in use no more
// was merged into another and deleted while it was read: then that is all there is to it.
func (a *Archive) dissolve(ctx context.Context, m *manifest, why error) error {
	a.mu.Lock()
	used := slices.Contains(a.manifests, m)
	a.mu.Unlock()
	if !used {
		return nil
	}
	a.damage(m.name, why)
	select {
	case <-a.lists.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { a.lists.turn <- struct{}{} }()
	a.lists.bad[m.name] = struct{}{}
	if err := a.relist(ctx, true); err != nil {
		return fmt.Errorf("do without %s: %w", m.name, err)
	}
	return nil
}
