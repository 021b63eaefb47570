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
}

// matcherCond needs a match of the regex in one line; nil if everything matches, or it cannot be walked.
func matcherCond(expr string) *cond {
	m := &matcher{}
	m.walkers.New = func() any {
		d, err := dfa.New(expr)
		if err != nil {
			return (*walker)(nil) // it has been compiled, so this does not happen
		}
		return &walker{d: d, idle: map[stateOf]bool{}, reach: map[string][]dfa.State{}}
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
	w := m.get()
	defer m.walkers.Put(w)
	return slices.ContainsFunc(r.Lines, func(l lastnight.Line) bool { return w.d.May(l.Text) })
}

// walker is a regex and what is known of it already. Not safe for concurrent use.
type walker struct {
	d     *dfa.DFA
	idle  map[stateOf]bool
	reach map[string][]dfa.State
	key   []byte
}

// stateOf is a state before some text of an alphabet.
type stateOf struct {
	s        dfa.State
	alphabet uint8
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

// isIdle tells whether the walk stands where it stood after any text of an alphabet.
func (w *walker) isIdle(s dfa.State, alphabet uint8) bool {
	k := stateOf{s, alphabet}
	idle, known := w.idle[k]
	if !known {
		idle = !slices.ContainsFunc(alphabets[alphabet], func(c byte) bool { return w.d.Step(s, []byte{c}) != s })
		w.idle[k] = idle
	}
	return idle
}

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

// isIdleStamp is isIdle for a stamp of a form.
func (w *walker) isIdleStamp(s dfa.State, f stampForm) bool {
	to := w.afterStamp([]dfa.State{s}, f)
	return len(to) == 1 && to[0] == s
}

// mayShape tells whether a line of a shape may match.
func (w *walker) mayShape(s *viewShape, columns []viewColumn) bool {
	at := []dfa.State{w.d.Start()}
	column := s.column
	for i := range s.tokens {
		tok := &s.tokens[i]
		if len(tok.lit) > 0 {
			to := make([]dfa.State, len(at))
			for j := range at {
				to[j] = w.d.Step(at[j], tok.lit)
			}
			slices.Sort(to)
			at = slices.Compact(to)
		}
		switch tok.mark {
		case markVar:
			at = w.after(at, columns[column].classes, columns[column].width)
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

// step is what is known of walking over a shape's token.
type step struct {
	from, to dfa.State // over its text
	before   dfa.State // before its variable or stamp
	idle     bool      // which then changes nothing
}

// rowsWithRegex gives the records one of whose lines matches.
func (v *view) rowsWithRegex(m *matcher, in rowSet) (rowSet, error) {
	w := m.get()
	defer m.walkers.Put(w)
	may := v.mem.bools.zeroed(len(v.shapes))
	steps := make([][]step, len(v.shapes))
	some := false
	for i := range v.shapes {
		if may[i] = w.mayShape(&v.shapes[i], v.columns); may[i] {
			some = true
			steps[i] = make([]step, len(v.shapes[i].tokens))
		}
	}
	if !some {
		return rowSet{}, nil
	}
	if err := v.loadLines(); err != nil {
		return rowSet{}, err
	}
	set := rowSet{bits: v.mem.bools.zeroed(v.rows())}
	found := false
	for row := range set.bits {
		if !in.has(row) {
			continue
		}
		for line := v.rowFirst[row]; line < v.rowFirst[row+1] && !set.bits[row]; line++ {
			shape := v.shapeOf[line]
			if !may[shape] {
				continue
			}
			var err error
			if set.bits[row], err = v.walk(w, line, steps[shape]); err != nil {
				return rowSet{}, err
			}
		}
		found = found || set.bits[row]
	}
	if !found {
		return rowSet{}, nil
	}
	return set, nil
}

// walk tells whether a line matches.
func (v *view) walk(w *walker, line int32, steps []step) (bool, error) {
	shape := &v.shapes[v.shapeOf[line]]
	s, column := w.d.Start(), shape.column
	for i := range shape.tokens {
		tok := &shape.tokens[i]
		if len(tok.lit) > 0 {
			if k := &steps[i]; k.from == s {
				s = k.to
			} else {
				k.from = s
				s = w.d.Step(s, tok.lit)
				k.to = s
			}
		}
		var text []byte
		switch tok.mark {
		case markVar:
			column++
			if k := &steps[i]; k.before != s { // many lines after each other are in one state here
				k.before, k.idle = s, w.isIdle(s, v.columns[column-1].classes)
			}
			if steps[i].idle {
				continue
			}
			var err error
			if text, err = v.value(column-1, v.rank[line]); err != nil {
				return false, err
			}
		case markStamp:
			if k := &steps[i]; k.before != s {
				k.before, k.idle = s, w.isIdleStamp(s, tok.form)
			}
			if steps[i].idle {
				continue
			}
			if err := v.loadStamps(); err != nil {
				return false, err
			}
			text = v.stampText.of(tok.form, stampOf(tok.form, v.stamps[line], v.times[line]))
		case markTail:
			if err := v.loadTails(); err != nil {
				return false, err
			}
			text = v.tails[line]
		}
		if s = w.d.Step(s, text); s == dfa.Matched || s == dfa.GaveUp {
			return true, nil
		}
	}
	return w.d.Ends(s), nil
}
