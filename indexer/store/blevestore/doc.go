// Package blevestore is the embedded backend of package store: one folder, no server.
//
//	store/
//	  exact.db             bbolt: templates, counts, pods, jobs, incidents, exact items
//	  documents.db         bbolt: documents, a bucket a day, in order of (time, id); most are packed: see part.go
//	  index/2026-11-21/    bleve (scorch): which documents of the day have a word or value
//	  pid                  process that holds the folder
//
// The two bbolt files are the truth: a call returns when they are synced. The bleve
// indexes only help to find candidates. They hold terms and keys, no text; they are
// written in large batches after the documents, and each remembers how far it came, so
// what a crash took from an index is put back when it is next opened, and a folder that
// is missing is built anew. Days with less than 100,000 documents get no index at all: each pack has a filter of
// its documents' terms, so reading those through that may match is quick. Every candidate is checked with query.Match against the document.
//
// Retention drops the bucket and the index of whole days. At most Config.MaxOpen
// indexes are open at a time, so an import of a year's logs opens no 365 of them.
//
// It fails by name: a folder in use is CodeConflict with the process that holds it, a
// folder of a newer version is CodeInvalid, a damaged index is CodeInternal and says which
// folder to remove. Limits: ids have at most 512 bytes, keys of items 4 KiB; strings of
// incidents, templates, pods and jobs come back with invalid UTF-8 as U+FFFD, those of
// documents as they were.
package blevestore
