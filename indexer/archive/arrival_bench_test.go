package archive_test

import (
	"os"
	"slices"
	"testing"

	"lastnight"
	"lastnight/collector"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

// BenchmarkArrival appends the logs in the directory CORPUS, or 32 MiB of generated ones, in batches of 2.5 MB as they arrive while collectors
// catch up (much of one stream) and from day to day (a little of 40 streams), then compacts the segments. cpu-s/GB is per raw byte, user
// and system, of the archive alone.
func BenchmarkArrival(b *testing.B) {
	k := &kept{}
	if dir := os.Getenv("CORPUS"); dir == "" {
		k = logs(b)
	} else if _, err := collector.Import(b.Context(), collector.Config{Ingester: k, Workers: 1}, dir); err != nil {
		b.Fatal(err)
	}
	const batch = 5 << 19
	for _, x := range []struct {
		name string
		each int64
	}{{"much", batch}, {"some", batch / 6}, {"little", batch / 40}} {
		b.Run(x.name, func(b *testing.B) {
			arriving := k.inTurns(x.each).inPieces(batch)
			b.SetBytes(k.raw)
			b.ReportAllocs()
			var a *archive.Archive
			var appended, compacted float64
			for b.Loop() {
				a = open(b, vfs.NewMem())
				before := cpu()
				arriving.appendTo(b, a)
				between := cpu()
				if err := a.Compact(b.Context()); err != nil {
					b.Fatal(err)
				}
				appended += (between - before).Seconds()
				compacted += (cpu() - between).Seconds()
			}
			b.ReportMetric(appended/float64(b.N)/float64(k.raw)*1e9, "append-cpu-s/GB")
			b.ReportMetric(compacted/float64(b.N)/float64(k.raw)*1e9, "compact-cpu-s/GB")
			report(b, k, a)
		})
	}
}

// inTurns gives the same logs in one batch, pieces of about so many bytes of each stream in turn.
func (k *kept) inTurns(size int64) *kept {
	out := &kept{raw: k.raw, lines: k.lines, batches: make([][]archive.Item, 1)}
	var streams [][]archive.Item
	at := map[lastnight.StreamID]int{}
	for _, it := range slices.Concat(k.batches...) {
		id := it.Span.Stream.ID()
		i, known := at[id]
		if !known {
			i = len(streams)
			at[id] = i
			streams = append(streams, nil)
		}
		streams[i] = append(streams[i], cutItem(it, size)...)
	}
	for more := true; more; {
		more = false
		for i, pieces := range streams {
			var n int64
			for len(pieces) > 0 && n < size {
				n += pieces[0].Span.To - pieces[0].Span.From
				out.batches[0], pieces, more = append(out.batches[0], pieces[0]), pieces[1:], true
			}
			streams[i] = pieces
		}
	}
	return out
}

// cutItem cuts an item between records into pieces of about so many bytes.
func cutItem(it archive.Item, size int64) (out []archive.Item) {
	rest := *it.Span
	for i, from := 0, 0; i < len(it.Span.Records); i++ {
		if at := it.Span.Records[i].Lines[0].Offset; at-rest.From >= size {
			piece := rest
			piece.Records, piece.To, piece.RawBytes = it.Span.Records[from:i], at, at-rest.From
			now := it
			now.Span = &piece
			out = append(out, now)
			rest.From, from = at, i
		}
		rest.Records = it.Span.Records[from:]
	}
	rest.RawBytes = rest.To - rest.From
	it.Span = &rest
	return append(out, it)
}
