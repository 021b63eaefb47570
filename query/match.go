package query

import (
	"slices"
	"strconv"
	"strings"

	"lastnight"
)

// Match tells whether a document matches a query; nil matches everything. It looks
// only at the document, and is the truth that every backend is held to.
func Match(n Node, d *lastnight.Document) bool {
	switch n := n.(type) {
	case nil, All:
		return true
	case And:
		for _, m := range n {
			if !Match(m, d) {
				return false
			}
		}
		return true
	case Or:
		for _, m := range n {
			if Match(m, d) {
				return true
			}
		}
		return false
	case Not:
		return !Match(n.Node, d)
	case Text:
		return n.match(d)
	case Keyword:
		return n.match(d)
	case Compare:
		return n.match(d)
	case *Regex:
		return n.match(d)
	}
	return false
}

func (n Text) match(d *lastnight.Document) bool {
	if n.Message {
		return n.in(message(d))
	}
	return n.in(d.Text) || d.Event != nil && (n.in(d.Event.Reason) || n.in(d.Event.Object.Name))
}

// message gives the text without the header of its first line.
func message(d *lastnight.Document) string {
	if d.MessageAt > 0 && d.MessageAt <= len(d.Text) {
		return d.Text[d.MessageAt:]
	}
	return d.Text
}

// in tells whether the words stand in text one after another. Bit i of state says that
// the words up to i matched the tokens that end here.
func (n Text) in(text string) bool {
	last := uint64(1) << (len(n.Words) - 1)
	state, found := uint64(0), false
	ScanTokens(text[n.Words[0].firstIn(text):], func(token []byte) bool {
		active := state<<1 | 1
		state = 0
		for i := 0; active != 0 && i < len(n.Words); i, active = i+1, active>>1 {
			if active&1 != 0 && n.Words[i].matchToken(token) {
				state |= 1 << i
			}
		}
		found = state&last != 0
		return !found
	})
	return found
}

func (n Keyword) match(d *lastnight.Document) bool {
	var room [8]string
	values := n.Field.Values(d, room[:0])
	if lit, ok := n.Value.Literal(); ok && lit == "" {
		return len(values) == 0
	}
	return slices.ContainsFunc(values, n.Value.Match)
}

func (n Compare) match(d *lastnight.Document) bool {
	switch n.Field {
	case FieldRestart:
		return n.holds(float64(d.Restart))
	case FieldLevel:
		l, ok := levelOf(d.Level)
		return ok && strings.EqualFold(l.String(), d.Level) && n.holds(float64(l))
	default: // an attribute
	}
	name, _ := n.Field.Attr()
	v, err := strconv.ParseFloat(strings.TrimSpace(d.Attrs[name]), 64)
	return err == nil && n.holds(v)
}

func (n Compare) holds(v float64) bool {
	switch n.Op {
	case OpGreater:
		return v > n.Number
	case OpGreaterEqual:
		return v >= n.Number
	case OpLess:
		return v < n.Number
	case OpLessEqual:
		return v <= n.Number
	}
	return false
}

func (n *Regex) match(d *lastnight.Document) bool {
	for line := range strings.SplitSeq(d.Text, "\n") {
		if n.re.MatchString(line) {
			return true
		}
	}
	return d.Event != nil && (n.re.MatchString(d.Event.Reason) || n.re.MatchString(d.Event.Object.Name))
}
