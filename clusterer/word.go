package clusterer

import "bytes"

// How readily a word becomes variable, see enough.
const (
	wordPlain  uint8 = iota // letters
	wordCaps                // capitals: states, signals, names of enums
	wordName                // inner dash, underscore or capital: names of things
	wordDotted              // two dots or more: names of classes, hosts, properties
	wordDigit               // with a digit
	wordKey                 // names what follows, or an exception: never variable
)

// classOf gives the class of the word that is token i.
func classOf(b []byte, toks []token, i int) uint8 {
	t := &toks[i]
	x := b[t.from:t.to]
	flags := flagsOf(x)
	switch to := int(t.to); {
	case to < len(b) && (b[to] == '=' || b[to] == '(' || b[to] == ':'):
		return wordKey
	case to+1 < len(b) && b[to] == '"' && b[to+1] == ':':
		return wordKey
	case flags&isUpper != 0 && (bytes.HasSuffix(x, []byte("Exception")) || bytes.HasSuffix(x, []byte("Error"))):
		return wordKey
	case flags&isDigit != 0:
		return wordDigit
	case flags&isLower == 0 && flags&isUpper != 0 && len(x) > 1:
		return wordCaps
	case bytes.Count(x, []byte(".")) >= 2:
		return wordDotted
	case flags&(isDot|isDash|isSlash|isMark) != 0 || hasInnerUpper(x):
		return wordName
	}
	return wordPlain
}

func hasInnerUpper(x []byte) bool {
	lower := false
	for _, c := range x {
		if attr[c]&isLower != 0 {
			lower = true
		} else if lower && attr[c]&isUpper != 0 {
			return true
		}
	}
	return false
}

// What stands before a word.
const (
	cueNone uint8 = iota
	cueMark       // a colon, a bracket: a value, but maybe a state or a reason
	cueWeak       // a preposition: a value is likely
	cueSure       // "user", "host" …: names what follows
)

// cueOf tells how likely a value is to be token i.
func cueOf(b []byte, toks []token, i int) uint8 {
	if i == 0 {
		return cueNone
	}
	t := &toks[i-1]
	switch t.what {
	case tokPunct:
		switch b[t.to-1] {
		case ':', '(', '[', '{', '\'', '"', '/', '@', '#', '|':
			return cueMark
		}
	case tokWord:
		switch string(b[t.from:t.to]) {
		case "user", "User", "host", "hostname", "named", "called":
			return cueSure
		case "for", "from", "by", "in", "on", "name", "id", "class", "property", "queue", "file", "node", "table", "topic", "task", "job":
			return cueWeak
		}
	}
	return cueNone
}

// enough is how many words a position must have shown, all else the same, to be
// variable. i counts words: the first of a line mostly says who speaks or what
// happened. slot tells that a value that is variable by its form was seen there.
func enough(w *word, i int, slot bool) int {
	by := [...][4]int{ // cueNone, cueMark, cueWeak, cueSure
		wordPlain:  {10, 8, 4, 2},
		wordCaps:   {30, 20, 20, 4},
		wordName:   {5, 3, 3, 2},
		wordDotted: {3, 2, 2, 2},
		wordDigit:  {2, 2, 2, 2},
	}
	n := by[w.class][w.cue]
	if i == 0 && w.class != wordDigit {
		n *= 2
	}
	switch {
	case !slot:
		return n
	case w.cue != cueNone && w.class != wordCaps:
		return 1
	}
	return (n + 1) / 2
}
