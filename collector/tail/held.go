package tail

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"time"

	"lastnight"
	"lastnight/collector"
)

// releaseHeld closes files that were removed, the longest gone first, while they take more than they may.
func (t *Tailer) releaseHeld() {
	type gone struct {
		c *container
		f *follow
	}
	var held int64
	var all []gone
	for _, c := range t.containers {
		for _, f := range c.files {
			if f.gone && f.file != nil {
				held += f.size
				all = append(all, gone{c, f})
			}
		}
	}
	if held <= t.cfg.MaxHeld {
		return
	}
	slices.SortFunc(all, func(a, b gone) int {
		return cmp.Or(a.f.left.Compare(b.f.left), cmp.Compare(a.f.path, b.f.path))
	})
	for _, g := range all {
		if held <= t.cfg.MaxHeld {
			return
		}
		held -= g.f.size
		const why = "the file was removed, and removed files took too much space"
		if isCompressed(g.f.path) {
			t.missPacked(g.c, g.f, why)
		} else {
			if !g.f.named {
				t.begin(g.c, g.f)
			}
			t.miss(g.c, g.f, g.f.size, why)
		}
		g.c.drop(g.f)
	}
}

// missing is bytes that could not be read from where they were; another file may still bring them.
type missing struct {
	c        *container
	stream   *lastnight.Stream
	gen      lastnight.Generation
	from, to int64
	path     string
	why      string
	since    time.Time
}

// patience is how long another file may take to bring what is missing, from when nothing waits to be read.
func (t *Tailer) patience() time.Duration { return 2*t.cfg.Interval + t.cfg.Quiet }

// miss notes what was not read of a file, up to where it once reached.
func (t *Tailer) miss(c *container, f *follow, to int64, why string) {
	from := max(f.at, t.position(c, f.stream, f.gen))
	if to <= from {
		return
	}
	t.missing = append(t.missing, missing{c, f.stream, f.gen, from, to, f.path, why, time.Now()})
}

// missPacked notes what was not read of a compressed file.
func (t *Tailer) missPacked(c *container, f *follow, why string) {
	if f.ended == f.size || f.file == nil {
		return
	}
	if !f.named {
		line, ok := collector.FirstLine(f.file)
		if !ok {
			line = fmt.Append(nil, f.path) // it must be told of, whatever it is called
		}
		f.gen, f.named = collector.GenerationOf(line), true
	}
	size, ok := unpackedSize(f.file, f.size)
	if !ok {
		size = f.at + f.size
	}
	t.miss(c, f, size, why)
}

// missRest notes the end of a compressed file that could not be read.
func (t *Tailer) missRest(c *container, f *follow) {
	if size, ok := unpackedSize(f.file, f.size); ok && f.named && size > f.at && size-f.at > collector.MaxRaw {
		t.miss(c, f, size, "the compressed file is damaged")
	}
}

// unpackedSize gives the size that a gzip file of one member says it unpacks to; ok is false if it does not say so,
// or nothing that can be.
func unpackedSize(f *os.File, size int64) (n int64, ok bool) {
	var head [2]byte
	var tail [4]byte
	if size < 20 {
		return 0, false
	}
	if _, err := f.ReadAt(head[:], 0); err != nil || head != [2]byte{0x1f, 0x8b} {
		return 0, false
	}
	if _, err := f.ReadAt(tail[:], size-4); err != nil {
		return 0, false
	}
	n = int64(binary.LittleEndian.Uint32(tail[:]))
	const most = 1032 // deflate packs no more into a byte
	return n, n > 0 && n/most <= size
}

// settleMissing tells of what no other file has brought.
func (t *Tailer) settleMissing(now time.Time) {
	t.missing = slices.DeleteFunc(t.missing, func(m missing) bool {
		m.from = max(m.from, t.position(m.c, m.stream, m.gen))
		if m.from >= m.to {
			return true
		}
		if now.Sub(m.since) < t.patience() || t.mayCome(&m) {
			return false
		}
		t.lost(&m)
		return true
	})
}

// mayCome tells whether a file that is not read yet has what is missing.
func (t *Tailer) mayCome(m *missing) bool {
	return slices.ContainsFunc(m.c.files, func(f *follow) bool {
		if f.stream.Restart != m.stream.Restart || f.file == nil || f.named && f.at >= f.size || f.closed == f.size || f.ended == f.size {
			return false
		}
		switch {
		case f.named:
		case isCompressed(f.path):
			line, ok := collector.FirstLine(f.file)
			f.gen, f.named = collector.GenerationOf(line), ok
		default:
			t.begin(m.c, f)
		}
		return f.named && f.gen == m.gen && (isCompressed(f.path) || f.size >= m.to)
	})
}

// lost tells of bytes that will not come.
func (t *Tailer) lost(m *missing) {
	t.mu.Lock()
	t.stats.Lost += m.to - m.from
	t.mu.Unlock()
	t.log.Error("lines are lost", "file", m.path, "bytes", m.to-m.from, "reason", m.why)
	if t.cfg.Lost != nil {
		t.cfg.Lost(*m.stream, m.gen, m.from, m.to, m.why)
	}
}

// What is warned of before it is lost, and how often.
const (
	warnEvery = time.Minute
	warnShare = 2 // held files above a half of their cap
)

// warn says what will be lost next.
func (t *Tailer) warn(now time.Time, risk, held int64) {
	away := t.cfg.Skip != nil && t.cfg.Skip(true)
	if risk == 0 || !away && held <= t.cfg.MaxHeld/warnShare || now.Sub(t.warned) < warnEvery {
		return
	}
	t.warned = now
	var next *follow
	for _, c := range t.containers {
		for _, f := range c.files {
			if f.atRisk() && f.unread() > 0 && (next == nil || f.nearerThan(next)) {
				next = f
			}
		}
	}
	if next == nil {
		return
	}
	t.log.Warn("lines will be lost unless they are taken soon", "bytes", risk, "held_bytes", held,
		"next", next.path, "namespace", next.stream.Namespace, "pod", next.stream.Pod, "container", next.stream.Container)
}

// nearerThan tells whether a file will be lost before another.
func (f *follow) nearerThan(g *follow) bool {
	if f.gone != g.gone {
		return f.gone
	}
	if f.gone {
		return f.left.Before(g.left)
	}
	return f.name.rotated < g.name.rotated
}
