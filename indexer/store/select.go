package store

import (
	"fmt"
	"iter"

	"lastnight"
	"lastnight/query"
)

// Select is how every backend answers Documents.Search: candidates yields documents in order
// among which are all that match, each is checked here against the request, and the limit is
// kept. Where the query does not parse, it yields an error of CodeInvalid.
func Select(req lastnight.SearchRequest, candidates func(*query.Filter) iter.Seq2[lastnight.Document, error]) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		f, err := query.NewFilter(&req)
		if err != nil {
			yield(lastnight.Document{}, err)
			return
		}
		left := req.Limit
		for d, err := range candidates(f) {
			if err != nil {
				yield(lastnight.Document{}, fmt.Errorf("search: %w", err))
				return
			}
			if !f.Match(&d) {
				continue
			}
			if left--; !yield(d, nil) || left == 0 {
				return
			}
		}
	}
}
