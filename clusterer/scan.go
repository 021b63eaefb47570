package clusterer

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"lastnight"
)

// What a token is.
const (
	tokPunct uint8 = iota // delimiters, and blanks other than a single one between tokens
	tokWord               // constant, as far as is known
	tokSlot               // variable by its form or its place
)

// token is a piece of a message.
type token struct {
	from, to int32
	sum      uint64 // of the bytes of what is constant
	what     uint8  // tokPunct, tokWord, tokSlot
	gap      bool   // one blank stands before it
	kind     lastnight.VarKind
}

// scanner cuts messages into tokens, in one pass. Its buffers are used again.
type scanner struct {
	maxTokens, maxBytes int

	toks    []token
	sum     uint64 // of all that is constant, and of where the slots are
	base    uint64 // of what is no token: the exception types
	slots   int
	hasWord bool

	chain   []string // the exception types, without what was generated
	b       []byte   // the message
	end     int      // how far it is looked at
	gapFrom int      // where the blanks before the next token begin
	value   bool     // the next atom is the value of a key
	torn    bool     // an array was found not to close: no other is sought, or a line could cost its length squared
}

const (
	mulA = 0x9e3779b97f4a7c15
	mulB = 0xd6e8feb86659fd93
	wild = 0xa0761d6478bd642f // stands for every slot, and for a word that became variable
)

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^mulA, b^mulB)
	return hi ^ lo
}

// hashBytes is not for enemies: who uses it compares too.
func hashBytes(b []byte) uint64 {
	h := uint64(len(b)) * mulB
	if len(b) >= 8 {
		tail := binary.LittleEndian.Uint64(b[len(b)-8:])
		for ; len(b) > 8; b = b[8:] {
			h = mix(h, binary.LittleEndian.Uint64(b))
		}
		return mix(h, tail)
	}
	if len(b) >= 4 {
		return mix(h, uint64(binary.LittleEndian.Uint32(b))|uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))<<32)
	}
	var tail uint64
	for _, c := range b {
		tail = tail<<8 | uint64(c)
	}
	return mix(h, tail)
}

// shareOf is what a token adds to the sum of its line: it depends on where it stands.
func shareOf(sum uint64, gap bool, i int) uint64 {
	if gap {
		sum = ^sum
	}
	return mix(sum, uint64(i+1)*mulA)
}

// run cuts a message. After it, toks, sum, slots and hasWord tell of it.
func (s *scanner) run(b []byte, exception []string) {
	s.toks, s.slots, s.hasWord = s.toks[:0], 0, false
	s.b, s.end, s.gapFrom, s.value, s.torn = b, min(len(b), s.maxBytes), 0, false, false
	s.base, s.chain = 0, s.chain[:0]
	for _, e := range exception {
		e = typeName(e)
		s.chain = append(s.chain, e)
		s.base = mix(s.base, hashString(e))
	}
	s.sum = s.base
	i := 0
	for i < s.end && len(s.toks) < s.maxTokens-3 {
		a := attr[b[i]]
		switch {
		case a&isBlank != 0:
			i++
		case a&isAtom != 0:
			i = s.atom(i)
			s.gapFrom = i
		default:
			i = s.delimiter(i)
			s.gapFrom = i
		}
	}
	if i < len(b) && (i >= s.end || len(s.toks) >= s.maxTokens-3) {
		s.slot(i, len(b), lastnight.VarWord) // too long: the rest is one variable
	} else if s.gapFrom < len(b) {
		s.push(len(b), len(b), tokPunct, 0)
	}
	s.b = nil
}

// typeName gives an exception type without what a runtime generated, which differs from start
// to start: of com.acme.Failure$$Lambda$17/0x0008 and com.acme.Failure$Proxy12 the part before it.
func typeName(e string) string {
	if i := strings.IndexByte(e, '$'); i > 0 {
		if rest := e[i:]; strings.HasPrefix(rest, "$$") || strings.HasPrefix(rest, "$Proxy") || strings.HasPrefix(rest, "$Lambda") {
			return e[:i]
		}
	}
	return e
}

