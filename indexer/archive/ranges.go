package archive

import "slices"

// span is a range of offsets, [from, to).
type span struct{ from, to int64 }

// spans is a set of offsets: ascending ranges that neither overlap nor touch.
// It is immutable; methods that change it give another.
type spans []span

// add gives the set with [from, to) in it.
func (s spans) add(from, to int64) spans {
	if from >= to {
		return s
	}
	i, _ := slices.BinarySearchFunc(s, from, func(x span, at int64) int {
		if x.to < at {
			return -1
		}
		return 1
	})
	n := i
	for n < len(s) && s[n].from <= to {
		from, to = min(from, s[n].from), max(to, s[n].to)
		n++
	}
	out := make(spans, 0, len(s)+1)
	out = append(out, s[:i]...)
	out = append(out, span{from, to})
	return append(out, s[n:]...)
}

// has tells whether an offset is in the set.
func (s spans) has(off int64) bool {
	_, ok := s.at(off)
	return ok
}

// at gives the range that holds an offset.
func (s spans) at(off int64) (span, bool) {
	i, _ := slices.BinarySearchFunc(s, off, func(x span, at int64) int {
		if x.to <= at {
			return -1
		}
		return 1
	})
	if i < len(s) && s[i].from <= off {
		return s[i], true
	}
	return span{}, false
}

// overlaps tells whether any offset of [from, to) is in the set.
func (s spans) overlaps(from, to int64) bool {
	i, _ := slices.BinarySearchFunc(s, from, func(x span, at int64) int {
		if x.to <= at {
			return -1
		}
		return 1
	})
	return from < to && i < len(s) && s[i].from < to
}

// without gives the parts of [from, to) that are not in the set.
func (s spans) without(from, to int64) spans {
	var out spans
	for _, x := range s {
		if x.to <= from {
			continue
		}
		if x.from >= to {
			break
		}
		if x.from > from {
			out = append(out, span{from, x.from})
		}
		from = max(from, x.to)
	}
	if from < to {
		out = append(out, span{from, to})
	}
	return out
}
