package recorded_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight/internal/recorded"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zone data:", err)
	}
	return zone
}

// tree reads all files below dir, gunzipped.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if strings.HasSuffix(p, ".gz") {
			zr, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				return err
			}
			if data, err = io.ReadAll(zr); err != nil {
				return err
			}
		}
		rel, err := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestExtractGivesNodesOwnNames(t *testing.T) {
	for _, name := range recorded.Names() {
		dir := filepath.Join(t.TempDir(), "deep", name)
		if err := recorded.Extract(t.Context(), name, dir); err != nil {
			t.Fatal(err)
		}
		files := tree(t, dir)
		lines := 0
		for file, text := range files {
			if strings.HasSuffix(file, ".zst") {
				t.Errorf("%s: %s was not decompressed", name, file)
			}
			if strings.Contains(file, ".log") {
				lines += strings.Count(text, "\n")
			}
		}
		if lines == 0 && name != "image-pull" {
			t.Errorf("%s: no log lines in %d files", name, len(files))
		}
	}
}

func TestExtractUnknownCase(t *testing.T) {
	for _, name := range []string{"", "nope", "../cases", "tm-oomkilled/nodes", "README.md"} {
		if err := recorded.Extract(t.Context(), name, t.TempDir()); err == nil || !strings.Contains(err.Error(), "tm-oomkilled") {
			t.Errorf("Extract(%q) = %v, want an error that names the cases", name, err)
		}
	}
}

// With literal beginnings, so that they are fast under the race detector too.
var (
	oldTimes = []*regexp.Regexp{regexp.MustCompile(`2026-11-2`), regexp.MustCompile(`2026112`), regexp.MustCompile(`1795[23]\d{9}`)}
	newTime  = regexp.MustCompile(`2027-\d\d-\d\d[T ]\d\d:\d\d:\d\d`)
)

func TestReplayMovesEveryTime(t *testing.T) {
	zone := berlin(t)
	now := time.Date(2027, time.March, 9, 9, 30, 0, 0, zone)
	dir := t.TempDir()
	shift := recorded.Shift{Now: now, Zone: zone}
	if err := recorded.Replay(t.Context(), dir, shift); err != nil {
		t.Fatal(err)
	}
	files := tree(t, dir)
	times := 0
	for file, text := range files {
		for _, old := range oldTimes {
			if m := old.FindString(file + text); m != "" {
				t.Errorf("%s: %s is left of the recording's day", file, m)
			}
		}
		if strings.Contains(file, "truth") {
			t.Errorf("%s was replayed", file)
		}
		var last time.Time
		for line := range strings.Lines(text) {
			if !strings.Contains(file, ".log") {
				break
			}
			stamp, _, _ := strings.Cut(line, " ")
			at, err := time.Parse(time.RFC3339Nano, stamp)
			if err != nil || at.Before(last) {
				t.Fatalf("%s: %s after %s: %v", file, stamp, last, err)
			}
			last = at
		}
		for _, m := range newTime.FindAllString(text, -1) {
			at, err := time.Parse(time.DateTime, strings.Replace(m, "T", " ", 1))
			if err != nil || !at.Before(now) || at.Before(now.Add(-17*time.Hour)) {
				t.Fatalf("%s: %q is not last night: %v", file, m, err)
			}
			times++
		}
	}
	if times < 40_000 {
		t.Errorf("only %d times seen", times)
	}

	// Every failure is where the plan says.
	for _, p := range recorded.Plan(shift) {
		want := p.At.UTC().Format("2006-01-02T15:04:05")
		if !slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(f string) bool {
			return strings.HasPrefix(f, p.Case+"/") && strings.Contains(files[f], want)
		}) {
			t.Errorf("%s: nothing at %s", p.Case, want)
		}
	}
}

func zero(r rune) rune {
	if '0' <= r && r <= '9' {
		return '0'
	}
	return r
}

