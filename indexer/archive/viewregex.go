package archive

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"lastnight"
	"lastnight/internal/dfa"
)

// A regex is walked over the pieces that a line is made of: over the text of a shape once for all its lines, and
// over the values of its variables where they stand in their columns. No line is put together for it, and of
// columns that cannot change where the walk stands none is even decompressed.

// matcher is a regex that records must match. It is safe for concurrent use.
type matcher struct {
	walkers sync.Pool // of *walker
	single  bool      // only records of one line: others may have what is looked for over several
}

// matcherCond needs a match of the regex in one line; nil if everything matches, or it cannot be walked.
func matcherCond(expr string) *cond {
	m := &matcher{}
	m.walkers.New = func() any {
		d, err := dfa.New(expr)
		if err != nil {
			return (*walker)(nil) // it has been compiled, so this does not happen
		}
		return &walker{d: d, reach: map[string][]dfa.State{}}
	}
	w := m.get()
	if w == nil || w.d.Start() == dfa.Matched {
		return nil
	}
	m.walkers.Put(w)
	return &cond{kind: condRegex, regex: m}
}

func (m *matcher) get() *walker {
	w, _ := m.walkers.Get().(*walker)
	return w
}

// mayRecord tells whether a record that is at hand has a line that matches.
func (m *matcher) mayRecord(r *lastnight.Record) bool {
	if m.single && len(r.Lines) > 1 {
		return true
	}
	w := m.get()
	defer m.walkers.Put(w)
	return slices.ContainsFunc(r.Lines, func(l lastnight.Line) bool { return w.d.May(l.Text) })
}

// walker is a regex and what is known of it already. Not safe for concurrent use.
type walker struct {
	d     *dfa.DFA
	reach map[string][]dfa.State
	key   []byte
}

// alphabets are the bytes that variables of some classes have.
var alphabets = func() (list [classAny + 1][]byte) {
	for c := range 128 {
		for classes := range list {
			if columnClass[c]&uint8(classes) != 0 {
				list[classes] = append(list[classes], byte(c))
			}
		}
	}
	return list
}()

// digitOrSpace is what the first place of a day in a month may be.
var digitOrSpace = []byte(" 0123456789")

// maxReach is from what length on a text may be of any.
const maxReach = 40

// after gives where the walk may stand after a text of an alphabet, not longer than width.
func (w *walker) after(from []dfa.State, alphabet, width uint8) []dfa.State {
	limit := int(width)
	if limit > maxReach {
		limit, width = math.MaxInt, wide
	}
	w.key = append(w.key[:0], alphabet, width)
	for _, s := range from {
		w.key = binary.LittleEndian.AppendUint32(w.key, uint32(s))
	}
	to, known := w.reach[string(w.key)]
	if !known {
		to = w.d.Reach(from, alphabets[alphabet], limit)
		slices.Sort(to)
		to = slices.Compact(to)
		w.reach[string(w.key)] = to
	}
	return to
}

// afterStamp gives where the walk may stand after a stamp of a form, whatever time it tells.
func (w *walker) afterStamp(from []dfa.State, f stampForm) []dfa.State {
	form := f.bytes()
	w.key = append(append(w.key[:0], 0xff), form[:]...)
	for _, s := range from {
		w.key = binary.LittleEndian.AppendUint32(w.key, uint32(s))
	}
	if to, known := w.reach[string(w.key)]; known {
		return to
	}
	at, name := from, 0
	if f.date == dateMonth {
		name = 3
	}
	for i, c := range f.appendStamp(nil, 0) {
		switch {
		case i < name:
			at = w.d.Reach(at, alphabets[classLowHex|classLow|classHighHex|classHigh], 1)
		case name > 0 && i == name+1:
			at = w.d.Reach(at, digitOrSpace, 1)
		case isDigit(c):
			at = w.d.Reach(at, alphabets[classNumber], 1)
		default:
			to := make([]dfa.State, len(at))
			for j := range at {
				to[j] = w.d.Step(at[j], []byte{c})
			}
			at = to
		}
	}
	at = slices.Clone(at)
	slices.Sort(at)
	at = slices.Compact(at)
	w.reach[string(w.key)] = at
	return at
}

// past gives where the walk stands after a text that is not known but for where it may lead, and then the
// text of a shape, if that is one place whatever the unknown text is.
func (w *walker) past(at []dfa.State, lit []byte) (to dfa.State, ok bool) {
	for i, s := range at {
		if s = w.d.Step(s, lit); s < dfa.First || i > 0 && s != to {
			return 0, false
		}
		to = s
	}
	return to, len(at) > 0
}

// steps walks over a text from several places.
func (w *walker) steps(at []dfa.State, lit []byte) []dfa.State {
	if len(lit) == 0 {
		return at
	}
	to := make([]dfa.State, len(at))
	for i := range at {
		to[i] = w.d.Step(at[i], lit)
	}
	slices.Sort(to)
	return slices.Compact(to)
}

// mayShape tells whether a line of a shape may match.
func (w *walker) mayShape(s *viewShape, columns []viewColumn) bool {
	return w.mayTokens(s, func(at []dfa.State, column int) []dfa.State {
		return w.after(at, columns[column].classes, columns[column].width)
	})
}

func (w *walker) mayTokens(s *viewShape, over func([]dfa.State, int) []dfa.State) bool {
	at := []dfa.State{w.d.Start()}
	column := s.column
	for i := range s.tokens {
		tok := &s.tokens[i]
		at = w.steps(at, tok.lit)
		switch tok.mark {
		case markVar:
			at = over(at, column)
			column++
		case markStamp:
			at = w.afterStamp(at, tok.form)
		case markTail:
			return true
		}
		if len(at) > 0 && (at[0] == dfa.Matched || at[0] == dfa.GaveUp) {
			return true
		}
	}
	return slices.ContainsFunc(at, w.d.Ends)
}

