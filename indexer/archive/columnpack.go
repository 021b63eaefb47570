package archive

import (
	"bytes"
)

// columnPacker makes bytes of columns. Not safe for concurrent use.
type columnPacker struct {
	numbers numberPacker
	joined  []byte // text of the column
	deltas  enc
	trials  [2][]byte // compressed to see how large it is
}

// packedColumn is a column as it is stored. It is valid until the next one is packed.
type packedColumn struct {
	kind    byte
	classes uint8
	data    []byte
	tried   []byte // data as zstd compresses it; nil if that was not tried
}

// pack gives the kind and bytes of a column: the smallest, as far as one can tell without trying all. It adds the words
// of the values to words, if that is not nil.
func (p *columnPacker) pack(col *column, z *compressor, words *wordSet) packedColumn {
	if !col.mixed {
		return packedColumn{kind: colSame, classes: classesOf(col.value()), data: col.first.b}
	}
	var text []byte
	text, p.joined = col.text(p.joined)
	numbers := p.numbers.pack(text, int(col.n), words)
	if words != nil && !p.numbers.worded {
		addWords(words, text)
	}
	best, size := p.packText(text, numbers, z)
	if p.packDeltas(int(col.n), text) {
		if d, n := p.sizeOf(1, z, packedColumn{kind: colDelta, data: p.deltas.b}, true); n < size {
			best, size = d, n
		}
	}
	if numbers != nil {
		best.classes = classesOf(text[:bytes.IndexByte(text, varNewline)]) // they differ in nothing but digits
		if len(numbers) < size {
			best.kind, best.data, best.tried = colNumbers, numbers, nil
		}
		return best
	}
	best.classes = classesOf(text)
	return best
}

// packText gives a column as text and how many bytes that is, or rather more than that where numbers, which nil says it is
// not, are clearly fewer: compressing finds less in numbers than their packer, unless many digits come again.
func (p *columnPacker) packText(text, numbers []byte, z *compressor) (packedColumn, int) {
	col := packedColumn{kind: colText, data: text}
	small := len(text) < bigColumn
	most := len(text) * digitWorth / 256
	if small {
		most = len(text) * repeatWorth / 256
	}
	if numbers != nil && len(numbers) < most && (small || !p.numbers.wide) {
		return col, most
	}
	return p.sizeOf(0, z, col, repeats(text))
}

const (
	// digitWorth is how many bytes compressing makes of 256 that are numbers without repeats: 3.3 bits of a digit.
	digitWorth = 112
	// repeatWorth is that of a small column in which values come again.
	repeatWorth = 64
)

// sizeOf gives how many bytes a column has when it is compressed: by trying where values come again, else as is usual.
func (p *columnPacker) sizeOf(trial int, z *compressor, col packedColumn, repeats bool) (packedColumn, int) {
	switch {
	case !repeats:
		return col, len(col.data) * digitWorth / 256
	case len(col.data) < bigColumn:
		return col, len(col.data) * repeatWorth / 256
	}
	p.trials[trial] = z.zstd.EncodeAll(col.data, p.trials[trial][:0])
	col.tried = p.trials[trial]
	return col, len(col.tried)
}

// repeats tells whether many of a column's first values come again soon: then compressing finds them.
func repeats(text []byte) bool {
	var seen [1 << 9]uint32
	n, again := 0, 0
	for t := text; len(t) > 0 && n < 2048; n++ {
		h, i := uint32(2166136261), 0
		for ; t[i] != varNewline; i++ {
			h = (h ^ uint32(t[i])) * 16777619
		}
		t = t[i+1:]
		if slot := &seen[(h^h>>15)%uint32(len(seen))]; *slot == h {
			again++
		} else {
			*slot = h
		}
	}
	return again*3 > n
}

// packDeltas makes differences of a column of n numbers, or tells that it is not worth it.
func (p *columnPacker) packDeltas(n int, text []byte) bool {
	if n < 4 {
		return false
	}
	e := &p.deltas
	e.b = e.b[:0]
	var last int64
	for t := text; len(t) > 0; {
		i := bytes.IndexByte(t, varNewline)
		n, ok := decimal(t[:i])
		if !ok {
			return false
		}
		e.int(n - last)
		last = n
		t = t[i+1:]
		if len(e.b) > 64 && len(e.b)*deltaWorth > (len(text)-len(t))*2 {
			return false
		}
	}
	return len(e.b)*deltaWorth <= len(text)*2
}

// deltaWorth is how much shorter, in halves, differences must be than digits: those of numbers without
// order compress worse than the digits.
const deltaWorth = 5
