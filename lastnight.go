// Package lastnight holds the words of lastnight: what a line, a record, a
// stream, an event, an incident and a diagnosis are, and what people ask.
//
// A Flink job (or any workload) on Kubernetes failed over at 3 a.m. By morning
// its pods are gone and so are their logs. lastnight keeps the logs and what
// Kubernetes said, and answers: what failed, in which order, why, what to do.
//
// The package does no I/O and imports only the standard library, so that every
// part may depend on it. The data's way through the parts:
//
//	collector ─▶ indexer (clusterer ─▶ archive, store) ─▶ investigation ─▶ api ─▶ ui, CLI
package lastnight
