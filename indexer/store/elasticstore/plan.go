package elasticstore

import (
	"slices"

	"lastnight"
	"lastnight/query"
)

// A plan is a query of Elasticsearch that leaves out documents which cannot match: all
// that match the request match the plan, not the other way. nil is everything.

func isTerm(field, value string) object { return object{"term": object{field: value}} }

func hasPrefix(field, value string) object { return object{"prefix": object{field: value}} }

// allOf narrows by each plan that narrows.
func allOf(plans ...object) object {
	plans = slices.DeleteFunc(plans, func(p object) bool { return p == nil })
	switch len(plans) {
	case 0:
		return nil
	case 1:
		return plans[0]
	}
	return object{"bool": object{"filter": plans}}
}

// anyOf narrows only if every plan does.
func anyOf(plans ...object) object {
	if slices.ContainsFunc(plans, func(p object) bool { return p == nil }) {
		return nil
	}
	switch len(plans) {
	case 0:
		return object{"match_none": object{}}
	case 1:
		return plans[0]
	}
	return object{"bool": object{"should": plans, "minimum_should_match": 1}}
}

// planOf makes the plan of a whole request, its time aside.
func planOf(f *query.Filter) object {
	r := &f.Request
	plans := []object{planNode(f.Node)}
	is := func(field query.Field, value string) {
		if value != "" {
			plans = append(plans, isTerm(termsField, term(field, query.Fold(value))))
		}
	}
	is(query.FieldNamespace, r.Namespace)
	is(query.FieldJob, r.Job)
	is(query.FieldPod, r.Pod)
	is(query.FieldPodUID, r.PodUID)
	is(query.FieldContainer, r.Container)
	is(query.FieldNode, r.Node)
	var kinds, signals []object
	for _, k := range r.Kinds {
		kinds = append(kinds, isTerm(termsField, term(query.FieldKind, query.Fold(string(k)))))
	}
	for _, s := range r.Signals {
		signals = append(signals, isTerm(termsField, term(query.FieldSignal, query.Fold(s))))
	}
	if len(kinds) > 0 {
		plans = append(plans, anyOf(kinds...))
	}
	if len(signals) > 0 {
		plans = append(plans, anyOf(signals...))
	}
	return allOf(plans...)
}

func planNode(n query.Node) object {
	switch n := n.(type) {
	case query.And:
		return allOf(planNodes(n)...)
	case query.Or:
		return anyOf(planNodes(n)...)
	case query.Text:
		return planText(n)
	case query.Keyword:
		return planKeyword(n)
	case query.Compare:
		return planCompare(n)
	}
	return nil // all, not, regex
}

func planNodes(nodes []query.Node) []object {
	plans := make([]object, len(nodes))
	for i, n := range nodes {
		plans[i] = planNode(n)
	}
	return plans
}

func planText(n query.Text) object {
	var words []object
	for _, w := range n.Words {
		if lit, ok := w.Literal(); ok {
			words = append(words, isTerm(tokensField, lit))
		} else if p := w.Prefix(); len(p) > 1 {
			words = append(words, hasPrefix(tokensField, p))
		}
	}
	p := allOf(words...)
	if p == nil {
		return nil
	}
	return anyOf(p, isTerm(termsField, largeTerm))
}

func planKeyword(n query.Keyword) object {
	f := n.Field
	attr := false
	switch f {
	case query.FieldFlinkJob, query.FieldFlinkJobID:
		f = query.FieldJob // whose values include theirs
	case query.FieldCause, query.FieldLabel, query.FieldIncident:
		f, attr = "attr."+f+".id", true
	default:
		_, attr = f.Attr()
	}
	if !attr && !slices.Contains(termFields, f) {
		return nil
	}
	lit, exact := n.Value.Literal()
	prefix := n.Value.Prefix()
	var p object
	switch {
	case exact && lit == "":
		return nil // documents without a value
	case exact:
		p = isTerm(termsField, term(f, lit))
	case prefix != "" || attr || f == query.FieldException || f == query.FieldReason || f == query.FieldSignal:
		p = hasPrefix(termsField, term(f, prefix))
	default:
		return nil
	}
	if attr {
		return anyOf(p, isTerm(termsField, largeTerm))
	}
	return p
}

func planCompare(n query.Compare) object {
	switch n.Field {
	case query.FieldLevel:
		var levels []object
		for l := lastnight.LevelTrace; l <= lastnight.LevelFatal; l++ {
			if query.Match(n, &lastnight.Document{Level: l.String()}) {
				levels = append(levels, isTerm(termsField, term(query.FieldLevel, query.Fold(l.String()))))
			}
		}
		return anyOf(levels...)
	case query.FieldRestart:
		return nil
	default: // an attribute
	}
	return anyOf(hasPrefix(termsField, term(n.Field, "")), isTerm(termsField, largeTerm))
}
