package recorded

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// together is how far apart lines are that are appended at once.
const together = 500 * time.Millisecond

// steps tells what happened to a container's files.
func (c *container) steps(seen map[string][]fileEvent) ([]step, error) {
	slices.SortFunc(c.generations, func(a, b generation) int {
		newest := func(g generation) int { return 1 - min(1, len(g.stamp)) } // the one that was never rotated
		return cmp.Or(cmp.Compare(len(a.restart), len(b.restart)), cmp.Compare(a.restart, b.restart),
			cmp.Compare(newest(a), newest(b)), cmp.Compare(a.stamp, b.stamp))
	})
	var steps []step
	var from time.Time // when the live name became free
	for i := range c.generations {
		g := &c.generations[i]
		if i > 0 && c.generations[i-1].restart != g.restart {
			from = time.Time{}
		}
		l := &life{c: c, g: g, at: from, seen: seen}
		if err := l.run(); err != nil {
			return nil, err
		}
		from = l.free
		steps = append(steps, l.steps...)
	}
	return steps, nil
}

// life is what happened to one file.
type life struct {
	c     *container
	g     *generation
	seen  map[string][]fileEvent
	at    time.Time // of the last step
	free  time.Time // when the live name was given up, or the last line written
	steps []step
}

func (l *life) add(at time.Time, file string, do func(n *dir) error) {
	if at.After(l.at) {
		l.at = at
	}
	l.steps = append(l.steps, step{at: l.at, node: l.c.node, file: file, do: do})
}

func (l *life) events(file string) []fileEvent { return l.seen[path.Join(l.c.node, file)] }

func (l *life) run() error {
	live := path.Join(l.c.dir, l.g.restart+".log")
	begin := l.at
	if first := l.events(live); begin.IsZero() && len(first) > 0 {
		begin = first[0].Time
	}
	data := l.g.data
	if n, when, err := takeLines(data); err != nil {
		return err
	} else if n > 0 && (begin.IsZero() || when.Before(begin)) {
		begin = when // it was polled: it was there before it was seen
	}
	l.add(begin, live, func(n *dir) error { return n.append(live, nil) })
	for len(data) > 0 {
		n, when, err := takeLines(data)
		if err != nil {
			return err
		}
		part := data[:n]
		l.add(when, live, func(d *dir) error { return d.append(live, part) })
		data = data[n:]
	}
	l.free = l.at
	file := live
	if l.g.stamp != "" {
		if err := l.rotated(&file); err != nil {
			return err
		}
	}
	if e := l.events(file); len(e) > 0 && e[len(e)-1].Event == "vanished" {
		l.add(e[len(e)-1].Time, file, func(n *dir) error { return n.remove(file) })
	}
	return nil
}

// rotated tells how the file got other names.
func (l *life) rotated(file *string) error {
	rotated, err := time.Parse("20060102-150405", l.g.stamp)
	if err != nil {
		return fmt.Errorf("name of a rotated file: %w", err)
	}
	live, plain := *file, *file+"."+l.g.stamp
	l.add(rotated, live, func(n *dir) error { return n.rotate(live, plain) })
	l.free = l.at
	*file = plain
	if zipped, ok := when(l.events(plain+".gz"), "appear"); ok || l.g.gzipped {
		l.add(zipped, plain, func(n *dir) error { return n.gzip(plain) })
		*file = plain + ".gz"
	}
	return nil
}

// when gives the last time that something happened to a file.
func when(events []fileEvent, what string) (time.Time, bool) {
	for _, e := range slices.Backward(events) {
		if e.Event == what {
			return e.Time, true
		}
	}
	return time.Time{}, false
}

