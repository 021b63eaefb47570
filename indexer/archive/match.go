package archive

import (
	"encoding/binary"

	"lastnight"
	"lastnight/internal/tally"
)

// Most lines have one of few shapes, and what a line's record is (its template), or what the line before was, foretells
// which. To hold a line against one shape is several times cheaper than to cut it without knowing anything: text
// between variables is compared at once, and nothing is looked up. What does not match is cut; the result is the same.

// shapeMatcher is a shape, taken apart so that lines can be held against it.
type shapeMatcher struct {
	steps []matchStep
	ok    bool // not with a tail
}

// matchStep is a part of a shape.
type matchStep struct {
	shapeToken
	first, mask uint64 // up to 8 bytes of lit, and which they are
}

func stepOf(t shapeToken) matchStep {
	s := matchStep{shapeToken: t}
	for i, c := range t.lit[:min(len(t.lit), 8)] {
		s.first |= uint64(c) << (8 * i)
		s.mask |= 0xff << (8 * i)
	}
	return s
}

// at tells whether lit stands in a text from i on.
func (s *matchStep) at(text []byte, i int) bool {
	n := len(s.lit)
	if i+8 <= len(text) {
		if (binary.LittleEndian.Uint64(text[i:])^s.first)&s.mask != 0 {
			return false
		}
		if n <= 8 {
			return true
		}
	}
	return len(text)-i >= n && string(text[i:i+n]) == string(s.lit)
}

// of makes the matcher of a shape, which must not change meanwhile.
func (m *shapeMatcher) of(shape []byte) {
	m.steps, m.ok = m.steps[:0], false
	lit := 0
	for i := 0; i < len(shape); i++ {
		if byteClass[shape[i]] != classMark {
			continue
		}
		t := shapeToken{lit: shape[lit:i], mark: shape[i]}
		switch t.mark {
		case markTail:
			return
		case markStamp:
			t.form, _ = parseStampForm(shape[i+1 : i+1+stampFormBytes])
			i += stampFormBytes
		}
		m.steps = append(m.steps, stepOf(t))
		lit = i + 1
	}
	m.steps, m.ok = append(m.steps, stepOf(shapeToken{lit: shape[lit:]})), true
}

// match is split for a text that may have a known shape, with the columns that its variables have so far. If it has not that shape,
// which is what false says, nothing is known. Why the result is that of split: between variables a shape has no digits, and ends with
// neither a letter nor a digit where a variable follows, so split would go over the same bytes in the same way whatever the variables
// are; variables and stamps are cut by what split cuts them with, where split would, or are like another value of their column
// but for numbers, and end where a token does.
func (s *splitter) match(m *shapeMatcher, columns []column, text []byte, near int64) bool {
	if !m.ok {
		return false
	}
	s.begin()
	if len(m.steps[0].lit) > 0 && len(text) > 0 && byteClass[text[0]] == classLetter && s.tryStamp(text, near) > 0 {
		return false
	}
	i, v := 0, 0
	for k := range m.steps {
		t := &m.steps[k]
		if !t.at(text, i) {
			return false
		}
		if i += len(t.lit); t.mark == 0 {
			return i == len(text)
		}
		if i == len(text) {
			return false
		}
		n := 0
		if s.stamp < 0 && i < stampWithin && isDigit(text[i]) || i == 0 {
			n = s.tryStamp(text[i:], near)
		}
		if (n > 0) != (t.mark == markStamp) {
			return false
		}
		if n > 0 {
			if s.stamps.form != t.form {
				return false
			}
			s.stamp = len(s.vars)
			s.vars = append(s.vars, piece{i, i + n})
			s.ways = append(s.ways, columnNew)
			i += n
			continue
		}
		c := &columns[v]
		end, way := -1, c.way
		switch way {
		case columnSame:
			end = c.sameAt(text, i)
		case columnNumbers:
			if c.plain {
				end = c.numberAt(text, i)
			} else {
				end = c.numbersAt(text, i)
			}
		case columnNew, columnText:
		}
		if end < 0 || !endsToken(text, end) {
			if end, way = s.token(text, i), columnNew; !s.hasDigit {
				return false
			}
		}
		s.vars = append(s.vars, piece{i, end})
		s.ways = append(s.ways, way)
		i = end
		v++
	}
	return false
}

// guesses tells which shapes lines of a block may have. Shapes are told by their numbers, as what is noted with each line had better
// not be pointers, which the garbage collector wants to know of. Not safe for concurrent use.
type guesses struct {
	byTemplate [256]guess
	last       int32 // shape of the line before, plus 1; 0: there was none
}

// guessed is how many shapes of a template are tried.
const guessed = 4

// guess are the last shapes of records of one template, plus 1, the newest first; 0: none.
type guess struct {
	template string
	shapes   [guessed]int32
}

func (g *guesses) of(template string) *guess {
	return &g.byTemplate[tally.SlotOf(template)%uint(len(g.byTemplate))]
}

// find gives the shape of a line, by which it is cut then, if it was guessed, else nil. Lines behind a record's
// first one have the template "".
func (g *guesses) find(sp *splitter, shapes []*shapeColumns, l *lastnight.Line, first bool, template string) *shapeColumns {
	if !first {
		if g.last == 0 {
			return nil
		}
		return try(sp, shapes, shapes[g.last-1].next, l)
	}
	t := g.of(template)
	if t.template != template {
		return nil
	}
	for _, guess := range t.shapes {
		if s := try(sp, shapes, guess, l); s != nil {
			return s
		}
	}
	return nil
}

// try gives a shape, told as a guess, if the line has it.
func try(sp *splitter, shapes []*shapeColumns, guess int32, l *lastnight.Line) *shapeColumns {
	if guess == 0 {
		return nil
	}
	if s := shapes[guess-1]; sp.match(&s.matcher, s.vars, l.Text, l.Time) {
		return s
	}
	return nil
}

// learn notes which shape a line has.
func (g *guesses) learn(shapes []*shapeColumns, s *shapeColumns, first bool, template string) {
	is := s.at + 1
	if g.last > 0 {
		shapes[g.last-1].next = is
	}
	g.last = is
	if !first {
		return
	}
	switch t := g.of(template); {
	case t.template != template:
		*t = guess{template, [guessed]int32{is}}
	case t.shapes[0] != is:
		i := 1
		for i < guessed-1 && t.shapes[i] != is {
			i++
		}
		copy(t.shapes[1:], t.shapes[:i])
		t.shapes[0] = is
	}
}
