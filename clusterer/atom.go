package clusterer

import (
	"bytes"

	"lastnight"
)

// What a byte can be part of.
const (
	isBlank uint16 = 1 << iota
	isAtom         // of a word, number, path …; all else is a delimiter
	isDigit
	isHexLetter // a-f, A-F
	isLower
	isUpper
	isAlnum // letter, digit, or any byte of a character beyond ASCII
	isDot
	isColon
	isSlash
	isDash  // - and _
	isMark  // @ # and other punctuation inside of atoms
	isOther // letters and bytes that are no hex digits
)

// What atoms are made of that need no closer look.
const (
	onlyDigits  = isAtom | isAlnum | isDigit
	onlyLetters = isAtom | isAlnum | isLower | isUpper | isHexLetter | isOther
)

// attr tells what each byte can be part of.
var attr = makeAttr()

func makeAttr() (t [256]uint16) {
	for c := range t {
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f':
			t[c] = isBlank
		case c >= '0' && c <= '9':
			t[c] = isAtom | isDigit | isAlnum
		case c >= 'a' && c <= 'z':
			t[c] = isAtom | isLower | isAlnum
		case c >= 'A' && c <= 'Z':
			t[c] = isAtom | isUpper | isAlnum
		case c >= 0x80:
			t[c] = isAtom | isAlnum
		}
		switch {
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			t[c] |= isHexLetter
		case t[c]&isAlnum != 0 && t[c]&isDigit == 0:
			t[c] |= isOther
		}
	}
	t['.'] = isAtom | isDot
	t[':'] = isAtom | isColon
	t['/'] = isAtom | isSlash
	t['\\'] = isAtom | isSlash
	t['-'] = isAtom | isDash
	t['_'] = isAtom | isDash
	for _, c := range "@#$%&*+!?~^" {
		t[c] = isAtom | isMark
	}
	return t
}

// maxAtom is how long an atom may be to be looked at in pieces, in bytes.
const maxAtom = 512

// atom takes what begins at i with an atom's byte: at most the run of such bytes.
// It gives where what it took ends.
func (s *scanner) atom(i int) int {
	b := s.b
	var flags uint16
	j := i
	for j < s.end {
		a := attr[b[j]]
		if a&isAtom == 0 {
			break
		}
		flags |= a
		j++
	}
	if j-i > maxAtom { // no word is so long; and to try it piece by piece would cost its length squared
		kind, n := kindOf(b[i:j])
		if n != j-i {
			kind = lastnight.VarWord
		}
		s.slot(i, j, kind)
		return j
	}
	switch {
	case flags == onlyDigits && !s.value:
		end, kind := s.extend(i, j, lastnight.VarNumber)
		s.slot(i, end, kind)
		return end
	case flags&^onlyLetters == 0 && !s.value:
		return s.word(i, j, flags)
	}
	if flags&isAlnum == 0 { // punctuation only
		if j-i >= 3 && allStars(b[i:j]) && (s.value || s.afterNumber(i)) {
			s.slot(i, j, lastnight.VarWord) // a value that somebody hid, or that was not there
			return j
		}
		s.value = false
		s.punct(i, j)
		return j
	}
	if attr[b[i]]&isAlnum == 0 && !s.value {
		if b[i] == ':' && flags&isDigit != 0 {
			if kind, n := addressKind(b[i:i+trim(b[i:j])], flags); kind == lastnight.VarIP && n > 0 {
				s.slot(i, i+n, kind)
				return i + n
			}
		}
		if k := lead(b[i:j], i > 0 && attr[b[i-1]]&isAlnum != 0); k > 0 {
			s.punct(i, i+k)
			return i + k
		}
	}
	j = i + trim(b[i:j])
	if s.value && flags&isColon == 0 {
		return s.valueAtom(i, j)
	}
	if flags&(isDigit|isColon|isSlash|isMark|isDot) == 0 {
		return s.word(i, j, flags)
	}
	if flags&(isColon|isSlash) == isColon|isSlash && bytes.Contains(b[i:j], []byte("://")) {
		j = s.url(j)
		s.slot(i, j, lastnight.VarURL)
		return j
	}
	if flags&isDot != 0 {
		if k := bytes.Index(b[i:j], []byte("..")); k > 0 { // a leader: name.......value
			j = i + k
			flags = flagsOf(b[i:j])
		}
	}
	if s.value {
		return s.valueAtom(i, j)
	}
	if flags&isDigit != 0 {
		return s.typed(i, j, flags)
	}
	return s.named(i, j, flags)
}

func allHex(x []byte) bool {
	for _, c := range x {
		if attr[c]&(isHexLetter|isDigit) == 0 {
			return false
		}
	}
	return true
}

func allStars(x []byte) bool {
	for _, c := range x {
		if c != '*' {
			return false
		}
	}
	return true
}

// afterNumber tells whether a number and a blank stand before i.
func (s *scanner) afterNumber(i int) bool {
	n := len(s.toks)
	return n > 0 && s.gapFrom+1 == i && s.toks[n-1].what == tokSlot && s.toks[n-1].kind == lastnight.VarNumber
}

func flagsOf(x []byte) (f uint16) {
	for _, c := range x {
		f |= attr[c]
	}
	return f
}

