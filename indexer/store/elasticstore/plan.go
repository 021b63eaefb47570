package elasticstore

import (
	"slices"

	"lastnight/indexer/store/terms"
)

const (
	tokensField = "tokens" // words of the texts
	termsField  = "terms"  // field, NUL, value
)

func isTerm(field, value string) object { return object{"term": object{field: value}} }

func hasPrefix(field, value string) object { return object{"prefix": object{field: value}} }

// allOf makes one query of those that all must match; nil ones ask nothing.
func allOf(queries ...object) object {
	queries = slices.DeleteFunc(queries, func(q object) bool { return q == nil })
	switch len(queries) {
	case 0:
		return nil
	case 1:
		return queries[0]
	}
	return object{"bool": object{"filter": queries}}
}

// anyOf makes one query of those of which one must match.
func anyOf(queries ...object) object {
	switch len(queries) {
	case 0:
		return object{"match_none": object{}}
	case 1:
		return queries[0]
	}
	return object{"bool": object{"should": queries, "minimum_should_match": 1}}
}

// planQuery is the query for a plan; nil for one that leaves nothing out.
func planQuery(p terms.Plan) object {
	switch p := p.(type) {
	case terms.Word:
		return isTerm(tokensField, string(p))
	case terms.WordPrefix:
		return hasPrefix(tokensField, string(p))
	case terms.Term:
		return isTerm(termsField, string(p))
	case terms.TermPrefix:
		return hasPrefix(termsField, string(p))
	case terms.All:
		return allOf(planQueries(p)...)
	case terms.Any:
		return anyOf(planQueries(p)...)
	}
	return nil
}

func planQueries(plans []terms.Plan) []object {
	queries := make([]object, len(plans))
	for i, p := range plans {
		queries[i] = planQuery(p)
	}
	return queries
}
