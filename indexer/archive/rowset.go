package archive

import (
	"iter"
	"slices"
)

// rowSet is some records of a block. Those that a question leaves are mostly few, so that what is done with them costs
// what they are, not what the block has.
type rowSet struct {
	all  bool
	rows []int32 // their numbers in order, if not all
}

func (s rowSet) none() bool { return !s.all && len(s.rows) == 0 }

func (s rowSet) has(row int) bool {
	if s.all {
		return true
	}
	_, ok := slices.BinarySearch(s.rows, int32(row))
	return ok
}

// of gives the records, of a block that has so many.
func (s rowSet) of(block int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if s.all {
			for row := range block {
				if !yield(row) {
					return
				}
			}
			return
		}
		for _, row := range s.rows {
			if !yield(int(row)) {
				return
			}
		}
	}
}

// count gives how many they are, of a block that has so many.
func (s rowSet) count(block int) int {
	if s.all {
		return block
	}
	return len(s.rows)
}

// within gives those from one record on, to another exclusive.
func (s rowSet) within(from, to int) []int32 {
	i, _ := slices.BinarySearch(s.rows, int32(from))
	n, _ := slices.BinarySearch(s.rows[i:], int32(to))
	return s.rows[i : i+n : i+n]
}

// or gives those in either.
func (s rowSet) or(o rowSet) rowSet {
	switch {
	case s.all || o.none():
		return s
	case o.all || s.none():
		return o
	}
	all := make([]int32, 0, len(s.rows)+len(o.rows))
	a, b := s.rows, o.rows
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			all, a = append(all, a[0]), a[1:]
		case a[0] > b[0]:
			all, b = append(all, b[0]), b[1:]
		default:
			all, a, b = append(all, a[0]), a[1:], b[1:]
		}
	}
	return rowSet{rows: append(append(all, a...), b...)}
}
