package query

import (
	"regexp"
	"strconv"
	"strings"

	"lastnight"
)

// Node is a part of a query: All, And, Or, Not, Text, Keyword, Compare or Regex.
// Nodes are immutable once parsed and may be used by several goroutines at once.
type Node interface {
	// String gives the query in a normal form that parses to the same nodes.
	String() string
	node()
}

// All matches every document: an empty query or a lone wildcard.
type All struct{}

// And matches what all of its nodes match. It has at least two.
type And []Node

// Or matches what any of its nodes matches. It has at least two.
type Or []Node

// Not matches what its node does not.
type Not struct{ Node Node }

// Text matches consecutive words of a text: of a record its text with all lines,
// of an event its message, its reason or the name of its object. It has at least one word.
type Text struct {
	Words   []Pattern
	Message bool // only the message: not the header of a record, not the reason or object of an event
}

// Keyword matches a field as a whole, without case. A field with several values
// matches if one of them does; a lone wildcard means that the field has a value.
type Keyword struct {
	Field Field
	Value Pattern
}

// Op is a comparison.
type Op string

// The comparisons.
const (
	OpGreater      Op = ">"
	OpGreaterEqual Op = ">="
	OpLess         Op = "<"
	OpLessEqual    Op = "<="
)

// Compare compares restart counts, levels, and attributes that are numbers. A field
// without a value, or one that is no number, does not match.
type Compare struct {
	Field  Field
	Op     Op
	Number float64 // of a level its rank, see lastnight.Level
}

// Regex matches one line of a text as it was written (RE2, case counts), or the
// message, reason or object name of an event.
type Regex struct {
	Expr string
	re   *regexp.Regexp
}

func (All) node()     {}
func (And) node()     {}
func (Or) node()      {}
func (Not) node()     {}
func (Text) node()    {}
func (Keyword) node() {}
func (Compare) node() {}
func (*Regex) node()  {}

// String gives "*".
func (All) String() string { return "*" }

// String joins the nodes with "and".
func (n And) String() string { return join(n, " and ") }

// String joins the nodes with "or".
func (n Or) String() string { return join(n, " or ") }

// String puts "not" before the node.
func (n Not) String() string { return "not " + inner(n.Node) }

func join(nodes []Node, with string) string {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = inner(n)
	}
	return strings.Join(parts, with)
}

func inner(n Node) string {
	switch n.(type) {
	case And, Or:
		return "(" + n.String() + ")"
	}
	return n.String()
}

// String gives a quoted phrase, or words with wildcards joined by dots.
func (n Text) String() string {
	prefix := ""
	if n.Message {
		prefix = string(FieldMessage) + ":"
	}
	words := make([]string, len(n.Words))
	wild := false
	for i, w := range n.Words {
		words[i] = strings.Join(w.parts, "*")
		wild = wild || len(w.parts) > 1
	}
	if wild {
		return prefix + strings.Join(words, ".")
	}
	return prefix + quote(strings.Join(words, " "))
}

// String gives field:value.
func (n Keyword) String() string { return n.Field.String() + ":" + n.Value.String() }

// String gives the field, the comparison and the literal.
func (n Compare) String() string {
	literal := strconv.FormatFloat(n.Number, 'g', -1, 64)
	if n.Field == FieldLevel {
		literal = lastnight.Level(n.Number).String()
	}
	return n.Field.String() + string(n.Op) + literal
}

// String gives the expression between slashes.
func (n *Regex) String() string { return "/" + strings.ReplaceAll(n.Expr, "/", `\/`) + "/" }
