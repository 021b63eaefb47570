package archive

// The words of a block are those of the first line of each shape, and of further lines those that a variable, a stamp or
// the tail is a part of.

// wordPlaces tells where the words of a shape's variables are, which is the same in all its lines.
type wordPlaces struct {
	groups []wordGroup // but for those that alone tells
	alone  []bool      // of each variable: its words are those of its values, which are added when its column is packed
	tail   bool        // there is one: words that reach into it are not the same in all lines, and groups tells nothing
}

// wordGroup is one or more variables and stamps with nothing but letters and the like between them, and what of the text
// around them is in the same words.
type wordGroup struct {
	first, last   int32  // in splitter.vars
	before, after int32  // bytes
	variables     uint64 // bits of the variables, see variableBit
	stamp         bool   // it is the stamp alone
}

// variableBit gives the bit of one of splitter.vars. Some share one.
func variableBit(i int) uint64 { return 1 << (i & 63) }

// of finds out about the shape of a text that has been split.
func (w *wordPlaces) of(text []byte, sp *splitter) {
	w.groups, w.alone, w.tail = w.groups[:0], w.alone[:0], sp.tail >= 0
	end := -1 // of the last group
	for i, p := range sp.vars {
		from, to := wordAround(text, p)
		if i != sp.stamp {
			w.alone = append(w.alone, !w.tail)
		}
		if n := len(w.groups); from < end && n > 0 {
			g := &w.groups[n-1]
			g.last, g.after, g.stamp = int32(i), int32(to-p.to), false
			g.variables |= variableBit(i)
		} else {
			w.groups = append(w.groups, wordGroup{int32(i), int32(i), int32(p.from - from), int32(to - p.to), variableBit(i), i == sp.stamp})
		}
		end = p.to
	}
	kept := w.groups[:0]
	for _, g := range w.groups {
		if g.first == g.last && g.before == 0 && g.after == 0 && !g.stamp {
			continue
		}
		for i := int(g.first); i <= int(g.last); i++ {
			if n := columnOf(i, sp.stamp); i != sp.stamp {
				w.alone[n] = false
			}
		}
		kept = append(kept, g)
	}
	w.groups = kept
}

// columnOf gives which of the variables the ith of splitter.vars is, which is not the stamp.
func columnOf(i, stamp int) int {
	if stamp >= 0 && i > stamp {
		return i - 1
	}
	return i
}

// addWords adds the words of a line that has just been split, of a shape seen before; changed has bits of the variables that
// are not the same in all lines so far.
func (c *columnEncoder) addWords(text []byte, w *wordPlaces, changed uint64) {
	if w.tail {
		c.addWordsOfTail(text)
		return
	}
	if c.split.stamp >= 0 {
		changed |= variableBit(c.split.stamp)
	}
	for i := range w.groups {
		switch g := &w.groups[i]; {
		case changed&g.variables == 0:
		case g.stamp:
			c.addStampWords(text, g)
		default:
			addWords(c.words, text[c.split.vars[g.first].from-int(g.before):c.split.vars[g.last].to+int(g.after)])
		}
	}
}

// stampWords are words of stamps that have been added.
type stampWords struct {
	form    stampForm           // of the last stamp
	minute  int64               // of the last stamp, in seconds; with form it says all but seconds and fraction. -1: there was none
	seconds uint64              // bits of those that came
	ms      [1000/64 + 1]uint64 // bits of fractions of three digits that came
}

// addStampWords adds the words of a stamp. Most differ from the one before in nothing but seconds and fraction.
func (c *columnEncoder) addStampWords(text []byte, g *wordGroup) {
	r, known := &c.split.stamps, &c.stamped
	p := c.split.vars[g.first]
	from, to := p.from-int(g.before), p.to+int(g.after)
	digits := int(r.form.digits)
	if g.before > 0 || r.form.packed != 0 || digits == 0 && g.after > 0 {
		addWords(c.words, text[from:to])
		return
	}
	point := to
	if digits > 0 {
		point = p.to - digits - 1
	}
	second := uint64(1) << (uint64(r.sec-r.minute) & 63)
	switch {
	case r.minute != known.minute || r.form != known.form:
		known.minute, known.form = r.minute, r.form
		addWords(c.words, text[from:point])
	case known.seconds&second == 0:
		addWords(c.words, text[point-2:point])
	}
	known.seconds |= second
	if digits == 3 && g.after == 0 {
		word, bit := &known.ms[uint(r.frac)/64%uint(len(known.ms))], uint64(1)<<(r.frac&63)
		if *word&bit != 0 {
			return
		}
		*word |= bit
	}
	addWords(c.words, text[point:to])
}

// addWordsOfTail is addWords for a line with a tail.
func (c *columnEncoder) addWordsOfTail(text []byte) {
	last := 0
	for _, p := range c.split.vars {
		from, to := wordAround(text, p)
		from = max(from, last)
		if from < to {
			addWords(c.words, text[from:to])
		}
		last = max(last, to)
	}
	from, _ := wordAround(text, piece{c.split.tail, c.split.tail})
	addWords(c.words, text[max(from, last):])
}

// wordAround widens a piece to the words that it is a part of.
func wordAround(text []byte, p piece) (from, to int) {
	from, to = p.from, p.to
	for from > 0 && wordBytes[text[from-1]] != 0 {
		from--
	}
	for to < len(text) && wordBytes[text[to]] != 0 {
		to++
	}
	return from, to
}
