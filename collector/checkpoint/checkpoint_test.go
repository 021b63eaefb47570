package checkpoint_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"lastnight"
	"lastnight/collector/checkpoint"
	"lastnight/internal/vfs"
)

func open(t *testing.T, fs vfs.FS) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(fs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stream(i int) lastnight.Stream {
	return lastnight.Stream{Namespace: "ns", Pod: fmt.Sprint("p", i), PodUID: "u", Container: "c"}
}

var gen = lastnight.Generation{Start: 1, Sum: 2}

// Whenever the world stops, the checkpoint is one that was flushed, and the last one that Flush returned of or a later one.
func TestCrash(t *testing.T) {
	const rounds = 6
	for after := 0; ; after++ {
		fs := vfs.NewMem()
		c := open(t, fs)
		fs.FailAfter(after)
		flushed, begun := 0, 0
		for i := 1; i <= rounds; i++ {
			for s := range 3 {
				c.Ack(stream(s).ID(), gen, int64(100*i+s))
			}
			begun = i
			if c.Flush() != nil {
				break
			}
			flushed = i
		}
		for _, disk := range []*vfs.Mem{fs.Crash(false), fs.Crash(true), fs.CrashTorn()} {
			again := open(t, disk)
			round := again.Position(stream(0), gen) / 100
			if int(round) < flushed || int(round) > begun {
				t.Fatalf("crash after %d: flushed %d, begun %d, found %d", after, flushed, begun, round)
			}
			for s := range 3 {
				if want := 100*round + int64(s); round > 0 && again.Position(stream(s), gen) != want {
					t.Fatalf("crash after %d: stream %d is at %d, want %d", after, s, again.Position(stream(s), gen), want)
				}
			}
			again.Ack(stream(0).ID(), gen, 10_000)
			if err := again.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if flushed == rounds {
			if fs.Ops() > after {
				t.Errorf("%d operations, and crashes after %d of them", fs.Ops(), after)
			}
			t.Logf("%d operations, a crash after each", fs.Ops())
			return
		}
	}
}

func TestNeverBack(t *testing.T) {
	fs := vfs.NewMem()
	c := open(t, fs)
	c.Ack(stream(0).ID(), gen, 50)
	c.Ack(stream(0).ID(), gen, 40)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	ops := fs.Ops()
	if err := c.Flush(); err != nil || fs.Ops() != ops {
		t.Errorf("a flush of nothing did something: %v", err)
	}
	again := open(t, fs)
	if got := again.Position(stream(0), gen); got != 50 {
		t.Error(got)
	}
	if got := again.Position(stream(0), lastnight.Generation{Start: 1}); got != 0 {
		t.Error(got)
	}
}

// A full disk leaves the checkpoint as it was, and the next flush has it all.
func TestDiskFull(t *testing.T) {
	fs := vfs.NewMem()
	c := open(t, fs)
	c.Ack(stream(0).ID(), gen, 50)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	c.Ack(stream(0).ID(), gen, 60)
	fs.SetSpace(10)
	if err := c.Flush(); err == nil {
		t.Error("no error")
	}
	if got := open(t, fs).Position(stream(0), gen); got != 50 {
		t.Error(got)
	}
	fs.SetSpace(-1)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := open(t, fs).Position(stream(0), gen); got != 60 {
		t.Error(got)
	}
}

func TestDamaged(t *testing.T) {
	fs := vfs.NewMem()
	c := open(t, fs)
	c.Ack(stream(0).ID(), gen, 50)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	change := func(f func([]byte) []byte) {
		t.Helper()
		if err := fs.Corrupt("checkpoint", f); err != nil {
			t.Fatal(err)
		}
	}
	change(func(b []byte) []byte { return bytes.Replace(b, []byte(" 50 "), []byte(" 51 "), 1) })
	if got := open(t, fs).Position(stream(0), gen); got != 0 {
		t.Errorf("damaged, and yet %d", got)
	}
	change(func([]byte) []byte { return nil })
	if got := open(t, fs).Position(stream(0), gen); got != 0 {
		t.Errorf("empty, and yet %d", got)
	}
	change(func([]byte) []byte { return []byte("lastnight-checkpoint 2\n") })
	if _, err := checkpoint.Open(fs, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "unknown version 2") {
		t.Errorf("%v", err)
	}
}
