package terms

import (
	"slices"

	"lastnight"
	"lastnight/query"
)

// Plan says which documents may be left out: every document that matches a query fits its plan, not the other way. It is a
// Word, a WordPrefix, a Term, a TermPrefix, an All or an Any; nil leaves nothing out.
type Plan interface{ plan() }

type (
	// Word is a whole word of a text.
	Word string
	// WordPrefix is the beginning of a word.
	WordPrefix string
	// Term is the term of a value.
	Term string
	// TermPrefix is the beginning of the term of a value.
	TermPrefix string
	// All wants all of its plans, two at least, none of which is nil.
	All []Plan
	// Any wants any of its plans, none of which is nil; without any it leaves everything out.
	Any []Plan
)

func (Word) plan()       {}
func (WordPrefix) plan() {}
func (Term) plan()       {}
func (TermPrefix) plan() {}
func (All) plan()        {}
func (Any) plan()        {}

// PlanOf makes the plan of a whole request, its time aside.
func PlanOf(f *query.Filter) Plan {
	r := &f.Request
	plans := []Plan{planNode(f.Node)}
	is := func(field query.Field, value string) {
		if value != "" {
			plans = append(plans, Term(Value(field, query.Fold(value))))
		}
	}
	is(query.FieldNamespace, r.Namespace)
	is(query.FieldJob, r.Job)
	is(query.FieldPod, r.Pod)
	is(query.FieldPodUID, r.PodUID)
	is(query.FieldContainer, r.Container)
	is(query.FieldNode, r.Node)
	var kinds, signals []Plan
	for _, k := range r.Kinds {
		kinds = append(kinds, Term(Value(query.FieldKind, query.Fold(string(k)))))
	}
	for _, s := range r.Signals {
		signals = append(signals, Term(Value(query.FieldSignal, query.Fold(s))))
	}
	if len(kinds) > 0 {
		plans = append(plans, anyOf(kinds))
	}
	if len(signals) > 0 {
		plans = append(plans, anyOf(signals))
	}
	return allOf(plans)
}

// allOf narrows by each plan that narrows.
func allOf(plans []Plan) Plan {
	var p All
	for _, q := range plans {
		switch q := q.(type) {
		case nil:
		case All:
			p = append(p, q...)
		default:
			p = append(p, q)
		}
	}
	switch len(p) {
	case 0:
		return nil
	case 1:
		return p[0]
	}
	return p
}

// anyOf narrows only if every plan does.
func anyOf(plans []Plan) Plan {
	switch {
	case slices.Contains(plans, nil):
		return nil
	case len(plans) == 1:
		return plans[0]
	}
	return Any(plans)
}

func planNode(n query.Node) Plan {
	switch n := n.(type) {
	case query.And:
		return allOf(planNodes(n))
	case query.Or:
		return anyOf(planNodes(n))
	case query.Text:
		return planText(n)
	case query.Keyword:
		return planKeyword(n)
	case query.Compare:
		return planCompare(n)
	}
	return nil // all, not, regex
}

func planNodes(nodes []query.Node) []Plan {
	plans := make([]Plan, len(nodes))
	for i, n := range nodes {
		plans[i] = planNode(n)
	}
	return plans
}

func planText(n query.Text) Plan {
	var words []Plan
	for _, w := range n.Words {
		if lit, ok := w.Literal(); ok {
			words = append(words, Word(lit))
		} else if p := w.Prefix(); len(p) > 1 {
			words = append(words, WordPrefix(p))
		}
	}
	p := allOf(words)
	if p == nil {
		return nil
	}
	return Any{p, Term(Large)}
}

func planKeyword(n query.Keyword) Plan {
	f, attr := n.Field, false
	switch f {
	case query.FieldFlinkJob, query.FieldFlinkJobID:
		f = query.FieldJob // whose values include theirs
	case query.FieldCause, query.FieldLabel, query.FieldIncident:
		f, attr = "attr."+f+".id", true
	default:
		_, attr = f.Attr()
	}
	if !attr && !slices.Contains(indexed, f) {
		return nil
	}
	lit, exact := n.Value.Literal()
	prefix := n.Value.Prefix()
	var p Plan
	switch {
	case exact && lit == "":
		return nil // documents without a value
	case exact:
		p = Term(Value(f, lit))
	case prefix != "" || attr || f == query.FieldException || f == query.FieldReason || f == query.FieldSignal:
		p = TermPrefix(Value(f, prefix))
	default:
		return nil
	}
	if attr {
		return Any{p, Term(Large)}
	}
	return p
}

func planCompare(n query.Compare) Plan {
	switch n.Field {
	case query.FieldLevel:
		levels := Any{}
		for l := lastnight.LevelTrace; l <= lastnight.LevelFatal; l++ {
			if query.Match(n, &lastnight.Document{Level: l.String()}) {
				levels = append(levels, Term(Value(query.FieldLevel, query.Fold(l.String()))))
			}
		}
		return levels
	case query.FieldRestart:
		return nil
	default: // an attribute
	}
	return Any{TermPrefix(Value(n.Field, "")), Term(Large)}
}
