package labels

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"lastnight"
)

const (
	maxWords      = 60  // of a target, that are compared
	maxCandidates = 300 // labels that one item is compared with
	rareWords     = 6   // the rarest words of an item, by which candidates are found
	minScore      = 0.3
	maxProposals  = 3
)

// targetWords is what a label's target is found by when something similar comes.
func targetWords(t *lastnight.LabelTarget) []string { return wordsOf(t) }

// wordsOf gives the words of the templates' texts, and the other parts of a signature, sorted.
func wordsOf(t *lastnight.LabelTarget) []string {
	var words []string
	if t.Template != nil {
		words = textWords(words, t.Template.Text)
	}
	if s := t.Signature; s != nil {
		for _, r := range s.Templates {
			words = textWords(words, r.Text)
		}
		for _, e := range s.Exceptions {
			words = append(words, "exception:"+e)
		}
		for _, e := range s.Reasons {
			words = append(words, "reason:"+e)
		}
		for _, c := range s.ExitCodes {
			words = append(words, "exit:"+strconv.Itoa(c))
		}
	}
	slices.Sort(words)
	words = slices.Compact(words)
	return words[:min(len(words), maxWords)]
}

// textWords adds the words of three letters and more.
func textWords(words []string, text string) []string {
	for w := range strings.FieldsFuncSeq(strings.ReplaceAll(text, lastnight.Wildcard, " "), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_'
	}) {
		if len(w) >= 3 {
			words = append(words, strings.ToLower(w))
		}
	}
	return words
}

// proposals gives labels of what is similar, best first. not is a template of its own. The caller holds l.mu.
func (l *Labels) proposals(words []string, not string) []lastnight.LabelProposal {
	out := []lastnight.LabelProposal{}
	if len(words) == 0 {
		return out
	}
	rare := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return len(l.index.words[w]) == 0 })
	slices.SortFunc(rare, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(l.index.words[a]), len(l.index.words[b])), compareText(a, b))
	})
	seen := map[*entry]struct{}{}
	for _, w := range rare[:min(len(rare), rareWords)] {
		for _, e := range l.index.words[w] {
			if len(seen) >= maxCandidates {
				break
			}
			if _, ok := seen[e]; ok || e.template != "" && e.template == not {
				continue
			}
			seen[e] = struct{}{}
			if s := likeness(words, wordsOf(&e.current.Target)); s >= minScore {
				out = append(out, proposalOf(e, s))
			}
		}
	}
	slices.SortFunc(out, func(a, b lastnight.LabelProposal) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), compareText(a.Label.ID, b.Label.ID))
	})
	return out[:min(len(out), maxProposals)]
}

func proposalOf(e *entry, score float64) lastnight.LabelProposal {
	c := &e.current
	p := lastnight.LabelProposal{
		Label: lastnight.LabelRef{ID: c.ID, Author: c.Author, State: string(c.State)}, Title: first(c.Title, c.Cause), Cause: causeOf(c), Score: score,
	}
	if t := c.Target.Template; t != nil {
		p.Template, p.Text = t.ID, t.Text
	}
	return p
}

// likeness is the share of words that two sorted lists have in common (Jaccard), in hundredths.
func likeness(a, b []string) float64 {
	common, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch compareText(a[i], b[j]) {
		case 0:
			common++
			i++
			j++
		case -1:
			i++
		default:
			j++
		}
	}
	all := len(a) + len(b) - common
	if all == 0 {
		return 0
	}
	return math.Round(100*float64(common)/float64(all)) / 100
}
