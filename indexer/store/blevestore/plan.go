package blevestore

import (
	"context"
	"slices"

	"github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/searcher"
	index "github.com/blevesearch/bleve_index_api"

	"lastnight"
	"lastnight/internal/bloom"
	"lastnight/query"
)

// plan says which documents an index may leave out: everything that matches the query
// matches the plan, not the other way. nil is everything.
type plan interface {
	// may tells whether documents with such a filter may match.
	may(filter []byte) bool
	searcher(ctx context.Context, r index.IndexReader) (search.Searcher, error)
}

type (
	termPlan   struct{ field, term string }
	prefixPlan struct{ field, prefix string }
	allPlan    []plan // of all of them; at least one
	anyPlan    []plan // of any of them; none is nothing
)

func (p termPlan) may(f []byte) bool { return bloom.MayHave(f, termHash(p.field, p.term)) }

func (p prefixPlan) may([]byte) bool { return true }

func (p allPlan) may(f []byte) bool {
	for _, q := range p {
		if !q.may(f) {
			return false
		}
	}
	return true
}

func (p anyPlan) may(f []byte) bool {
	return slices.ContainsFunc(p, func(q plan) bool { return q.may(f) })
}

var unscored = search.SearcherOptions{Score: "none"}

func (p termPlan) searcher(ctx context.Context, r index.IndexReader) (search.Searcher, error) {
	return searcher.NewTermSearcher(ctx, r, p.term, p.field, 1, unscored)
}

func (p prefixPlan) searcher(ctx context.Context, r index.IndexReader) (search.Searcher, error) {
	return searcher.NewTermPrefixSearcher(ctx, r, p.prefix, p.field, 1, unscored)
}

func (p allPlan) searcher(ctx context.Context, r index.IndexReader) (search.Searcher, error) {
	parts, err := searchers(ctx, r, p)
	if err != nil {
		return nil, err
	}
	return searcher.NewConjunctionSearcher(ctx, r, parts, unscored)
}

func (p anyPlan) searcher(ctx context.Context, r index.IndexReader) (search.Searcher, error) {
	if len(p) == 0 {
		return searcher.NewMatchNoneSearcher(r)
	}
	parts, err := searchers(ctx, r, p)
	if err != nil {
		return nil, err
	}
	return searcher.NewDisjunctionSearcher(ctx, r, parts, 1, unscored)
}

func searchers(ctx context.Context, r index.IndexReader, plans []plan) ([]search.Searcher, error) {
	made := make([]search.Searcher, 0, len(plans))
	for _, p := range plans {
		s, err := p.searcher(ctx, r)
		if err != nil {
			for _, m := range made {
				_ = m.Close()
			}
			return nil, err
		}
		made = append(made, s)
	}
	return made, nil
}

// allOf narrows by each plan that narrows.
func allOf(plans []plan) plan {
	var p allPlan
	for _, q := range plans {
		switch q := q.(type) {
		case nil:
		case allPlan:
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
func anyOf(plans []plan) plan {
	for _, q := range plans {
		if q == nil {
			return nil
		}
	}
	if len(plans) == 1 {
		return plans[0]
	}
	return anyPlan(plans)
}

// planOf makes the plan of a whole request.
func planOf(f *query.Filter) plan {
	r := &f.Request
	plans := []plan{planNode(f.Node)}
	is := func(field query.Field, value string) {
		if value != "" {
			plans = append(plans, termPlan{valueField, valueTerm(field, query.Fold(value))})
		}
	}
	is(query.FieldNamespace, r.Namespace)
	is(query.FieldJob, r.Job)
	is(query.FieldPod, r.Pod)
	is(query.FieldPodUID, r.PodUID)
	is(query.FieldContainer, r.Container)
	is(query.FieldNode, r.Node)
	var kinds, signals []plan
	for _, k := range r.Kinds {
		kinds = append(kinds, termPlan{valueField, valueTerm(query.FieldKind, query.Fold(string(k)))})
	}
	for _, s := range r.Signals {
		signals = append(signals, termPlan{valueField, valueTerm(query.FieldSignal, query.Fold(s))})
	}
	if len(kinds) > 0 {
		plans = append(plans, anyOf(kinds))
	}
	if len(signals) > 0 {
		plans = append(plans, anyOf(signals))
	}
	return allOf(plans)
}

func planNode(n query.Node) plan {
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

func planNodes(nodes []query.Node) []plan {
	plans := make([]plan, len(nodes))
	for i, n := range nodes {
		plans[i] = planNode(n)
	}
	return plans
}

func planText(n query.Text) plan {
	var words []plan
	for _, w := range n.Words {
		if lit, ok := w.Literal(); ok {
			words = append(words, termPlan{textField, lit})
		} else if p := w.Prefix(); len(p) > 1 {
			words = append(words, prefixPlan{textField, p})
		}
	}
	p := allOf(words)
	if p == nil {
		return nil
	}
	return anyPlan{p, termPlan{valueField, largeTerm}}
}

func planKeyword(n query.Keyword) plan {
	f := n.Field
	if f == query.FieldFlinkJob || f == query.FieldFlinkJobID {
		f = query.FieldJob // whose values include theirs
	}
	_, attr := f.Attr()
	known := attr || f == query.FieldCause || f == query.FieldLabel || f == query.FieldIncident
	for _, i := range indexedFields {
		known = known || i == f
	}
	if !known {
		return nil
	}
	if !attr && f == n.Field && (f == query.FieldCause || f == query.FieldLabel || f == query.FieldIncident) {
		f, attr = "attr."+f+".id", true
	}
	lit, exact := n.Value.Literal()
	prefix := n.Value.Prefix()
	var p plan
	switch {
	case exact && lit == "":
		return nil // documents without a value
	case exact:
		p = termPlan{valueField, valueTerm(f, lit)}
	case prefix != "" || attr || f == query.FieldException || f == query.FieldReason || f == query.FieldSignal:
		p = prefixPlan{valueField, valueTerm(f, prefix)}
	default:
		return nil
	}
	if attr {
		return anyPlan{p, termPlan{valueField, largeTerm}}
	}
	return p
}

func planCompare(n query.Compare) plan {
	switch n.Field {
	case query.FieldLevel:
		levels := anyPlan{}
		for l := lastnight.LevelTrace; l <= lastnight.LevelFatal; l++ {
			if query.Match(n, &lastnight.Document{Level: l.String()}) {
				levels = append(levels, termPlan{valueField, valueTerm(query.FieldLevel, query.Fold(l.String()))})
			}
		}
		return levels
	case query.FieldRestart:
		return nil
	default: // an attribute
	}
	return anyPlan{prefixPlan{valueField, valueTerm(n.Field, "")}, termPlan{valueField, largeTerm}}
}
