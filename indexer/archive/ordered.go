package archive

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"sync/atomic"
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
	given  int                    // results handed over
	give   func([]found[T])       // of a block: takes results that are in order while others are looked for
	latest *atomic.Pointer[place] // of a block: until of the pass, as it is now
}

// handOver is how many results in order are handed over at once.
const handOver = 64

// full tells whether there are as many results as are wanted. It is for a block whose results come in order.
func (h *harvest[T]) full() bool {
	n := len(h.w.list)
	if h.limit > 0 && n > 0 && h.given+n >= h.limit {
		last := h.w.list[n-1].place
		h.until = &last
		return true
	}
	if n >= handOver {
		h.given += n
		h.give(h.w.list)
		h.w.list, h.w.size = nil, 0
		h.refresh()
	}
	return false
}

// refresh learns what the pass does not want any more.
func (h *harvest[T]) refresh() {
	if u := h.latest.Load(); u != nil && (h.until == nil || h.w.sign*u.compare(*h.until) < 0) {
		h.until = u
	}
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
			if vanished++; vanished <= s.a.maxRelists() {
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
	flights []*flight[T]   // blocks that are being read
	news    chan report[T] // of flights
	latest  atomic.Pointer[place]
	find    finder[T]
	left    func() int // results that the limit still allows
}

// flight is a block that is being read.
type flight[T any] struct {
	bound place // it has nothing before
	h     harvest[T]
}

// report is what a flight has to tell: results that nothing in its block comes before any more or, at the end, those that are left.
type report[T any] struct {
	f     *flight[T]
	list  []found[T]
	done  bool
	until *place // at the end: results after it are left for the next pass; nil: none are
	err   error
}

func (p *pass[T]) run(ctx context.Context, yield func(*found[T]) bool) (stop bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	p.news = make(chan report[T], 1)
	defer func() {
		cancel()
		for len(p.flights) > 0 { // nobody waits for what they tell any more
			if r := <-p.news; r.done {
				p.landed(r.f)
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
			if err := ctx.Err(); err != nil { // who asked may have gone at the one before
				return false, err
			}
			if x := p.h.w.next(); !yield(&x) {
				return true, nil
			}
		}
		if len(p.flights) == 0 {
			return false, ctx.Err()
		}
		r := <-p.news
		if r.done {
			p.landed(r.f)
		}
		if r.err != nil {
			return false, r.err
		}
		p.take(&r)
	}
}

// landed forgets a flight.
func (p *pass[T]) landed(f *flight[T]) {
	p.flights = slices.DeleteFunc(p.flights, func(x *flight[T]) bool { return x == f })
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
		f := &flight[T]{bound: c.bound, h: p.h}
		f.h.w, f.h.limit, f.h.latest = waiting[T]{sign: p.s.sign}, p.limit(), &p.latest
		f.h.give = func(list []found[T]) {
			select {
			case p.news <- report[T]{f: f, list: list}:
			case <-ctx.Done():
			}
		}
		p.flights = append(p.flights, f)
		go func() {
			err := p.find(ctx, c, &f.h)
			f.h.w.settle()
			p.news <- report[T]{f: f, list: f.h.w.list, done: true, until: f.h.until, err: err}
		}()
	}
	return nil
}

func (p *pass[T]) limit() int {
	if p.s.limit == 0 {
		return 0
	}
	return p.left()
}

// take takes over what a block gave.
func (p *pass[T]) take(r *report[T]) {
	if n := len(r.list); n > 0 && !r.done {
		r.f.bound = r.list[n-1].place
	}
	p.h.limit = p.limit()
	p.h.w.join(slices.DeleteFunc(r.list, func(x found[T]) bool { return !p.h.accepts(x.place) }))
	if n := p.h.limit; n > 0 && len(p.h.w.list) > n { // the sooner blocks know what is too late, the less they decode
		p.h.limitTo(n)
	}
	for n := len(p.h.w.list); p.h.w.size > p.h.budget && n > 1; n = len(p.h.w.list) {
		p.h.limitTo(max(n*3/4, 1))
	}
	if u := r.until; u != nil && (p.h.until == nil || p.s.sign*u.compare(*p.h.until) < 0) {
		p.h.until = u
		p.h.drop()
	}
	p.latest.Store(p.h.until)
}

// due tells whether no block can have a result before the one on top.
func (p *pass[T]) due() bool {
	top := &p.h.w.list[0].place
	if slices.ContainsFunc(p.flights, func(f *flight[T]) bool { return p.s.sign*top.compare(f.bound) >= 0 }) {
		return false
	}
	return p.drained() || p.s.sign*top.compare(p.q.list[0].bound) < 0
}

// drained tells whether no block that is not yet being read has anything for this pass.
func (p *pass[T]) drained() bool {
	return p.q.Len() == 0 || p.h.until != nil && p.s.sign*p.q.list[0].bound.compare(*p.h.until) > 0
}
