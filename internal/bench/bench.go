// Package bench measures the program as a whole, from outside: it builds
// lastnight, lets it import a corpus (internal/corpus) into an empty data directory,
// and reports throughput, bytes on disk and peak memory of that process.
//
//	go test -run '^$' -bench Import -benchtime 1x ./internal/bench
//
// Environment: CORPUS_MB is the corpus's size (256), CORPUS names a tree of pod logs
// to import instead, LASTNIGHT_BIN a binary to measure instead of a fresh build.
package bench
