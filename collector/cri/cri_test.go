package cri_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/collector/cri"
)

func TestParse(t *testing.T) {
	at := time.Date(2026, 11, 21, 11, 53, 43, 90458389, time.UTC).UnixNano()
	for _, tc := range []struct {
		raw  string
		want cri.Entry
		ok   bool
	}{
		{"2026-11-21T11:53:43.090458389Z stdout F the text", cri.Entry{Time: at, Text: []byte("the text")}, true},
		{"2026-11-21T12:53:43.090458389+01:00 stderr P half ", cri.Entry{Time: at, Text: []byte("half "), Stderr: true, Partial: true}, true},
		{"2026-11-21T11:53:43.09Z stdout F:x:y  two blanks", cri.Entry{Time: at - 458389, Text: []byte(" two blanks")}, true},
		{"2026-11-21T11:53:43Z stdout F ", cri.Entry{Time: at - 90458389, Text: []byte{}}, true},
		{"2026-11-21T11:53:43Z stdout F", cri.Entry{Time: at - 90458389, Text: []byte{}}, true},
		{raw: "2026-11-21T11:53:43Z stdout X text"},
		{raw: "2026-11-21T11:53:43Z stdout Full"},
		{raw: "2026-11-21T11:53:43Z stdin F text"},
		{raw: "2026-02-29T11:53:43Z stdout F no such day"},
		{raw: "2026-11-21T25:53:43Z stdout F no such hour"},
		{raw: "2026-11-21T11:53:43.Z stdout F text"},
		{raw: "2026-11-21T11:53:43.0904583891Z stdout F text"},
		{raw: "2026-11-21 11:53:43Z stdout F text"},
		{raw: "2026-11-21T11:53:43"},
		{raw: `{"log":"x\n","stream":"stdout","time":"2026-11-21T11:53:43Z"}`},
		{raw: ""},
	} {
		got, ok := cri.Parse([]byte(tc.raw))
		if ok != tc.ok {
			t.Errorf("%q: ok %v", tc.raw, ok)
		} else if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tc.raw, diff)
		}
	}
}

// TestParser holds that a line's time is the same whatever line came before it.
func TestParser(t *testing.T) {
	var p cri.Parser
	for _, raw := range []string{
		"2026-11-21T11:53:43.090458389Z stdout F the text",
		"2026-11-21T11:53:43.090458390Z stderr P the text",
		"2026-11-21T11:53:60.123456789Z stdout F leap second",
		"2026-11-21T11:53:59.99999999:Z stdout F no digit",
		"2026-11-21T11:53:5a.999999999Z stdout F no digit",
		"2026-11-21T11:53:59.999999999Z stdout X no such tag",
		"2026-11-21T11:53:59.999999999Z stdin_ F no such stream",
		"2026-11-21T11:53:59.999999999Z stdout F",
		"2026-11-21T11:53:59.999999999Z stdout F:more tags",
		"2026-11-21T11:54:00.000000000Z stdout F next minute",
		"2026-11-22T11:54:00.000000001Z stdout F next day",
		"2026-11-22T12:54:00.000000001+01:00 stdout F another zone",
		"2026-11-22T11:54:61.000000001Z stdout F no such second",
		"2026-11-31T11:54:00.000000001Z stdout F no such day",
		"2026-11-22T11:54:01.000000001Z stdout F again",
	} {
		want, wantOK := cri.Parse([]byte(raw))
		var got cri.Entry
		ok := p.Parse([]byte(raw), &got)
		if diff := cmp.Diff(want, got); diff != "" || ok != wantOK {
			t.Errorf("%q: ok %v, want %v (-want +got):\n%s", raw, ok, wantOK, diff)
		}
	}
}

// join gives what comes out of entries "o|e" + "P|F" + text, 100 bytes from one to the next.
func join(entries ...string) []lastnight.Line {
	var j cri.Joiner
	var lines []lastnight.Line
	keep := func(l *lastnight.Line) { lines = append(lines, *l) }
	for i, e := range entries {
		j.Add(&cri.Entry{Time: int64(i), Stderr: e[0] == 'e', Partial: e[1] == 'P', Text: []byte(e[2:])}, int64(i)*100, keep)
	}
	j.Flush(keep)
	return lines
}

