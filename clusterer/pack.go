package clusterer

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"lastnight"
)

// The body of a snapshot is columns, each with its length before it, so that like stands by like and
// packs well. What follows from something else is not kept: ids and sums of words are hashes of texts, shapes come of
// keys and words, and nearly every pattern is the text of a template without its wildcards.
const (
	colNumbers  = iota // seq, the Stats, how many templates, how many patterns that are kept whole
	colFlags           // a byte for each template; templates stand in the order of their texts
	colSelf            // a byte for each template: what is known of the pattern that its text is
	colIDs             // 8 bytes for each template with flagID
	colLinks           // the number of the template that one with flagLink leads to
	colUsed            // how many lines ago each was used
	colThen            // the same of its pattern with selfThen
	colKeys            // 8 bytes for each, and 8 more for one with flagShape
	colWords           // how many, then each of them
	colSizes           // bytes of each text
	colTexts           // all of them
	colChains          // exception types of those with flagChain
	colPatterns        // patterns that are no template's text
	numColumns
)

// What a byte of colFlags tells.
const (
	flagID uint8 = 1 << iota // the id is not the hash of the text
	flagChain
	flagLink
	flagPinned
	flagChanged
	flagOpen
	flagShape  // the shape is not what key and words say
	flagsKnown = 1<<iota - 1
)

// What a byte of colSelf tells.
const (
	selfNone  uint8 = iota // no pattern is this text
	selfHere               // one is, and leads to the template
	selfFinal              // one is, and leads to where the template leads
	selfThen  uint8 = 4    // added if it was not used when the template it leads to was
)

// A byte of colWords has a word's class, whether it has a gap, and its cue.
const (
	gapBit   uint8 = 1 << 3
	cueShift       = 4
)

// packer makes the body of a snapshot.
type packer struct {
	cols [numColumns][]byte
	now  uint64
}

func (k *packer) put(col int, v uint64) { k.cols[col] = binary.AppendUvarint(k.cols[col], v) }

func (k *packer) fixed(col int, v uint64) {
	k.cols[col] = binary.LittleEndian.AppendUint64(k.cols[col], v)
}

func (k *packer) pack(c *Clusterer) []byte {
	k.now = c.seq
	order := slices.SortedFunc(maps.Values(c.byID), func(a, b *template) int {
		return cmp.Or(strings.Compare(a.text, b.text), strings.Compare(a.id, b.id))
	})
	number := make(map[*template]int, len(order))
	for i, t := range order {
		number[t] = i
	}
	selves := map[*pattern]bool{}
	for _, t := range order {
		_, changed := c.changed[t]
		k.template(t, changed, number)
		if p := t.self(c.patterns[t.key]); p != nil {
			k.self(t, p)
			selves[p] = true
		} else {
			k.cols[colSelf] = append(k.cols[colSelf], selfNone)
		}
	}
	whole := 0
	for _, sum := range slices.Sorted(maps.Keys(c.patterns)) {
		for p := c.patterns[sum]; p != nil; p = p.next {
			if !selves[p] {
				k.pattern(p, number)
				whole++
			}
		}
	}
	s := &c.stats
	for _, v := range []uint64{
		c.seq, uint64(s.Lines), uint64(s.Templates), uint64(s.Patterns), uint64(s.Created), uint64(s.Merged),
		uint64(s.Evicted), uint64(s.Unclustered), uint64(len(order)), uint64(whole),
	} {
		k.put(colNumbers, v)
	}
	var body []byte
	for _, col := range k.cols {
		body = binary.AppendUvarint(body, uint64(len(col)))
		body = append(body, col...)
	}
	return body
}

