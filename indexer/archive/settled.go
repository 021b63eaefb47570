package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// readManifests reads the manifests that a listing has found, and takes from them what they tell of its chunks.
// A chunk that several list belongs to the one that lists most. Of a damaged or missing one, chunks are
// read one by one.
func (a *Archive) readManifests(ctx context.Context, l *listing, known map[string]bool) error {
	a.mu.Lock()
	have := map[string]*manifest{}
	for _, m := range a.manifests {
		have[m.name] = m
	}
	a.mu.Unlock()
	for name, size := range l.seen {
		used, old := known[name]
		if _, bad := a.lists.bad[name]; bad || old && !used || !strings.HasPrefix(name, manifestFolder) {
			continue
		}
		m := have[name]
		if m == nil {
			var err error
			m, err = readManifest(ctx, name, size, a.rangeOf(name))
			switch {
			case errors.Is(err, errCorrupt):
				a.lists.bad[name] = struct{}{}
				a.damage(name, err)
				continue
			case errors.Is(err, fs.ErrNotExist): // merged into another one; its chunks are read, if need be
				continue
			case err != nil:
				return fmt.Errorf("read %s: %w", name, err)
			}
		}
		l.manifests = append(l.manifests, m)
	}
	slices.SortFunc(l.manifests, func(x, y *manifest) int {
		return cmp.Or(cmp.Compare(len(y.listed), len(x.listed)), cmp.Compare(x.name, y.name))
	})
	a.fromManifests(l, known)
	return nil
}

// fromManifests makes newcomers of the chunks that manifests list, and unknown those of which only a lost
// manifest knew.
func (a *Archive) fromManifests(l *listing, known map[string]bool) {
	listed := map[string]bool{}
	for _, m := range l.manifests {
		for _, f := range m.listed {
			if size, there := l.seen[f.name]; !there || size != f.size || listed[f.name] {
				continue
			}
			listed[f.name] = true
			if _, old := known[f.name]; !old {
				l.news = append(l.news, newcomer{f: f})
				known[f.name] = true
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, f := range a.files {
		if f.man != nil && !listed[name] {
			delete(known, name)
		}
	}
}

// register takes up the manifests of a listing: each chunk belongs to the first that lists it. What has no
// chunk is of no use; see settle. Callers hold turn and mu.
func (a *Archive) register(l *listing) {
	manifests, seen, replaced := l.manifests, l.seen, map[string]bool{}
	for _, n := range l.news { // a chunk in a manifest may have been written anew
		for _, old := range n.f.replaces {
			replaced[old] = true
		}
	}
	taken, settled := map[string]bool{}, map[*file]bool{}
	for _, m := range manifests {
		files := make([]*file, len(m.listed))
		for i, f := range m.listed {
			size, there := seen[f.name]
			if _, goes := a.garbage[f.name]; goes || !there || size != f.size || taken[f.name] || replaced[f.name] {
				continue
			}
			taken[f.name] = true
			if in := a.files[f.name]; in != nil {
				f = in
				if f.man == nil {
					settled[f] = true
				}
			}
			files[i], f.man, f.num = f, m, int32(i)
		}
		m.files = files
	}
	a.manifests = manifests
	a.findUnlisted()
	a.changed()
	if len(settled) == 0 {
		return
	}
	for id, h := range a.index.gens {
		if slices.ContainsFunc(h.ranges, func(r heldRange) bool { return settled[r.f] }) ||
			slices.ContainsFunc(h.partials, func(p heldPartial) bool { return settled[p.f] }) {
			a.index.settle(settled, id)
		}
	}
}

// findUnlisted finds out which files are in none of the manifests. Callers hold mu.
func (a *Archive) findUnlisted() {
	used := map[*manifest]bool{}
	for _, m := range a.manifests {
		used[m] = true
	}
	clear(a.unlisted)
	for name, f := range a.files {
		if !used[f.man] || f.man.files[f.num] != f {
			a.unlisted[name] = f
		}
	}
}

// keysOfNews lists, in order, what takeUp needs to know of manifests: generations of new files, and those that a
// manifest says to be special. Callers hold mu.
func (a *Archive) keysOfNews(l *listing) []genKey {
	var dirs []*directory
	for _, n := range l.news {
		if n.d != nil {
			dirs = append(dirs, n.d)
		}
	}
	keys := a.behind(dirs...)
	for _, m := range l.manifests {
		keys = append(keys, m.special...)
	}
	slices.SortFunc(keys, genKey.compare)
	return slices.Compact(keys)
}

// addNews takes up the files of a listing. Callers hold mu.
func (a *Archive) addNews(l *listing, settled map[genKey]*held) {
	slices.SortFunc(l.news, func(x, y newcomer) int { return x.f.compare(y.f) })
	for _, n := range l.news {
		if n.d != nil {
			a.add(n.f, n.d, settled)
			continue
		}
		if _, replaced := a.garbage[n.f.name]; !replaced && a.files[n.f.name] == nil {
			a.files[n.f.name] = n.f
			if n.f.man == nil {
				a.unlisted[n.f.name] = n.f
			}
			a.arrival = max(a.arrival, n.f.newest)
		}
	}
	for _, m := range l.manifests {
		for _, k := range m.special {
			if h := a.index.gens[k].with(settled[k]); a.index.special[k] == nil && h != nil && h.special {
				a.index.special[k] = h
			}
		}
	}
}
