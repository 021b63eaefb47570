// Package clusterer finds the templates of log lines online: which words of a
// line are constant, and where its variables stand.
//
// It descends from Drain (He, Zhu, Zheng, Lyu: "Drain: An Online Log Parsing
// Approach with Fixed Depth Tree", ICWS 2017) and differs in four things, see
// docs/clusterer.md:
//
//   - What is variable by its form (numbers, addresses, paths, values after "=" …)
//     is masked while the line is read, once, without regular expressions. What is
//     left, constant words and delimiters, is hashed; a line whose hash is known
//     needs nothing else. So a known line costs a scan and a map access, and one that differs from a recent
//     one in the digits of its numbers alone not even the scan (memo).
//   - Words never become variable because two lines are similar, but because one
//     position has shown many words while everything else stayed the same.
//   - A template's text never changes. Its id is a hash of its text, so other
//     shards, servers and orders mostly find the same id. What turns out to be
//     part of something more general is linked to it, and its id leads there for ever.
//   - Every byte between the variables is part of the text, blanks too: Render
//     gives back the message, byte for byte.
//
// A Clusterer is one shard. It is deterministic: the same lines in the same order
// give the same ids. It does no I/O but Snapshot and Restore, keeps no line, and
// is not safe for concurrent use; use one for each job.
//
// Limits: Config bounds templates, tokens and bytes that are looked at. What is
// beyond them is one variable at the line's end. At the bound, templates unused for
// longest are forgotten, pinned ones never; if all are pinned, what is new goes to
// Unclustered, and so does a line without a constant word. A hostile stream
// (every line new) thus costs bounded time and memory; Stats tells of it.
//
// Nothing here fails on any input but Restore, on bytes that no Snapshot wrote.
package clusterer