// lead counts the punctuation before an atom that is not part of it. glued tells
// that something else ends where the atom begins: then there is no sign.
func lead(x []byte, glued bool) int {
	k := 0
	for k < len(x) && attr[x[k]]&isAlnum == 0 {
		k++
	}
	switch {
	case k == 0:
		return 0
	case attr[x[k-1]]&isSlash != 0, x[k-1] == '.' && k > 1 && attr[x[k-2]]&isSlash != 0:
		for k > 0 && (attr[x[k-1]]&(isSlash|isDot) != 0 || x[k-1] == '~') {
			k-- // a path begins here
		}
	case k == 1 && glued || attr[x[k]]&isDigit == 0:
	case x[k-1] == '-', x[k-1] == '+', x[k-1] == '.' && k == 1:
		k-- // a sign
	}
	return k
}

// trim gives the length of an atom without the punctuation that ends the sentence.
func trim(x []byte) int {
	n := len(x)
	for n > 1 {
		switch x[n-1] {
		case '.', ':', '!', '?', '*', '#', '@', '-', '&', '~', '^', '%', '$', '+':
			n--
			continue
		}
		break
	}
	return n
}

// url gives where the URL ends whose atom ends at j.
func (s *scanner) url(j int) int {
	for j < s.end {
		c := s.b[j]
		if attr[c]&isAtom == 0 && c != '=' && c != ',' && c != ';' && c != '|' {
			break
		}
		j++
	}
	for j > 0 && (s.b[j-1] == ',' || s.b[j-1] == ';' || s.b[j-1] == '.' || s.b[j-1] == ':') {
		j--
	}
	return j
}

// valueAtom takes the value of a key: variable, whatever it is.
func (s *scanner) valueAtom(i, j int) int {
	kind, n := kindOf(s.b[i:j])
	switch {
	case n > 0:
		n, kind = s.extend(i, i+n, kind)
		n -= i
	case j < s.end && s.b[j] == '=': // the next key is glued to a number: adj=0.0userId=0
		if n = number(s.b[i:j]); n > 0 {
			kind = lastnight.VarNumber
		}
	case j < s.end && (s.b[j] == '{' || s.b[j] == '('): // Name{7}, Name(7)
		k := j + 1
		for k < s.end && attr[s.b[k]]&isAtom != 0 {
			k++
		}
		if k < s.end && (s.b[k] == '}' || s.b[k] == ')') {
			n = k + 1 - i
		}
	}
	if n <= 0 {
		n, kind = j-i, lastnight.VarWord
	}
	s.slot(i, i+n, kind)
	return i + n
}

// typed takes an atom with a digit.
func (s *scanner) typed(i, j int, flags uint16) int {
	x := s.b[i:j]
	if j < s.end && s.b[j] == '=' && attr[x[0]]&isDigit == 0 && flags&(isSlash|isColon|isMark) == 0 && countDigits(x) <= 3 {
		s.push(i, j, tokWord, 0)
		return j
	}
	if len(s.toks) == 0 && j+1 < s.end && s.b[j] == ':' && s.b[j+1] == ' ' && attr[x[0]]&isDigit == 0 && isHost(x) && countDigits(x) <= 3 {
		return s.word(i, j, flagsOf(x)) // who speaks: "imps2: …"
	}
	if kind, n := kindOf(x); n > 0 {
		end, kind := s.extend(i, i+n, kind)
		s.slot(i, end, kind)
		return end
	}
	if flags&(isColon|isMark) != 0 {
		if to, done := s.cutTyped(i, j); done {
			return to
		} else if to < j { // name:value, Class@hash, reader#1: the name first
			j = to
			x = s.b[i:j]
		}
	}
	k, variable := splitName(x, flagsOf(x))
	switch {
	case variable && scoped(s.b[j:s.end]) && countDigits(x) <= 3:
		return s.word(i, j, flagsOf(x))
	case variable:
		s.slot(i, j, lastnight.VarWord)
	case k < len(x): // a name, and a number that belongs to it: core.4711
		j = i + k
		return s.word(i, j, flagsOf(s.b[i:j]))
	default:
		return s.word(i, j, flagsOf(x))
	}
	return j
}

// cutTyped looks at an atom with a digit and punctuation inside. done tells that what is
// up to the result has been taken; else that is a name, not taken yet.
func (s *scanner) cutTyped(i, j int) (to int, done bool) {
	x := s.b[i:j]
	k := bytes.IndexAny(x, ":@#")
	if k <= 0 {
		return j, false
	}
	if x[k] == ':' && allNumbered(x) {
		s.slot(i, j, lastnight.VarWord)
		return j, true
	}
	to = i + trim(x[:k])
	x = s.b[i:to]
	if flags := flagsOf(x); flags&isDigit == 0 {
		return s.named(i, to, flags), true
	}
	if kind, n := kindOf(x); n > 0 {
		s.slot(i, i+n, kind)
		return i + n, true
	}
	return to, false
}

func countDigits(x []byte) (n int) {
	for _, c := range x {
		if attr[c]&isDigit != 0 {
			n++
		}
	}
	return n
}

// allNumbered tells whether each part between colons has a digit: then they are one id.
func allNumbered(x []byte) bool {
	for len(x) > 0 {
		part, rest, _ := bytes.Cut(x, []byte(":"))
		if flagsOf(part)&isDigit == 0 {
			return false
		}
		x = rest
	}
	return true
}
