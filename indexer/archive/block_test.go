package archive

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lastnight"
)

// pieces of texts that are hard to cut, or that hit every way of storing them.
var samples = []string{
	"2026-03-01 00:00:00.123 INFO  [main] org.example.Log - took 15 ms", "2026-03-01T00:00:00,123456 x", "26/03/01 00:00:00 INFO y",
	"260301 000000 143 INFO dfs", "Mar  1 00:00:00 host sshd[42]: x", "Mar 11 00:00:00 host", "Mar 01 00:00:00 host", "12:00:00.5 x", "23:59:59", "2026-02-30 00:00:00 x",
	"I0301 00:00:00.123456 1 x.go:1] y", "I0301", "0301 00:00:00.123456 k", "2024/02/29 23:59:59 leap", "99/12/31 23:59:59 x",
	"", " ", "a", "1", "007", "-5", "999999999999999999", "1000000000000000000", "blk_-1608999687919862906", "10.240.1.17:50010",
	"a1b2c3d4-1234-4abc-8def-0123456789ab", "\x11", "x\x12y 1", "1 \x13 2", "\n", "line 1\nline 2", "\xff\xfe\x00", "日本語 3 ｶﾅ", "{\"a\":\"1\",\"b\":\"\"}", "\tat x.y.Z(Z.java:42)",
}

func randomRows(r *rand.Rand, n int) []row {
	rows := make([]row, 0, n)
	at := map[int]int64{}
	now := int64(1_772_323_200_000_000_000)
	for i := range n {
		k := i * 3 / n
		rec := lastnight.Record{Level: lastnight.Level(r.IntN(7)), Template: fmt.Sprint(r.IntN(3))}
		for range 1 + r.IntN(3)*r.IntN(2) {
			l := randomLine(r, now, at[k])
			now += r.Int64N(1e9) - 1e6
			rec.Lines = append(rec.Lines, l)
			at[k] = foretell(&l) + int64(r.IntN(20)/19)
		}
		decorate(r, &rec)
		rows = append(rows, row{k, &rec})
	}
	return rows
}

func randomLine(r *rand.Rand, now, at int64) lastnight.Line {
	l := lastnight.Line{Time: now, Offset: at, Stderr: r.IntN(4) == 0, Partial: r.IntN(30) == 0}
	for range 1 + r.IntN(3) {
		l.Text = append(l.Text, samples[r.IntN(len(samples))]...)
	}
	switch r.IntN(60) {
	case 0:
		for range 200 {
			l.Text = fmt.Appendf(l.Text, " %d", r.IntN(1000))
		}
	case 1:
		for range 5000 {
			l.Text = append(l.Text, byte('a'+r.IntN(26)))
		}
	case 2:
		l.Time = r.Int64() - r.Int64()
	case 3:
		l.Parts = []lastnight.Part{{Time: now, Offset: at, Size: 1}, {Time: now + 5, Offset: at + 42, Size: len(l.Text)}}
	}
	return l
}

func decorate(r *rand.Rand, rec *lastnight.Record) {
	text := rec.Lines[0].Text
	if len(text) > 0 {
		rec.MessageAt = r.IntN(len(text) + 1)
		rec.Thread = string(text[:r.IntN(rec.MessageAt+1)])
	}
	rec.Logger = []string{"", "org.example.Log", "x\xff"}[r.IntN(3)]
	switch r.IntN(5) {
	case 0:
		rec.AppTime = rec.Lines[0].Time/1e6*1e6 + 1e6
	case 1:
		rec.AppTime = r.Int64() - r.Int64()
	case 2:
		rec.Exception = []string{"java.io.IOException", "E"}[:1+r.IntN(2)]
	case 3:
		rec.Attrs = map[string]string{"a": "1", "b": "", "x.a": "\x00", "n": fmt.Sprint(r.IntN(9))}
	}
}

