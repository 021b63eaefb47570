package clusterer

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// Merge takes in what another Clusterer of the same job has learned: its templates with their
// ids, links and pins, and its patterns. Every id that either gave leads to a template afterwards, and what
// both together have seen enough of becomes variable, as if one had seen all lines. The
// order of the two hardly matters: ids come from texts.
//
// other is only read; Restore makes one from a snapshot. At the bounds of this one's Config the templates
// unused for longest are forgotten, pinned ones never. The error tells that two texts have one id, which takes
// two equal 64-bit hashes; nothing has changed then.
func (c *Clusterer) Merge(other *Clusterer) error {
	for id, t := range other.byID {
		if mine := c.byID[id]; mine != nil && (mine.text != t.text || !slices.Equal(mine.exception, t.exception)) {
			return fmt.Errorf("merge clusterers: template %s has two texts, %q and %q", id, mine.text, t.text)
		}
	}
	c.learned++
	ids := slices.Sorted(maps.Keys(other.byID))
	for _, id := range ids {
		c.take(other.byID[id])
	}
	for _, id := range ids {
		c.takeLink(other.byID[id])
	}
	c.seq = max(c.seq, other.seq)
	// What both have seen is not known, and the two may meet again and again: counts must not grow by that.
	c.stats.Lines = max(c.stats.Lines, other.stats.Lines)
	c.stats.Created = max(c.stats.Created, other.stats.Created)
	c.stats.Merged = max(c.stats.Merged, other.stats.Merged)
	c.stats.Evicted = max(c.stats.Evicted, other.stats.Evicted)
	c.stats.Unclustered = max(c.stats.Unclustered, other.stats.Unclustered)
	c.takePatterns(other)
	c.settle()
	for before := -1; len(c.byID) >= c.config.MaxTemplates && len(c.byID) != before; {
		before = len(c.byID)
		c.makeRoom()
	}
	for c.known >= c.config.MaxPatterns {
		c.forgetPatterns()
	}
	return nil
}

// take makes a template of another Clusterer ours, without its link.
func (c *Clusterer) take(t *template) {
	mine := c.byID[t.id]
	if mine == nil {
		mine = &template{
			id: t.id, text: t.text, exception: slices.Clone(t.exception),
			key: t.key, shape: t.shape, words: slices.Clone(t.words), open: t.open,
		}
		c.byID[t.id] = mine
		c.changed[mine] = struct{}{}
	} else if t.open && !mine.open { // ours had a value by form there
		mine.words, mine.open = slices.Clone(t.words), true
	}
	mine.pinned = mine.pinned || t.pinned
	mine.used = max(mine.used, t.used)
}

// takeLink links our template of t's id as t is, unless ours is linked already.
func (c *Clusterer) takeLink(t *template) {
	mine := c.byID[t.id]
	if t.link == nil || mine.link != nil {
		return
	}
	if to := c.byID[t.link.id].final(); to != mine {
		c.connect(mine, to)
	}
}

// connect links t to what is more general.
func (c *Clusterer) connect(t, to *template) {
	t.link = to
	to.pinned = to.pinned || t.pinned
	c.changed[t] = struct{}{}
	c.stats.Merged++
}

// takePatterns makes the patterns that are unknown here ours.
func (c *Clusterer) takePatterns(other *Clusterer) {
	for _, sum := range slices.Sorted(maps.Keys(other.patterns)) {
		for p := other.patterns[sum]; p != nil; p = p.next {
			t := c.byID[p.template.id].final()
			if mine := c.patternLike(p); mine != nil {
				mine.used = max(mine.used, p.used)
				continue
			}
			c.patterns[sum] = &pattern{
				sum: sum, next: c.patterns[sum], template: t, used: p.used,
				consts: bytes.Clone(p.consts), ends: slices.Clone(p.ends), words: slices.Clone(p.words),
			}
			c.known++
		}
	}
}

// patternLike finds our pattern of the same constants and exceptions.
func (c *Clusterer) patternLike(p *pattern) *pattern {
	for q := c.patterns[p.sum]; q != nil; q = q.next {
		if bytes.Equal(q.consts, p.consts) && slices.Equal(q.ends, p.ends) && slices.Equal(q.template.exception, p.template.exception) {
			return q
		}
	}
	return nil
}

// settle links templates that a more general one accepts, and makes variable what has been
// shown enough now. Each round but the last links something, so it ends.
func (c *Clusterer) settle() {
	living := func(t *template) bool { return t.link == nil && t != c.rest }
	c.byKey, c.byShape, c.places = map[uint64]*template{}, map[uint64][]*template{}, map[uint64]*place{}
	c.enlistAll()
	for merged := int64(-1); merged != c.stats.Merged; {
		merged = c.stats.Merged
		for _, id := range slices.Sorted(maps.Keys(c.byID)) {
			t := c.byID[id]
			if !living(t) {
				continue
			}
			if g := c.general(t.words, t.shape, t.exception); g != nil && g != t && covers(g, t) {
				c.connect(t, g)
			} else {
				c.generalize(t)
			}
		}
	}
}

// covers tells whether g has fewer constant words than t: a link must lead to what is more general.
func covers(g, t *template) bool {
	count := func(t *template) (n int) {
		for i := range t.words {
			if t.words[i].text != "" {
				n++
			}
		}
		return n
	}
	return count(g) < count(t)
}
