package tail_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lastnight"
	"lastnight/collector/tail"
)

// losses remembers what was told to be lost.
type losses struct {
	mu  sync.Mutex
	all []string
}

func (l *losses) add(s lastnight.Stream, _ lastnight.Generation, from, to int64, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf("%s %d %s", s.Pod, to-from, why))
}

func (l *losses) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// start runs a tailer that is told to read everything (0), what is at risk (1) or nothing (2).
func start(t *testing.T, root string, a *archive, maxHeld int64) (*tail.Tailer, *atomic.Int32, *losses) {
	t.Helper()
	var mode atomic.Int32
	lost := &losses{}
	tailer := tail.New(tail.Config{
		Dir: root, Ingester: a, Positions: a, MaxHeld: maxHeld, Lost: lost.add,
		Skip:     func(atRisk bool) bool { m := mode.Load(); return m == 2 || m == 1 && !atRisk },
		Interval: 5 * time.Millisecond, Scan: 50 * time.Millisecond, Quiet: 20 * time.Millisecond, Abandon: time.Second,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tailer.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return tailer, &mode, lost
}

// While nobody takes what is read, only what rotation takes away is read; what was skipped follows.
func TestSkip(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	tailer, mode, _ := start(t, root, a, 0)
	p.line("0.log", "one")
	a.waitFor("one")
	mode.Store(1)
	p.line("0.log", "two")
	time.Sleep(150 * time.Millisecond)
	a.waitFor("one")
	if b := tailer.Stats().Behind; b == 0 {
		t.Error("nothing is behind")
	}
	p.rename("0.log", "0.log.20261121-120000")
	p.line("0.log", "three")
	a.waitFor("one", "two")
	mode.Store(2)
	p.rename("0.log", "0.log.20261121-120100")
	time.Sleep(150 * time.Millisecond)
	p.remove("0.log.20261121-120100")
	p.line("0.log", "four")
	time.Sleep(150 * time.Millisecond)
	a.waitFor("one", "two")
	mode.Store(1)
	a.waitFor("one", "two", "three")
	mode.Store(0)
	a.waitFor("one", "two", "three", "four")
}

// Files that were removed are held up to a cap; what is let go is measured.
func TestHeldFiles(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	tailer, mode, lost := start(t, root, a, 3000)
	p.line("0.log", "first")
	a.waitFor("first")
	mode.Store(2)
	for i := range 3 { // three files of 1,500 bytes, removed one after another
		name := fmt.Sprintf("0.log.20261121-12000%d", i)
		p.line(name, strings.Repeat("x", 1500))
		time.Sleep(120 * time.Millisecond)
		p.remove(name)
		time.Sleep(120 * time.Millisecond)
	}
	for end := time.Now().Add(5 * time.Second); len(lost.list()) < 2 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if l := lost.list(); len(l) != 2 || !strings.Contains(l[0], " 1541 ") {
		t.Errorf("%q", l)
	}
	if st := tailer.Stats(); st.Lost != 2*1541 || st.Held != 1541 {
		t.Errorf("%+v", st)
	}
	mode.Store(0)
	a.waitFor("first", strings.Repeat("x", 1500))
}

// What was in a file when it was truncated, and had not been read, is measured.
func TestTruncatedUnread(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	_, mode, lost := start(t, root, a, 0)
	p.line("0.log", "one")
	a.waitFor("one")
	mode.Store(1)
	p.line("0.log", "two")
	time.Sleep(100 * time.Millisecond)
	if err := os.Truncate(filepath.Join(p.dir, "0.log"), 0); err != nil {
		t.Fatal(err)
	}
	p.line("0.log", "three")
	mode.Store(0)
	a.waitFor("one", "three")
	for end := time.Now().Add(5 * time.Second); len(lost.list()) == 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond) // a copy might bring it
	}
	if l := lost.list(); len(l) != 1 || !strings.Contains(l[0], " 44 the file was truncated") {
		t.Errorf("%q", l)
	}
}
