package archive

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
	switch col.way {
	case columnNew, columnSame:
		return packedColumn{kind: colSame, classes: classesOf(col.value()), data: col.text.first.list}
	case columnNumbers:
		best := p.packNumbers(col, z, words)
		best.classes = classesOf(col.value()) // they differ in nothing but digits
		return best
	case columnText:
	}
	text := col.text.first.list
	if col.text.first != col.text.last {
		p.joined = col.joined(p.joined)
		text = p.joined
	}
	if words != nil {
		addWords(words, text)
	}
	best, _ := p.sizeOf(0, z, packedColumn{kind: colText, data: text}, repeats(text))
	best.classes = classesOf(text)
	return best
}

// packNumbers is pack for a column of numbers, which may be smaller as text or as differences.
func (p *columnPacker) packNumbers(col *column, z *compressor, words *wordSet) packedColumn {
	p.numbers.gather(col)
	if words != nil {
		p.addWords(col, words)
	}
	deltas := col.isDecimal() && p.packDeltas(p.numbers.lists[0].list)
	numbers := p.numbers.pack(col)
	best, size := p.packText(col, len(numbers), z)
	if deltas {
		if d, n := p.sizeOf(1, z, packedColumn{kind: colDelta, data: p.deltas.b}, true); n < size {
			best, size = d, n
		}
	}
	switch {
	case len(numbers) < size:
		return packedColumn{kind: colNumbers, data: numbers}
	case best.data == nil:
		p.joined = col.joined(p.joined)
		best.data = p.joined
	}
	return best
}

// addWords adds the words of a column of numbers, which have been gathered; those of the first value are known.
func (p *columnPacker) addWords(col *column, words *wordSet) {
	if !col.digitsAreWords() {
		p.joined = col.joined(p.joined)
		addWords(words, p.joined)
		return
	}
	for j := range col.runs {
		words.addNumbers(&p.numbers.lists[j], col.runs[j].padding())
	}
}

// packText gives a column of numbers as text, whose data is nil if it was not looked at, and how many bytes that is, or rather more
// than that where numbers, which take so many bytes, are clearly fewer: compressing finds less in numbers than their packer, unless
// many digits come again.
func (p *columnPacker) packText(col *column, numbers int, z *compressor) (packedColumn, int) {
	text := packedColumn{kind: colText}
	small := col.size < bigColumn
	most := col.size * digitWorth / 256
	if small {
		most = col.size * repeatWorth / 256
	}
	switch {
	case numbers < most && (small || !p.numbers.wide):
		return text, most
	case !p.numbers.repeat(len(col.runs)):
		return text, col.size * digitWorth / 256
	case small:
		return text, most
	}
	p.joined = col.joined(p.joined)
	text.data = p.joined
	return p.sizeOf(0, z, text, true)
}

const (
	// digitWorth is how many bytes compressing makes of 256 that are numbers without repeats: 3.3 bits of a digit.
	digitWorth = 112
	// repeatWorth is that of a small column in which values come again.
	repeatWorth = 88
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
	var seen repetitions
	for t := text; len(t) > 0 && seen.n < repeatSample; {
		h, i := uint32(2166136261), 0
		for ; t[i] != varNewline; i++ {
			h = (h ^ uint32(t[i])) * 16777619
		}
		t = t[i+1:]
		seen.add(h ^ h>>15)
	}
	return seen.many()
}

// repeat is repeats for the numbers of so many runs.
func (p *numberPacker) repeat(runs int) bool {
	var seen repetitions
	for i := range min(len(p.lists[0].list), repeatSample) {
		h := uint64(hashSeed)
		for j := range runs {
			h = (h ^ p.lists[j].list[i]) * hashPrime
			h ^= h >> 32
		}
		seen.add(uint32(h))
	}
	return seen.many()
}

// repeatSample is how many values are looked at.
const repeatSample = 2048

// repetitions counts values that come again soon.
type repetitions struct {
	seen     [1 << 9]uint32
	n, again int
}

// add counts a value with that hash.
func (r *repetitions) add(h uint32) {
	r.n++
	if slot := &r.seen[h%uint32(len(r.seen))]; *slot == h {
		r.again++
	} else {
		*slot = h
	}
}

func (r *repetitions) many() bool { return r.again*3 > r.n }

// isDecimal tells whether all values of a column of numbers are decimal numbers of 64 bits with a sign, without zeros in front.
func (c *column) isDecimal() bool {
	return c.plain && !c.runs[0].zeros && c.width < maxRunDigits
}

// packDeltas makes differences of a column of decimal numbers, or tells that it is not worth it.
func (p *columnPacker) packDeltas(list []uint64) bool {
	if len(list) < 4 {
		return false
	}
	e := &p.deltas
	e.b = e.b[:0]
	last, digits := uint64(0), 0
	for _, v := range list {
		e.int(int64(v - last))
		last = v
		digits += digitsOf(v) + 1
		if len(e.b) > 64 && len(e.b)*deltaWorth > digits*2 {
			return false
		}
	}
	return len(e.b)*deltaWorth <= digits*2
}

// deltaWorth is how much shorter, in halves, differences must be than digits: those of numbers without
// order compress worse than the digits.
const deltaWorth = 5