// takeLines gives how many bytes at the beginning of CRI lines belong together, and their time.
func takeLines(data []byte) (n int, first time.Time, err error) {
	for n < len(data) {
		line := data[n:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		stamp, _, _ := bytes.Cut(line, []byte(" "))
		at, err := time.Parse(time.RFC3339Nano, string(stamp))
		switch {
		case err != nil && n == 0:
			return 0, first, fmt.Errorf("no CRI line: %w", err)
		case err != nil: // what a killed container left
		case n == 0:
			first = at
		case at.Sub(first) > together || at.Before(first.Add(-together)):
			return n, first, nil
		}
		n += len(line)
	}
	return n, first, nil
}

// Pace says how fast a timeline is played.
type Pace struct {
	Speed  float64       // times faster than it was; at least 1
	MaxGap time.Duration // the longest pause between two steps, so that nobody waits for nothing
	// Linger is how long a file stays at least after its last line: when played fast, a kubelet that
	// removes a file a second after its last line would be faster than any collector can look.
	Linger time.Duration
}

// Play repeats what happened: files appear, grow, are rotated, compressed and removed below
// to/NODE (which is made), and each object that was told is given to tell as a line of a watch. It
// returns when all of it happened, at the first error, or when the context is over.
func (t *Timeline) Play(ctx context.Context, to string, p Pace, tell func(kind string, line []byte) error) error {
	nodes := map[string]*dir{}
	defer func() {
		for _, n := range nodes {
			_ = n.root.Close() // a handle on a folder: nothing to lose
		}
	}()
	var last time.Time
	for _, s := range t.steps {
		if !last.IsZero() {
			pause(ctx, min(time.Duration(float64(s.at.Sub(last))/p.Speed), p.MaxGap))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		last = s.at
		if s.do == nil {
			if err := tell(s.kind, s.line); err != nil {
				return err
			}
			continue
		}
		n := nodes[s.node]
		if n == nil {
			root, err := openRoot(filepath.Join(to, s.node))
			if err != nil {
				return err
			}
			n = &dir{root: root, linger: p.Linger, written: map[string]time.Time{}, sleep: func(d time.Duration) { pause(ctx, d) }}
			nodes[s.node] = n
		}
		if err := s.do(n); err != nil {
			return fmt.Errorf("play %s of %s at %s: %w", s.file, s.node, s.at.Format(time.TimeOnly), err)
		}
	}
	return nil
}

// Nodes gives the names of the nodes that have files.
func (t *Timeline) Nodes() []string {
	var names []string
	for _, s := range t.steps {
		if s.do != nil && !slices.Contains(names, s.node) {
			names = append(names, s.node)
		}
	}
	slices.Sort(names)
	return names
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// dir is a node's directory of pod logs while a timeline is played.
type dir struct {
	root    *os.Root
	linger  time.Duration
	sleep   func(time.Duration)
	written map[string]time.Time // when a file was last written, by its present name
}

// append writes to the end of a file as a container's runtime does; it makes the file.
func (n *dir) append(file string, b []byte) error {
	if err := n.root.MkdirAll(path.Dir(file), 0o750); err != nil {
		return err
	}
	f, err := n.root.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	n.written[file] = time.Now()
	return nil
}

// rotate does what the kubelet does: the file gets another name, and the runtime opens a new one.
func (n *dir) rotate(from, to string) error {
	if err := n.root.Rename(from, to); err != nil {
		return err
	}
	n.written[to] = n.written[from]
	return n.append(from, nil)
}

// gzip compresses a rotated file by way of .tmp, as the kubelet does.
func (n *dir) gzip(file string) error {
	plain, err := n.root.ReadFile(file)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := zw.Write(plain); err != nil {
		return err
	}
	if err := zw.Close(); err != nil {
		return err
	}
	if err := n.root.WriteFile(file+".tmp", b.Bytes(), 0o640); err != nil {
		return err
	}
	if err := n.root.Rename(file+".tmp", file+".gz"); err != nil {
		return err
	}
	n.written[file+".gz"] = n.written[file]
	return n.root.Remove(file)
}

// remove takes a file away, and its directories when they are empty then.
func (n *dir) remove(file string) error {
	n.sleep(n.linger - time.Since(n.written[file]))
	if err := n.root.Remove(file); err != nil {
		return err
	}
	for d := path.Dir(file); d != "."; d = path.Dir(d) {
		if n.root.Remove(d) != nil {
			break // not empty
		}
	}
	return nil
}