// Moving a recording must change nothing but the digits of times: what a replay has
// and what the recording has are alike, up to where the clearing up begins.
func TestReplayKeepsEverythingElse(t *testing.T) {
	rotated := regexp.MustCompile(`\d{8}-\d{6}`)
	shift := recorded.Shift{Now: time.Date(2027, time.March, 9, 9, 30, 0, 0, time.UTC)}
	replayed, extracted := t.TempDir(), t.TempDir()
	if err := recorded.Replay(t.Context(), replayed, shift); err != nil {
		t.Fatal(err)
	}
	for _, name := range recorded.Names() {
		if err := recorded.Extract(t.Context(), name, filepath.Join(extracted, name)); err != nil {
			t.Fatal(err)
		}
	}
	blank := func(files map[string]string) map[string]string {
		out := map[string]string{}
		for _, file := range slices.Sorted(maps.Keys(files)) {
			if strings.Contains(file, ".log") { // rotated files of one container become one
				out[rotated.ReplaceAllString(file, "")] += strings.Map(zero, files[file])
			}
		}
		return out
	}
	before, after := blank(tree(t, extracted)), blank(tree(t, replayed))
	if len(before) != len(after) {
		t.Errorf("%d files of logs, were %d", len(after), len(before))
	}
	for file, text := range after {
		if !strings.HasPrefix(before[file], text) {
			t.Errorf("%s: replayed text is no beginning of the recorded one", file)
		}
		if len(text)*10 < len(before[file])*8 {
			t.Errorf("%s: %d bytes of %d", file, len(text), len(before[file]))
		}
	}
}

func TestReplayIsRepeatable(t *testing.T) {
	shift := recorded.Shift{Now: time.Date(2027, time.March, 9, 2, 11, 5, 0, time.UTC)}
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		if err := recorded.Replay(t.Context(), dir, shift); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(tree(t, a), tree(t, b)); diff != "" {
		t.Error(diff[:min(len(diff), 500)])
	}
}

func TestPlan(t *testing.T) {
	zone := berlin(t)
	night := func(p []recorded.Played) []string {
		var out []string
		for _, x := range p {
			out = append(out, x.At.Format("02 15:04 ")+x.Case)
		}
		return out
	}
	full := []string{
		"08 19:40 checkpoint-timeout", "08 21:15 planned-upgrade", "08 23:12 bad-record", "09 00:20 jm-sigkill", "09 01:05 upstream-down",
		"09 03:07 tm-oomkilled", "09 03:07 healthy-rotation", "09 04:45 image-pull", "09 05:30 checkpoint-dir-readonly",
	}
	for _, hour := range []int{8, 12, 18, 23} {
		got := night(recorded.Plan(recorded.Shift{Now: time.Date(2027, time.March, 9, hour, 0, 0, 0, zone), Zone: zone}))
		if diff := cmp.Diff(full, got); diff != "" {
			t.Errorf("asked at %d:00: %s", hour, diff)
		}
	}
}

// However young the night is, everything is in it and in the past, in the same order.
func TestPlanInYoungNight(t *testing.T) {
	zone := berlin(t)
	for minute := 0; minute < 8*60; minute += 7 {
		for _, day := range []int{9, 28} { // on the 28th the clocks go forward at 2:00
			now := time.Date(2027, time.March, day, 0, minute, 0, 0, zone)
			start := time.Date(2027, time.March, day-1, 18, 0, 0, 0, zone)
			if now.Hour() >= 8 {
				continue
			}
			last := start
			for _, p := range recorded.Plan(recorded.Shift{Now: now, Zone: zone}) {
				if p.At.Before(last) || p.At.After(now.Add(-time.Minute)) {
					t.Fatalf("at %s: %s plays at %s, after %s", now, p.Case, p.At, last)
				}
				if p.By%time.Second != 0 {
					t.Fatalf("%s is moved by %s", p.Case, p.By)
				}
				last = p.At
			}
		}
	}
}

func BenchmarkReplay(b *testing.B) {
	shift := recorded.Shift{Now: time.Date(2027, time.March, 9, 9, 30, 0, 0, time.UTC)}
	for b.Loop() {
		if err := recorded.Replay(b.Context(), b.TempDir(), shift); err != nil {
			b.Fatal(err)
		}
	}
}
