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
// another, which is linked: its attribute Continues says where the first of them begins. So a giant
// record is several, and no byte of it is dropped.
package multiline

import (
	"maps"
	"slices"
	"strconv"
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

// Continues is the attribute of a record that goes on with one which was closed at a limit: the offset in the same
// file at which the first record of them begins, in hex as in ids.
const Continues = "log.record.continues"

// Joiner groups the lines of one stream. Not for several goroutines at once.
type Joiner struct {
	parser header.Parser
	open   [2]pending     // stdout, stderr
	head   *header.Header // of the line at hand
	cuts   []Cut
	parsed int64            // offset up to which headers were learned from lines
	record lastnight.Record // the one that emit is given
}

// Cut is where a record was closed at a limit although it goes on.
type Cut struct {
	At    int64 // offset of the line that goes on with it
	Head  int64 // offset of the first line of the first record of the chain
	state state // that the next record begins with; plain after a gap in time
}

// pending is a record that may go on.
type pending struct {
	lines []lastnight.Line
	bytes int
	head  *header.Header // its own
	state state
	last  int64 // time of the last line

	linked bool  // it goes on with a record that was closed at a limit
	first  int64 // where the first of these begins
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
// record and its Lines are valid until emit returns; texts are shared.
func (j *Joiner) Add(line *lastnight.Line, emit func(*lastnight.Record)) {
	own, other := &j.open[0], &j.open[1]
	if line.Stderr {
		own, other = other, own
	}
	if len(other.lines) > 0 && (line.Offset-other.lines[0].Offset > MaxWait || line.Time-other.last > int64(MaxGap)) {
		j.close(other, emit)
	}
	if j.head == nil {
		j.head = &header.Header{}
	}
	if line.Offset < j.parsed {
		j.parser.ParseAgain(line.Text, j.head)
	} else {
		j.parser.Parse(line.Text, j.head)
		j.parsed = line.Offset + 1
	}
	if len(own.lines) > 0 {
		full := len(own.lines) >= MaxLines || own.bytes+len(line.Text) > MaxBytes
		late := line.Time-own.last > int64(MaxGap)
		goesOn := own.continues(line.Text, j.head)
		if goesOn && (full || late) {
			j.cut(own, line.Offset, late)
		}
		if full || late || !goesOn {
			j.close(own, emit)
		}
	}
	if len(own.lines) == 0 {
		own.state = opening(line.Text, j.head)
		own.head, j.head = j.head, own.head
		j.link(own, line.Offset)
	}
	n := len(own.lines)
	own.lines = slices.Grow(own.lines, 1)[:n+1]
	to := &own.lines[n] // set one by one: line was written so just now, and to copy it whole would wait for that
	to.Time, to.Offset, to.Text, to.Stderr, to.Partial, to.Parts = line.Time, line.Offset, line.Text, line.Stderr, line.Partial, line.Parts
	own.bytes += len(line.Text) + 1
	own.last = line.Time
}

// cut notes that a record goes on at an offset although it is closed.
func (j *Joiner) cut(p *pending, at int64, late bool) {
	c := Cut{At: at, Head: p.lines[0].Offset, state: p.state}
	if p.linked {
		c.Head = p.first
	}
	if late {
		c.state = plain
	}
	j.cuts = append(j.cuts, c)
}

// link finds out whether the line at an offset goes on with a record that was closed.
func (j *Joiner) link(p *pending, at int64) {
	for _, c := range j.cuts {
		if c.At == at {
			p.linked, p.first = true, c.Head
			if c.state != plain {
				p.state = c.state
			}
		}
	}
}

// Cuts gives the cuts at or behind an offset: who goes on reading there hands them to Reset.
func (j *Joiner) Cuts(from int64) []Cut {
	var out []Cut
	for _, c := range j.cuts {
		if c.At >= from && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
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
func (j *Joiner) Flush(emit func(*lastnight.Record)) {
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

// Parsed gives the offset up to which headers were learned from lines, for SetParsed.
func (j *Joiner) Parsed() int64 { return j.parsed }

// SetParsed turns to another file, up to whose offset headers were learned from lines: 0 for one that was not read yet.
func (j *Joiner) SetParsed(offset int64) { j.parsed = offset }

// Reset forgets what may go on, but for cuts, which Cuts gave before, and lets go of all texts.
func (j *Joiner) Reset(cuts []Cut) {
	j.cuts = append(j.cuts[:0], cuts...)
	for i := range j.open {
		p := &j.open[i]
		clear(p.lines[:cap(p.lines)])
		*p = pending{lines: p.lines[:0], head: p.head}
	}
	j.record = lastnight.Record{}
}

// close makes the record.
func (j *Joiner) close(p *pending, emit func(*lastnight.Record)) {
	r := &j.record
	r.Lines, r.Level, r.Logger, r.Thread = p.lines, p.head.Level, p.head.Logger, p.head.Thread
	r.AppTime, r.MessageAt, r.Attrs, r.Exception = p.head.Time, p.head.MessageAt, p.head.Attrs, nil
	if len(p.lines) > 1 || p.head.Format == header.FormatNone {
		r.Exception = exceptions(&j.parser, p.lines, p.head.MessageAt)
	}
	if p.linked {
		r.Attrs = maps.Clone(r.Attrs)
		if r.Attrs == nil {
			r.Attrs = map[string]string{}
		}
		r.Attrs[Continues] = strconv.FormatInt(p.first, 16)
	}
	emit(r)
	p.lines, p.bytes, p.linked = p.lines[:0], 0, false // the next line sets the rest
}