func (k *packer) template(t *template, changed bool, number map[*template]int) {
	var flags uint8
	set := func(on bool, flag uint8) bool {
		if on {
			flags |= flag
		}
		return on
	}
	if set(t.id != idOf(t.text, t.exception, 0), flagID) {
		k.fixed(colIDs, numberOf(t.id))
	}
	if set(len(t.exception) > 0, flagChain) {
		k.put(colChains, uint64(len(t.exception)))
		for _, e := range t.exception {
			k.put(colChains, uint64(len(e)))
			k.cols[colChains] = append(k.cols[colChains], e...)
		}
	}
	if set(t.link != nil, flagLink) {
		k.put(colLinks, uint64(number[t.link]))
	}
	set(t.pinned, flagPinned)
	set(changed, flagChanged)
	set(t.open, flagOpen)
	k.put(colUsed, k.now-t.used)
	k.fixed(colKeys, t.key)
	if set(t.shape != t.shapeOf(), flagShape) {
		k.fixed(colKeys, t.shape)
	}
	k.cols[colFlags] = append(k.cols[colFlags], flags)
	k.put(colSizes, uint64(len(t.text)))
	k.cols[colTexts] = append(k.cols[colTexts], t.text...)
	k.put(colWords, uint64(len(t.words)))
	next, end := 0, 0
	for i := range t.words {
		w := &t.words[i]
		meta := w.class | w.cue<<cueShift
		if w.gap {
			meta |= gapBit
		}
		k.put(colWords, uint64(w.at-next))
		k.put(colWords, uint64(w.pos-end))
		k.put(colWords, uint64(len(w.text)))
		k.cols[colWords] = append(k.cols[colWords], meta)
		next, end = w.at+1, w.end()
	}
}

// shapeOf is the sum of the template's tokens with each word as wild.
func (t *template) shapeOf() uint64 {
	sum := t.key
	for i := range t.words {
		if w := &t.words[i]; w.text != "" {
			sum += shareOf(wild, w.gap, w.at) - shareOf(w.sum, w.gap, w.at)
		}
	}
	return sum
}

// end is where the text goes on behind the word.
func (w *word) end() int {
	if w.text == "" {
		return w.pos + len(lastnight.Wildcard)
	}
	return w.pos + len(w.text)
}

// self finds, of the patterns of the template's key, the one that its text is.
func (t *template) self(p *pattern) *pattern {
	if t.open {
		return nil
	}
	for ; p != nil; p = p.next {
		if (p.template == t || p.template == t.final()) && t.spells(p) {
			return p
		}
	}
	return nil
}

// spells tells whether the pattern is what unpacker.self makes of the text.
func (t *template) spells(p *pattern) bool {
	if len(p.words) != len(t.words) {
		return false
	}
	for i, at := range p.words {
		if int(at) != t.words[i].at {
			return false
		}
	}
	consts, n := 0, 0
	for rest := t.text; ; n++ {
		before, after, found := strings.Cut(rest, lastnight.Wildcard)
		if len(p.consts)-consts < len(before) || string(p.consts[consts:consts+len(before)]) != before {
			return false
		}
		consts += len(before)
		if !found {
			return consts == len(p.consts) && n == len(p.ends)
		}
		if n == len(p.ends) || int(p.ends[n]) != consts {
			return false
		}
		rest = after
	}
}

func (k *packer) self(t *template, p *pattern) {
	what := selfHere
	if p.template != t {
		what = selfFinal
	}
	if p.used != p.template.used {
		what += selfThen
		k.put(colThen, k.now-p.used)
	}
	k.cols[colSelf] = append(k.cols[colSelf], what)
}

func (k *packer) pattern(p *pattern, number map[*template]int) {
	k.fixed(colPatterns, p.sum)
	k.put(colPatterns, uint64(number[p.template]))
	k.put(colPatterns, k.now-p.used)
	k.put(colPatterns, uint64(len(p.consts)))
	k.cols[colPatterns] = append(k.cols[colPatterns], p.consts...)
	for _, list := range [][]int32{p.ends, p.words} {
		k.put(colPatterns, uint64(len(list)))
		last := int32(0)
		for _, v := range list {
			k.put(colPatterns, uint64(v-last))
			last = v
		}
	}
}
