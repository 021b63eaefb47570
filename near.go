package lastnight

import (
	"cmp"
	"slices"
	"strings"
)

// maxNearLength bounds the names that Nearest compares, in bytes; longer ones are cut.
const maxNearLength = 100

// Nearest gives at most n of the known names that are most like name: those that
// contain it or begin like it, and those a few slips of the finger away; nearest first.
func Nearest(name string, known []string, n int) []string {
	type near struct {
		name string
		far  int
	}
	name = strings.ToLower(name)
	var found []near
	for _, k := range known {
		low := strings.ToLower(k)
		far := Distance(name, low)
		switch {
		case k == "" || name == "":
			continue
		case strings.Contains(low, name) || strings.Contains(name, low):
			far = min(far, 1)
		case far > max(2, len(name)/3):
			continue
		}
		found = append(found, near{k, far})
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name))
	})
	found = found[:min(n, len(found))]
	names := make([]string, len(found))
	for i := range found {
		names[i] = found[i].name
	}
	return names
}

// Distance is the number of bytes to insert, delete or change to make b of a (Levenshtein).
// Of names over 100 bytes only so many are compared.
func Distance(a, b string) int {
	a, b = a[:min(len(a), maxNearLength)], b[:min(len(b), maxNearLength)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above+1, row[j]+1, diagonal+cost)
			diagonal = above
		}
	}
	return row[len(b)]
}
