package tail_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lastnight"
	"lastnight/collector/tail"
)

// quickly is a Config that looks often; scans are rare, so that what needs one is seen.
func quickly(root string, a *archive) tail.Config {
	return tail.Config{
		Dir: root, Node: "node-a", Ingester: a, Positions: a,
		Interval: 5 * time.Millisecond, Scan: time.Hour, Quiet: 30 * time.Millisecond, Abandon: 10 * time.Second,
	}
}

func follow(t *testing.T, tailer *tail.Tailer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tailer.Run(ctx) }()
	var once atomic.Bool
	stop = func() {
		if once.Swap(true) {
			return
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// another makes a pod beside p.
func another(t *testing.T, root, name string) *pod {
	t.Helper()
	q := &pod{t: t, dir: filepath.Join(root, "shop_"+name+"_uid-"+name, "main")}
	if err := os.MkdirAll(q.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return q
}

// slow is an ingester that takes a batch when it is told to, and says what was in it.
type slow struct {
	*archive
	take chan struct{}
	got  chan []string
}

func (s *slow) Ingest(ctx context.Context, b lastnight.Batch) error {
	select {
	case <-s.take:
	case <-ctx.Done():
		return ctx.Err()
	}
	var pods []string
	for i := range b.Spans {
		pods = append(pods, b.Spans[i].Stream.Pod)
	}
	err := s.archive.Ingest(ctx, b)
	s.got <- pods
	return err
}

// A pod that writes a line while another has written 30 MB does not wait for that.
func TestFairness(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	raw := strings.Repeat("x", 1000)
	var flood strings.Builder
	for range 30_000 {
		flood.WriteString(p.cri("F", raw) + "\n")
	}
	p.write("0.log", flood.String())
	quiet := another(t, root, "quiet")
	s := &slow{archive: a, take: make(chan struct{}), got: make(chan []string)}
	cfg := quickly(root, a)
	cfg.Ingester = s
	follow(t, tail.New(cfg))
	next := func() string {
		s.take <- struct{}{}
		return strings.Join(<-s.got, " ")
	}
	next()
	quiet.line("0.log", "one line")
	time.Sleep(100 * time.Millisecond) // two looks, and the quiet after which a line is whole
	for i := range 4 {
		if strings.Contains(next(), "quiet") {
			return // the one on its way, the one that was full already, and then this
		}
		t.Logf("batch %d was the flood's", i)
	}
	t.Error("the quiet pod waits for the flood")
}

// Of two pods that have much to be read each has turns of a batch: much of one stream is cheaper to store than a little of many.
func TestTurnsOfABatch(t *testing.T) {
	root, p := newPod(t)
	q := another(t, root, "other")
	a := newArchive(t)
	raw := strings.Repeat("x", 1000)
	var flood strings.Builder
	for range 6_000 {
		flood.WriteString(p.cri("F", raw) + "\n")
	}
	p.write("0.log", flood.String())
	q.write("0.log", flood.String())
	s := &slow{archive: a, take: make(chan struct{}), got: make(chan []string)}
	cfg := quickly(root, a)
	cfg.Ingester = s
	follow(t, tail.New(cfg))
	var turns []string
	for range 4 {
		s.take <- struct{}{}
		turns = append(turns, strings.Join(slices.Compact(<-s.got), " "))
	}
	if turns[0] == turns[1] || turns[0] != turns[2] || turns[1] != turns[3] || strings.Contains(strings.Join(turns, ""), " ") {
		t.Errorf("the batches are of %q", turns)
	}
}

// Above the rate limit a pod's lines wait, are counted, and come later; another pod's do not wait.
func TestRateLimit(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	var want []string
	for i := range 300 {
		text := fmt.Sprintf("%03d %s", i, strings.Repeat("x", 996))
		want = append(want, text)
		p.line("0.log", text)
	}
	cfg := quickly(root, a)
	cfg.RateLimit = 100_000
	tailer := tail.New(cfg)
	follow(t, tailer)
	until(t, "the pod waits", func() bool { return tailer.Stats().Limited > 0 })
	until(t, "some lines are there", func() bool { return len(a.lines()) > 0 })
	if n := len(a.lines()); n > 250 {
		t.Errorf("%d lines came at once", n)
	}
	q := another(t, root, "quiet")
	q.n = 50_000
	q.line("0.log", "at once")
	until(t, "the other pod's line is there", func() bool { l := a.lines(); return len(l) > 0 && l[len(l)-1] == "at once" })
	if n := len(a.lines()); n > 290 {
		t.Errorf("%d lines are there: nothing was limited", n)
	}
	a.waitFor(append(want, "at once")...)
}

// Files that come and go while a batch is on its way are held and read.
func TestSeenWhileSending(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	s := &slow{archive: a, take: make(chan struct{}), got: make(chan []string)}
	cfg := quickly(root, a)
	cfg.Ingester = s
	tailer := tail.New(cfg)
	p.line("0.log", "first")
	follow(t, tailer)
	until(t, "the first is read", func() bool { return tailer.Stats().Files == 1 && tailer.Stats().Behind == 0 })
	for i := 1; i < 4; i++ {
		name := fmt.Sprintf("%d.log", i)
		p.line(name, "life "+name)
		until(t, "it is seen", func() bool { return tailer.Stats().Files == i+1 })
		p.remove(name)
	}
	go func() {
		for range s.got {
		}
	}()
	close(s.take)
	a.waitFor("first", "life 1.log", "life 2.log", "life 3.log")
	until(t, "nothing is held", func() bool { return tailer.Stats().Held == 0 })
}

// After an outage the rotated and compressed files come before the present one.
func TestOrderAfterOutage(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	var want []string
	for i := range 4 {
		for j := range 50 {
			want = append(want, fmt.Sprintf("file %d line %d", i, j))
			p.line("0.log", want[len(want)-1])
		}
		if i < 3 {
			p.rename("0.log", fmt.Sprintf("0.log.20261121-12000%d", i))
		}
	}
	p.compress("0.log.20261121-120000")
	p.compress("0.log.20261121-120001")
	var came []lastnight.Generation
	cfg := quickly(root, a)
	cfg.Ingester = ingesterFunc(func(ctx context.Context, b lastnight.Batch) error {
		for i := range b.Spans {
			came = append(came, b.Spans[i].Generation)
		}
		return a.Ingest(ctx, b)
	})
	stop := follow(t, tail.New(cfg))
	a.waitFor(want...)
	stop()
	for i := 1; i < len(came); i++ {
		if came[i].Compare(came[i-1]) < 0 {
			t.Errorf("%v came after %v", came[i], came[i-1])
		}
	}
}

type ingesterFunc func(context.Context, lastnight.Batch) error

func (f ingesterFunc) Ingest(ctx context.Context, b lastnight.Batch) error { return f(ctx, b) }

// Descriptors are bounded: files that were read are closed, and opened again when they grow.
func TestDescriptorsBounded(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	cfg := quickly(root, a)
	cfg.MaxOpen = 3
	pods := []*pod{p}
	for i := range 9 {
		pods = append(pods, another(t, root, fmt.Sprint("pod", i)))
	}
	tailer := tail.New(cfg)
	follow(t, tailer)
	var want []string
	n := 0
	for round := range 3 {
		for i, q := range pods {
			n++
			q.n = n
			text := fmt.Sprintf("round %d pod %d", round, i)
			want = append(want, text)
			q.line("0.log", text)
		}
		// The texts are in the order of their times, which are generations' in the first round alone.
		until(t, "all came", func() bool { return len(a.lines()) == len(want) })
		until(t, "few are open", func() bool { s := tailer.Stats(); return s.Open <= 3 && s.Files == 10 })
	}
	p.rename("0.log", "0.log.20261121-120000")
	p.line("0.log", "after a rotation")
	until(t, "the new file came", func() bool { return len(a.lines()) == len(want)+1 })
	if s := tailer.Stats(); s.Lost != 0 || s.Damaged != 0 {
		t.Errorf("%+v", s)
	}
}

// Without notifications, with too few, and when they are lost, scans find everything, and it is told.
func TestNoNotifications(t *testing.T) {
	for name, make := range map[string]func(tail.Config) *tail.Tailer{
		"no inotify left": func(c tail.Config) *tail.Tailer { return tail.LimitWatches(c, -1) },
		"few watches":     func(c tail.Config) *tail.Tailer { return tail.LimitWatches(c, 2) },
		"queue overflow":  tail.Overflow,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, p := newPod(t)
			a := newArchive(t)
			tailer := make(quickly(root, a))
			p.line("0.log", "one")
			follow(t, tailer)
			a.waitFor("one")
			p.rename("0.log", "0.log.20261121-120000")
			p.line("0.log", "two")
			q := another(t, root, "later")
			q.n = 50_000
			q.line("0.log", "three")
			a.waitFor("one", "two", "three")
			if n := tailer.Stats().Unwatched; (n > 0) != (name != "queue overflow") {
				t.Errorf("%d directories are not watched", n)
			}
		})
	}
}

// A directory and a file behind symbolic links that led nowhere are found when they do not any more.
func TestDanglingLinks(t *testing.T) {
	root, p := newPod(t)
	elsewhere := t.TempDir()
	a := newArchive(t)
	follow(t, tail.New(quickly(root, a)))
	link := another(t, root, "linked")
	if err := os.Remove(link.dir); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{link.dir: filepath.Join(elsewhere, "dir"), filepath.Join(p.dir, "0.log"): filepath.Join(elsewhere, "file")} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	p.line("0.log", "through a link")
	if err := os.MkdirAll(filepath.Join(elsewhere, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	link.n = 50_000
	link.line("0.log", "behind a link")
	a.waitFor("through a link", "behind a link")
}

// What is truncated is read from its copy; it is not told as lost.
func TestCopiedAndTruncated(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	var mode atomic.Int32
	lost := &losses{}
	cfg := quickly(root, a)
	cfg.Skip, cfg.Lost = func(bool) bool { return mode.Load() == 1 }, lost.add
	tailer := tail.New(cfg)
	follow(t, tailer)
	p.line("0.log", "one")
	a.waitFor("one")
	mode.Store(1)
	p.line("0.log", "two")
	p.line("0.log", "three")
	until(t, "two are behind", func() bool { return tailer.Stats().Behind > 0 })
	b, err := os.ReadFile(filepath.Join(p.dir, "0.log"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("0.log.1", string(b))
	if err := os.Truncate(filepath.Join(p.dir, "0.log"), 0); err != nil {
		t.Fatal(err)
	}
	p.line("0.log", "four")
	mode.Store(0)
	a.waitFor("one", "two", "three", "four")
	time.Sleep(100 * time.Millisecond)
	if l := lost.list(); len(l) > 0 {
		t.Errorf("%q", l)
	}
}

// A compressed file that is removed before it is read is read from its descriptor; let go for want of space,
// it is measured.
func TestCompressedRemoved(t *testing.T) {
	for _, maxHeld := range []int64{0, 1} {
		root, p := newPod(t)
		a := newArchive(t)
		text := strings.Repeat("x", 5000)
		p.line("0.log", text)
		p.rename("0.log", "0.log.20261121-120000")
		p.compress("0.log.20261121-120000")
		var mode atomic.Int32
		mode.Store(1)
		lost := &losses{}
		cfg := quickly(root, a)
		cfg.Skip, cfg.Lost, cfg.MaxHeld = func(bool) bool { return mode.Load() == 1 }, lost.add, maxHeld
		tailer := tail.New(cfg)
		stop := follow(t, tailer)
		until(t, "it is found", func() bool { return tailer.Stats().Files == 1 })
		p.remove("0.log.20261121-120000.gz")
		if maxHeld == 0 {
			until(t, "it is held", func() bool { return tailer.Stats().Held > 0 })
			mode.Store(0)
			a.waitFor(text)
		} else {
			until(t, "it is lost", func() bool { return tailer.Stats().Lost > 0 })
			if l := lost.list(); len(l) != 1 || !strings.Contains(l[0], " 5041 the file was removed") {
				t.Errorf("%q", l)
			}
		}
		stop()
	}
}

// A file that gets the inode of one that was removed is another file.
func TestInodeReuse(t *testing.T) {
	root, p := newPod(t)
	a := newArchive(t)
	tailer := tail.New(quickly(root, a))
	follow(t, tailer)
	var want []string
	for i := range 20 {
		name := fmt.Sprintf("%d.log", i)
		for j := range 3 {
			want = append(want, fmt.Sprintf("equal length %02d %d", i, j))
			p.line(name, want[len(want)-1])
		}
		a.waitFor(want...)
		p.remove(name)
		until(t, "it is let go", func() bool { return tailer.Stats().Files == 0 })
	}
}
