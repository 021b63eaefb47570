package query

import (
	"slices"

	"lastnight"
)

// Words gives tokens that every match has in one of its texts, folded, sorted and
// without doubles: what a token filter may prune by. None: the query does not tell.
func Words(n Node) []string {
	words := wordsOf(n)
	slices.Sort(words)
	return slices.Compact(words)
}

func wordsOf(n Node) []string {
	switch n := n.(type) {
	case And:
		var all []string
		for _, m := range n {
			all = append(all, wordsOf(m)...)
		}
		return all
	case Or:
		common := wordsOf(n[0])
		for _, m := range n[1:] {
			other := wordsOf(m)
			common = slices.DeleteFunc(common, func(w string) bool { return !slices.Contains(other, w) })
		}
		return common
	case Text:
		var words []string
		for _, w := range n.Words {
			if lit, ok := w.Literal(); ok {
				words = append(words, lit)
			}
		}
		return words
	}
	return nil
}

// NeedsTimeRange tells whether a query is too dear for all there is: it has a regex,
// or a word of a text that begins with a wildcard.
func NeedsTimeRange(n Node) bool {
	switch n := n.(type) {
	case And:
		return slices.ContainsFunc(n, NeedsTimeRange)
	case Or:
		return slices.ContainsFunc(n, NeedsTimeRange)
	case Not:
		return NeedsTimeRange(n.Node)
	case Text:
		return slices.ContainsFunc(n.Words, Pattern.leading)
	case *Regex:
		return true
	}
	return false
}

// CheckTimeRange gives the error for a query that needs a time range in a request
// without a start.
func CheckTimeRange(n Node, req *lastnight.SearchRequest) error {
	if !req.Start.IsZero() || !NeedsTimeRange(n) {
		return nil
	}
	return lastnight.Errorf(lastnight.CodeInvalid, "say since when, as --since -2h, or use words and trailing wildcards",
		"a regex or a leading wildcard needs a time range: %s", n)
}
