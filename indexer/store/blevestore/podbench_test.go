package blevestore_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"lastnight"
)

// BenchmarkPodByPod is what an import does: documents come pod by pod, each over the whole day, so all that is packed lies
// amid what was packed before. A document costs about the same however many there are.
func BenchmarkPodByPod(b *testing.B) {
	for _, n := range []int{25_000, 95_000} { // fewer than get an index
		docs := someDocuments(n, 20*time.Hour)
		slices.SortStableFunc(docs, func(x, y lastnight.Document) int { return cmp.Compare(x.Pod, y.Pod) })
		b.Run(fmt.Sprintf("documents=%d", n), func(b *testing.B) {
			for b.Loop() {
				dir := b.TempDir()
				s := benchOpen(b, dir)
				for part := range slices.Chunk(docs, 250) {
					must(b, s.Index(b.Context(), part))
				}
				must(b, s.Close())
				b.ReportMetric(float64(diskBytes(b, dir))/float64(n), "B/doc")
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/doc")
		})
		benchSearches(b, docs)
	}
}

// benchSearches asks what such an import leaves.
func benchSearches(b *testing.B, docs []lastnight.Document) {
	b.Helper()
	s := benchOpen(b, b.TempDir())
	for part := range slices.Chunk(docs, 250) {
		must(b, s.Index(b.Context(), part))
	}
	for _, err := range s.Search(b.Context(), lastnight.SearchRequest{Query: "warmup"}) { // packs the rest
		must(b, err)
	}
	for _, c := range []struct {
		name string
		req  lastnight.SearchRequest
		most int
	}{
		{"newest=100", lastnight.SearchRequest{}, 100},
		{"job", lastnight.SearchRequest{Job: "job-7", Oldest: true}, len(docs)},
		{"hour of a job", lastnight.SearchRequest{Job: "job-7", Start: night.Add(5 * time.Hour), End: night.Add(6 * time.Hour)}, len(docs)},
		{"absent", lastnight.SearchRequest{Query: "absent"}, 1},
		{"all", lastnight.SearchRequest{Oldest: true}, len(docs)},
	} {
		b.Run(fmt.Sprintf("documents=%d/%s", len(docs), c.name), func(b *testing.B) {
			found := 0
			for b.Loop() {
				found = 0
				for _, err := range s.Search(b.Context(), c.req) {
					must(b, err)
					if found++; found == c.most {
						break
					}
				}
			}
			b.ReportMetric(float64(found), "found")
		})
	}
	must(b, s.Close())
}
