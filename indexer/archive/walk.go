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
	"strings"
	"time"

	"lastnight"
)

// What is asked of all files is asked of shelves first: those of which one thing is known that no file of theirs can
// change are not read.

// whole calls do until no manifest is found lost meanwhile, each time with those that there are then.
func (a *Archive) whole(do func() error) error {
	for n := 0; ; n++ {
		err := do()
		if !errors.Is(err, errVanished) {
			return err
		}
		if n >= a.maxRelists() {
			return lastnight.Errorf(lastnight.CodeUnavailable, "", "files of the archive vanish while they are read: %w", err)
		}
	}
}

// maxRelists bounds how often files are listed again for one question because some have vanished, or a manifest is damaged.
func (a *Archive) maxRelists() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maxRelists + len(a.manifests)
}

// find gives a file by its name, as the manifests are now; nil: there is none.
func (a *Archive) find(ctx context.Context, name string) (f *file, err error) {
	err = a.whole(func() error {
		a.mu.Lock()
		loose, stocks := a.files[name], a.stocks()
		a.mu.Unlock()
		if f = loose; f != nil || !strings.HasPrefix(name, chunkFolder) {
			return nil
		}
		for _, s := range stocks {
			i := s.m.shelfFor(name)
			if i < 0 {
				continue
			}
			files, err := a.onShelf(ctx, s, i)
			if err != nil {
				return err
			}
			if at, found := slices.BinarySearchFunc(files, name, func(f *file, name string) int { return strings.Compare(f.name, name) }); found {
				f = files[at].alone()
				return nil
			}
		}
		return nil
	})
	return f, err
}

// onShelf gives the files of a shelf that are there. If it cannot be read, its manifest is done without from now on: errVanished.
func (a *Archive) onShelf(ctx context.Context, s stock, i int) (files []*file, err error) {
	sh, err := a.shelf(ctx, s.m, i)
	if errors.Is(err, errCorrupt) || errors.Is(err, fs.ErrNotExist) {
		if err := a.dissolve(ctx, s.m, err); err != nil {
			return nil, err
		}
		return nil, errVanished
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.m.name, err)
	}
	for j := range sh.files {
		if f := &sh.files[j]; s.live.has(int(f.num)) {
			files = append(files, f)
		}
	}
	return files, nil
}

// some tells whether any chunk of a shelf is there, and whether all are.
func (s *stock) some(sh *shelf) (some, all bool) {
	all = true
	for n := sh.from; n < sh.from+sh.count; n++ {
		there := s.live.has(n)
		some, all = some || there, all && there
	}
	return some, all
}

// aged is a file, or a shelf none of whose files is older, in the order of age.
type aged struct {
	arrived int64
	f       *file
	stock   *stock
	shelf   int
}

// byAge is a heap of what is left, the oldest on top.
type byAge []aged

func (h byAge) Len() int { return len(h) }
func (h byAge) Less(i, j int) bool {
	if h[i].f != nil && h[j].f != nil {
		return h[i].f.compare(h[j].f) < 0
	}
	return cmp.Or(cmp.Compare(h[i].arrived, h[j].arrived), boolCompare(h[i].f != nil, h[j].f != nil)) < 0
}
func (h byAge) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *byAge) Push(x any)   { *h = append(*h, x.(aged)) } //nolint:forcetypeassert // ours
func (h *byAge) Pop() any {
	n := len(*h) - 1
	x := (*h)[n]
	*h = (*h)[:n]
	return x
}

// boolCompare puts false before true.
func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// oldestFirst calls do with files in the order of age, without those of shelves that skip says nothing is to be done with. Shelves are
// read one after the other; a lost manifest ends it: errVanished.
func (a *Archive) oldestFirst(ctx context.Context, skip func(*shelf) bool, do func(*file) error) error {
	a.mu.Lock()
	var q byAge
	for _, f := range a.files {
		q = append(q, aged{arrived: f.arrived, f: f})
	}
	stocks := a.stocks()
	a.mu.Unlock()
	for i := range stocks {
		for j := range stocks[i].m.shelves {
			sh := &stocks[i].m.shelves[j]
			if some, _ := stocks[i].some(sh); some {
				q = append(q, aged{arrived: sh.oldest, stock: &stocks[i], shelf: j})
			}
		}
	}
	heap.Init(&q)
	for q.Len() > 0 {
		x := heap.Pop(&q).(aged) //nolint:forcetypeassert // ours
		if x.f != nil {
			if err := do(x.f); err != nil {
				return err
			}
			continue
		}
		if skip(&x.stock.m.shelves[x.shelf]) {
			continue
		}
		files, err := a.onShelf(ctx, *x.stock, x.shelf)
		if err != nil {
			return err
		}
		for _, f := range files {
			heap.Push(&q, aged{arrived: f.arrived, f: f})
		}
	}
	return nil
}

