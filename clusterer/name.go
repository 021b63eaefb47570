package clusterer

import (
	"bytes"

	"lastnight"
)

// word adds a word of letters, dashes and the like, and gives where it ends: a date goes on.
func (s *scanner) word(i, j int, flags uint16) int {
	x := s.b[i:j]
	if s.value || len(s.toks) > 0 && isLiteral(x) || s.isUser(j) || s.isNamed(j) {
		s.slot(i, j, lastnight.VarWord)
		return j
	}
	if len(x) >= 8 && flags&(isDash|isDot|isMark|isColon|isSlash) == 0 && allHex(x) { // no word has eight such letters
		s.slot(i, j, lastnight.VarHex)
		return j
	}
	if (flags&isUpper != 0) && len(x) == 3 {
		if n := calendarDate(s.b[i:s.end]); n > 0 {
			s.slot(i, i+n, lastnight.VarTime)
			return i + n
		}
	}
	s.push(i, j, tokWord, 0)
	return j
}

// isUser tells whether the word that ends at j is a user's name: "for user root", "invalid user admin", "for root from 10.0.0.1".
// "user" alone does not tell: "user unknown", "closed due to user request".
func (s *scanner) isUser(j int) bool {
	n := len(s.toks)
	if n < 2 || s.toks[n-1].what != tokWord || s.toks[n-2].what != tokWord {
		return false
	}
	t := &s.toks[n-1]
	if t.to-t.from == 3 && j+6 < s.end && string(s.b[t.from:t.to]) == "for" && string(s.b[j:j+6]) == " from " {
		return attr[s.b[j+6]]&(isDigit|isColon) != 0
	}
	if t.to-t.from != 4 || int(t.to) == 0 || string(s.b[t.from:t.to]) != "user" {
		return false
	}
	switch string(s.b[s.toks[n-2].from:s.toks[n-2].to]) {
	case "for", "as", "invalid", "Invalid", "unknown", "illegal":
		return true
	}
	return false
}

// isNamed tells whether the word that ends at j is a name: "Job orders-enrich (4f2a…9b)", with the id behind it.
func (s *scanner) isNamed(j int) bool {
	n := len(s.toks)
	if n == 0 || j+18 > s.end || s.b[j] != ' ' || s.b[j+1] != '(' || s.toks[n-1].what != tokWord {
		return false
	}
	for _, c := range s.b[j+2 : j+18] { // ids have 16 hex digits at least
		if attr[c]&(isDigit|isHexLetter|isDash) == 0 {
			return false
		}
	}
	switch string(s.b[s.toks[n-1].from:s.toks[n-1].to]) {
	case "Job", "job", "Task", "task", "Application", "application", "Pipeline", "pipeline", "Query", "query", "Topology", "topology":
		return true
	}
	return false
}

// isLiteral: words that programs print for values.
func isLiteral(x []byte) bool {
	switch string(x) {
	case "true", "false", "null", "nil", "None", "True", "False", "NULL", "undefined", "NaN":
		return true
	}
	return false
}

// named takes an atom without a digit but with punctuation: class and host names, paths, "key:value".
func (s *scanner) named(i, j int, flags uint16) int {
	x := s.b[i:j]
	if flags&isSlash != 0 && isPath(x) && !keyed(x) {
		j = s.path(j)
		s.slot(i, j, lastnight.VarPath)
		return j
	}
	if flags&(isColon|isMark) != 0 {
		if k := bytes.IndexAny(x, ":@#"); k > 0 {
			j = i + trim(x[:k])
			flags = flagsOf(s.b[i:j])
		}
	}
	return s.word(i, j, flags)
}

// keyed tells whether a colon comes before the first separator of a path: key:/a/b.
func keyed(x []byte) bool {
	return bytes.IndexByte(x, ':') > 1 && bytes.IndexByte(x, ':') < bytes.IndexAny(x, `/\\`)
}

// path gives where the path ends whose atom ends at j: partition names hold "=".
func (s *scanner) path(j int) int {
	for j+1 < s.end && (s.b[j] == '=' || s.b[j] == ',') && attr[s.b[j+1]]&isAtom != 0 {
		for j++; j < s.end && attr[s.b[j]]&isAtom != 0; j++ { //nolint:revive // moves j
		}
	}
	for j > 1 && (s.b[j-1] == '.' || s.b[j-1] == ':') {
		j--
	}
	return j
}

// scoped tells whether "::name" begins x: what stands before is a class, digits or not.
func scoped(x []byte) bool {
	return len(x) > 2 && x[0] == ':' && x[1] == ':' && attr[x[2]]&(isLower|isUpper) != 0
}
