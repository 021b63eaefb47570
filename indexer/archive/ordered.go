package archive

import (
	"container/heap"
	"context"
	"errors"
	"slices"
)

// found is a result that waits for its turn.
type found[T any] struct {
	place place
	size  int64 // bytes in memory
	v     *T
}

// waiting is results in order, the next one first. Blocks mostly give theirs in order, so that a list needs no more than to be joined with others.
type waiting[T any] struct {
	list  []found[T]
	sign  int
	size  int64
	mixed bool // list is not in order yet
}

func (w *waiting[T]) before(a, b *found[T]) bool { return w.sign*a.place.compare(b.place) < 0 }

func (w *waiting[T]) add(x found[T]) {
	if n := len(w.list); n > 0 && w.before(&x, &w.list[n-1]) {
		w.mixed = true
	}
	w.size += x.size
	w.list = append(w.list, x)
}

// settle puts the list in order.
func (w *waiting[T]) settle() {
	if w.mixed {
		slices.SortFunc(w.list, func(a, b found[T]) int { return w.sign * a.place.compare(b.place) })
		w.mixed = false
	}
}

// join takes over results that are in order.
func (w *waiting[T]) join(list []found[T]) {
	for i := range list {
		w.size += list[i].size
	}
	if len(w.list) == 0 || len(list) == 0 || w.before(&w.list[len(w.list)-1], &list[0]) {
		w.list = append(w.list, list...)
		return
	}
	all, rest := make([]found[T], 0, len(w.list)+len(list)), w.list
	for len(list) > 0 && len(rest) > 0 {
		if w.before(&list[0], &rest[0]) {
			all, list = append(all, list[0]), list[1:]
		} else {
			all, rest = append(all, rest[0]), rest[1:]
		}
	}
	w.list = append(append(all, list...), rest...)
}

func (w *waiting[T]) next() found[T] {
	x := w.list[0]
	w.list[0] = found[T]{}
	w.list = w.list[1:]
	w.size -= x.size
	return x
}

// cut keeps the first n results and gives the place of the last of them.
func (w *waiting[T]) cut(n int) place {
	w.settle()
	for i := n; i < len(w.list); i++ {
		w.size -= w.list[i].size
		w.list[i] = found[T]{}
	}
	w.list = w.list[:n]
	return w.list[n-1].place
}

// harvest is the results of some blocks that a pass wants: bounded by the scan's limit and budget,
// so that the later ones may be left for the next pass.
type harvest[T any] struct {
	w      waiting[T]
	after  *place // results up to it have been given
	until  *place // results after it are left for the next pass; nil: none are
	limit  int    // results wanted at most; 0: no limit
	budget int64
}

// accepts tells whether a place belongs to the pass.
func (h *harvest[T]) accepts(at place) bool {
	return (h.after == nil || h.w.sign*at.compare(*h.after) > 0) && (h.until == nil || h.w.sign*at.compare(*h.until) <= 0)
}

// acceptsMajor is accepts for what is known first of a place.
func (h *harvest[T]) acceptsMajor(major int64) bool {
	if h.w.sign > 0 {
		return (h.after == nil || major >= h.after.major) && (h.until == nil || major <= h.until.major)
	}
	return (h.after == nil || major <= h.after.major) && (h.until == nil || major >= h.until.major)
}

func (h *harvest[T]) take(x found[T]) {
	h.w.add(x)
	switch n := len(h.w.list); {
	case h.limit > 0 && n > 2*h.limit:
		h.limitTo(h.limit)
	case h.w.size > h.budget && n > 1:
		h.limitTo(max(n*3/4, 1))
	}
}

func (h *harvest[T]) limitTo(n int) {
	last := h.w.cut(n)
	h.until = &last
}

// drop removes the results after until.
func (h *harvest[T]) drop() {
	kept := h.w.list[:0]
	for _, x := range h.w.list {
		if h.accepts(x.place) {
			kept = append(kept, x)
		} else {
			h.w.size -= x.size
		}
	}
	clear(h.w.list[len(kept):])
	h.w.list = kept
}

// finder calls take with the results of one block that the harvest accepts. Several run at once.
type finder[T any] func(ctx context.Context, c candidate, h *harvest[T]) error

