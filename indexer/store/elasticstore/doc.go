// Package elasticstore is the backend of package store for more than one machine: all is
// in Elasticsearch 8, so that servers hold nothing of their own.
//
//	PREFIX-documents-v2-2026.11.21   documents of a day, alias PREFIX-documents
//	PREFIX-counts-v2-2026.11.21      counts of sources that end on that day, alias PREFIX-counts
//	PREFIX-sources-v2                which sources gave counts, and where they are
//	PREFIX-templates-v2 -pods-v2 -jobs-v2 -incidents-v2 -items-v2
//
// Documents have OpenTelemetry's names, with alias fields for those of ECS; mappings are
// strict. What searches look up is in two fields of exact terms that are made here: "tokens",
// the words of the texts (query.Tokens), and "terms", field and folded value. They only
// find candidates: every hit is checked with query.Match, so that both backends and the
// archive give the same answers.
//
// A write returns when Elasticsearch has it in its translog on all copies (the default
// durability, request). Documents are created; 409 says that they are there, and only then it is
// looked whether they have grown (docs/adr/0018). A read first refreshes what it is about to read, so it sees all
// writes that returned before, those of other servers too. Ids are deterministic: whatever
// is sent again because an answer was lost changes nothing. Reads go by point in time and
// search_after, from the newest day on in groups of 1, 2, 4 … days, so the first page costs
// the same however many days are kept. What a failed shard would have given is an error,
// never left out.
//
// What is exact and is changed by several servers (templates, pods, jobs, items) is read
// and put back with if_seq_no and if_primary_term; who lost the race merges again.
//
// When Elasticsearch refuses (429, 503, a write block, no connection), calls wait and try
// again, with jitter, for Config.MaxWait; then they fail with CodeUnavailable, which the
// indexer hands on to the collectors as back-pressure. A document that it refuses for what
// it is (a mapping conflict) is put into the dead-letter file with the reason, and counted.
//
// Scripts, update or delete by query, data streams and lifecycle management are not needed.
// Retention drops whole indices, and single documents only of the day that the limit cuts.
//
// Indices of an older format are read, and made anew beside before they are written to (upgrade.go).
//
// Limits: ids 512 bytes, keys of items 4 KiB, values 32 MiB; an index and so a shard for
// each day that has documents. Indices of a version that is not known are refused by name.
package elasticstore
