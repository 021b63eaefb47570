package archive

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Opening an archive holds what manifests list against what is there: both are in the order of names, so one walk over both,
// a shelf of each manifest at a time, tells which chunks are there and which of them no manifest lists.

// readManifests reads the manifests that a listing has found. Of a damaged or missing one, chunks are read one by one.
func (a *Archive) readManifests(ctx context.Context, l *listing) error {
	a.mu.Lock()
	have := map[string]*manifest{}
	for _, m := range a.manifests {
		have[m.name] = m
	}
	a.mu.Unlock()
	for name, size := range l.seen {
		used, old := l.known[name]
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
		l.stocks = append(l.stocks, &inventory{stock: stock{m, newBitset(m.count)}})
	}
	slices.SortFunc(l.stocks, func(x, y *inventory) int {
		return cmp.Or(cmp.Compare(y.m.count, x.m.count), cmp.Compare(x.m.name, y.m.name))
	})
	return a.takeStock(ctx, l)
}

// inventory is which of the chunks of a manifest are there, as a listing finds out.
type inventory struct {
	stock
	sums  totals
	rank  int     // a chunk that several manifests list belongs to the first of them
	next  string  // name of the chunk at hand, or one at or before it; "" at the end
	shelf int     // that it is on
	files []file  // of that shelf, from the chunk at hand on; nil: it has not been read yet
	win   *window // of all shelves
}

// inventoryBytes is how much of a manifest is read at once.
const inventoryBytes = 1 << 20

// begin goes to the first chunk.
func (v *inventory) begin(rank int, get ranger) {
	w := &window{get: get, size: inventoryBytes}
	for i := range v.m.shelves {
		w.end = max(w.end, v.m.shelves[i].off+v.m.shelves[i].n)
	}
	*v = inventory{stock: stock{v.m, newBitset(v.m.count)}, rank: rank, shelf: -1, win: w}
	v.turn()
}

// turn goes to the next shelf.
func (v *inventory) turn() {
	v.shelf++
	v.files, v.next = nil, ""
	if v.shelf < len(v.m.shelves) {
		v.next = v.m.shelves[v.shelf].name
	}
}

// at goes to the first chunk whose name is not before a name, and gives it if it is that one's.
func (v *inventory) at(ctx context.Context, name string) (*file, error) {
	for v.next != "" && v.next <= name {
		if v.files == nil {
			s, err := readShelf(ctx, v.m, v.shelf, v.win.read)
			if err != nil {
				return nil, err
			}
			v.files = s.files
		}
		if v.next == name {
			return &v.files[0], nil
		}
		v.step()
	}
	return nil, nil //nolint:nilnil // no file and no error
}

// step goes to the next chunk.
func (v *inventory) step() {
	if v.files = v.files[1:]; len(v.files) == 0 {
		v.turn()
	} else {
		v.next = v.files[0].name
	}
}

// inventories is a heap, the one with the first name on top.
type inventories []*inventory

func (h inventories) Len() int { return len(h) }
func (h inventories) Less(i, j int) bool {
	return cmp.Or(strings.Compare(h[i].next, h[j].next), h[i].rank-h[j].rank) < 0
}
func (h inventories) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *inventories) Push(any)     {} // none is added
func (h *inventories) Pop() any {
	n := len(*h) - 1
	x := (*h)[n]
	*h = (*h)[:n]
	return x
}

// takeStock lists the chunks and finds out which manifest each belongs to. Of a manifest that turns out to be damaged nothing is used.
func (a *Archive) takeStock(ctx context.Context, l *listing) error {
	for {
		bad, err := a.tryStock(ctx, l)
		if bad == nil || !errors.Is(err, errCorrupt) && !errors.Is(err, fs.ErrNotExist) {
			if bad != nil {
				err = fmt.Errorf("read %s: %w", bad.name, err)
			}
			return err
		}
		if errors.Is(err, errCorrupt) || !a.cfg.Shared {
			a.lists.bad[bad.name] = struct{}{}
			a.damage(bad.name, err)
		}
		l.stocks = slices.DeleteFunc(l.stocks, func(v *inventory) bool { return v.m == bad })
	}
}

func (a *Archive) tryStock(ctx context.Context, l *listing) (bad *manifest, err error) {
	a.mu.Lock()
	l.watched, l.owned = a.watched(), map[string]owned{}
	a.mu.Unlock()
	maps.DeleteFunc(l.seen, func(name string, _ int64) bool { return strings.HasPrefix(name, chunkFolder) }) // of an earlier try
	var q inventories
	for i, v := range l.stocks {
		if v.begin(i, a.rangeOf(v.m.name)); v.next != "" {
			q = append(q, v)
		}
	}
	heap.Init(&q)
	for info, err := range a.blobs.List(ctx, chunkFolder) {
		if err != nil {
			return nil, err
		}
		owner, bad, err := q.owner(ctx, info)
		if err != nil {
			return bad, err
		}
		if owner.v == nil || l.watched[info.Name] {
			l.seen[info.Name], l.owned[info.Name] = info.Size, owner
		}
	}
	return nil, nil //nolint:nilnil // no damaged manifest and no error
}

