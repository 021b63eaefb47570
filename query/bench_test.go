package query_test

import (
	"strings"
	"testing"

	"lastnight"
	"lastnight/query"
)

var benchText = strings.Repeat("2026-11-21 03:12:45,123 INFO  org.apache.flink.runtime.executiongraph.ExecutionGraph [] - Source: orders (1/4) (8f1e2d) switched from DEPLOYING to RUNNING.\n", 8)

func BenchmarkScanTokens(b *testing.B) {
	text := []byte(benchText)
	b.SetBytes(int64(len(text)))
	n := 0
	for b.Loop() {
		query.ScanTokens(text, func(token []byte) bool { n += len(token); return true })
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, q := range []string{"absent", `"switched from RUNNING"`, "abs* -x level:warn", "/took [0-9]+ ms/", "job:x absent"} {
		b.Run(q, func(b *testing.B) {
			n, err := query.Parse(q)
			if err != nil {
				b.Fatal(err)
			}
			d := &lastnight.Document{Kind: lastnight.DocumentRecord, Text: benchText}
			b.SetBytes(int64(len(benchText)))
			for b.Loop() {
				query.Match(n, d)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := query.Parse(`level>=WARN "switched from RUNNING" (pod:a-* or pod:b) not job:canary`); err != nil {
			b.Fatal(err)
		}
	}
}
