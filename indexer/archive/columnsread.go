package archive

import (
	"bytes"
	"strconv"
)

// columnReader gives the values of one variable in order.
type columnReader struct {
	kind byte
	b    []byte
	d    dec
	last int64
}

// appendNext appends the next value to dst.
func (c *columnReader) appendNext(dst []byte) ([]byte, bool) {
	if c.kind == colDelta {
		c.last += c.d.int()
		return strconv.AppendInt(dst, c.last, 10), c.d.err == nil
	}
	i := bytes.IndexByte(c.b, varNewline)
	if i < 0 {
		return dst, false
	}
	dst = append(dst, c.b[:i]...)
	if c.kind == colText {
		c.b = c.b[i+1:]
	}
	return dst, true
}

// shapeReader is a shape with its columns while a block is decoded.
type shapeReader struct {
	tokens []shapeToken
	vars   []columnReader
}

// textReader puts lines together again.
type textReader struct {
	shapes []shapeReader
	ids    *dec
	stamps *dec
	tails  *dec
	raw    int    // bytes of text that all lines together have
	text   []byte // of the lines so far
	vars   []piece
	shape  int   // of the last line
	stamp  int64 // of the last line
}

// decodeColumns reads texts and records of the column layout.
func (r *blockReader) decodeColumns(set *lineSet) error {
	t, err := r.textReader()
	if err != nil {
		return err
	}
	m, err := r.metaDecoder(len(t.shapes))
	if err != nil {
		return err
	}
	for i := range set.rows {
		rec := set.rows[i].rec
		for j := range rec.Lines {
			l := &rec.Lines[j]
			if l.Text, err = t.line(l.Time); err != nil {
				return err
			}
			if j > 0 {
				continue
			}
			if err := m.record(rec, t.shape, l.Text, t.vars, t.stamp); err != nil {
				return err
			}
		}
	}
	if len(t.text) != t.raw {
		return corruptf("texts have %d bytes, not %d", len(t.text), t.raw)
	}
	for _, d := range []*dec{t.ids, t.stamps, t.tails} {
		if err := d.done("texts"); err != nil {
			return err
		}
	}
	return m.done()
}

func (r *blockReader) textReader() (*textReader, error) {
	d, err := r.opens(secShapes, secShapeIDs, secStamps, secTails, secVarKinds, secSmallVars, secSmallNums)
	if err != nil {
		return nil, err
	}
	t := &textReader{ids: d[1], stamps: d[2], tails: d[3]}
	t.raw = t.ids.upTo(maxSectionBytes)
	if t.raw < 64<<20 { // what a writer of ours makes but for huge lines; more only grows as it comes
		t.text = make([]byte, 0, t.raw)
	}
	next := secFirstVars
	for len(d[0].b) > 0 {
		shape := d[0].bytes()
		tokens, err := parseShape(shape)
		if err != nil {
			return nil, err
		}
		s := shapeReader{tokens: tokens}
		for _, tok := range tokens {
			if tok.mark != markVar {
				continue
			}
			c, big, err := r.column(d[4], d[5], d[6], next)
			if err != nil {
				return nil, err
			}
			if big {
				next++
			}
			s.vars = append(s.vars, c)
		}
		t.shapes = append(t.shapes, s)
	}
	if err := d[4].done("columns"); err != nil {
		return nil, err
	}
	return t, d[0].done("shapes")
}

// column finds the next column: a section of its own, or a part of the one for small ones.
func (r *blockReader) column(kinds, small, smallNums *dec, next sectionID) (c columnReader, big bool, err error) {
	k := kinds.byte()
	c.kind = k >> 1
	if c.kind > colNumbers {
		return c, false, corruptf("column of unknown kind %d", c.kind)
	}
	switch big = k&1 != 0; {
	case big:
		d, err := r.open(next)
		if err != nil {
			return c, false, err
		}
		c.b = d.b
	case c.kind == colNumbers:
		c.b = smallNums.take(kinds.upTo(len(smallNums.b)))
	default:
		c.b = small.take(kinds.upTo(len(small.b)))
	}
	if c.kind == colNumbers {
		numbers, err := decodeNumbers(c.b, r.lines(), r.lists)
		if err == nil {
			c.b, err = numbers.text(r.lists)
		}
		if err != nil {
			return c, false, err
		}
		c.kind = colText
	}
	c.d = dec{b: c.b}
	return c, big, nil
}

// line gives the text of the next line, written at near. Earlier texts stay valid.
func (t *textReader) line(near int64) ([]byte, error) {
	t.shape = t.ids.index(len(t.shapes))
	if t.ids.err != nil {
		return nil, t.ids.err
	}
	s := &t.shapes[t.shape]
	from, v := len(t.text), 0
	t.vars, t.stamp = t.vars[:0], 0
	for i := range s.tokens {
		tok := &s.tokens[i]
		t.text = append(t.text, tok.lit...)
		at := len(t.text) - from
		switch tok.mark {
		case markVar:
			var ok bool
			if t.text, ok = s.vars[v].appendNext(t.text); !ok {
				return nil, corruptf("column of variables is too short")
			}
			v++
		case markStamp:
			t.stamp = stampOf(tok.form, t.stamps.int(), near)
			t.text = tok.form.appendStamp(t.text, t.stamp)
		case markTail:
			t.text = append(t.text, t.tails.bytes()...)
			continue
		default:
			continue
		}
		t.vars = append(t.vars, piece{at, len(t.text) - from})
	}
	if len(t.text) > t.raw {
		return nil, corruptf("texts have more than %d bytes", t.raw)
	}
	return t.text[from:len(t.text):len(t.text)], nil
}
