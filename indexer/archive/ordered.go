package archive

import (
	"container/heap"
	"context"
	"slices"
)

// found is a result that waits for its turn.
type found[T any] struct {
	place place
	size  int64 // bytes in memory
	v     *T
}

// waiting is a heap of results, the next one on top.
type waiting[T any] struct {
	list []found[T]
	sign int
	size int64
}

func (w *waiting[T]) Len() int           { return len(w.list) }
func (w *waiting[T]) Less(i, j int) bool { return w.sign*w.list[i].place.compare(w.list[j].place) < 0 }
func (w *waiting[T]) Swap(i, j int)      { w.list[i], w.list[j] = w.list[j], w.list[i] }
func (w *waiting[T]) Push(x any)         { w.list = append(w.list, x.(found[T])) } //nolint:forcetypeassert // ours
func (w *waiting[T]) Pop() any {
	n := len(w.list) - 1
	x := w.list[n]
	w.list[n] = found[T]{}
	w.list = w.list[:n]
	return x
}

func (w *waiting[T]) add(x found[T]) {
	w.size += x.size
	heap.Push(w, x)
}

func (w *waiting[T]) next() found[T] {
	x := heap.Pop(w).(found[T]) //nolint:forcetypeassert // ours
	w.size -= x.size
	return x
}

// cut keeps the first n results and gives the place of the last of them.
func (w *waiting[T]) cut(n int) place {
	slices.SortFunc(w.list, func(a, b found[T]) int { return w.sign * a.place.compare(b.place) })
	for i := n; i < len(w.list); i++ {
		w.size -= w.list[i].size
		w.list[i] = found[T]{}
	}
	w.list = w.list[:n]
	return w.list[n-1].place
}

// ordered runs a scan and yields its results in order, each as soon as no unread block can
// have one before it. Where more of them wait for each other than the budget allows, the
// later ones are dropped and read again in another pass, so memory stays bounded
// whatever matches. find calls take with the results of one block.
//
// find asks wants before it makes a result: most of a pass is not of its time.
//
// It ends at the limit, at the end, when yield returns false, or with an error.
func ordered[T any](ctx context.Context, s *scan, find func(c candidate, wants func(place) bool, take func(found[T])) error, yield func(*T) bool) error {
	n := 0
	for {
		p := &pass[T]{s: s, w: waiting[T]{sign: s.sign}, find: find, left: func() int { return s.limit - n }}
		stop, err := p.run(ctx, func(v *T) bool {
			n++
			return yield(v) && (s.limit == 0 || n < s.limit)
		})
		if err != nil || stop || p.until == nil {
			return err
		}
		s.after = p.until
	}
}

// pass is one time through the blocks, from scan.after to until.
type pass[T any] struct {
	s     *scan
	w     waiting[T]
	q     *candidates
	until *place // results after it are left for the next pass; nil: none are
	find  func(candidate, func(place) bool, func(found[T])) error
	left  func() int // results that the limit still allows
}

func (p *pass[T]) run(ctx context.Context, yield func(*T) bool) (stop bool, err error) {
	if p.q, err = p.s.begin(ctx); err != nil {
		return false, err
	}
	for {
		for p.w.Len() > 0 && p.due() {
			if !yield(p.w.next().v) {
				return true, nil
			}
		}
		if p.drained() {
			return false, nil
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		c := heap.Pop(p.q).(candidate) //nolint:forcetypeassert // ours
		if c.keys == nil {
			err = p.s.expand(ctx, c, p.q)
		} else {
			err = p.find(c, p.accepts, p.take)
		}
		if err != nil {
			return false, err
		}
	}
}

// due tells whether no block can have a result before the one on top.
func (p *pass[T]) due() bool {
	return p.drained() || p.s.sign*p.w.list[0].place.compare(p.q.list[0].bound) < 0
}

// drained tells whether no block has anything for this pass.
func (p *pass[T]) drained() bool {
	return p.q.Len() == 0 || p.until != nil && p.s.sign*p.q.list[0].bound.compare(*p.until) > 0
}

// accepts tells whether a place belongs to this pass.
func (p *pass[T]) accepts(at place) bool {
	return (p.s.after == nil || p.s.sign*at.compare(*p.s.after) > 0) && (p.until == nil || p.s.sign*at.compare(*p.until) <= 0)
}

func (p *pass[T]) take(x found[T]) {
	p.w.add(x)
	switch n := p.w.Len(); {
	case p.s.limit > 0 && n > 2*p.left():
		p.limitTo(p.left())
	case p.w.size > p.s.budget && n > 1:
		p.limitTo(max(n*3/4, 1))
	}
}

func (p *pass[T]) limitTo(n int) {
	last := p.w.cut(n)
	p.until = &last
}
