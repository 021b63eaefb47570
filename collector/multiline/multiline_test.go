package multiline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/collector/multiline"
)

// group gives the records of lines 1 ms apart. A line that begins with "E|" is of stderr.
func group(lines ...string) []lastnight.Record {
	var j multiline.Joiner
	var records []lastnight.Record
	keep := func(r *lastnight.Record) {
		records = append(records, *r)
		records[len(records)-1].Lines = slices.Clone(r.Lines)
	}
	for i, text := range lines {
		text, stderr := strings.CutPrefix(text, "E|")
		j.Add(&lastnight.Line{Time: int64(i+1) * 1e6, Offset: int64(i) * 100, Text: []byte(text), Stderr: stderr}, keep)
	}
	j.Flush(keep)
	return records
}

func texts(records []lastnight.Record) []string {
	var t []string
	for i := range records {
		t = append(t, records[i].Text())
	}
	return t
}

const head = "2026-11-21 12:00:00,001 INFO  a.B [] - "

func TestGroups(t *testing.T) {
	for name, want := range map[string][]string{ // each string is one record
		"plain lines stand alone":              {"one", "two", "", "three"},
		"headed lines stand alone":             {head + "one", head + "two"},
		"flink block":                          {"Starting x", head + "Matching\nMissing resources:\n\t Job 1\n\t\tRequirement\nCurrent resources:\n\t(none)", head + "next"},
		"java trace":                           {head + "failed\njava.lang.A: x\n\tat a.B.c(B.java:1)\n\t... 12 more\nCaused by: a.C: y\n\tat x.Y.z(Y.java)\n\tSuppressed: a.D\n\t\tat q.R.s(R.java)", head + "next"},
		"java trace, nothing before":           {"one", "java.lang.A: x\n\tat a.B.c(B.java:1)\nCaused by: y.Z: 1\n\tat a.B.c(B.java:1)", "two"},
		"message of two lines in a trace":      {head + "failed\njava.lang.A: x\nsecond line of x\n\n\tat a.B.c(B.java:1)", head + "next"},
		"main thread's exception stands out":   {head + "one", "Exception in thread \"main\" a.B: x\n\tat a.B.c(B.java:1)"},
		"python traceback":                     {"one", "Traceback (most recent call last):\n  File \"x.py\", line 1\n    f()\nValueError: no\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"y.py\"\nKeyError: 'k'", "two"},
		"python logging.exception":             {"2026-11-21 12:00:00,001 - app - ERROR - failed\nTraceback (most recent call last):\n  File \"x.py\", line 1\nValueError: no", "2026-11-21 12:00:00,002 - app - INFO - next"},
		"python basic logging.exception":       {"ERROR:app:failed\nTraceback (most recent call last):\n  File \"x.py\", line 1\nValueError: no", "plain", "INFO:app:next"},
		"go panic":                             {"one", "panic: runtime error: index out of range\n[signal SIGSEGV]\n\ngoroutine 1 [running]:\nmain.f(...)\n\t/x/main.go:12 +0x1d\nmain.main()\n\t/x/main.go:7 +0x1d\nexit status 2"},
		"jul":                                  {"Nov 21, 2026 11:53:28 AM a.B c\nSEVERE: no", "Nov 21, 2026 11:53:29 AM a.B c\nINFO: yes\njava.lang.A: x\n\tat a.B.c(B.java:1)"},
		"level only: no plain lines":           {"WARNING: one", "Caught something", "java.lang.A: x\n\tat a.B.c(B.java:1)"},
		"pretty json":                          {"{\n  \"a\": 1\n}", "{\n  \"b\": 2\n}"},
		"a trace that was logged line by line": {head + "a", head + "\tat x.Y.z(Y.java)"},
	} {
		t.Run(name, func(t *testing.T) {
			got := texts(group(strings.Split(strings.Join(want, "\n"), "\n")...))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIostreamsApart(t *testing.T) {
	got := texts(group(head+"one", "E|java.lang.A: x", "  more of one", "E|\tat a.B.c(B.java:1)", head+"two"))
	slices.Sort(got)
	want := []string{head + "one\n  more of one", head + "two", "java.lang.A: x\n\tat a.B.c(B.java:1)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestExceptions(t *testing.T) {
	for name, tc := range map[string]struct {
		lines string
		want  []string
	}{
		"head and causes": {head + "failed\njava.lang.RuntimeException: x\n\tat a.B.c(B.java:1)\n\tSuppressed: a.No: z\nCaused by: a.b.C$D: y\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException\n\t... 3 more", []string{"java.lang.RuntimeException", "a.b.C$D", "java.io.IOException"}},
		"without header":  {"java.lang.A: x\n\tat a.B.c(B.java:1)", []string{"java.lang.A"}},
		"in thread":       {"Exception in thread \"main\" java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)", []string{"java.lang.IllegalStateException"}},
		"in the message":  {head + "Unhandled: a.b.SomeException: no luck\n\tat a.B.c(B.java:1)", []string{"a.b.SomeException"}},
		"message alone":   {head + "Unhandled: a.b.SomeException: no luck", nil},
		"kryo":            {head + "x\ncom.esotericsoftware.kryo.KryoException: java.lang.A\nSerialization trace:\nf (a.B)\n\tat a.B.c(B.java:1)", []string{"com.esotericsoftware.kryo.KryoException"}},
		"serialized":      {head + "x\norg.apache.flink.util.SerializedThrowable: java.io.IOException: disk\n\tat a.B.c(B.java:1)", []string{"org.apache.flink.util.SerializedThrowable", "java.io.IOException"}},
		"python":          {"Traceback (most recent call last):\n  File \"x.py\"\nrequests.exceptions.ConnectionError: no", []string{"requests.exceptions.ConnectionError"}},
		"go":              {"panic: no\n\ngoroutine 1 [running]:", []string{"panic"}},
		"plain":           {"Error: no such file", nil},
		"a sentence":      {head + "x\nNot. An: exception", nil},
	} {
		t.Run(name, func(t *testing.T) {
			records := group(strings.Split(tc.lines, "\n")...)
			if len(records) != 1 {
				t.Fatalf("%d records", len(records))
			}
			if diff := cmp.Diff(tc.want, records[0].Exception); diff != "" {
				t.Errorf("exceptions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeaderOfRecord(t *testing.T) {
	r := group("Nov 21, 2026 11:53:28 AM a.B c", "SEVERE: no")[0]
	if r.Level != lastnight.LevelError || r.Logger != "a.B" || r.AppTime == 0 || string(r.Message()) != "a.B c" {
		t.Errorf("%v %q %d %q", r.Level, r.Logger, r.AppTime, r.Message())
	}
}

func TestLimits(t *testing.T) {
	lines := []string{head + "one"}
	for range 2500 {
		lines = append(lines, "\tat a.B.c(B.java:1)")
	}
	var sizes []int
	for _, r := range group(lines...) {
		sizes = append(sizes, len(r.Lines))
	}
	if diff := cmp.Diff([]int{1000, 1000, 501}, sizes); diff != "" {
		t.Errorf("lines a record (-want +got):\n%s", diff)
	}
	long := strings.Repeat("x", 600<<10)
	if got := len(group(head+long, "\t"+long, "\tshort")); got != 2 {
		t.Errorf("%d records of 1.2 MB, want 2", got)
	}
	var j multiline.Joiner
	n := 0
	count := func(*lastnight.Record) { n++ }
	for i, at := range []time.Duration{0, 5 * time.Second, 10*time.Second + 1} {
		j.Add(&lastnight.Line{Time: int64(at), Offset: int64(i), Text: []byte("\tindented")}, count)
	}
	if n != 1 {
		t.Errorf("%d records closed by a gap, want 1", n)
	}
}

func TestOtherIostreamClosesARecord(t *testing.T) {
	var j multiline.Joiner
	n := 0
	count := func(*lastnight.Record) { n++ }
	j.Add(&lastnight.Line{Text: []byte("open")}, count)
	j.Add(&lastnight.Line{Stderr: true, Offset: multiline.MaxWait, Text: []byte("x")}, count)
	if n != 0 {
		t.Error("closed too early")
	}
	j.Add(&lastnight.Line{Stderr: true, Offset: multiline.MaxWait + 1, Text: []byte("\ty")}, count)
	if n != 1 {
		t.Errorf("%d records closed", n)
	}
}

// FuzzMultiline holds that every line comes out once, in order, within the limits.
func FuzzMultiline(f *testing.F) {
	f.Add(head+"x\njava.lang.A: x\n\tat a.B.c(B.java:1)\nCaused by: b.C", uint8(3))
	f.Add("Traceback (most recent call last):\n  x\nValueError: y\n\nDuring handling of the above exception\n", uint8(0))
	f.Add("panic: x\n\ngoroutine 1 [running]:\n\xff\x00\n{\"level\":\"x\",\"msg\":1}\nNov 21, 2026 11:53:28 AM a.B c\nSEVERE: no", uint8(170))
	f.Fuzz(func(t *testing.T, file string, mask uint8) {
		var lines []string
		for i, text := range strings.Split(file, "\n") {
			if mask>>(i%8)&1 == 1 {
				text = "E|" + text
			}
			lines = append(lines, text)
		}
		var want, got [2][]string
		for _, text := range lines {
			text, stderr := strings.CutPrefix(text, "E|")
			want[index(stderr)] = append(want[index(stderr)], text)
		}
		for _, r := range group(lines...) {
			if len(r.Lines) == 0 || len(r.Lines) > multiline.MaxLines || len(r.Exception) > 16 || r.MessageAt > len(r.Lines[0].Text) {
				t.Errorf("record of %d lines, %d exceptions, message at %d", len(r.Lines), len(r.Exception), r.MessageAt)
			}
			for _, l := range r.Lines {
				got[index(l.Stderr)] = append(got[index(l.Stderr)], string(l.Text))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

func index(stderr bool) int {
	if stderr {
		return 1
	}
	return 0
}

func BenchmarkJoin(b *testing.B) {
	var lines []lastnight.Line
	size := 0
	for i := range 1000 {
		text := head + fmt.Sprintf("Source: events -> enrich (1/4) (%032x) switched from DEPLOYING to RUNNING.", i)
		if i%20 > 10 {
			text = "\tat org.apache.flink.streaming.runtime.tasks.StreamTask.invoke(StreamTask.java:751) ~[flink-dist-1.20.1.jar:1.20.1]"
		}
		lines = append(lines, lastnight.Line{Time: int64(i), Offset: int64(size), Text: []byte(text)})
		size += len(text)
	}
	var j multiline.Joiner
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for i := range lines {
			j.Add(&lines[i], func(*lastnight.Record) {})
		}
	}
}
