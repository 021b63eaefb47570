package archive

// The words of a block are those of the first line of each shape, and of further lines those that a variable, a stamp or
// the tail is a part of.

// wordReach is how far words go beyond the variables that they are a part of. It is the same in all lines of a shape, unless
// there is nothing but letters and the like between two variables.
type wordReach struct {
	vars  []reach // of each variable
	stamp reach
	apart bool // no word has two of them, and there is no tail
}

// reach is in bytes.
type reach struct{ before, after int }

// alone tells whether the words of the nth variable are those of its values, which are added when its column is packed.
func (w *wordReach) alone(n int) bool { return w.apart && w.vars[n] == reach{} }

// of finds out about the shape of a text that has been split.
func (w *wordReach) of(text []byte, sp *splitter) {
	w.vars, w.apart = w.vars[:0], sp.tail < 0
	last := 0
	for i, p := range sp.vars {
		from, to := wordAround(text, p)
		if i > 0 && from < last || i+1 < len(sp.vars) && to > sp.vars[i+1].from {
			w.apart = false
		}
		if r := (reach{p.from - from, to - p.to}); i == sp.stamp {
			w.stamp = r
		} else {
			w.vars = append(w.vars, r)
		}
		last = p.to
	}
}

// addStampWords adds the words of a stamp. Most differ from the one before in nothing but the fraction.
func (c *columnEncoder) addStampWords(text []byte, p piece, r reach) {
	from, to, digits := p.from-r.before, p.to+r.after, int(c.split.form.digits)
	if digits == 0 {
		addWords(c.words, text[from:to])
		return
	}
	point := p.to - digits - 1
	if string(text[from:point]) != string(c.lastStamp) {
		c.lastStamp = append(c.lastStamp[:0], text[from:point]...)
		addWords(c.words, c.lastStamp)
	}
	addWords(c.words, text[point:to])
}

// addWordsOf adds the words of a line that has just been split, of a shape seen before.
func (c *columnEncoder) addWordsOf(text []byte) {
	last := 0
	for _, p := range c.split.vars {
		from, to := wordAround(text, p)
		from = max(from, last)
		if from < to {
			addWords(c.words, text[from:to])
		}
		last = max(last, to)
	}
	if t := c.split.tail; t >= 0 {
		from, _ := wordAround(text, piece{t, t})
		addWords(c.words, text[max(from, last):])
	}
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
