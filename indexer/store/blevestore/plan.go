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

// mayHave tells whether documents with a filter may fit the plan; nil: they always may.
func mayHave(p terms.Plan) func(filter []byte) bool {
	has := func(hash uint64) func([]byte) bool {
		return func(filter []byte) bool { return bloom.MayHave(filter, hash) }
	}
	switch p := p.(type) {
	case terms.Word:
		return has(termHash(textField, string(p)))
	case terms.Term:
		return has(termHash(valueField, string(p)))
	case terms.All:
		var parts []func([]byte) bool
		for _, q := range p {
			if part := mayHave(q); part != nil {
				parts = append(parts, part)
			}
		}
		return func(filter []byte) bool {
			return !slices.ContainsFunc(parts, func(part func([]byte) bool) bool { return !part(filter) })
		}
	case terms.Any:
		var parts []func([]byte) bool
		for _, q := range p {
			part := mayHave(q)
			if part == nil {
				return nil
			}
			parts = append(parts, part)
		}
		return func(filter []byte) bool {
			return slices.ContainsFunc(parts, func(part func([]byte) bool) bool { return part(filter) })
		}
	}
	return nil // prefixes, nothing
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
