package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
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

// stock is a manifest as somebody sees it, with the chunks that are there then.
type stock struct {
	m    *manifest
	live bitset
}

// stocks gives the manifests as they are now. Callers hold mu.
func (a *Archive) stocks() []stock {
	out := make([]stock, len(a.manifests))
	for i, m := range a.manifests {
		out[i] = stock{m, m.live}
	}
	return out
}

// settled tells what chunks of manifests hold of generations, which are in order. What is not in the
// result they do not have.
func (a *Archive) settled(ctx context.Context, keys []genKey) (map[genKey]*held, error) {
	for n := 0; ; n++ {
		a.mu.Lock()
		stocks := a.stocks()
		a.mu.Unlock()
		out, bad, err := a.lookUp(ctx, stocks, keys)
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

// lookUp is settled for some manifests, and gives up at one that cannot be read.
func (a *Archive) lookUp(ctx context.Context, stocks []stock, keys []genKey) (out map[genKey]*held, bad *manifest, err error) {
	l := lookup{a: a, files: map[string]*file{}, found: map[genKey]*held{}}
	for _, s := range stocks {
		if err := l.inManifest(ctx, s, keys); err != nil {
			return nil, s.m, err
		}
	}
	return l.found, nil, nil
}

// lookup collects what chunks of manifests hold.
type lookup struct {
	a     *Archive
	files map[string]*file // that hold any of it
	found map[genKey]*held
}

// inManifest adds what a manifest says of generations, which are in order.
func (l *lookup) inManifest(ctx context.Context, s stock, keys []genKey) error {
	for _, k := range keys {
		f, err := l.a.pageOf(ctx, s.m, k)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		page, err := l.a.page(ctx, s.m, f)
		if err != nil {
			return err
		}
		at, _ := slices.BinarySearchFunc(page, k, func(e listedKey, k genKey) int { return e.genKey.compare(k) })
		for ; at < len(page) && page[at].genKey == k; at++ {
			if s.live.has(page[at].file) {
				if err := l.take(ctx, s.m, &page[at]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// take adds what a chunk holds of a generation.
func (l *lookup) take(ctx context.Context, m *manifest, k *listedKey) error {
	i := m.shelfOf(int32(k.file))
	s, err := l.a.shelf(ctx, m, i)
	if err != nil {
		return err
	}
	listed := &s.files[k.file-m.shelves[i].from]
	f := l.files[listed.name]
	if f == nil {
		f = listed.alone()
		l.files[f.name] = f
	}
	h := l.found[k.genKey]
	if h == nil {
		h = &held{}
		l.found[k.genKey] = h
	}
	for _, x := range k.extents {
		h.hold(f, x.from, x.to)
	}
	for _, p := range k.partials {
		h.partials = append(h.partials, heldPartial{f, p})
		h.special = true
	}
	return nil
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
	moved := a.cfg.Shared && errors.Is(why, fs.ErrNotExist) // another process has merged it, and a listing tells into what
	if !moved {
		a.damage(m.name, why)
	}
	select {
	case <-a.lists.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { a.lists.turn <- struct{}{} }()
	if !moved {
		a.lists.bad[m.name] = struct{}{}
	}
	if err := a.relist(ctx, true, nil); err != nil {
		return fmt.Errorf("do without %s: %w", m.name, err)
	}
	return nil
}
