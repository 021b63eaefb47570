package clusterer

import (
	"bytes"

	"lastnight"
)

// delimiter takes what begins with a delimiter at i and gives where it ends.
func (s *scanner) delimiter(i int) int {
	b := s.b
	switch b[i] {
	case '<':
		if i+3 <= s.end && b[i+1] == '*' && b[i+2] == '>' { // else Render could not tell it from ours
			s.slot(i, i+3, lastnight.VarWord)
			return i + 3
		}
		if s.value {
			if j := s.angled(i); j > 0 { // msgid=<4711@host>
				s.punct(i, i+1)
				s.slot(i+1, j, lastnight.VarWord)
				s.punct(j, j+1)
				return j + 1
			}
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
