package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writer writes numbered lines as a container runtime does, and does to its files what kubelets, logrotate and
// people do. Every line that it wrote has to arrive once.
type writer struct {
	root, elsewhere string
	i               int
	rnd             *rand.Rand
	gate            *gate
	want            map[container][]string
	fates           map[container][]string // what was done to its files, and up to which line

	c        container
	lives    int // pods before this one
	dir      string
	file     *os.File
	restart  int
	size     int64
	number   int
	rotated  []string // names of rotated files, oldest first
	rotateAt int64
	skew     time.Duration // of the clock that stamps lines
	did      map[string]int
}

func newWriter(root, elsewhere string, i int, seed uint64, g *gate) (*writer, error) {
	w := &writer{
		root: root, elsewhere: elsewhere, i: i, gate: g, want: map[container][]string{}, fates: map[container][]string{}, did: map[string]int{},
		rnd: rand.New(rand.NewPCG(seed, uint64(i))), rotateAt: 60_000,
	}
	return w, w.newPod()
}

// newPod begins another pod; its directory may be a symbolic link, for a moment to nowhere.
func (w *writer) newPod() error {
	w.lives++
	w.c = container{"torture", fmt.Sprintf("pod-%d-%d", w.i, w.lives), fmt.Sprintf("uid-%d-%d", w.i, w.lives), "main"}
	pod := filepath.Join(w.root, w.c.namespace+"_"+w.c.pod+"_"+w.c.uid)
	w.dir, w.restart, w.rotated = filepath.Join(pod, w.c.name), 0, nil
	if w.rnd.IntN(6) == 0 {
		w.did["symbolic link"]++
		w.fate("a symbolic link")
		target := filepath.Join(w.elsewhere, w.c.uid)
		if err := os.MkdirAll(pod, 0o755); err != nil {
			return err
		}
		if err := os.Symlink(target, w.dir); err != nil {
			return err
		}
		time.Sleep(time.Duration(w.rnd.IntN(200)) * time.Millisecond) // it dangles
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
	} else if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	return w.openFile()
}

func (w *writer) path() string { return filepath.Join(w.dir, strconv.Itoa(w.restart)+".log") }

