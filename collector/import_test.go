package collector_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/collector"
)

const recorded = "testdata/case"

// rawLines reads the log files of a directory in the simplest way: id → text.
func rawLines(t *testing.T, dir string) map[lastnight.LineID]string {
	t.Helper()
	want := map[lastnight.LineID]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".log") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in := io.Reader(f)
		if strings.HasSuffix(path, ".gz") {
			if in, err = gzip.NewReader(f); err != nil {
				return err
			}
		}
		raw, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		s, _ := collector.ParsePodDir(filepath.Base(filepath.Dir(filepath.Dir(path))))
		s.Container = filepath.Base(filepath.Dir(path))
		s.Restart, _, _ = collector.ParseLogName(d.Name())
		first, _, _ := bytes.Cut(raw, []byte("\n"))
		gen := collector.GenerationOf(first)
		offset, begin, text := 0, 0, ""
		for line := range strings.Lines(string(raw)) {
			part := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
			if text += part[3]; part[2] == "F" {
				want[lastnight.NewLineID(s.ID(), gen, int64(begin))] = text
				text, begin = "", offset+len(line)
			}
			offset += len(line)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func texts(h *held) map[lastnight.LineID]string {
	got := map[lastnight.LineID]string{}
	for id, l := range h.lines {
		got[id] = string(l.Text)
	}
	return got
}

func imported(t *testing.T, h *held, dir string) collector.Stats {
	t.Helper()
	stats, err := collector.Import(t.Context(), collector.Config{Ingester: h, Positions: h, Workers: 3}, dir)
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

func TestImportRecordedCase(t *testing.T) {
	h := newHeld(t)
	stats := imported(t, h, recorded)
	want := rawLines(t, recorded)
	if diff := cmp.Diff(want, texts(h)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if stats.Lines != int64(len(want)) || stats.Files != 5 || stats.Damaged != 0 || h.doubled != 0 {
		t.Errorf("stats %+v, %d lines doubled; want %d lines", stats, h.doubled, len(want))
	}
	if len(h.kinds) < 3 || h.kinds[0] != "pods" || h.kinds[len(h.kinds)-1] != "events" {
		t.Errorf("batches %v: want pods first, events last", h.kinds)
	}
	if stats.Events != int64(len(h.events)) || stats.Pods != int64(len(h.pods)) || len(h.pods) != 3 {
		t.Errorf("stats %+v, got %d events and %d pods", stats, len(h.events), len(h.pods))
	}
	for _, l := range h.lines {
		if len(l.Parts) == 2 {
			return
		}
	}
	t.Error("no line was joined from two parts")
}

func TestImportedRecords(t *testing.T) {
	h := newHeld(t)
	imported(t, h, recorded)
	found := h.find("switched from RUNNING to FAILED with failure cause:")
	if len(found) != 2 {
		t.Fatalf("got %d records of the failure, want 2", len(found))
	}
	r := found[0]
	if r.Level != lastnight.LevelWarn || r.Logger != "org.apache.flink.runtime.taskmanager.Task" || len(r.Lines) < 5 {
		t.Errorf("level %v, logger %q, %d lines", r.Level, r.Logger, len(r.Lines))
	}
	if diff := cmp.Diff([][]string{{"java.io.EOFException"}, {"java.net.ConnectException"}}, [][]string{r.Exception, found[1].Exception}); diff != "" {
		t.Errorf("exceptions (-want +got):\n%s", diff)
	}
	if !bytes.HasPrefix(r.Message(), []byte("Source: rates-feed")) {
		t.Errorf("message %q", r.Message())
	}
	found = h.find("licence.key is missing")
	if len(found) == 0 {
		t.Fatal("no record of the Exception in thread")
	}
	if diff := cmp.Diff([]string{"java.lang.IllegalStateException"}, found[0].Exception); diff != "" {
		t.Errorf("exceptions (-want +got):\n%s", diff)
	}
}

func TestImportAgainAndRenamed(t *testing.T) {
	h := newHeld(t)
	imported(t, h, recorded)
	before := len(h.lines)
	stats := imported(t, h, recorded)
	if stats.Lines != 0 || stats.Held != 5 || h.doubled != 0 {
		t.Errorf("second import: %+v, %d lines doubled", stats, h.doubled)
	}
	// The same files, rotated and compressed since, next to a copy of themselves.
	dir := t.TempDir()
	pod := "flink-prod_fx-rates-join-taskmanager-1-2_0019fa07-015b-46e5-9464-1c9bf856e4f9/flink-main-container"
	raw, err := os.ReadFile(filepath.Join(recorded, "nodes/node-a/var/log/pods", pod, "0.log"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "a", pod, "0.log.20261121-120300.gz"), gz(t, raw))
	write(t, filepath.Join(dir, "a", pod, "0.log.20261121-120300"), raw)
	write(t, filepath.Join(dir, "b/nodes/n/var/log/pods", pod, "0.log"), append(slices.Clip(raw), "2026-11-21T13:00:00.5Z stdout F more\n"...))
	stats = imported(t, h, dir)
	if stats.Lines != 1 || len(h.lines) != before+1 || h.doubled != 0 {
		t.Errorf("third import: %+v, %d lines before, %d after, %d doubled", stats, before, len(h.lines), h.doubled)
	}
}

func TestImportHalfWrittenFileLater(t *testing.T) {
	h := newHeld(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "ns_pod_uid/c/0.log")
	raw := "2026-11-21T12:00:00.1Z stdout F one\n2026-11-21T12:00:00.2Z stdout P two\n2026-11-21T12:00:00.3Z stderr F three\n2026-11-21T12:00:00.4Z stdout F , end\n"
	for n := 1; n <= len(raw); n++ {
		if n == 1 || n > 36 { // from the first whole line on the generation stays
			write(t, path, []byte(raw[:n]))
			if n > 1 {
				imported(t, h, dir)
			}
		}
	}
	if diff := cmp.Diff(rawLinesOf(raw), sortedTexts(h)); diff != "" || h.doubled != 0 {
		t.Errorf("%d doubled, lines (-want +got):\n%s", h.doubled, diff)
	}
}

func rawLinesOf(string) []string { return []string{"one", "two, end", "three"} }

func sortedTexts(h *held) []string {
	var texts []string
	for _, l := range sortedLines(h) {
		texts = append(texts, string(l.Text))
	}
	return texts
}

func TestImportBrokenFiles(t *testing.T) {
	dir := t.TempDir()
	pods := filepath.Join(dir, "pods")
	line := "2026-11-21T12:00:00.000000001Z stdout F whole line\n"
	good := []byte(strings.Repeat(line, 5000))
	zipped := gz(t, good)
	write(t, filepath.Join(pods, "ns_truncated_1/c/0.log.20261121-120000.gz"), zipped[:len(zipped)/2])
	write(t, filepath.Join(pods, "ns_junk_2/c/0.log"), []byte("\x00\xff\xfejunk\nmore \x80 junk\n2026-11-21T12:00:00.000000001Z stdout F good\n2026-13-45T99:00:00Z stdout F bad time\n"))
	write(t, filepath.Join(pods, "ns_long_3/c/0.log"), []byte("2026-11-21T12:00:00.000000001Z stdout F "+strings.Repeat("x", 10<<20)+"\n"+line))
	write(t, filepath.Join(pods, "ns_toolong_4/c/0.log"), bytes.Repeat([]byte("y"), 40<<20))
	write(t, filepath.Join(pods, "ns_empty_5/c/0.log"), nil)
	write(t, filepath.Join(pods, "ns_odd.name-_6/c/readme.txt"), []byte("x"))
	write(t, filepath.Join(pods, "nounderscore/c/0.log"), good)
	write(t, filepath.Join(pods, "ns_badgz_7/c/0.log.20261121-120000.gz"), []byte("\x1f\x8bnot gzip at all"))
	write(t, filepath.Join(pods, "kube-system_etcd-node-a_5f3c2a/etcd/0.log"), []byte(line)) // a static pod
	for link, to := range map[string]string{"ns_loop_8": ".", "ns_dangling_9": "nowhere", "ns_junk_2/c/1.log": "nowhere.log"} {
		if err := os.Symlink(to, filepath.Join(pods, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(pods, "ns_junk_2/c/2.log"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHeld(t)
	stats := imported(t, h, dir)
	for _, want := range []string{
		"ns_truncated_1/c/0.log.20261121-120000.gz", "unexpected EOF",
		"ns_junk_2/c/0.log:0: line without the header of a container runtime: kept as it is (3 times)",
		"ns_toolong_4/c/0.log:0: line longer than 16 MiB", "readme.txt:0: is not named", "nounderscore:0: is not named",
		"ns_badgz_7", "ns_dangling_9:0: symbolic link", "1.log:0: cannot be opened: no such file", "2.log:0: cannot be opened: is not a regular file",
	} {
		if !strings.Contains(fmt.Sprint(stats.Damages), want) {
			t.Errorf("no damage %q in %v", want, stats.Damages)
		}
	}
	var total int
	count := map[string]int{}
	for _, l := range h.lines {
		total += len(l.Text)
		count[string(l.Text[:min(len(l.Text), 10)])]++
	}
	if count["good"] != 1 || count["xxxxxxxxxx"] != 1 || count["whole line"] < 2000 || count["2026-13-45"] != 1 || count["\x00\xff\xfejunk"] != 1 {
		t.Errorf("lines by beginning: %v", count)
	}
	if want := 50 << 20; total < want {
		t.Errorf("%d bytes of text, want at least %d: the long lines are cut", total, want)
	}
	if runtime.GOOS == "linux" && stats.Held < 1 {
		t.Errorf("stats %+v: the empty file is not counted", stats)
	}
}

func TestImportLayouts(t *testing.T) {
	line := []byte("2026-11-21T12:00:00.000000001Z stdout F x\n")
	for name, tc := range map[string]struct{ file, ask, node string }{
		"bare pods":               {"ns_p_1/c/0.log", ".", "flag"},
		"pods by name":            {"pods/ns_p_1/c/0.log", ".", "flag"},
		"a node's root":           {"var/log/pods/ns_p_1/c/0.log", ".", "flag"},
		"case":                    {"nodes/n1/var/log/pods/ns_p_1/c/0.log", ".", "n1"},
		"removed":                 {"nodes/n1/removed-before-end/ns_p_1/c/0.log", ".", "n1"},
		"cases of an odd name":    {"run_2026_11/nodes/n1/var/log/pods/ns_p_1/c/0.log", ".", "n1"},
		"a folder of cases below": {"a/b/nodes/n1/var/log/pods/ns_p_1/c/0.log.20261121-120000", "a", "n1"},
		"one pod":                 {"ns_p_1/c/0.log", "ns_p_1", "flag"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, tc.file), line)
			got := newSpanKeeper()
			stats, err := collector.Import(t.Context(), collector.Config{Ingester: got, Cluster: "c1", Node: "flag"}, filepath.Join(dir, tc.ask))
			if err != nil || stats.Lines != 1 {
				t.Fatalf("error %v, stats %+v", err, stats)
			}
			want := lastnight.Stream{Cluster: "c1", Namespace: "ns", Pod: "p", PodUID: "1", Container: "c", Node: tc.node}
			if diff := cmp.Diff([]lastnight.Stream{want}, got.streams); diff != "" {
				t.Errorf("stream (-want +got):\n%s", diff)
			}
		})
	}
}

// TestImportInterrupted ends an import after each number of batches and begins again.
func TestImportInterrupted(t *testing.T) {
	dir := t.TempDir()
	lines := 0
	for i := range 6 {
		raw := flinkLike(3 << 20)
		lines += bytes.Count(raw, []byte("\n"))
		write(t, filepath.Join(dir, fmt.Sprintf("ns_p%d_u%d/c/%d.log", i%3, i%3, i)), raw)
	}
	h := newHeld(t)
	tries := 0
	for ; tries < 50; tries++ {
		h.failAfter = 1
		_, err := collector.Import(t.Context(), collector.Config{Ingester: h, Positions: h, Workers: 2}, dir)
		if err == nil {
			break
		}
		if lastnight.CodeOf(err) != lastnight.CodeUnavailable {
			t.Fatal(err)
		}
	}
	if tries < 2 || len(h.lines) != lines || h.doubled != 0 {
		t.Errorf("after %d interruptions %d lines, want %d; %d doubled", tries, len(h.lines), lines, h.doubled)
	}
}

func TestImportWrongUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, []byte("x"))
	for _, dir := range []string{filepath.Dir(file), file, filepath.Join(t.TempDir(), "missing")} {
		_, err := collector.Import(t.Context(), collector.Config{Ingester: newHeld(t)}, dir)
		if lastnight.CodeOf(err) != lastnight.CodeInvalid || lastnight.HintOf(err) == "" {
			t.Errorf("%s: error %v, hint %q", dir, err, lastnight.HintOf(err))
		}
	}
}

func TestImportEmptyDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "nodes/n/var/log/pods/ns_p_u/c"), 0o755); err != nil {
		t.Fatal(err)
	}
	if stats := imported(t, newHeld(t), dir); stats.Damaged != 1 || stats.Damages[0].File != dir {
		t.Errorf("stats %+v", stats)
	}
}

func TestImportStopsWhenIngestFails(t *testing.T) {
	h := newHeld(t)
	h.fail = lastnight.Errorf(lastnight.CodeUnavailable, "", "disk full")
	_, err := collector.Import(t.Context(), collector.Config{Ingester: h}, recorded)
	if !errors.Is(err, h.fail) {
		t.Errorf("error %v, want %v", err, h.fail)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func gz(t *testing.T, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}
