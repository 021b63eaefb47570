package clusterer

import (
	"cmp"
	"maps"
	"slices"
)

// makeRoom forgets what was unused for longest when a bound is reached, an eighth at a
// time, so that a line costs bounded time on the whole. It tells whether there is
// room for one line's templates now.
func (c *Clusterer) makeRoom() bool {
	if c.known >= c.config.MaxPatterns {
		c.forgetPatterns()
	}
	if len(c.byID) < c.config.MaxTemplates {
		return true
	}
	old := make([]*template, 0, len(c.byID))
	for _, t := range c.byID {
		if !t.pinned {
			old = append(old, t)
		}
	}
	slices.SortFunc(old, func(a, b *template) int {
		return cmp.Or(cmp.Compare(a.used, b.used), cmp.Compare(a.id, b.id))
	})
	for _, t := range old[:min(len(old), 1+c.config.MaxTemplates/8)] {
		t.gone = true
	}
	var gone []*template
	maps.DeleteFunc(c.byID, func(_ string, t *template) bool {
		if t.gone || t.final().gone { // an id must not lead to what is forgotten
			gone = append(gone, t)
			return true
		}
		return false
	})
	for _, t := range gone {
		delete(c.changed, t)
		c.delist(t)
	}
	c.stats.Evicted += int64(len(gone))
	c.eachPattern(func(p *pattern) bool { return c.byID[p.template.id] == p.template })
	return len(c.byID) < c.config.MaxTemplates
}

// delist undoes enlist.
func (c *Clusterer) delist(t *template) {
	same := func(x *template) bool { return x == t }
	if c.byKey[t.key] == t {
		delete(c.byKey, t.key)
	}
	if list := slices.DeleteFunc(c.byShape[t.shape], same); len(list) > 0 {
		c.byShape[t.shape] = list
	} else {
		delete(c.byShape, t.shape)
	}
	for i := range t.words {
		w := &t.words[i]
		if w.text == "" || w.class == wordKey {
			continue
		}
		key := t.keyWithout(w)
		if pl := c.places[key]; pl != nil {
			if pl.templates = slices.DeleteFunc(pl.templates, same); len(pl.templates) == 0 {
				delete(c.places, key)
			}
		}
	}
}

// enlistAll makes the ways to find templates from the templates.
func (c *Clusterer) enlistAll() {
	for _, id := range slices.Sorted(maps.Keys(c.byID)) {
		if t := c.byID[id]; t.link == nil && t != c.rest {
			c.enlist(t)
		}
	}
}

// forgetPatterns drops the eighth of patterns unused for longest. Their lines are learned again, with the same ids.
func (c *Clusterer) forgetPatterns() {
	used := make([]uint64, 0, c.known)
	for _, p := range c.patterns {
		for ; p != nil; p = p.next {
			used = append(used, p.used)
		}
	}
	slices.Sort(used)
	limit := used[len(used)/8]
	c.eachPattern(func(p *pattern) bool { return p.used > limit })
}

// eachPattern keeps the patterns that keep wants.
func (c *Clusterer) eachPattern(keep func(*pattern) bool) {
	c.known = 0
	for sum, p := range c.patterns {
		var first *pattern
		last := &first
		for ; p != nil; p = p.next {
			if keep(p) {
				*last = p
				last = &p.next
				c.known++
			} else {
				p.gone = true
			}
		}
		*last = nil
		if first == nil {
			delete(c.patterns, sum)
		} else {
			c.patterns[sum] = first
		}
	}
}