// step is what is known of walking over a shape's token: of the states last seen there, as lines after each
// other mostly come in the same ones.
type step struct {
	from, to dfa.State // over its text
	before   dfa.State // before its variable or stamp
	past     dfa.State // after that and the next token's text, whatever the value is
	skip     bool      // past is so
}

// rowsWithRegex gives the records one of whose lines matches.
func (v *view) rowsWithRegex(c *cond, in rowSet) (rowSet, error) {
	m := c.regex
	w := m.get()
	defer m.walkers.Put(w)
	may := v.mem.bools.zeroed(len(v.shapes))
	steps := make([][]step, len(v.shapes))
	several := m.single && !v.oneEach()
	some := several
	shapes := v.shapesIn(in)
	for i := range v.shapes {
		if shapes != nil && shapes[i].none() || v.only != nil && !v.only[i] {
			continue
		}
		if may[i] = w.mayShape(&v.shapes[i], v.columns); may[i] {
			some = true
			steps[i] = make([]step, len(v.shapes[i].tokens))
		}
	}
	if !some {
		return rowSet{}, nil
	}
	for _, k := range c.kids { // what a match has is in the line that matches
		v.only = may
		kid, err := v.rowsWith(k, in)
		v.only = nil
		if err != nil || kid.none() {
			return kid, err
		}
		in = kid
	}
	if err := v.loadLines(); err != nil {
		return rowSet{}, err
	}
	if some, err := v.mayNumbers(w, may); err != nil || !some && !several {
		return rowSet{}, err
	}
	out := v.mem.small.take(in.count(v.rows()))[:0]
	for row := range in.of(v.rows()) {
		found := several && v.rowFirst[row+1]-v.rowFirst[row] > 1
		for line := v.rowFirst[row]; line < v.rowFirst[row+1] && !found; line++ {
			shape := v.shapeOf[line]
			if !may[shape] {
				continue
			}
			var err error
			if found, err = v.walk(w, line, steps[shape]); err != nil {
				return rowSet{}, err
			}
		}
		if found {
			out = append(out, int32(row))
		}
	}
	return rowSet{rows: out}, nil
}

// walk tells whether a line matches.
func (v *view) walk(w *walker, line int32, steps []step) (bool, error) {
	shape := &v.shapes[v.shapeOf[line]]
	s, column, skipped := w.d.Start(), shape.column, false
	for i := range shape.tokens {
		tok, k := &shape.tokens[i], &steps[i]
		if !skipped && len(tok.lit) > 0 {
			if k.from != s {
				k.from, k.to = s, w.d.Step(s, tok.lit)
			}
			s = k.to
		}
		skipped = false
		if tok.mark == markVar {
			column++
		}
		if s < dfa.First {
			return true, nil
		}
		if tok.mark == markVar || tok.mark == markStamp {
			if k.before != s {
				k.before = s
				to, err := v.over(w, s, tok, column-1)
				if err != nil {
					return false, err
				}
				k.past, k.skip = w.past(to, shape.tokens[i+1].lit)
			}
			if skipped = k.skip; skipped {
				s = k.past
				continue
			}
		}
		text, err := v.pieceOf(line, tok, column-1)
		if err != nil {
			return false, err
		}
		s = w.d.Step(s, text)
	}
	return w.d.Ends(s), nil
}

// over gives where the walk may stand after a token's variable or stamp.
func (v *view) over(w *walker, s dfa.State, tok *shapeToken, column int) ([]dfa.State, error) {
	if tok.mark == markStamp {
		return w.afterStamp([]dfa.State{s}, tok.form), nil
	}
	return v.overColumn(w, []dfa.State{s}, column)
}

// overColumn is walker.after for a column. Where a match may end in one of numbers these are asked, as they tell more than the
// bytes of the values do: how many digits stand together at most, and what between them.
func (v *view) overColumn(w *walker, at []dfa.State, column int) ([]dfa.State, error) {
	c := &v.columns[column]
	to := w.after(at, c.classes, c.width)
	if c.kind != colNumbers || len(to) == 0 || to[0] >= dfa.First {
		return to, nil
	}
	if err := v.loadNumbers(c); err != nil {
		return nil, err
	}
	for i := range c.numbers.runs {
		r := &c.numbers.runs[i]
		at = w.after(w.steps(at, r.before), classNumber, uint8(r.mostDigits(v.mem)))
	}
	return w.steps(at, c.numbers.behind), nil
}

// mayNumbers strikes out the shapes none of whose lines may match by what their columns of numbers tell.
func (v *view) mayNumbers(w *walker, may []bool) (some bool, err error) {
	for i := range may {
		if !may[i] {
			continue
		}
		may[i] = w.mayTokens(&v.shapes[i], func(at []dfa.State, column int) []dfa.State {
			to, failed := v.overColumn(w, at, column)
			if failed != nil {
				err = failed
			}
			return to
		})
		some = some || may[i]
	}
	return some, err
}

// pieceOf gives the text that stands in a line where a token has its mark.
func (v *view) pieceOf(line int32, tok *shapeToken, column int) ([]byte, error) {
	switch tok.mark {
	case markVar:
		return v.value(column, v.rank[line])
	case markStamp:
		if err := v.loadStamps(); err != nil {
			return nil, err
		}
		return v.stampText.of(tok.form, stampOf(tok.form, v.stamps[line], v.times[line])), nil
	case markTail:
		if err := v.loadTails(); err != nil {
			return nil, err
		}
		return v.tails[line], nil
	}
	return nil, nil
}
