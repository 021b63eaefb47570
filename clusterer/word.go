package clusterer

// How readily a word becomes variable, see enough.
const (
	wordPlain uint8 = iota // letters
	wordCaps               // capitals: states, signals, names of enums
	wordName               // inner dot, dash, underscore or capital: names of things
	wordDigit              // with a digit
	wordKey                // before "=" or "(": never variable
)

// classOf gives the class of the word that is token i.
func classOf(b []byte, toks []token, i int) uint8 {
	t := &toks[i]
	x := b[t.from:t.to]
	flags := flagsOf(x)
	switch to := int(t.to); {
	case to < len(b) && (b[to] == '=' || b[to] == '('):
		return wordKey
	case flags&isDigit != 0:
		return wordDigit
	case flags&isLower == 0 && flags&isUpper != 0 && len(x) > 1:
		return wordCaps
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

// cued tells whether a value is likely to be token i: after a colon or a bracket, or after a word that names what follows.
func cued(b []byte, toks []token, i int) bool {
	if i == 0 {
		return false
	}
	t := &toks[i-1]
	switch t.what {
	case tokPunct:
		switch b[t.to-1] {
		case ':', '(', '[', '\'', '"', '/', '@', '#', '|':
			return true
		}
	case tokWord:
		switch string(b[t.from:t.to]) {
		case "user", "for", "from", "to", "by", "in", "on", "name", "named", "called", "id", "host", "class", "property",
			"queue", "file", "node", "table", "topic", "task", "job":
			return true
		}
	}
	return false
}
