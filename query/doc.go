// Package query is the search language: text becomes a tree of nodes that knows
// no backend, and the tree tells whether a document matches.
//
// [Match] is the truth. A backend may use whatever index it has to find candidates,
// but checks each with Match, so that all backends give the same ids for the same
// documents. One tokenizer ([ScanTokens]) feeds every index; [Words] gives the
// words that a text must have to match at all. docs/search.md describes the
// language for people.
//
// Limits: a query has at most [MaxQueryBytes] bytes, [MaxNodes] nodes and [MaxDepth]
// levels, a phrase [MaxPhraseWords] words, a regex [MaxRegexBytes] bytes. Every error
// of [Parse] is a *lastnight.Error of CodeInvalid that names the position (in
// characters, from 1) and has a hint.
//
//	n, err := query.Parse(`level>=WARN "switched from RUNNING" not pod:canary-*`)
//	if err != nil { … }
//	if query.Match(n, &doc) { … }
package query