// Oldest gives the time of the oldest line of what arrived at or after a time, and whether
// anything did. What else is kept by the time of lines takes care with it not to drop an
// import of old logs at once.
func (a *Archive) Oldest(ctx context.Context, arrived time.Time) (at time.Time, some bool, err error) {
	err = a.whole(func() error {
		at, some, err = a.oldest(ctx, arrived)
		return err
	})
	return at, some, err
}

func (a *Archive) oldest(ctx context.Context, arrived time.Time) (at time.Time, some bool, err error) {
	since := clampNano(arrived)
	oldest := int64(math.MaxInt64)
	take := func(f *file) {
		if !f.empty && f.newest >= since {
			oldest, some = min(oldest, f.first), true
		}
	}
	a.mu.Lock()
	for _, f := range a.files {
		take(f)
	}
	stocks := a.stocks()
	a.mu.Unlock()
	var near []aged // by the time of lines
	for i := range stocks {
		for j := range stocks[i].m.shelves {
			if sh := &stocks[i].m.shelves[j]; sh.newest >= since && sh.first <= sh.last {
				near = append(near, aged{arrived: sh.first, stock: &stocks[i], shelf: j})
			}
		}
	}
	slices.SortFunc(near, func(x, y aged) int { return cmp.Compare(x.arrived, y.arrived) })
	for _, x := range near {
		if some && x.arrived >= oldest {
			break
		}
		files, err := a.onShelf(ctx, *x.stock, x.shelf)
		if err != nil {
			return time.Time{}, false, err
		}
		for _, f := range files {
			take(f)
		}
	}
	if !some {
		return time.Time{}, false, nil
	}
	return nsTime(oldest), true, nil
}

// lastDirect is how many of the newest chunks that never were segments Segments lists.
const lastDirect = 64

// Segments lists, oldest first, what Append wrote and what may not have been indexed yet: the segments that are not
// yet compacted and the newest chunks that it wrote. Older ones have been: nothing new is appended while
// more than a few wait for it.
func (a *Archive) Segments(ctx context.Context) (names []string, err error) {
	err = a.whole(func() error {
		names, err = a.maybeUnindexed(ctx)
		return err
	})
	return names, err
}

func (a *Archive) maybeUnindexed(ctx context.Context) ([]string, error) {
	var files, direct []*file
	take := func(f *file) {
		if f.isDirect() {
			direct = append(direct, f)
		}
	}
	a.mu.Lock()
	for _, f := range a.files {
		if take(f); f.kind == kindSegment {
			files = append(files, f)
		}
	}
	stocks := a.stocks()
	a.mu.Unlock()
	var with []aged // the newest first
	for i := range stocks {
		for j := range stocks[i].m.shelves {
			if sh := &stocks[i].m.shelves[j]; sh.direct > 0 {
				with = append(with, aged{arrived: sh.newest, stock: &stocks[i], shelf: j})
			}
		}
	}
	slices.SortFunc(with, func(x, y aged) int { return cmp.Compare(y.arrived, x.arrived) })
	for _, x := range with {
		slices.SortFunc(direct, (*file).compare)
		direct = direct[max(0, len(direct)-lastDirect):]
		if len(direct) == lastDirect && x.arrived < direct[0].arrived {
			break
		}
		some, err := a.onShelf(ctx, *x.stock, x.shelf)
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			take(f)
		}
	}
	slices.SortFunc(direct, (*file).compare)
	files = append(files, direct[max(0, len(direct)-lastDirect):]...)
	slices.SortFunc(files, (*file).compare)
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.name
	}
	return names, nil
}
