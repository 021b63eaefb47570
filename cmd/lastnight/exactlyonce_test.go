package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/internal/corpus"
	"lastnight/internal/recorded"
)

// container names what the lines of a test belong to.
type container struct{ namespace, pod, uid, name string }

// written reads a pods directory the simple way, apart from all of the product's code:
// what each container wrote, in the order of restarts and rotation.
func written(t *testing.T, root string) map[container][]byte {
	t.Helper()
	files := map[container][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".log") {
			return err
		}
		dir := filepath.Dir(path)
		part := strings.Split(filepath.Base(filepath.Dir(dir)), "_")
		if len(part) != 3 {
			return nil
		}
		c := container{part[0], part[1], part[2], filepath.Base(dir)}
		files[c] = append(files[c], path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[container][]byte{}
	for c, paths := range files {
		slices.SortFunc(paths, func(a, b string) int { return strings.Compare(logOrder(a), logOrder(b)) })
		for _, p := range paths {
			all[c] = append(all[c], messages(t, p)...)
		}
	}
	return all
}

// logOrder sorts 0.log.20260101-000000 before 0.log before 1.log.
func logOrder(path string) string {
	number, rotated, _ := strings.Cut(filepath.Base(path), ".log")
	rotated = strings.TrimSuffix(strings.TrimPrefix(rotated, "."), ".gz")
	if rotated == "" {
		rotated = "~"
	}
	return strings.Repeat("0", 8-len(number)) + number + rotated
}

// messages gives the lines of a CRI file as the container wrote them. Parts of stdout and
// stderr may alternate: each iostream is joined for itself, a line stands where it began.
func messages(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	var lines [][]byte
	open := map[string]int{}
	for l := range bytes.SplitSeq(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) {
		f := bytes.SplitN(l, []byte(" "), 4)
		if len(f) < 4 {
			continue
		}
		stream := string(f[1])
		i, ok := open[stream]
		if !ok {
			i = len(lines)
			lines = append(lines, nil)
		}
		lines[i] = append(lines[i], f[3]...)
		delete(open, stream)
		if f[2][0] == 'P' {
			open[stream] = i
		}
	}
	var out []byte
	for _, l := range lines {
		out = append(append(out, l...), '\n')
	}
	return out
}

// compare holds what was written against what comes back, byte for byte.
func compare(t *testing.T, data string, want map[container][]byte) {
	t.Helper()
	n, err := openNode(t.Context(), nodeConfig{dir: data, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	compareIn(t, n, want)
}

// compareIn is compare for a node that is open.
func compareIn(t *testing.T, n *node, want map[container][]byte) {
	t.Helper()
	var lines int64
	for c, w := range want {
		var got []byte
		for l, err := range n.indexer.RawLines(t.Context(), lastnight.SearchRequest{Namespace: c.namespace, Pod: c.pod, PodUID: c.uid, Container: c.name}) {
			if err != nil {
				t.Fatalf("%v: %v", c, err)
			}
			got = append(append(got, l.Text...), '\n')
			lines++
		}
		if !bytes.Equal(got, w) {
			at := 0
			for at < len(got) && at < len(w) && got[at] == w[at] {
				at++
			}
			t.Errorf("%s/%s: %d bytes came back of %d, they differ at %d: got %.100q, want %.100q",
				c.pod, c.name, len(got), len(w), at, got[at:], w[at:])
		}
	}
	records, counted := tallied(t, n)
	t.Logf("%d lines, %d records, %d counted", lines, records, counted)
	if records != counted {
		t.Errorf("the counts add up to %d, there are %d records", counted, records)
	}
}

// tallied counts the records that are found, and adds up the counts by level.
func tallied(t *testing.T, n *node) (records, counted int64) {
	t.Helper()
	for _, err := range n.indexer.Search(t.Context(), lastnight.SearchRequest{Kinds: []lastnight.DocumentKind{lastnight.DocumentRecord}}) {
		if err != nil {
			t.Fatal(err)
		}
		records++
	}
	buckets, err := n.indexer.Histogram(t.Context(), lastnight.HistogramRequest{Step: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range buckets {
		for _, v := range b.Levels {
			counted += v
		}
	}
	return records, counted
}

func smallCorpus(t *testing.T, mb int64) string {
	t.Helper()
	dir := t.TempDir()
	c, err := corpus.New(t.Context(), corpus.Options{Bytes: mb << 20, Pods: 12, Span: time.Hour, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lastnightCommand is this test binary as the command line (see TestMain).
func lastnightCommand(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "LASTNIGHT_TEST_MAIN=1")
	return cmd
}

// Importing twice, and importing again after kill -9 at any moment, loses and doubles nothing.
func TestImportKilled(t *testing.T) {
	dir := smallCorpus(t, 32)
	want := written(t, dir)
	data := filepath.Join(t.TempDir(), "data")
	rnd := rand.New(rand.NewPCG(1, 2))
	killed := 0
	for range 6 {
		cmd := lastnightCommand(t.Context(), t, "import", "--data", data, dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(40+rnd.IntN(200))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			killed++
		}
	}
	t.Logf("killed %d times of 6", killed)
	for i := range 2 {
		out, err := lastnightCommand(t.Context(), t, "import", "--data", data, dir).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if i > 0 && !strings.Contains(string(out), "imported 0 lines") {
			t.Errorf("importing again says %s", out)
		}
		compare(t, data, want)
	}
}

// A file that comes again under other names, longer, and compressed gives each line once.
func TestImportRotated(t *testing.T) {
	src := filepath.Join(t.TempDir(), "case")
	if err := recorded.Extract(t.Context(), "tm-oomkilled", src); err != nil {
		t.Fatal(err)
	}
	want := written(t, src)
	data := filepath.Join(t.TempDir(), "data")
	load := func(dir string) {
		t.Helper()
		if code := run(t.Context(), []string{"import", "--data", data, dir}, nil, io.Discard, os.Stderr); code != 0 {
			t.Fatalf("import %s: exit code %d", dir, code)
		}
	}
	load(changed(t, src, func(b []byte) map[string][]byte { // half of each file, cut inside a line
		return map[string][]byte{"0.log": b[:len(b)/2]}
	}))
	load(changed(t, src, func(b []byte) map[string][]byte { // rotated: two files, the first compressed
		cut := bytes.LastIndexByte(b[:len(b)*2/3], '\n') + 1
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(b[:cut])
		_ = w.Close()
		return map[string][]byte{"0.log.20261121-115500.gz": z.Bytes(), "0.log": b[cut:]}
	}))
	compare(t, data, want)
	load(changed(t, src, func(b []byte) map[string][]byte { // the same, renamed once more
		cut := bytes.LastIndexByte(b[:len(b)*2/3], '\n') + 1
		return map[string][]byte{"0.log.20261121-115500": b[:cut], "0.log.20261121-115700": b[cut:]}
	}))
	compare(t, data, want)
}

// changed copies a case with each 0.log replaced by what change makes of it.
func changed(t *testing.T, src string, change func([]byte) map[string][]byte) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "case")
	err := filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files := map[string][]byte{d.Name(): b}
		if d.Name() == "0.log" {
			files = change(b)
		}
		for name, b := range files {
			to := filepath.Join(dst, filepath.Dir(rel), name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o750), os.WriteFile(to, b, 0o600)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dst
}
