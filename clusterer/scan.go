package clusterer

import (
	"bytes"
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

// delimiter takes what begins with a delimiter at i and gives where it ends.
func (s *scanner) delimiter(i int) int {
	b := s.b
	switch b[i] {
	case '<':
		if i+3 <= s.end && b[i+1] == '*' && b[i+2] == '>' { // else Render could not tell it from ours
			s.slot(i, i+3, lastnight.VarWord)
			return i + 3
		}
		if j := s.angled(i); s.value && j > 0 { // msgid=<4711@host>
			s.punct(i, i+1)
			s.slot(i+1, j, lastnight.VarWord)
			s.punct(j, j+1)
			return j + 1
		}
		if n := s.lessThan(i); n > 0 { // "<1 sec"
			s.slot(i, i+n, lastnight.VarDuration)
			return i + n
		}
	case '"', '\'':
		if j := s.quoted(i); j > 0 {
			s.punct(i, i+1)
			from := i + 1
			if n := method(b[from:j]); n > 0 { // "GET /path HTTP/1.1": what is asked for is constant
				s.gapFrom = from
				s.push(from, from+n, tokWord, 0)
				from += n + 1
			}
			s.slot(from, j, lastnight.VarQuoted)
			s.punct(j, j+1)
			return j + 1
		}
	case '=':
		s.punct(i, i+1)
		// "==" compares, "=>" leads on.
		s.value = i > 0 && b[i-1] != '=' && (i+1 >= s.end || b[i+1] != '=' && b[i+1] != '>')
		if s.value && attr[b[i-1]]&isAlnum != 0 && s.emptyAt(i+1) {
			s.gapFrom = i + 1
			s.slot(i+1, i+1, lastnight.VarWord)
		}
		return i + 1
	case '(', '[':
		if i+1 < s.end && b[i+1] == closing(b[i]) && (i != s.gapFrom || s.value) { // an empty value
			s.punct(i, i+1)
			s.slot(i+1, i+1, lastnight.VarWord)
			s.punct(i+1, i+2)
			return i + 2
		}
		if b[i] == '[' {
			if j := s.list(i); j > 0 {
				s.punct(i, i+1)
				s.slot(i+1, j, lastnight.VarList)
				s.punct(j, j+1)
				return j + 1
			}
		}
	}
	s.value = false
	s.punct(i, i+1)
	return i + 1
}

// emptyAt tells whether the value that should begin at i is empty: the line ends there, or another key follows.
func (s *scanner) emptyAt(i int) bool {
	b := s.b[:s.end]
	if i >= len(b) {
		return len(b) == len(s.b)
	}
	switch b[i] {
	case ',', ';', ')', ']', '}':
		return true
	case ' ':
	default:
		return false
	}
	for i++; i < len(b) && attr[b[i]]&(isAlnum|isDash|isDot) != 0; i++ { //nolint:revive // moves i
	}
	return i == len(b) && b[i-1] == ' ' || i < len(b) && b[i] == '=' && b[i-1] != ' ' && (i+1 == len(b) || b[i+1] != '=')
}

// angled gives where the address closes that opens at i with "<", 0 if there is none.
func (s *scanner) angled(i int) int {
	at := false
	for j := i + 1; j < min(s.end, i+maxQuoted); j++ {
		switch c := s.b[j]; {
		case c == '>' && at && j > i+1:
			return j
		case c == '@':
			at = true
		case attr[c]&isAtom == 0 && c != '=':
			return 0
		}
	}
	return 0
}

// lessThan gives the length of a bound on a time, "<1 sec" or "<5ms", that begins at i; 0 if there is none.
func (s *scanner) lessThan(i int) int {
	b := s.b[i+1 : s.end]
	n := number(b)
	if n == 0 {
		return 0
	}
	if n < len(b) && b[n] == ' ' {
		n++
	}
	k := n
	for k < len(b) && attr[b[k]]&isAlnum != 0 {
		k++
	}
	if !isTimeUnit(b[n:k]) {
		return 0
	}
	return 1 + k
}

// method gives the length of the method that an HTTP request line begins with, 0 if x is none.
func method(x []byte) int {
	n := bytes.IndexByte(x[:min(len(x), 8)], ' ')
	if n < 3 || n+1 >= len(x) {
		return 0
	}
	switch string(x[:n]) {
	case "GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE":
		return n
	}
	return 0
}

func closing(c byte) byte {
	if c == '(' {
		return ')'
	}
	return ']'
}

// maxQuoted is how long a quoted value or a list may be to be one variable, in bytes.
const maxQuoted = 256

// quoted gives where the quote that opens at i closes, or 0 if it opens nothing:
// an apostrophe, a JSON key, or a very long one.
func (s *scanner) quoted(i int) int {
	b, q := s.b, s.b[i]
	if i > 0 && attr[b[i-1]]&isAlnum != 0 {
		return 0
	}
	for j := i + 1; j < min(s.end, i+maxQuoted); j++ {
		if b[j] != q || j+1 < s.end && attr[b[j+1]]&isAlnum != 0 {
			continue
		}
		if j+1 < s.end && b[j+1] == ':' && s.listed() { // the key of an object
			return 0
		}
		return j
	}
	return 0
}

// listed tells whether the next token begins an object, a list, a piece of one, or the line.
func (s *scanner) listed() bool {
	n := len(s.toks)
	if n == 0 {
		return true
	}
	t := &s.toks[n-1]
	if t.what != tokPunct || t.to == t.from {
		return false
	}
	switch s.b[t.to-1] {
	case '{', '[', '(', ',':
		return true
	}
	return false
}

// list gives where the list that opens at i closes, or 0 if it is none or means more than its
// values: the value of a key, of a key in JSON, or names and values with ", " between them.
func (s *scanner) list(i int) int {
	if i >= 2 && s.b[i-1] == ':' && s.b[i-2] == '"' && !s.torn {
		return s.array(i)
	}
	j := s.bracketed(i)
	if j == 0 || s.value {
		return j
	}
	items, plain := 1, false
	for k := i + 1; k < j; k++ {
		switch a := attr[s.b[k]]; {
		case s.b[k] == ',' && s.b[k+1] == ' ':
			items++
		case a&isLower != 0:
			plain = true
		case a&isColon != 0, s.b[k] == ' ' && s.b[k-1] != ',':
			return 0
		}
	}
	if items < 2 || !plain { // [TERM, HUP, INT] is no more than it says
		return 0
	}
	return j
}

// array gives where the JSON array that opens at i closes, or 0 if that is beyond what is looked at.
func (s *scanner) array(i int) int {
	depth, quoted := 0, false
	for j := i; j < s.end; j++ {
		switch c := s.b[j]; {
		case c == '\\':
			j++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[':
			depth++
		case c == ']':
			if depth--; depth == 0 {
				return j
			}
		}
	}
	s.torn = true
	return 0
}

// bracketed gives where the flat list that opens at i closes, or 0.
func (s *scanner) bracketed(i int) int {
	for j := i + 1; j < min(s.end, i+maxQuoted); j++ {
		switch s.b[j] {
		case ']':
			return j
		case '[', '{', '(', '=':
			return 0
		}
	}
	return 0
}

// hashString is hashBytes of a string.
func hashString(s string) uint64 {
	h := uint64(len(s)) * mulB
	for i := range len(s) {
		h = mix(h, uint64(s[i]))
	}
	return h
}
