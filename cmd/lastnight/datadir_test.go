package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lastnight"
)

// Only one process has a data directory; the others are told who, and where to ask.
func TestDataDirInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d, err := openDataDir(dir, true, "http://127.0.0.1:7099")
	if err != nil {
		t.Fatal(err)
	}
	if h, held := heldBy(dir); !held || h.PID != os.Getpid() || h.Listen != "http://127.0.0.1:7099" {
		t.Errorf("heldBy = %+v, %v", h, held)
	}
	_, err = openDataDir(dir, true, "")
	if lastnight.CodeOf(err) != lastnight.CodeConflict || !strings.Contains(lastnight.HintOf(err), "http://127.0.0.1:7099") {
		t.Errorf("a second process gets %v, hint %q", err, lastnight.HintOf(err))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, held := heldBy(dir); held {
		t.Error("held after Close")
	}
	d, err = openDataDir(dir, false, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// Whoever runs the command, a terminal is not driven by names and messages.
func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\nb":          "a; b",
		"a\tb":          "a b",
		"x\x1b[31mred":  "x�[31mred",
		"\u0085\u009b":  "��",
		"plain – words": "plain – words",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
	if got := printable("a\x1b[2J\tb\u202e"); got != "a␛[2J\tb�" {
		t.Errorf("printable = %q", got)
	}
}