// openFile begins a file, often with the same line as all others.
func (w *writer) openFile() (err error) {
	w.size = 0
	w.fate("%d.log begins", w.restart)
	if w.rnd.IntN(4) == 0 {
		w.jump()
	}
	if w.file, err = os.OpenFile(w.path(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return err
	}
	if w.rnd.IntN(2) == 0 {
		return w.put("=== the first line of every file ===")
	}
	return nil
}

// jump moves the clock that stamps lines, forth or back.
func (w *writer) jump() {
	w.did["clock jumped"]++
	w.skew = time.Duration(w.rnd.IntN(7200)-3600) * time.Second
}

func (w *writer) now() time.Time { return time.Now().Add(w.skew).UTC() }

func (w *writer) raw(s string) error {
	n, err := w.file.WriteString(s)
	w.size += int64(n)
	return err
}

func (w *writer) head(stream, tag string) string {
	return w.now().Format(time.RFC3339Nano) + " " + stream + " " + tag + " "
}

// fate notes what was done to a file.
func (w *writer) fate(format string, args ...any) {
	w.fates[w.c] = append(w.fates[w.c], fmt.Sprintf("%s line %d: %s", time.Now().UTC().Format("05.000"), w.number, fmt.Sprintf(format, args...)))
}

// put writes one line: whole, in parts, or as two writes with time in between.
func (w *writer) put(l string) (err error) {
	w.want[w.c] = append(w.want[w.c], l)
	switch cut := w.rnd.IntN(len(l)); w.rnd.IntN(10) {
	case 0:
		if err = w.raw(w.head("stdout", "P") + l[:cut] + "\n"); err == nil {
			err = w.raw(w.head("stdout", "F") + l[cut:] + "\n")
		}
	case 1:
		whole := w.head("stdout", "F") + l + "\n"
		if err = w.raw(whole[:cut]); err == nil {
			time.Sleep(time.Duration(w.rnd.IntN(3)) * time.Millisecond)
			err = w.raw(whole[cut:])
		}
	default:
		err = w.raw(w.head("stdout", "F") + l + "\n")
	}
	return err
}

// line writes a line, now and then with a stack trace, and then maybe does something to the files.
func (w *writer) line() error {
	w.number++
	text := fmt.Sprintf("%s INFO  org.acme.Writer - line %d %s", w.now().Format("2006-01-02 15:04:05,000"), w.number, strings.Repeat("x", w.rnd.IntN(200)))
	lines := []string{text}
	if w.rnd.IntN(20) == 0 {
		lines = append(lines, "java.lang.IllegalStateException: "+strconv.Itoa(w.number), "\tat org.acme.Writer.run(Writer.java:1)")
	}
	for _, l := range lines {
		if err := w.put(l); err != nil {
			return err
		}
	}
	if w.size < w.rotateAt {
		return nil
	}
	return w.turn()
}

// turn does what happens to files that are large enough.
func (w *writer) turn() error {
	switch w.rnd.IntN(16) {
	case 0, 1:
		w.did["restart"]++
		return w.restartContainer()
	case 2, 3:
		w.did["copied and truncated"]++
		return w.copyTruncate()
	case 4:
		return w.shortLived()
	case 5:
		return w.removePod()
	case 6:
		w.did["rotated three times at once"]++
		for range 3 {
			if err := w.put(fmt.Sprintf("a short file %d %d", w.number, w.rnd.IntN(1e9))); err != nil {
				return err
			}
			if err := w.rotate(); err != nil {
				return err
			}
		}
		return nil
	}
	return w.rotate()
}

func (w *writer) restartContainer() error {
	if err := w.file.Close(); err != nil {
		return err
	}
	w.restart++
	w.rotated = nil
	return w.openFile()
}

// rotate does what the kubelet does: rename, compress the one before, delete the oldest.
func (w *writer) rotate() error {
	if err := w.file.Close(); err != nil {
		return err
	}
	w.did["rotated"]++
	name := w.path() + "." + w.now().Format("20060102-150405.000000")
	if _, err := os.Stat(name); err == nil {
		name += "1"
	}
	if err := os.Rename(w.path(), name); err != nil {
		return err
	}
	w.fate("renamed to %s", filepath.Base(name))
	if n := len(w.rotated); n > 0 {
		if err := compressFile(w.rotated[n-1]); err != nil {
			return err
		}
		w.fate("%s compressed", filepath.Base(w.rotated[n-1]))
		w.rotated[n-1] += ".gz"
	}
	w.rotated = append(w.rotated, name)
	if len(w.rotated) > 5 {
		if err := w.remove(w.rotated[0]); err != nil {
			return err
		}
		w.rotated = w.rotated[1:]
	}
	return w.openFile()
}

// remove deletes a file that the collector has had the time to open.
func (w *writer) remove(path string) error {
	w.did["old file removed"]++
	defer w.fate("%s removed", filepath.Base(path))
	return w.gate.remove(func() error { return os.Remove(path) })
}

// copyTruncate does what logrotate does where nobody tells the writer.
func (w *writer) copyTruncate() error {
	b, err := os.ReadFile(w.path())
	if err != nil {
		return err
	}
	name := w.path() + "." + w.now().Format("20060102-150405.000000")
	half := len(b) / 2 // a copy is not there at once
	if err := os.WriteFile(name, b[:half], 0o644); err != nil {
		return err
	}
	time.Sleep(time.Duration(w.rnd.IntN(20)) * time.Millisecond)
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(b[half:]); err == nil {
		err = f.Close()
	}
	if err != nil {
		return err
	}
	w.rotated = append(w.rotated, name)
	w.fate("copied to %s, %d bytes, and truncated", filepath.Base(name), len(b))
	w.size = 0
	return w.file.Truncate(0)
}

// shortLived is a container that lives less than a second, and its log no longer.
func (w *writer) shortLived() error {
	if err := w.restartContainer(); err != nil {
		return err
	}
	return w.gate.live(func() error {
		w.did["short life"]++
		if err := w.put(fmt.Sprintf("short life %d", w.number)); err != nil {
			return err
		}
		time.Sleep(time.Duration(300+w.rnd.IntN(600)) * time.Millisecond)
		path := w.path()
		if err := w.restartContainer(); err != nil {
			return err
		}
		w.fate("%s removed", filepath.Base(path))
		return os.Remove(path)
	})
}

// removePod deletes a pod and begins another.
func (w *writer) removePod() error {
	if err := w.file.Close(); err != nil {
		return err
	}
	w.did["pod removed"]++
	defer w.fate("removed")
	target, _ := os.Readlink(w.dir) // "" if it is no link
	err := w.gate.remove(func() error {
		if target != "" {
			if err := os.RemoveAll(target); err != nil {
				return err
			}
		}
		return os.RemoveAll(filepath.Dir(w.dir))
	})
	if err != nil {
		return err
	}
	return w.newPod()
}

func compressFile(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	if _, err := g.Write(b); err != nil {
		return err
	}
	if err := g.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(name+".tmp", z.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.Rename(name+".tmp", name+".gz"); err != nil {
		return err
	}
	return os.Remove(name)
}

// differences compares lines written with lines stored, whatever their order: clocks have jumped.
func differences(want, got []string) (missing, tooMany []string) {
	count := map[string]int{}
	for _, l := range want {
		count[l]++
	}
	for _, l := range got {
		count[l]--
	}
	for _, l := range slices.Sorted(maps.Keys(count)) {
		switch n := count[l]; {
		case n > 0:
			missing = append(missing, l)
		case n < 0:
			tooMany = append(tooMany, l)
		}
	}
	return missing, tooMany
}
