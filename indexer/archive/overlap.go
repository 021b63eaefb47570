package archive

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"lastnight"
)

// What is derived of segments one by one, such as counts, would be derived twice of lines that
// two hold: a server was slow, not dead, when its lines went to another. Readers resolve that line by
// line; for what is derived the same is done once a segment is known to be such a one.
//
// Whose a line is then: that of a chunk, which cannot be counted again; else that of the oldest segment.

// Doubled gives the segments with lines that a chunk or an older segment holds too.
func (a *Archive) Doubled() map[string]bool {
	a.mu.Lock()
	special := make([][]heldRange, 0, len(a.index.special))
	for _, h := range a.index.special {
		special = append(special, h.ranges)
	}
	a.mu.Unlock()
	out := map[string]bool{}
	for _, ranges := range special {
		var have spans
		for _, r := range byOwner(ranges) {
			if r.f.kind == kindSegment && have.overlaps(r.from, r.to) {
				out[r.f.name] = true
			}
			have = have.add(r.from, r.to)
		}
	}
	return out
}

// byOwner orders ranges so that of two that overlap the first owns what both have.
func byOwner(ranges []heldRange) []heldRange {
	ranges = slices.Clone(ranges)
	slices.SortStableFunc(ranges, func(x, y heldRange) int {
		return cmp.Or(cmp.Compare(y.f.kind, x.f.kind), x.f.compare(y.f)) // chunks first
	})
	return ranges
}

// Owned is Replay of those records of a segment whose first line it is to be counted for.
func (a *Archive) Owned(ctx context.Context, name string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for it, err := range a.Replay(ctx, name) {
			if err == nil {
				a.disown(name, it.Span)
			}
			if !yield(it, err) {
				return
			}
		}
	}
}

// disown takes from a span of a segment the records that are another file's.
func (a *Archive) disown(name string, s *lastnight.Span) {
	a.mu.Lock()
	h := a.index.special[genKey{streamNumber(s.Stream.ID()), s.Generation}]
	a.mu.Unlock()
	if h == nil {
		return
	}
	var others spans
	for _, r := range byOwner(h.ranges) {
		if r.f.name == name {
			break
		}
		others = others.add(r.from, r.to)
	}
	s.Records = slices.DeleteFunc(s.Records, func(r lastnight.Record) bool {
		return !r.Lines[0].Partial && others.has(r.Lines[0].Offset)
	})
}
