package collector_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/collector"
	"lastnight/collector/cri"
)

func sortedLines(h *held) []lastnight.Line {
	var lines []lastnight.Line
	for _, l := range h.lines {
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b lastnight.Line) int { return cmp.Compare(a.Offset, b.Offset) })
	return lines
}

// mixed writes n lines of both iostreams, in parts, with traces, junk and gaps of time.
func mixed(rng *rand.Rand, n int) []byte {
	var b bytes.Buffer
	bodies := []string{
		"2026-11-21 12:00:00,001 INFO  org.apache.flink.X [] - fine", "2026-11-21 12:00:00,002 ERROR a.B [] - bad",
		"java.lang.IllegalStateException: no", "\tat a.B.c(B.java:1)", "Caused by: java.io.IOException: gone", "", "plain words",
		"Traceback (most recent call last):", "ValueError: x", "panic: oops", "goroutine 1 [running]:", `{"level":"info","msg":"hi"}`,
	}
	at := int64(1_000_000_000)
	for range n {
		at += rng.Int64N(1_000_000)
		if rng.IntN(40) == 0 {
			at += 7_000_000_000
		}
		stream, tag := "stdout", "F"
		if rng.IntN(3) == 0 {
			stream = "stderr"
		}
		if rng.IntN(6) == 0 {
			tag = "P"
		}
		if rng.IntN(60) == 0 {
			b.WriteString("junk without a header\n")
			continue
		}
		fmt.Fprintf(&b, "2026-11-21T12:%02d:%02d.%09dZ %s %s %s\n", at/60e9%60, at/1e9%60, at%1e9, stream, tag, bodies[rng.IntN(len(bodies))])
	}
	return b.Bytes()
}

// inPieces parses raw as a reader does that gets it in random pieces.
func inPieces(t *testing.T, raw []byte, piece func() int, end collector.Ending) ([]lastnight.Record, int64) {
	t.Helper()
	p := collector.NewParser()
	var records []lastnight.Record
	var from, have int64
	for {
		have = min(have+int64(piece()), int64(len(raw)))
		b := &collector.Block{Raw: bytes.Clone(raw[from:have]), Base: from}
		how := collector.More
		if have == int64(len(raw)) {
			how = end
		}
		all := p.Parse(b, how)
		if b.To < from || b.To > have {
			t.Fatalf("block from %d to %d of %d", from, b.To, have)
		}
		records = append(records, b.Records...)
		from = b.To
		if how == end && all {
			return records, from
		}
	}
}

// TestParserInPieces holds what resuming depends on: how a file is cut into reads changes nothing.
func TestParserInPieces(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		raw := mixed(rng, 1+rng.IntN(400))
		if seed%3 == 0 {
			raw = raw[:len(raw)-rng.IntN(min(len(raw), 50))]
		}
		whole, to := inPieces(t, raw, func() int { return len(raw) }, collector.End)
		cut, cutTo := inPieces(t, raw, func() int { return 1 + rng.IntN(700) }, collector.End)
		if to != cutTo {
			t.Errorf("seed %d: to %d and %d", seed, to, cutTo)
		}
		if diff := gocmp.Diff(whole, cut); diff != "" {
			t.Fatalf("seed %d: records in one and in many pieces differ:\n%s", seed, diff)
		}
		checkBytes(t, raw, whole)
	}
}

// checkBytes compares the texts with the file, each byte once.
func checkBytes(t *testing.T, raw []byte, records []lastnight.Record) {
	t.Helper()
	parts := map[int64]string{} // offset in the file → text
	for _, r := range records {
		for _, l := range r.Lines {
			if l.Parts == nil {
				l.Parts = []lastnight.Part{{Offset: l.Offset, Size: len(l.Text)}}
			}
			text := string(l.Text)
			for _, p := range l.Parts {
				if _, twice := parts[p.Offset]; twice {
					t.Errorf("offset %d came twice", p.Offset)
				}
				parts[p.Offset], text = text[:p.Size], text[p.Size:]
			}
			if text != "" {
				t.Errorf("line at %d is longer than its parts", l.Offset)
			}
		}
	}
	offset := int64(0)
	for line := range strings.Lines(string(raw)) {
		text := strings.TrimSuffix(line, "\n")
		if f := strings.SplitN(text, " ", 4); len(f) == 4 && strings.HasSuffix(f[0], "Z") {
			text = f[3]
		}
		if got, ok := parts[offset]; !ok || got != text {
			t.Errorf("at %d: got %q, want %q", offset, got, text)
		}
		offset += int64(len(line))
		delete(parts, offset-int64(len(line)))
	}
	if len(parts) != 0 {
		t.Errorf("lines at offsets where none begins: %v", parts)
	}
}

