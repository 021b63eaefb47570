package archive

import (
	"context"
	"slices"

	"lastnight"
)

// What arrives mostly follows what is held of its file. To know that, not all its ranges are needed but where they end:
// so what taking a line in costs does not grow with the chunks that have others of the file. Ends are those of chunks
// that manifests list; what has them is looked up again whenever that changes (epoch).

// end tells how far chunks of manifests hold a generation.
type end struct {
	to       int64 // they have nothing from there on
	partials bool  // they have parts of lines, anywhere
}

// maxEnds bounds how many generations' ends are in memory: beyond it they are looked up anew.
const maxEnds = 1 << 17

// changed notes that manifests hold something else now. Callers hold mu.
func (a *Archive) changed() {
	a.epoch++
	a.ends = nil
}

// learnEnds remembers what a look-up has found of generations. Callers hold mu, and epoch is what it was then.
func (a *Archive) learnEnds(keys []genKey, settled map[genKey]*held) {
	if a.ends == nil || len(a.ends)+len(keys) > maxEnds {
		a.ends = make(map[genKey]end, len(keys))
	}
	for _, k := range keys {
		h := settled[k]
		a.ends[k] = end{h.end(), h != nil && len(h.partials) > 0}
	}
}

// end gives the offset from which on nothing is held.
func (h *held) end() int64 {
	if h == nil || len(h.all) == 0 {
		return 0
	}
	return h.all[len(h.all)-1].to
}

// isAhead tells whether chunks of manifests are known to have nothing of a generation from an offset on. Callers hold mu.
func (a *Archive) isAhead(k genKey, from int64) bool {
	e, known := a.ends[k]
	return known && !e.partials && from >= e.to
}

// heldFrom is heldOf, but may leave out what is held before an offset.
func (a *Archive) heldFrom(ctx context.Context, k genKey, from int64) (*held, error) {
	a.mu.Lock()
	special, recent, ahead := a.index.special[k], a.index.gens[k], a.isAhead(k, from)
	a.mu.Unlock()
	switch {
	case special != nil:
		return special, nil
	case ahead:
		return recent, nil
	}
	return a.heldOf(ctx, k)
}

// follows tells whether a span begins where what is held of its generation ends.
func (a *Archive) follows(ctx context.Context, s *lastnight.Span) (bool, error) {
	k := genKey{streamNumber(s.Stream.ID()), s.Generation}
	h, err := a.heldFrom(ctx, k, s.From)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	to := max(h.end(), a.ends[k].to) // they are known now, or h is everything
	return s.From == to && (h != nil || to > 0), nil
}

// firstOffset gives the offset of the first line of a span or of where it begins.
func firstOffset(s *lastnight.Span) int64 {
	from := s.From
	for i := range s.Records {
		for j := range s.Records[i].Lines {
			from = min(from, s.Records[i].Lines[j].Offset)
		}
	}
	return from
}

// first gives the offset of the first thing that a directory tells of.
func (k *keyEntry) first() int64 {
	from := int64(1<<63 - 1)
	for _, x := range k.extents {
		from = min(from, x.from)
	}
	for _, p := range k.partials {
		from = min(from, p.off)
	}
	return from
}

// behind lists, in order, the generations of files of which chunks of manifests may have what the files have too.
// Callers hold mu.
func (a *Archive) behind(dirs ...*directory) []genKey {
	var keys []genKey
	for _, d := range dirs {
		for i := range d.keys {
			if k := (genKey{d.streams[d.keys[i].stream].id, d.keys[i].gen}); !a.isAhead(k, d.keys[i].first()) {
				keys = append(keys, k)
			}
		}
	}
	slices.SortFunc(keys, genKey.compare)
	return slices.Compact(keys)
}
