package corpus_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight/internal/corpus"
)

func newCorpus(tb testing.TB, o corpus.Options) *corpus.Corpus {
	tb.Helper()
	c, err := corpus.New(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func podText(tb testing.TB, c *corpus.Corpus, i int) (string, corpus.Stats) {
	tb.Helper()
	var b bytes.Buffer
	stats, err := c.WritePod(i, &b)
	if err != nil {
		tb.Fatal(err)
	}
	return b.String(), stats
}

func TestSameOptionsSameBytes(t *testing.T) {
	o := corpus.Options{Bytes: 2 << 20, Pods: 5, Seed: 7}
	a, b := newCorpus(t, o), newCorpus(t, o)
	o.Seed = 8
	other := newCorpus(t, o)
	for i := range a.Pods() {
		x, _ := podText(t, a, i)
		y, _ := podText(t, b, i)
		z, _ := podText(t, other, i)
		if x != y {
			t.Errorf("pod %d differs from run to run", i)
		}
		if x == z {
			t.Errorf("pod %d is the same for another seed", i)
		}
	}
}

// What is written is CRI, in order of time, within the span, and what Stats say.
func TestFilesAreCRI(t *testing.T) {
	start, span := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC), 2*time.Hour
	c := newCorpus(t, corpus.Options{Bytes: 16 << 20, Pods: 3, Span: span, Start: start})
	var total, counted corpus.Stats
	for i := range c.Pods() {
		text, stats := podText(t, c, i)
		total = sum(total, stats)
		counted.Pods++
		var last time.Time
		var line []byte
		for row := range bytes.Lines([]byte(text)) {
			counted.Parts++
			counted.RawBytes += int64(len(row))
			m := bytes.SplitN(bytes.TrimSuffix(row, []byte("\n")), []byte(" "), 4)
			if len(m) != 4 || string(m[1]) != "stdout" {
				t.Fatalf("pod %d: not CRI: %.200q", i, row)
			}
			at, err := time.Parse(time.RFC3339Nano, string(m[0]))
			if err != nil || at.Before(last) || at.Before(start) || at.After(start.Add(span+time.Minute)) {
				t.Fatalf("pod %d: time %s after %s: %v", i, m[0], last, err)
			}
			last = at
			if line = append(line, m[3]...); string(m[2]) == "F" {
				counted.Lines++
				counted.MessageBytes += int64(len(line))
				if len(line) > 23 && flinkTime.Match(line[:24]) {
					counted.Records++
				}
				line = line[:0]
			}
		}
	}
	total.Traces = 0 // not counted here
	if diff := cmp.Diff(counted, total); diff != "" {
		t.Errorf("counted (-) and told (+) differ:\n%s", diff)
	}
	if total.Parts == total.Lines {
		t.Error("no line was long enough to be cut into parts")
	}
	if over := total.RawBytes - 16<<20; over < 0 || over > 3*64<<10 {
		t.Errorf("made %d bytes more than asked for", over)
	}
}

var flinkTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} `)

func sum(a, b corpus.Stats) corpus.Stats {
	return corpus.Stats{
		Pods: a.Pods + b.Pods, Lines: a.Lines + b.Lines, Parts: a.Parts + b.Parts, Records: a.Records + b.Records,
		Traces: a.Traces + b.Traces, RawBytes: a.RawBytes + b.RawBytes, MessageBytes: a.MessageBytes + b.MessageBytes,
	}
}

var podFolder = regexp.MustCompile(`^[a-z-]+_[a-z0-9-]+_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/flink-main-container/0\.log$`)

func TestWriteMakesATree(t *testing.T) {
	dir := t.TempDir()
	stats, err := newCorpus(t, corpus.Options{Bytes: 1 << 20, Pods: 30}).Write(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	files, size := 0, int64(0)
	err = fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files, size = files+1, size+info.Size()
		if !podFolder.MatchString(filepath.ToSlash(p)) {
			t.Errorf("path %s", p)
		}
		return nil
	})
	if err != nil || files != 30 || stats.Pods != 30 || size != stats.RawBytes {
		t.Errorf("%d files with %d bytes, told %+v: %v", files, size, stats, err)
	}
}

func BenchmarkWritePod(b *testing.B) {
	c := newCorpus(b, corpus.Options{Bytes: 16 << 20, Pods: 2})
	var n int64
	for b.Loop() {
		stats, err := c.WritePod(1, io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		n = stats.RawBytes
	}
	b.SetBytes(n)
}