func TestParserQuietHoldsWhatIsNotWhole(t *testing.T) {
	raw := "2026-11-21T12:00:00.1Z stdout F one\n2026-11-21T12:00:00.2Z stderr P half\n2026-11-21T12:00:00.3Z stdout F two\n2026-11-21T12:00:00.4Z std"
	p := collector.NewParser()
	b := &collector.Block{Raw: []byte(raw)}
	p.Parse(b, collector.Quiet)
	if b.To != 36 || len(b.Records) != 1 || string(b.Records[0].Message()) != "one" {
		t.Errorf("to %d, %d records", b.To, len(b.Records))
	}
	p.Parse(b, collector.End)
	var got []string
	for _, r := range b.Records {
		got = append(got, fmt.Sprint(string(r.Lines[0].Text), r.Lines[0].Partial))
	}
	want := []string{"onefalse", "halftrue", "twotrue", "2026-11-21T12:00:00.4Z stdtrue"}
	if diff := gocmp.Diff(want, got); diff != "" || b.To != 36 {
		t.Errorf("to %d, (-want +got):\n%s", b.To, diff)
	}
}

// FuzzParser holds the same for any bytes behind a first line that has a time.
func FuzzParser(f *testing.F) {
	f.Add(mixed(rand.New(rand.NewPCG(1, 1)), 50), uint16(77))
	f.Add([]byte("2026-11-21T12:00:00.1Z stdout P a\n2026-11-21T12:00:00.2Z stderr P b\n\n2026-11-21T12:00:00.3Z stdout F \tc"), uint16(3))
	f.Fuzz(func(t *testing.T, raw []byte, piece uint16) {
		if len(raw) > 4096 {
			t.Skip("byte by byte this would take long")
		}
		raw = append([]byte("2026-11-21T12:00:00.0Z stdout F first\n"), raw...)
		whole, to := inPieces(t, raw, func() int { return len(raw) }, collector.End)
		cut, cutTo := inPieces(t, raw, func() int { return 1 + int(piece) }, collector.End)
		// A layout of headers that is learned on the way is known to what is read again, not to what was read before.
		few := bytes.Count(raw, []byte("\n")) < 31
		if diff := gocmp.Diff(whole, cut); few && diff != "" || to != cutTo {
			t.Errorf("to %d and %d, records in one and in many pieces differ:\n%s", to, cutTo, diff)
		}
		bytesOut, lines := 0, 0
		for _, r := range whole {
			for _, l := range r.Lines {
				bytesOut += len(l.Text)
				lines += max(1, len(l.Parts))
				if l.Partial != (l.Offset >= to) {
					t.Errorf("line at %d partial %v, to %d", l.Offset, l.Partial, to)
				}
			}
		}
		in, want := 0, 0
		for raw := range bytes.Lines(raw) {
			raw = bytes.TrimSuffix(raw, []byte("\n"))
			want++
			if e, ok := cri.Parse(raw); ok {
				raw = e.Text
			}
			in += len(raw)
		}
		if in != bytesOut || want != lines {
			t.Errorf("%d bytes and %d lines in, %d and %d out", in, want, bytesOut, lines)
		}
	})
}

// flinkLike gives about n bytes of a TaskManager's log: mostly INFO lines, now and then a trace.
func flinkLike(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		at := int64(i) * 3_100_000
		head := fmt.Sprintf("2026-11-21T12:%02d:%02d.%09dZ stdout F ", at/60e9%60, at/1e9%60, at%1e9)
		fmt.Fprintf(&b, "%s2026-11-21 12:%02d:%02d,%03d INFO  org.apache.flink.runtime.executiongraph.ExecutionGraph       [] - Source: events -> enrich (%d/4) (5c1fd2e7d3e4bc0b2b36c1a9b4a8b0c1_cbc357ccb763df2852fee8c4fc7d55f2_%d_0) switched from DEPLOYING to RUNNING.\n",
			head, at/60e9%60, at/1e9%60, at/1e6%1000, i%4, i)
		if i%200 == 0 {
			b.WriteString(head + "java.net.SocketTimeoutException: Read timed out\n")
			for j := range 12 {
				fmt.Fprintf(&b, "%s\tat org.apache.flink.streaming.runtime.tasks.StreamTask.invoke(StreamTask.java:%d) ~[flink-dist-1.20.1.jar:1.20.1]\n", head, j)
			}
		}
	}
	return b.Bytes()
}

// BenchmarkRead is the way from a file's bytes to records with their headers.
func BenchmarkRead(b *testing.B) {
	raw := flinkLike(1 << 20)
	p := collector.NewParser()
	block := &collector.Block{Raw: raw}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(block, collector.End)
	}
	b.ReportMetric(float64(block.Lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// TestParserLearnsFromALineOnce: a line that is read again and again while its file grows is one line, not many that agree.
func TestParserLearnsFromALineOnce(t *testing.T) {
	raw := []byte("2026-11-21T12:00:00.1Z stdout F 2026-11-21 12:00:00 worker one: began to work on the first job of the day\n")
	p := collector.NewParser()
	b := &collector.Block{Raw: raw}
	for range 100 {
		p.Parse(b, collector.More)
	}
	p.Parse(b, collector.Quiet)
	if got := string(b.Records[0].Message()); got != "worker one: began to work on the first job of the day" {
		t.Errorf("message %q: a header was learned from one line", got)
	}
}
