package clusterer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"lastnight"
)

// errShort is what a column gives that ends too early, or says more than fits.
var errShort = errors.New("a column is cut off")

// column is what is left to read of one. After the first error it gives zeros.
type column struct {
	b   []byte
	err error
}

func (r *column) fail() {
	r.b, r.err = nil, errShort
}

func (r *column) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// upTo reads a number that must not be above limit.
func (r *column) upTo(limit int) int {
	v := r.number()
	if v > uint64(max(limit, 0)) {
		r.fail()
		return 0
	}
	return int(v)
}

func (r *column) bytes(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *column) byte() uint8 {
	if b := r.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *column) fixed() uint64 {
	if b := r.bytes(8); len(b) == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// unpacker reads the body of a snapshot. Many small things are cut from few large ones: a
// workload's shard comes and goes, and making one must be cheap.
type unpacker struct {
	cols      [numColumns]column
	now       uint64
	templates []template
	patterns  []pattern
	words     []word
	texts     string            // of the templates to come
	raw       []byte            // the same
	chains    map[string]string // exception types, each kept once
	consts    []byte
	ints      []int32
}

// unpack fills an empty Clusterer with what packer made of another.
func (c *Clusterer) unpack(body []byte) error {
	k := unpacker{chains: map[string]string{}}
	rest := column{b: body}
	for i := range k.cols {
		k.cols[i].b = rest.bytes(rest.upTo(len(rest.b)))
	}
	if rest.err != nil || len(rest.b) > 0 {
		return errShort
	}
	if err := k.all(c); err != nil {
		return err
	}
	for i := range k.cols {
		if col := &k.cols[i]; col.err != nil || len(col.b) > 0 {
			return fmt.Errorf("column %d: %w, or too long", i, errShort)
		}
	}
	return nil
}

func (k *unpacker) all(c *Clusterer) error {
	n := &k.cols[colNumbers]
	k.now = n.number()
	c.seq = k.now
	c.stats = Stats{
		Lines: int64(n.number()), Templates: int(n.number()), Patterns: int(n.number()), Created: int64(n.number()), Merged: int64(n.number()),
		Evicted: int64(n.number()), Unclustered: int64(n.number()),
	}
	templates, patterns := n.upTo(len(k.cols[colFlags].b)), n.upTo(len(k.cols[colPatterns].b))
	flags, selves := k.cols[colFlags].b, k.cols[colSelf].b
	if len(flags) != templates || len(selves) != templates {
		return errShort
	}
	k.raw, k.cols[colTexts].b = k.cols[colTexts].b, nil
	k.texts = string(k.raw)
	k.templates = make([]template, templates)
	k.words = make([]word, 0, len(k.cols[colWords].b)/wordBytes)
	k.patterns = make([]pattern, 0, templates+min(patterns, len(k.cols[colPatterns].b)/patternBytes))
	k.consts = make([]byte, 0, len(k.raw))
	k.ints = make([]int32, 0, cap(k.words)+strings.Count(k.texts, lastnight.Wildcard))
	clear(c.changed) // reset takes Unclustered for new
	for i := range k.templates {
		if err := k.template(c, &k.templates[i]); err != nil {
			return fmt.Errorf("template %d: %w", i, err)
		}
	}
	if k.texts != "" {
		return errShort
	}
	for i := range k.templates {
		if flags[i]&flagLink != 0 {
			if err := k.link(c, &k.templates[i]); err != nil {
				return fmt.Errorf("template %d: %w", i, err)
			}
		}
	}
	for i := range k.templates {
		if err := k.self(c, &k.templates[i]); err != nil {
			return fmt.Errorf("template %d: %w", i, err)
		}
	}
	for i := range patterns {
		if err := k.pattern(c); err != nil {
			return fmt.Errorf("pattern %d: %w", i, err)
		}
	}
	return nil
}

func (k *unpacker) template(c *Clusterer, t *template) error {
	flags := k.cols[colFlags].byte()
	size := k.cols[colSizes].upTo(len(k.texts))
	if k.cols[colSizes].err != nil || flags > flagsKnown {
		return errShort
	}
	t.text, k.texts = k.texts[:size], k.texts[size:]
	raw := k.raw[:size]
	k.raw = k.raw[size:]
	t.used = k.now - k.cols[colUsed].number()
	t.key = k.cols[colKeys].fixed()
	t.pinned, t.open = flags&flagPinned != 0, flags&flagOpen != 0
	if flags&flagChain != 0 {
		t.exception = k.chain()
	}
	if flags&flagID != 0 {
		t.id = idString(k.cols[colIDs].fixed())
	} else {
		t.id = idOf(t.text, t.exception, 0)
	}
	if err := k.wordsOf(t, raw); err != nil {
		return err
	}
	if t.shape = t.shapeOf(); flags&flagShape != 0 {
		t.shape = k.cols[colKeys].fixed()
	}
	if t.id == Unclustered {
		t.pinned = true
		c.rest = t
	} else if c.byID[t.id] != nil {
		return fmt.Errorf("id %s is there twice", t.id)
	}
	c.byID[t.id] = t
	if flags&flagChanged != 0 {
		c.changed[t] = struct{}{}
	}
	return nil
}

// chain reads exception types.
func (k *unpacker) chain() []string {
	col := &k.cols[colChains]
	types := make([]string, col.upTo(len(col.b)))
	for i := range types {
		b := col.bytes(col.upTo(len(col.b)))
		e, ok := k.chains[string(b)]
		if !ok {
			e = string(b)
			k.chains[e] = e
		}
		types[i] = e
	}
	return types
}

func (k *unpacker) wordsOf(t *template, raw []byte) error {
	col := &k.cols[colWords]
	from := len(k.words)
	next, end := 0, 0
	for range col.upTo(len(col.b) / wordBytes) {
		w := word{at: next + col.upTo(maxAt-next), pos: end + col.upTo(len(raw)-end)}
		size := col.upTo(len(raw) - w.pos)
		meta := col.byte()
		w.class, w.gap, w.cue = meta&(gapBit-1), meta&gapBit != 0, meta>>cueShift
		if col.err != nil || w.pos > len(raw) || w.at > maxAt || w.class > wordKey || w.cue > cueSure {
			return errors.New("a word is out of place")
		}
		if size > 0 {
			w.text = t.text[w.pos : w.pos+size]
			w.sum = hashBytes(raw[w.pos : w.pos+size])
		}
		next, end = w.at+1, w.end()
		k.words = append(k.words, w)
	}
	if to := len(k.words); to > from {
		t.words = k.words[from:to:to]
	}
	return nil
}

const (
	maxAt        = 1024 // bounds a word's place, in tokens: Config.MaxTokens cannot be more
	wordBytes    = 4    // what a word takes in colWords at least
	patternBytes = 13   // what a pattern takes in colPatterns at least
)

func (k *unpacker) link(c *Clusterer, t *template) error {
	n := k.cols[colLinks].number()
	if n >= uint64(len(k.templates)) || t == c.rest {
		return errors.New("it is linked to nothing")
	}
	to := &k.templates[n]
	for x := to; x != nil; x = x.link {
		if x == t {
			return errors.New("it is linked to itself")
		}
	}
	t.link = to
	return nil
}

// self makes the pattern that a template's text is, if there is one.
func (k *unpacker) self(c *Clusterer, t *template) error {
	what := k.cols[colSelf].byte()
	if what == selfNone {
		return nil
	}
	p := pattern{sum: t.key, template: t}
	if what&^selfThen == selfFinal {
		p.template = t.final()
	} else if what&^selfThen != selfHere {
		return errors.New("its pattern is of no known sort")
	}
	if p.used = p.template.used; what&selfThen != 0 {
		p.used = k.now - k.cols[colThen].number()
	}
	from := len(k.consts)
	ends := len(k.ints)
	for rest, found := t.text, true; found; {
		var before string
		before, rest, found = strings.Cut(rest, lastnight.Wildcard)
		k.consts = append(k.consts, before...)
		if found {
			k.ints = append(k.ints, int32(len(k.consts)-from))
		}
	}
	words := len(k.ints)
	for i := range t.words {
		k.ints = append(k.ints, int32(t.words[i].at))
	}
	p.consts = k.consts[from:len(k.consts):len(k.consts)]
	p.ends, p.words = k.ints[ends:words:words], k.ints[words:len(k.ints):len(k.ints)]
	return k.know(c, p)
}

// pattern reads one that is no template's text.
func (k *unpacker) pattern(c *Clusterer) error {
	col := &k.cols[colPatterns]
	p := pattern{sum: col.fixed()}
	n := col.number()
	p.used = k.now - col.number()
	from := len(k.consts)
	k.consts = append(k.consts, col.bytes(col.upTo(len(col.b)))...)
	p.consts = k.consts[from:len(k.consts):len(k.consts)]
	p.ends = k.rising(col, len(p.consts))
	p.words = k.rising(col, maxAt)
	if col.err != nil {
		return col.err
	}
	if n >= uint64(len(k.templates)) {
		return errors.New("it has no template")
	}
	p.template = &k.templates[n]
	return k.know(c, p)
}

// rising reads numbers of which none is less than the one before, or above limit.
func (k *unpacker) rising(col *column, limit int) []int32 {
	from := len(k.ints)
	last := 0
	for range col.upTo(len(col.b)) {
		last += col.upTo(limit - last)
		k.ints = append(k.ints, int32(last))
	}
	return k.ints[from:len(k.ints):len(k.ints)]
}

func (k *unpacker) know(c *Clusterer, p pattern) error {
	if p.template == c.rest {
		return errors.New("a pattern has no constant")
	}
	p.next = c.patterns[p.sum]
	k.patterns = append(k.patterns, p) // one that had to grow leaves the older ones where they are
	c.patterns[p.sum] = &k.patterns[len(k.patterns)-1]
	c.known++
	return nil
}
