package blevestore

import (
	"context"
	"slices"

	"github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/searcher"
	index "github.com/blevesearch/bleve_index_api"

	"lastnight/indexer/store/terms"
	"lastnight/internal/bloom"
)

// mayHave tells whether documents with such a filter may fit the plan.
func mayHave(filter []byte, p terms.Plan) bool {
	switch p := p.(type) {
	case terms.Word:
		return bloom.MayHave(filter, termHash(textField, string(p)))
	case terms.Term:
		return bloom.MayHave(filter, termHash(valueField, string(p)))
	case terms.All:
		return !slices.ContainsFunc(p, func(q terms.Plan) bool { return !mayHave(filter, q) })
	case terms.Any:
		return slices.ContainsFunc(p, func(q terms.Plan) bool { return mayHave(filter, q) })
	}
	return true // prefixes, nothing
}

var unscored = search.SearcherOptions{Score: "none"}

// searcherOf makes bleve's searcher of a plan that is not nil.
func searcherOf(ctx context.Context, r index.IndexReader, p terms.Plan) (search.Searcher, error) {
	switch p := p.(type) {
	case terms.Word:
		return searcher.NewTermSearcher(ctx, r, string(p), textField, 1, unscored)
	case terms.WordPrefix:
		return searcher.NewTermPrefixSearcher(ctx, r, string(p), textField, 1, unscored)
	case terms.Term:
		return searcher.NewTermSearcher(ctx, r, string(p), valueField, 1, unscored)
	case terms.TermPrefix:
		return searcher.NewTermPrefixSearcher(ctx, r, string(p), valueField, 1, unscored)
	case terms.All:
		parts, err := searchers(ctx, r, p)
		if err != nil {
			return nil, err
		}
		return searcher.NewConjunctionSearcher(ctx, r, parts, unscored)
	case terms.Any:
		if len(p) == 0 {
			return searcher.NewMatchNoneSearcher(r)
		}
		parts, err := searchers(ctx, r, p)
		if err != nil {
			return nil, err
		}
		return searcher.NewDisjunctionSearcher(ctx, r, parts, 1, unscored)
	}
	return searcher.NewMatchAllSearcher(ctx, r, 1, unscored)
}

func searchers(ctx context.Context, r index.IndexReader, plans []terms.Plan) ([]search.Searcher, error) {
	made := make([]search.Searcher, 0, len(plans))
	for _, p := range plans {
		s, err := searcherOf(ctx, r, p)
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