// ordered runs a scan and yields its results in order, each as soon as no unread block can
// have one before it. Where more of them wait for each other than the budget allows, the
// later ones are dropped and read again in another pass, so memory stays bounded
// whatever matches.
//
// It ends at the limit, at the end, when yield returns false, or with an error.
func ordered[T any](ctx context.Context, s *scan, find finder[T], yield func(*T) bool) error {
	n, vanished := 0, 0
	for {
		var given *place // the last result of the pass
		p := &pass[T]{s: s, find: find, h: harvest[T]{w: waiting[T]{sign: s.sign}, after: s.after, budget: s.budget}, left: func() int { return s.limit - n }}
		stop, err := p.run(ctx, func(x *found[T]) bool {
			n++
			given = &x.place
			return yield(x.v) && (s.limit == 0 || n < s.limit)
		})
		if errors.Is(err, errVanished) { // the order is total, so nothing is lost or told twice
			if given != nil {
				s.after, vanished = given, 0
			}
			if vanished++; vanished <= maxRelists {
				err = s.renew(ctx)
				if err == nil {
					continue
				}
			}
		}
		if err != nil || stop || p.h.until == nil {
			return err
		}
		s.after = p.h.until
	}
}

// pass is one time through the blocks, from scan.after to until.
type pass[T any] struct {
	s       *scan
	h       harvest[T]
	q       *candidates
	flights []*flight[T] // blocks that are being read, in order
	find    finder[T]
	left    func() int // results that the limit still allows
}

// flight is a block that is being read.
type flight[T any] struct {
	bound place
	h     harvest[T]
	done  chan error
}

func (p *pass[T]) run(ctx context.Context, yield func(*found[T]) bool) (stop bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for _, f := range p.flights {
			if err := <-f.done; err != nil {
				continue // nobody waits for it any more
			}
		}
	}()
	if p.q, err = p.s.begin(ctx); err != nil {
		return false, err
	}
	for {
		if err := p.launch(ctx); err != nil {
			return false, err
		}
		for len(p.h.w.list) > 0 && p.due() {
			if x := p.h.w.next(); !yield(&x) {
				return true, nil
			}
		}
		if len(p.flights) == 0 {
			return false, ctx.Err()
		}
		f := p.flights[0]
		err := <-f.done
		p.flights = p.flights[1:]
		if err != nil {
			return false, err
		}
		p.land(&f.h)
	}
}

// launch reads ahead: as many blocks at once as the scan has workers.
func (p *pass[T]) launch(ctx context.Context) error {
	for len(p.flights) < max(p.s.workers, 1) && !p.drained() {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := heap.Pop(p.q).(candidate) //nolint:forcetypeassert // ours
		if c.keys == nil {
			if err := p.s.expand(ctx, c, p.q); err != nil {
				return err
			}
			continue
		}
		f := &flight[T]{bound: c.bound, done: make(chan error, 1), h: p.h}
		f.h.w, f.h.limit = waiting[T]{sign: p.s.sign}, p.limit()
		p.flights = append(p.flights, f)
		go func() { f.done <- p.find(ctx, c, &f.h) }()
	}
	return nil
}

func (p *pass[T]) limit() int {
	if p.s.limit == 0 {
		return 0
	}
	return p.left()
}

// land takes over what a block gave.
func (p *pass[T]) land(h *harvest[T]) {
	p.h.limit = p.limit()
	h.w.settle()
	p.h.w.join(slices.DeleteFunc(h.w.list, func(x found[T]) bool { return !p.h.accepts(x.place) }))
	if n := p.h.limit; n > 0 && len(p.h.w.list) > n { // the sooner blocks know what is too late, the less they decode
		p.h.limitTo(n)
	}
	for n := len(p.h.w.list); p.h.w.size > p.h.budget && n > 1; n = len(p.h.w.list) {
		p.h.limitTo(max(n*3/4, 1))
	}
	if h.until != nil && (p.h.until == nil || p.s.sign*h.until.compare(*p.h.until) < 0) {
		p.h.until = h.until
		p.h.drop()
	}
}

// due tells whether no block can have a result before the one on top.
func (p *pass[T]) due() bool {
	top := p.h.w.list[0].place
	if len(p.flights) > 0 {
		return p.s.sign*top.compare(p.flights[0].bound) < 0
	}
	return p.drained() || p.s.sign*top.compare(p.q.list[0].bound) < 0
}

// drained tells whether no block that is not yet being read has anything for this pass.
func (p *pass[T]) drained() bool {
	return p.q.Len() == 0 || p.h.until != nil && p.s.sign*p.q.list[0].bound.compare(*p.h.until) > 0
}
