package archive

import "slices"

// Digits that are looked for among numbers are so without writing these out: by four digits at once.

// digitText is a text of few digits, the first of which is not 0: so zeros in front of a number make no difference.
type digitText struct {
	has  [1e4]bool // by four digits that stand together: whether the text is in them
	step uint64    // by how much a number is divided for the next four, of which some stood in those before
}

// digitTextOf gives nil for a text of another kind.
func digitTextOf(text string) *digitText {
	if len(text) == 0 || len(text) > 4 || text[0] == '0' {
		return nil
	}
	digits := 0
	for i := range len(text) {
		if !isDigit(text[i]) {
			return nil
		}
		digits = 10*digits + int(text[i]-'0')
	}
	t, width := &digitText{step: tens[5-len(text)]}, int(tens[len(text)])
	for behind := 1; behind*width <= len(t.has); behind *= 10 {
		for before := 0; before*behind*width < len(t.has); before++ {
			for rest := range behind {
				t.has[(before*width+digits)*behind+rest] = true
			}
		}
	}
	return t
}

// in tells whether the text stands in a number.
func (t *digitText) in(v uint64) bool {
	for v >= uint64(len(t.has)) {
		if t.has[v%uint64(len(t.has))] {
			return true
		}
		v /= t.step
	}
	return t.has[v]
}

// onlyRuns tells whether digits stand nowhere in a column's values but in its runs, none next to another.
func (c *numberColumn) onlyRuns() bool {
	for i := range c.runs {
		if before := c.runs[i].before; i > 0 && len(before) == 0 || hasDigit(before) {
			return false
		}
	}
	return !hasDigit(c.behind)
}

func hasDigit(text []byte) bool { return slices.ContainsFunc(text, isDigit) }
