package clusterer

import (
	"slices"
)

// place is one position in one context: all tokens of a template but one word.
// It knows the templates that differ in nothing but that word.
type place struct {
	templates []*template // oldest first; not linked when they came
}

// maxShape bounds how many general templates of one shape are compared with an unknown line.
const maxShape = 64

// maxWords is how many of a line's words can become variable. Later ones stay constant.
const maxWords = 48

// learn finds or makes the template of a line whose hash is not known. It gives nil
// if there is no room. fresh tells that the line's template is new to this shard.
func (c *Clusterer) learn(message []byte, exception []string) (p *pattern, fresh bool) {
	if !c.makeRoom() {
		return nil, false
	}
	c.learned++
	s := &c.scan
	text, words, shape := textOf(message, s.toks, s.sum)
	t := c.general(words, shape, exception)
	if t == nil {
		t, fresh = c.create(text, exception)
		if fresh {
			t.key, t.shape, t.words = s.sum, shape, words
			c.generalize(t)
			fresh = t.final().used == 0
		}
	}
	p = newPattern(message, s)
	p.template = t.final()
	p.next = c.patterns[s.sum]
	c.patterns[s.sum] = p
	c.known++
	return p, fresh
}

// create makes a template, or finds that of the same text.
func (c *Clusterer) create(text string, exception []string) (t *template, fresh bool) {
	id := c.newID(text, exception)
	if t = c.byID[id]; t != nil {
		return t, false
	}
	t = &template{id: id, text: text, exception: slices.Clone(exception)}
	c.byID[id] = t
	c.changed[t] = struct{}{}
	c.stats.Created++
	return t, true
}

// general finds the template with variable words that an unknown line belongs to:
// the one with most constant words, of several that with the least id.
func (c *Clusterer) general(words []word, shape uint64, exception []string) *template {
	var best *template
	most := -1
	for _, t := range c.byShape[shape] {
		if t.link != nil {
			continue
		}
		n := t.accepts(words)
		if n < 0 || n < most || n == most && t.id > best.id || !slices.Equal(t.exception, exception) {
			continue
		}
		best, most = t, n
	}
	return best
}

// accepts counts the constant words that the template has in common with a line of
// the same shape, -1 if the line does not belong to it.
func (t *template) accepts(words []word) int {
	n := 0
	mine := t.words
	for i := range words {
		w := &words[i]
		for len(mine) > 0 && mine[0].at < w.at { // a slot of the line
			if mine[0].text != "" {
				return -1
			}
			mine = mine[1:]
		}
		switch {
		case len(mine) == 0 || mine[0].at > w.at: // a slot of the template: that a word fits is not known
			if w.class != wordDigit {
				return -1
			}
			continue
		case mine[0].text == w.text:
			n++
		case mine[0].text != "" || w.class == wordKey:
			return -1
		}
		mine = mine[1:]
	}
	for i := range mine {
		if mine[i].text != "" {
			return -1
		}
	}
	return n
}

// keyWithout is the sum of the template's tokens if word w were variable.
func (t *template) keyWithout(w *word) uint64 {
	return t.key + shareOf(wild, w.gap, w.at) - shareOf(w.sum, w.gap, w.at)
}

// enlist notes where a living template can be found, and which words it shows where.
func (c *Clusterer) enlist(t *template) {
	c.byKey[t.key] = t
	if t.open {
		if list := c.byShape[t.shape]; len(list) < maxShape && !slices.Contains(list, t) {
			c.byShape[t.shape] = append(list, t)
		}
	}
	for i := range t.words {
		w := &t.words[i]
		if w.text == "" || w.class == wordKey {
			continue
		}
		key := t.keyWithout(w)
		pl := c.places[key]
		if pl == nil {
			pl = &place{}
			c.places[key] = pl
		}
		pl.templates = append(slices.DeleteFunc(pl.templates, func(x *template) bool { return x == t || x.link != nil }), t)
	}
}

// generalize enlists a template and, where a position of it has now shown enough words, makes it variable.
func (c *Clusterer) generalize(t *template) {
	c.enlist(t)
	if c.adopt(t); t.link != nil {
		return
	}
	for i := range t.words {
		w := &t.words[i]
		if w.text == "" || w.class == wordKey || !t.saysMore(i) {
			continue
		}
		key := t.keyWithout(w)
		pl := c.places[key]
		if pl == nil {
			continue
		}
		other := c.byKey[key]
		slot := other != nil && other.link == nil && slices.Equal(other.exception, t.exception)
		if len(pl.templates) >= enough(w, i, slot) {
			c.open(t, i)
			return
		}
	}
}

// saysMore tells whether t has a constant word of three letters beside word i: what has none would swallow all.
func (t *template) saysMore(i int) bool {
	for k := range t.words {
		if k != i && len(t.words[k].text) >= 3 {
			return true
		}
	}
	return false
}

// adopt links the templates that have a word where t has a variable, if they are enough, to t.
func (c *Clusterer) adopt(t *template) {
	pl := c.places[t.key]
	if pl == nil {
		return
	}
	pl.templates = slices.DeleteFunc(pl.templates, func(x *template) bool { return x == t || x.link != nil })
	for _, x := range pl.templates {
		i, w := 0, (*word)(nil)
		for k := range x.words {
			if x.words[k].text != "" && x.keyWithout(&x.words[k]) == t.key {
				i, w = k, &x.words[k]
			}
		}
		if w != nil && x.saysMore(i) && len(pl.templates) >= enough(w, i, true) {
			c.open(x, i)
			return
		}
	}
}

// open makes word i of t variable: the templates that differ in nothing else are linked to the result.
func (c *Clusterer) open(t *template, i int) {
	text, words := t.opened(i)
	key := t.keyWithout(&t.words[i])
	pl := c.places[key]
	g, fresh := c.create(text, t.exception)
	if !fresh && g.link != nil {
		g = g.final()
	} else {
		g.key, g.shape, g.words, g.open = key, t.shape, words, true
	}
	for _, x := range pl.templates {
		if x != g && x.link == nil && slices.Equal(x.exception, t.exception) {
			x.link = g
			g.pinned = g.pinned || x.pinned
			c.changed[x] = struct{}{}
			c.stats.Merged++
		}
	}
	delete(c.places, key)
	if g.link == nil {
		c.generalize(g)
	}
}