// owned is the manifest that a chunk belongs to, as a listing finds out.
type owned struct {
	v *inventory // nil: to none
	f *file
}

// disown takes the chunk from its manifest.
func (o owned) disown() {
	if o.v != nil && o.v.live.has(int(o.f.num)) {
		o.v.live.clear(int(o.f.num))
		o.v.sums.add(o.f, -1)
	}
}

// owner gives the first manifest that lists a chunk, which is there.
func (h *inventories) owner(ctx context.Context, info BlobInfo) (owner owned, bad *manifest, err error) {
	for h.Len() > 0 && (*h)[0].next <= info.Name {
		v := (*h)[0]
		f, err := v.at(ctx, info.Name)
		if err != nil {
			return owner, v.m, err
		}
		if f != nil {
			if f.size == info.Size && owner.v == nil { // those of one name come in the order of their rank
				owner = owned{v, f}
			}
			v.step()
		}
		if v.next == "" {
			heap.Pop(h)
		} else {
			heap.Fix(h, 0)
		}
	}
	if owner.v != nil {
		owner.v.live.set(int(owner.f.num))
		owner.v.sums.add(owner.f, 1)
	}
	return owner, nil, nil
}

// whose finds out to which of the manifests a chunk belongs. It does not dissolve them: the caller holds turn.
func (a *Archive) whose(ctx context.Context, stocks []*inventory, name string) (owned, error) {
	for _, v := range stocks {
		i := v.m.shelfFor(name)
		if i < 0 {
			continue
		}
		s, err := a.shelf(ctx, v.m, i)
		if err != nil {
			return owned{}, err
		}
		if f := s.find(name); f != nil && v.live.has(int(f.num)) {
			return owned{v, f}, nil
		}
	}
	return owned{}, nil
}

// watched names the chunks of which a listing is to tell more than that they are there: few. Callers hold mu.
func (a *Archive) watched() map[string]bool {
	out := map[string]bool{}
	for name := range a.files {
		out[name] = true
	}
	for name := range a.garbage {
		out[name] = true
	}
	for _, h := range a.index.special {
		for _, r := range h.ranges {
			out[r.f.name] = true
		}
		for _, p := range h.partials {
			out[p.f.name] = true
		}
	}
	return out
}

// register takes up the manifests of a listing, and leaves to them what chunks have that were in none before. What has no
// chunk is of no use; see settle. Callers hold turn and mu.
func (a *Archive) register(l *listing) {
	a.manifests = make([]*manifest, len(l.stocks))
	for i, v := range l.stocks {
		v.m.live, v.m.sums = v.live, v.sums
		a.manifests[i] = v.m
		for j := range v.m.shelves {
			a.arrival = max(a.arrival, v.m.shelves[j].newest)
		}
	}
	a.changed()
	settled := map[string]bool{}
	for name, o := range l.owned {
		if o.v != nil && a.files[name] != nil {
			settled[name] = true
			delete(a.files, name)
		}
	}
	a.leave(settled)
}

// leave leaves what is held by files to their manifests. Callers hold mu.
func (a *Archive) leave(settled map[string]bool) {
	if len(settled) == 0 {
		return
	}
	for id, h := range a.index.gens {
		if slices.ContainsFunc(h.ranges, func(r heldRange) bool { return settled[r.f.name] }) ||
			slices.ContainsFunc(h.partials, func(p heldPartial) bool { return settled[p.f.name] }) {
			a.index.settle(settled, id)
		}
	}
}

// keysOfNews lists, in order, what takeUp needs to know of manifests: generations of new files, and those that a
// manifest says to be special. Callers hold mu.
func (a *Archive) keysOfNews(l *listing) []genKey {
	var dirs []*directory
	for _, n := range l.news {
		dirs = append(dirs, n.d)
	}
	if l.full {
		a.ends = nil // of the manifests that there were
	}
	keys := a.behind(dirs...)
	for _, v := range l.stocks {
		keys = append(keys, v.m.special...)
	}
	slices.SortFunc(keys, genKey.compare)
	return slices.Compact(keys)
}

// addNews takes up the files of a listing. Callers hold mu.
func (a *Archive) addNews(l *listing, settled map[genKey]*held) {
	slices.SortFunc(l.news, func(x, y newcomer) int { return x.f.compare(y.f) })
	for _, n := range l.news {
		a.add(n.f, n.d, settled)
	}
	for _, v := range l.stocks {
		for _, k := range v.m.special {
			if h := a.index.gens[k].with(settled[k]); a.index.special[k] == nil && h != nil && h.special {
				a.index.special[k] = h
			}
		}
	}
}
