package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lastnight/internal/recorded"
)

func TestMain(m *testing.M) {
	if os.Getenv("LASTNIGHT_TEST_MAIN") != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"lastnight": main})
}

// TestScript runs the command line as people type it. Scripts get $CASES, a directory with
// the recorded cases that the project ships, and $DATA, an empty data directory.
func TestScript(t *testing.T) {
	cases := t.TempDir()
	for _, name := range recorded.Names() {
		if err := recorded.Extract(t.Context(), name, filepath.Join(cases, name)); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("CASES", cases)
			env.Setenv("DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("TZ", "UTC")
			env.Setenv("LASTNIGHT_SERVER", "")
			return nil
		},
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"status": status},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// status is "status N COMMAND...": the command ends with exit code N. Standard output and
// error can be looked at afterwards as after exec.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
