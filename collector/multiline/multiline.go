// Package multiline groups lines into records: a log line with its stack trace,
// a Python traceback, a Go panic, a message of several lines. It only groups:
// every line comes out once, in its iostream's order.
//
// A line begins a record if it has a header of its own (package header). A line
// without one belongs to the record before it if that began with a header, or if
// the line itself looks like a continuation (indented, "Caused by:", …), or while a
// traceback or panic goes on. So a stream that never has headers is one record a line.
//
// The grouping depends on the lines alone, not on how they were read in pieces. A
// record is closed at a limit of lines, bytes or age, and the next line opens
// another: at worst a long trace is in two records.
package multiline

import (
	"time"

	"lastnight"
	"lastnight/internal/header"
)

// Limits of one record.
const (
	MaxLines = 1000
	MaxBytes = 1 << 20
	MaxGap   = 5 * time.Second // between two lines, by the container runtime's clock
	// MaxWait is how far in the file the other iostream may go on before a record is closed.
	MaxWait = 1 << 20
)

// Joiner groups the lines of one stream. Not for several goroutines at once.
type Joiner struct {
	parser header.Parser
	open   [2]pending // stdout, stderr
	head   header.Header
}

// pending is a record that may go on.
type pending struct {
	lines []lastnight.Line
	bytes int
	head  header.Header
	state state
	last  int64 // time of the last line
}

// state says what the lines so far make likely.
type state uint8

const (
	plain      state = iota // nothing special
	headed                  // began with a header: lines without one belong to it
	levelOnly               // began with a level and nothing else: only what looks like a trace belongs to it
	julHead                 // first line of java.util.logging: the level comes next
	traceback               // Python: goes on to the line that names the exception
	afterTrace              // Python: named; only a chained traceback goes on
	panicking               // Go: everything belongs to it
)

// Add takes the next line and calls emit for each record that it closes. The
// record's Lines are valid until emit returns; texts are shared.
func (j *Joiner) Add(line lastnight.Line, emit func(lastnight.Record)) {
	own, other := &j.open[0], &j.open[1]
	if line.Stderr {
		own, other = other, own
	}
	if len(other.lines) > 0 && (line.Offset-other.lines[0].Offset > MaxWait || line.Time-other.last > int64(MaxGap)) {
		j.close(other, emit)
	}
	j.parser.Parse(line.Text, &j.head)
	if len(own.lines) > 0 {
		full := len(own.lines) >= MaxLines || own.bytes+len(line.Text) > MaxBytes || line.Time-own.last > int64(MaxGap)
		if full || !own.continues(line.Text, &j.head) {
			j.close(own, emit)
		}
	}
	if len(own.lines) == 0 {
		own.head = j.head
		own.state = opening(line.Text, &j.head)
	}
	own.lines = append(own.lines, line)
	own.bytes += len(line.Text) + 1
	own.last = line.Time
}

// Waiting gives the offset of the first record that may go on; ok is false if none does.
func (j *Joiner) Waiting() (offset int64, ok bool) {
	for i := range j.open {
		if p := &j.open[i]; len(p.lines) > 0 && (!ok || p.lines[0].Offset < offset) {
			offset, ok = p.lines[0].Offset, true
		}
	}
	return offset, ok
}

// Flush closes what may go on, in the order of offsets.
func (j *Joiner) Flush(emit func(lastnight.Record)) {
	first, second := &j.open[0], &j.open[1]
	if len(second.lines) > 0 && (len(first.lines) == 0 || second.lines[0].Offset < first.lines[0].Offset) {
		first, second = second, first
	}
	for _, p := range [...]*pending{first, second} {
		if len(p.lines) > 0 {
			j.close(p, emit)
		}
	}
}

// Reset forgets what may go on.
func (j *Joiner) Reset() {
	for i := range j.open {
		j.open[i].reset()
	}
}

func (p *pending) reset() {
	clear(p.lines) // their texts are no longer ours to hold
	*p = pending{lines: p.lines[:0]}
}

// close makes the record.
func (j *Joiner) close(p *pending, emit func(lastnight.Record)) {
	r := lastnight.Record{
		Lines:     p.lines,
		Level:     p.head.Level,
		Logger:    p.head.Logger,
		Thread:    p.head.Thread,
		AppTime:   p.head.Time,
		MessageAt: p.head.MessageAt,
		Attrs:     p.head.Attrs,
	}
	if len(p.lines) > 1 || p.head.Format == header.FormatNone {
		r.Exception = exceptions(&j.parser, p.lines, p.head.MessageAt)
	}
	emit(r)
	p.reset()
}
