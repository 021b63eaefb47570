package query

import (
	"cmp"
	"math"
	"strings"
	"time"
)

// ComparePositions orders documents as searches do: by time, then id. It is negative
// if the first comes before the second.
func ComparePositions(t1 time.Time, id1 string, t2 time.Time, id2 string) int {
	return cmp.Or(cmp.Compare(Nanos(t1), Nanos(t2)), strings.Compare(id1, id2))
}

// Nanos gives a time in nanoseconds since 1970 UTC. Times before 1678 or after
// 2261, the zero time among them, become the least and the greatest.
func Nanos(t time.Time) int64 {
	switch y := t.UTC().Year(); {
	case y < 1678:
		return math.MinInt64
	case y > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}