func TestJoinInterleaved(t *testing.T) {
	got := join("oPone ", "eFother", "oPtwo ", "ePa", "oFthree", "eFb", "oPnever ends")
	want := []lastnight.Line{
		{Time: 1, Offset: 100, Text: []byte("other"), Stderr: true},
		{Text: []byte("one two three"), Parts: []lastnight.Part{{Size: 4}, {Time: 2, Offset: 200, Size: 4}, {Time: 4, Offset: 400, Size: 5}}},
		{Time: 3, Offset: 300, Text: []byte("ab"), Stderr: true, Parts: []lastnight.Part{{Time: 3, Offset: 300, Size: 1}, {Time: 5, Offset: 500, Size: 1}}},
		{Time: 6, Offset: 600, Text: []byte("never ends")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestJoinIsBounded(t *testing.T) {
	var j cri.Joiner
	var lines []lastnight.Line
	part := bytes.Repeat([]byte("x"), 1<<20)
	total := 0
	for i := range 40 {
		j.Add(&cri.Entry{Partial: true, Text: part}, int64(i)<<21, func(l *lastnight.Line) { lines = append(lines, *l) })
		total += len(part)
	}
	j.Flush(func(l *lastnight.Line) { lines = append(lines, *l) })
	for _, l := range lines {
		if len(l.Text) > cri.MaxLine {
			t.Errorf("line of %d bytes", len(l.Text))
		}
		total -= len(l.Text)
	}
	if total != 0 || j.Split != 2 {
		t.Errorf("%d bytes missing, %d splits", total, j.Split)
	}
}

func TestJoinDoesNotWaitForEver(t *testing.T) {
	var j cri.Joiner
	var texts []string
	keep := func(l *lastnight.Line) { texts = append(texts, string(l.Text)) }
	j.Add(&cri.Entry{Partial: true, Text: []byte("waits")}, 0, keep)
	j.Add(&cri.Entry{Stderr: true, Text: []byte("near")}, cri.MaxWait, keep)
	j.Add(&cri.Entry{Stderr: true, Text: []byte("far")}, cri.MaxWait+1, keep)
	j.Add(&cri.Entry{Text: []byte("late")}, cri.MaxWait+2, keep)
	if diff := cmp.Diff([]string{"near", "waits", "far", "late"}, texts); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// FuzzCRI holds that the parser agrees with the standard library on times, and that no byte of a text is lost.
func FuzzCRI(f *testing.F) {
	f.Add("2026-11-21T11:53:43.090458389Z stdout F the text\n2026-11-21T11:53:44+01:00 stderr P half\n2026-11-21T11:53:45Z stderr F rest")
	f.Add("2026-11-21T11:53:43.090458389Z stdout F one\n2026-11-21T11:53:44.090458389Z stderr P two\n2026-11-21T11:53:60.090458389Z stdout F three")
	f.Add("2024-02-29T23:59:60.9Z stdout P:tag \n\x00\xff")
	f.Fuzz(func(t *testing.T, file string) {
		var j cri.Joiner
		var p cri.Parser
		in, out := 0, 0
		count := func(l *lastnight.Line) {
			out += len(l.Text)
			sum := 0
			for _, p := range l.Parts {
				sum += p.Size
			}
			if l.Parts != nil && sum != len(l.Text) {
				t.Errorf("parts of %d bytes, text of %d", sum, len(l.Text))
			}
		}
		offset := int64(0)
		for raw := range strings.SplitSeq(file, "\n") {
			e, ok := cri.Parse([]byte(raw))
			var again cri.Entry
			if sure := p.Parse([]byte(raw), &again); sure != ok || !cmp.Equal(again, e) {
				t.Errorf("%q: %v %v, by itself %v %v", raw, again, sure, e, ok)
			}
			if !ok {
				e = cri.Entry{Text: []byte(raw)}
			} else if want, err := time.Parse(time.RFC3339Nano, raw[:strings.IndexByte(raw, ' ')]); err == nil && want.UnixNano() != e.Time {
				t.Errorf("%q: time %d, want %d", raw, e.Time, want.UnixNano())
			} else if ok && !strings.HasSuffix(raw, string(e.Text)) {
				t.Errorf("%q: text %q", raw, e.Text)
			}
			in += len(e.Text)
			j.Add(&e, offset, count)
			offset += int64(len(raw)) + 1
		}
		j.Flush(count)
		if in != out {
			t.Errorf("%d bytes in, %d out", in, out)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	line := []byte("2026-11-21T11:53:47.459312773Z stdout F 2026-11-21 11:53:47,459 INFO  org.apache.flink.runtime.taskexecutor.TaskExecutor [] - Activate slot 4bc4f3f0d5b4d6f7a8c9e0f1a2b3c4d5.")
	b.SetBytes(int64(len(line)))
	var p cri.Parser
	var e cri.Entry
	for b.Loop() {
		if !p.Parse(line, &e) {
			b.Fatal("not a line")
		}
	}
}
