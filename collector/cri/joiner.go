package cri

import "lastnight"

// Limits of joining.
const (
	// MaxLine is the most bytes that a joined line has.
	MaxLine = 16 << 20
	// MaxWait is how far in the file the other iostream may go on while a line waits
	// for its next part. A line that waits longer is given out as it is, and its next part
	// begins another. It bounds what has to be held back to keep the order.
	MaxWait = 4 << 20
	// MaxParts is the most parts that a line has: 16 times what a runtime that cuts at
	// 16 KiB needs for the longest line.
	MaxParts = 16 << 10
)

// Joiner joins the parts of lines, per iostream. The zero value is ready. Not for
// several goroutines at once.
type Joiner struct {
	open  [2]pending // stdout, stderr
	whole lastnight.Line
	Split int64 // lines that were given out before their last part came, because of a limit
}

// pending is a line whose last part has not come.
type pending struct {
	waits bool
	line  lastnight.Line
}

// Add takes the entry that stands at offset and calls emit for each line that is
// complete by it, in the order of their ends. A line in one part shares the memory of
// e.Text; the text of a joined one has its own. What emit is given is valid until it returns.
func (j *Joiner) Add(e *Entry, offset int64, emit func(*lastnight.Line)) {
	own, other := &j.open[0], &j.open[1]
	if e.Stderr {
		own, other = other, own
	}
	if other.waits && offset-other.line.Offset > MaxWait {
		j.split(other, emit)
	}
	if own.waits && (len(own.line.Text)+len(e.Text) > MaxLine || len(own.line.Parts) >= MaxParts) {
		j.split(own, emit)
	}
	if !own.waits {
		if !e.Partial { // set one by one: a line that is put together and then copied costs twice the time
			line := &j.whole
			line.Time, line.Offset, line.Text, line.Stderr, line.Parts = e.Time, offset, e.Text, e.Stderr, nil
			emit(line)
			return
		}
		line := lastnight.Line{Time: e.Time, Offset: offset, Stderr: e.Stderr}
		line.Text = append(make([]byte, 0, 2*len(e.Text)), e.Text...)
		line.Parts = []lastnight.Part{{Time: e.Time, Offset: offset, Size: len(e.Text)}}
		*own = pending{waits: true, line: line}
		return
	}
	own.line.Text = append(own.line.Text, e.Text...)
	own.line.Parts = append(own.line.Parts, lastnight.Part{Time: e.Time, Offset: offset, Size: len(e.Text)})
	if !e.Partial {
		j.give(own, emit)
	}
}

// Waiting gives the offset of the first line that waits for a part; ok is false if none does.
func (j *Joiner) Waiting() (offset int64, ok bool) {
	for i := range j.open {
		if p := &j.open[i]; p.waits && (!ok || p.line.Offset < offset) {
			offset, ok = p.line.Offset, true
		}
	}
	return offset, ok
}

// Flush gives out what waits, in the order of offsets, and forgets it.
func (j *Joiner) Flush(emit func(*lastnight.Line)) {
	first, second := &j.open[0], &j.open[1]
	if second.waits && (!first.waits || second.line.Offset < first.line.Offset) {
		first, second = second, first
	}
	for _, p := range [...]*pending{first, second} {
		if p.waits {
			j.give(p, emit)
		}
	}
}

// Reset forgets what waits.
func (j *Joiner) Reset() { j.open, j.whole = [2]pending{}, lastnight.Line{} }

func (j *Joiner) split(p *pending, emit func(*lastnight.Line)) {
	j.Split++
	j.give(p, emit)
}

// give gives out a line. A single part needs no list: it is the line, though its tag was P.
func (j *Joiner) give(p *pending, emit func(*lastnight.Line)) {
	j.whole = p.line
	*p = pending{}
	if len(j.whole.Parts) == 1 {
		j.whole.Parts = nil
	}
	emit(&j.whole)
}
