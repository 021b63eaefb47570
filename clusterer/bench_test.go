package clusterer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"lastnight"
	"lastnight/clusterer"
)

// knownLines are messages of about 180 bytes of a few templates, with random values.
func knownLines(n int) [][]byte {
	r := rand.New(rand.NewPCG(3, 4))
	lines := make([][]byte, n)
	for i := range lines {
		switch i % 4 {
		case 0:
			lines[i] = fmt.Appendf(nil, "Source: orders -> enrich -> Sink: audit-sink (%d/4) (%016x%016x_b71731f1c0df9c3076c4a455334d0ad6_0_%d) switched from INITIALIZING to RUNNING on 10.244.%d.%d:%d after a restart.", r.IntN(4), r.Uint64(), r.Uint64(), i, r.IntN(255), r.IntN(255), r.IntN(65535))
		case 1:
			lines[i] = fmt.Appendf(nil, "Completed checkpoint %d for job %016x%016x (%d bytes, checkpointDuration=%d ms, finalizationTime=%d ms) to file:/flink-data/checkpoints/orders/%016x/chk-%d of %d files.", i, r.Uint64(), r.Uint64(), r.IntN(99999), r.IntN(900), r.IntN(50), r.Uint64(), i, r.IntN(100))
		case 2:
			lines[i] = fmt.Appendf(nil, "Failed to renew lease for [DFSClient_NONMAPREDUCE_%d_%d] for %d seconds at /10.251.%d.%d:50010.  Will retry shortly, the writers wait for the namenode that does not answer, see the log of it ...", r.IntN(99999999), r.IntN(9), r.IntN(999), r.IntN(255), r.IntN(255))
		default:
			lines[i] = fmt.Appendf(nil, "Committed batch %d (%d records, %d ms), last key customer-%d, topic=orders partition=%d offset=%d lag=%d; the next commit follows in %dms or when the buffer holds %d.%d MB of rows", i, r.IntN(99), r.IntN(99), r.IntN(999), r.IntN(16), r.IntN(99999999), r.IntN(999), r.IntN(999), r.IntN(99), r.IntN(9))
		}
	}
	return lines
}

func BenchmarkAddKnown(b *testing.B) {
	lines := knownLines(4096)
	c := clusterer.New(clusterer.Config{})
	var vars []lastnight.Var
	var bytes int64
	for _, l := range lines {
		vars = c.Add(l, nil, vars).Vars
		bytes += int64(len(l))
	}
	b.SetBytes(bytes / int64(len(lines)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		vars = c.Add(lines[i&4095], nil, vars).Vars
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mlines/s")
}

// BenchmarkAddMixed: one line in a hundred has words that were never seen.
func BenchmarkAddMixed(b *testing.B) {
	lines := knownLines(4096)
	for i := 0; i < len(lines); i += 100 {
		lines[i] = fmt.Appendf(nil, "Handler %s finished its work on time, %d rows", wordOf(i), i)
	}
	c := clusterer.New(clusterer.Config{})
	var vars []lastnight.Var
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i&4095 == 0 {
			for k := 0; k < len(lines); k += 100 {
				lines[k] = fmt.Appendf(lines[k][:0], "Handler %s finished its %s on time, %d rows", wordOf(i+k), wordOf(k), k)
			}
		}
		vars = c.Add(lines[i&4095], nil, vars).Vars
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mlines/s")
}

// wordOf spells a number in letters.
func wordOf(n int) string {
	w := []byte{'x'}
	for ; n > 0; n /= 26 {
		w = append(w, byte('a'+n%26))
	}
	return string(w)
}