// TestBlockRoundTrip: both layouts give back every field of any rows.
func TestBlockRoundTrip(t *testing.T) {
	tools, err := newTools()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		rows := randomRows(r, 1+r.IntN(60))
		tools.words.reset()
		tools.cols.encode(rows, &tools.words)
		columns := packedColumns(tools, codecZstd)
		plain := tools.z.pack(nil, tools.plain.encode(rows), codecS2)
		for name, block := range map[string][]byte{"columns": columns, "plain": plain} {
			got, err := decodeBlock(block, 3)
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, err)
			}
			if d := cmp.Diff(rows, got, cmp.AllowUnexported(row{}), cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("seed %d, %s (-want +got)\n%s", seed, name, d)
			}
		}
		var all wordSet
		all.reset()
		for i := range rows {
			for j := range rows[i].rec.Lines {
				addWords(&all, rows[i].rec.Lines[j].Text)
			}
		}
		if filter := filterOf(&tools.words); !hasAll(filter, &all) {
			t.Fatalf("seed %d: the filter lacks a word", seed)
		}
	}
}

func hasAll(filter []byte, s *wordSet) bool {
	for _, h := range s.all() {
		if h != 0 && !mayHave(filter, h) {
			return false
		}
	}
	return true
}

func TestStamps(t *testing.T) {
	const near = 1_772_323_200_500_000_000 // 2026-03-01 00:00:00.5
	f := func(text string, n int, ns int64) {
		t.Helper()
		r := new(stampReader)
		got, size := r.read([]byte(text), near)
		if size != n || size > 0 && got != ns {
			t.Errorf("%q: %d bytes, %d; want %d bytes, %d", text, size, got, n, ns)
			return
		}
		if form := r.form; size > 0 {
			if back := string(form.appendStamp(nil, stampOf(form, stampDelta(form, got, near), near))); back != text[:n] {
				t.Errorf("%q becomes %q", text[:n], back)
			}
		}
	}
	day := int64(1_772_323_200_000_000_000)
	f("2026-03-01 00:00:00.123 INFO", 23, day+123_000_000)
	f("2026-03-01T00:00:01,123456 INFO", 26, day+1_123_456_000)
	f("2026/03/01 00:00:02 x", 19, day+2_000_000_000)
	f("26/03/01 00:00:03 x", 17, day+3_000_000_000)
	f("260301 000004 x", 13, day+4_000_000_000)
	f("Mar  1 00:00:05 x", 15, day+5_000_000_000)
	f("Feb 28 23:59:59 x", 15, day-1_000_000_000)
	f("0301 00:00:06.123456 x", 20, day+6_123_456_000)
	f("00:00:07.001 x", 12, day+7_001_000_000)
	f("2026-02-29 00:00:00 x", 0, 0)
	f("2026-03-01 24:00:00 x", 0, 0)
	f("2026-03-01 00:00:001", 0, 0)
	f("Mar 01 00:00:05 x", 0, 0)
}

func TestSpans(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		var s spans
		var want [64]bool
		for range r.IntN(12) {
			from := r.IntN(64)
			to := from + r.IntN(65-from)
			s = s.add(int64(from), int64(to))
			for i := from; i < to; i++ {
				want[i] = true
			}
		}
		for i := range want {
			if s.has(int64(i)) != want[i] || s.overlaps(int64(i), int64(i)+1) != want[i] {
				t.Fatalf("seed %d: %v at %d", seed, s, i)
			}
			if free := s.without(int64(i), int64(i)+1); (len(free) == 1) == want[i] {
				t.Fatalf("seed %d: %v without at %d", seed, s, i)
			}
		}
		for i := 1; i < len(s); i++ {
			if s[i].from <= s[i-1].to {
				t.Fatalf("seed %d: %v", seed, s)
			}
		}
	}
}

// packedColumns makes a block of what the tools' column encoder has taken up.
func packedColumns(t *tools, c codec) []byte {
	t.z.begin(c)
	t.cols.write(t.z)
	return t.z.appendTo(nil)
}
