package clusterer_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/clusterer"
	"lastnight/collector/cri"
	"lastnight/collector/multiline"
	"lastnight/internal/recorded"
)

// eachRecord calls f for the records of a log file as the container runtime wrote it.
func eachRecord(file string, data []byte, f func(r *lastnight.Record)) error {
	if strings.HasSuffix(file, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return err
		}
		if data, err = io.ReadAll(z); err != nil {
			return err
		}
	}
	var lines cri.Joiner
	var records multiline.Joiner
	at := int64(0)
	for raw := range bytes.Lines(data) {
		if e, ok := cri.Parse(bytes.TrimSuffix(raw, []byte{'\n'})); ok {
			lines.Add(&e, at, func(l *lastnight.Line) { records.Add(l, f) })
		}
		at += int64(len(raw))
	}
	lines.Flush(func(l *lastnight.Line) { records.Add(l, f) })
	records.Flush(f)
	return nil
}

// recordedTemplates clusters all recorded cases with one clusterer and gives how many records each final
// template has, with its exceptions.
func recordedTemplates(t *testing.T) map[string]int {
	t.Helper()
	c := clusterer.New(clusterer.Config{})
	count := map[string]int{}
	total := 0
	for _, name := range recorded.Names() {
		err := recorded.Files(t.Context(), name, func(file string, data []byte) error {
			if !strings.Contains(file, "var/log/pods/") {
				return nil
			}
			return eachRecord(file, data, func(r *lastnight.Record) {
				message := r.Message()
				m := c.Add(message, r.Exception, nil)
				check(t, c, message, m)
				count[m.ID]++
				total++
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	final := map[string]int{}
	sum := 0
	for id, n := range count {
		x, _ := c.Template(c.Resolve(id))
		text := x.Text
		if len(x.Exception) > 0 {
			text += "\n      " + strings.Join(x.Exception, " <- ")
		}
		final[text] += n
		sum += n
	}
	if s := c.Stats(); sum != total || s.Lines != int64(total) {
		t.Errorf("counts of all templates add up to %d, there were %d records: %+v", sum, total, s)
	}
	return final
}

// TestGoldenRecorded: the templates of all recorded failures, by text, and how many records each has. Read
// the difference before writing the file anew: would you want to be told so at 3 a.m.?
func TestGoldenRecorded(t *testing.T) {
	counts := recordedTemplates(t)
	var got strings.Builder
	texts := make([]string, 0, len(counts))
	for text := range counts {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	for _, text := range texts {
		fmt.Fprintf(&got, "%5d %s\n", counts[text], text)
	}
	const name = "testdata/recorded.golden"
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("templates changed (-want +got); -update writes them anew:\n%s", diff)
	}
}
