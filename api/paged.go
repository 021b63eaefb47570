package api

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"lastnight"
)

const (
	usualList = 1000 // items of a page of jobs or streams
	maxKey    = 512  // bytes of an item's key that a cursor holds; no names of ours are as long
)

// place is where an item stands in a list: by major, then by key. No two items have the same.
type place struct {
	major int64
	key   string // never empty
}

func (a place) compare(b place) int {
	return cmp.Or(cmp.Compare(a.major, b.major), strings.Compare(a.key, b.key))
}

func (a place) cursor() string { return lastnight.CursorOf(time.Unix(0, a.major), a.key) }

// placeOf makes a place; its key is names, which are cut where they are longer than any of ours.
func placeOf(major int64, names ...string) place {
	key := strings.Join(names, "\x00")
	return place{major, key[:min(len(key), maxKey)]}
}

// paged puts the items into their order and gives at most limit of those after the cursor, and the
// next cursor. An item that is there during all pages is given once, whatever comes and goes meanwhile.
func paged[T any](p *params, items []T, limit int, of func(*T) place) (page []T, next string) {
	type placed struct {
		at   place
		item *T
	}
	all := make([]placed, 0, len(items))
	for i := range items {
		all = append(all, placed{of(&items[i]), &items[i]})
	}
	slices.SortFunc(all, func(a, b placed) int { return a.at.compare(b.at) })
	if at, key := p.position(); key != "" {
		after := place{at.UnixNano(), key}
		from, same := slices.BinarySearchFunc(all, after, func(x placed, to place) int { return x.at.compare(to) })
		if same {
			from++
		}
		all = all[from:]
	}
	if len(all) > limit {
		all = all[:limit]
		next = all[limit-1].at.cursor()
	}
	for _, x := range all {
		page = append(page, *x.item)
	}
	return page, next
}

// found tells whether any of the texts contains the words that a list is narrowed by, in any case.
func found(words string, texts ...string) bool {
	if words == "" {
		return true
	}
	words = strings.ToLower(words)
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), words) })
}
