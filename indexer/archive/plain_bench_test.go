package archive_test

import (
	"os"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
	"lastnight/query"
)

// BenchmarkSegmentsAsked searches segments that no chunk has yet: 32 MiB of generated logs, or those of the archive that the
// directory ARCHIVE holds (also chunks, if it has any). MB/s are of raw logs.
func BenchmarkSegmentsAsked(b *testing.B) {
	dir, err := archive.NewDir(vfs.NewMem())
	if err != nil {
		b.Fatal(err)
	}
	a, err := archive.Open(b.Context(), archive.Config{Blobs: dir, DirectBytes: 1 << 40}) // nothing is a chunk at once
	if err != nil {
		b.Fatal(err)
	}
	if name := os.Getenv("ARCHIVE"); name == "" {
		logs(b).appendTo(b, a)
	} else {
		fsys, err := vfs.NewOS(name)
		if err != nil {
			b.Fatal(err)
		}
		a = open(b, fsys)
	}
	s := stats(b, a)
	for _, x := range []struct {
		name, query string
		limit       int
	}{
		{"phrase", `"Transitioned from RUNNING to FAILED"`, 0},
		{"word", `WARN`, 0},
		{"word-100", `WARN`, 100},
		{"substring", `*11335*`, 0},
		{"regex-shape", `/Transitioned from [A-Z]+ to FAILED/`, 0},
		{"regex-variable", `/blk_-?16089[0-9]+ .*size/`, 0},
		{"regex-bare", `/[0-9]{3}77[0-9]{2}99[0-9]/`, 0},
		{"regex-common-100", `/(WARN|ERROR).*[0-9]+/`, 100},
		{"level", `level:FATAL`, 0},
		{"all-100", ``, 100},
	} {
		b.Run(x.name, func(b *testing.B) {
			node, err := query.Parse(x.query)
			if err != nil {
				b.Fatal(err)
			}
			match := func(d *lastnight.Document) bool { return query.Match(node, d) }
			b.SetBytes(s.RawBytes)
			b.ReportAllocs()
			n, before := 0, cpu()
			for b.Loop() {
				n = 0
				for _, err := range a.Search(b.Context(), lastnight.SearchRequest{Limit: x.limit}, match, archive.NeedOf(node)) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
			b.ReportMetric(float64((cpu()-before)/time.Microsecond)/1000/float64(b.N), "cpu-ms")
			b.ReportMetric(float64(n), "found")
		})
	}
}