// push adds a token, and before it one for the blanks unless they are a single one.
// Further blanks before a slot are padding: they belong to its value.
func (s *scanner) push(from, to int, what uint8, kind lastnight.VarKind) {
	gap := false
	switch n := from - s.gapFrom; {
	case n <= 0:
	case s.b[s.gapFrom] != ' ', n > 1 && what != tokSlot:
		s.add(s.gapFrom, from, tokPunct, 0, false)
	default:
		gap = true
		from = s.gapFrom + 1
	}
	s.gapFrom = to
	s.add(from, to, what, kind, gap)
}

func (s *scanner) add(from, to int, what uint8, kind lastnight.VarKind, gap bool) {
	n := len(s.toks)
	if n == cap(s.toks) {
		s.toks = append(s.toks, token{})
	} else {
		s.toks = s.toks[:n+1]
	}
	t := &s.toks[n]
	t.from, t.to, t.what, t.gap, t.kind = int32(from), int32(to), what, gap, kind
	sum := uint64(wild)
	if what == tokSlot {
		s.slots++
	} else {
		sum = hashBytes(s.b[from:to])
		s.hasWord = s.hasWord || what == tokWord
	}
	t.sum = sum
	s.sum += shareOf(sum, gap, n)
}

// slot adds a variable. One that follows another of its like after a blank, or an address after a comma, is part of a list.
func (s *scanner) slot(from, to int, kind lastnight.VarKind) {
	s.value = false
	if n := len(s.toks); n > 1 && kind == lastnight.VarIP && from == s.gapFrom && s.b[max(from, 1)-1] == ',' && s.toks[n-1].what == tokPunct &&
		s.toks[n-1].to-s.toks[n-1].from == 1 && !s.toks[n-1].gap && s.toks[n-2].what == tokSlot && s.toks[n-2].to == s.toks[n-1].from && s.alike(&s.toks[n-2], from, kind) {
		s.drop()
		s.toks[n-2].to, s.toks[n-2].kind = int32(to), lastnight.VarList
		s.gapFrom = to
		return
	}
	if n := len(s.toks); n > 0 && from == s.gapFrom+1 && s.toks[n-1].what == tokSlot && s.b[s.gapFrom] == ' ' && s.alike(&s.toks[n-1], from, kind) {
		s.toks[n-1].to = int32(to)
		s.toks[n-1].kind = lastnight.VarList
		s.gapFrom = to
		return
	}
	s.push(from, to, tokSlot, kind)
}

// alike tells whether what begins at from is of the same sort as the slot before it:
// addresses, or ids that begin with the same letter.
func (s *scanner) alike(t *token, from int, kind lastnight.VarKind) bool {
	if t.kind != kind && t.kind != lastnight.VarList {
		return false
	}
	if kind == lastnight.VarIP || kind == lastnight.VarHostPort || kind == lastnight.VarUUID {
		return true
	}
	at := t.from
	for at < t.to && s.b[at] == ' ' { // padding
		at++
	}
	if kind != lastnight.VarWord || at >= t.to || from >= s.end || attr[s.b[from]]&(isLower|isUpper) == 0 {
		return false
	}
	return s.b[from] == s.b[at] || s.numberedName(int(at)) && s.numberedName(from)
}

// numberedName tells names such as dn731: letters, then digits, and a blank or the end.
func (s *scanner) numberedName(i int) bool {
	b := s.b[:s.end]
	from := i
	for i < len(b) && attr[b[i]]&isLower != 0 {
		i++
	}
	letters := i - from
	for i < len(b) && attr[b[i]]&isDigit != 0 {
		i++
	}
	return letters > 0 && i-from-letters >= 2 && (i == len(b) || attr[b[i]]&isBlank != 0)
}

// drop takes the last token back.
func (s *scanner) drop() {
	n := len(s.toks) - 1
	t := &s.toks[n]
	s.sum -= shareOf(t.sum, t.gap, n)
	s.toks = s.toks[:n]
}

func (s *scanner) punct(from, to int) {
	s.push(from, to, tokPunct, 0)
}

// hashString is hashBytes of a string.
func hashString(s string) uint64 {
	h := uint64(len(s)) * mulB
	for i := range len(s) {
		h = mix(h, uint64(s[i]))
	}
	return h
}
