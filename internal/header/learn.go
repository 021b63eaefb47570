package header

import (
	"bytes"
)

// Learning. A stream's lines mostly have one layout, and what its columns are shows when
// some lines are laid side by side: a column that always holds a time, a level, a number or a
// name with a colon is no part of the message. The first lines that the known formats
// do not explain wholly (learnLines of them) are kept, columns are judged, and from then on
// the layout is tried first. Where none is found, the next attempt waits four times as long.

// Limits of learning.
const (
	learnLines   = 32  // lines side by side
	fewLines     = 8   // of them with a time, at least
	learnBytes   = 320 // of each line
	maxColumns   = 12  // in which a header is sought
	maxLearnings = 6   // attempts; then a stream has no layout
)

// Shares of lines that must agree, in percent: a column of the header, and one that some lines leave out.
const (
	mostLines = 90
	manyLines = 80
)

// column is what a field of the header is.
type column uint8

const (
	columnAny    column = iota // stands before a column that is sure
	columnTime                 // a time or a part of one
	columnLevel                //
	columnNumber               // of a process or thread
	columnHost                 // repeats what stood before
	columnMark                 // "-", ":", "---"
	columnThread               // in brackets
	columnName                 // of a program or class
	columnTag                  // a name with a colon: it ends the header; some lines have none
)

// layout is a header that a stream has shown. Immutable once learned.
type layout struct {
	columns []column
	sure    int  // so many of them every line has
	bars    bool // columns are divided by "|" alone
}

// learner finds the layout of a stream. The zero value is ready.
type learner struct {
	lines    [][]byte // the beginnings of lines side by side
	wait     int      // lines to pass before the next attempt
	attempts int
	layout   *layout
	failed   int // lines that the layout did not fit, of late
}

// observe takes a line that no format explains wholly.
func (l *learner) observe(line []byte) {
	if l.attempts >= maxLearnings || len(line) == 0 || isBlank(line[0]) {
		return
	}
	if l.wait > 0 {
		l.wait--
		return
	}
	l.lines = append(l.lines, bytes.Clone(line[:min(len(line), learnBytes)]))
	if len(l.lines) < learnLines {
		return
	}
	l.layout = judge(l.lines)
	l.lines = nil
	l.attempts++
	l.failed = 0
	l.wait = learnLines << (2 * l.attempts)
}

// missed counts lines that the layout does not fit; when they are most of late, it is given up.
func (l *learner) missed() {
	if l.failed++; l.failed > 8*learnLines {
		l.layout, l.wait = nil, 0
	}
}

func (l *learner) hit() { l.failed = max(0, l.failed-4) }

// parseLearned reads a line by the layout; false if it has another.
func (p *Parser) parseLearned(line []byte, h *Header) bool {
	l := p.learn.layout
	p.seen.logger, p.seen.thread = field{}, field{}
	var buffer [maxColumns + 1]field
	most := len(l.columns) + 1 // a mark may be found one column late
	if l.bars {
		most = maxColumns
	}
	r := row{line, fieldsOf(line, l.bars, most, buffer[:0])}
	if len(r.fields) < l.sure {
		return false
	}
	at, ok := p.take(&r, h)
	if !ok {
		return false
	}
	if !l.bars {
		at = skipOne(line, at)
		for l.columns[len(l.columns)-1] == columnName && at < len(line) && line[at] == ' ' {
			at++ // a name padded to its column's width
		}
	}
	h.Format, h.Starts, h.MessageAt = FormatText, true, min(at, len(line))
	p.reachLearned(&r, most, h)
	return true
}

// take reads the fields of a line by the layout and gives where the last one ends. A time
// or a level that is not there: the line has another layout. What is behind them may be missing.
func (p *Parser) take(r *row, h *Header) (at int, ok bool) {
	l := p.learn.layout
	held := -1 // where a name began that a mark must follow
	for k := 0; k < len(l.columns) && k < len(r.fields); k++ {
		c, x := l.columns[k], r.at(k)
		if !r.is(k, c) {
			switch {
			case c == columnTime || c == columnLevel:
				return 0, false
			case c == columnMark && r.is(k+1, c): // a name of two words
				return r.fields[k+1].to, true
			case c == columnMark && held >= 0:
				h.Logger, p.seen.logger = "", field{}
				return held, true
			case k >= l.sure && !l.bars:
				return at, true
			}
			c = columnAny
		}
		if c == columnName {
			held = at
		}
		p.note(r, k, c, x, h)
		if at = r.fields[k].to; l.bars {
			at++
		}
	}
	return at, len(r.fields) >= l.sure
}

// note keeps what a field says.
func (p *Parser) note(r *row, k int, c column, x []byte, h *Header) {
	switch c {
	case columnLevel:
		h.Level = levelWord(trimField(x))
	case columnThread:
		p.seen.thread = field{r.fields[k].from + 1, r.fields[k].to - 1}
		h.Thread = p.Intern(x[1 : len(x)-1])
	case columnName:
		p.seen.logger = r.fields[k]
		h.Logger = p.Intern(x)
	case columnTag:
		name, _, _ := bytes.Cut(bytes.TrimSuffix(x, []byte(":")), []byte("["))
		p.seen.logger = field{r.fields[k].from, r.fields[k].from + len(name)}
		h.Logger = p.Intern(name)
	case columnTime:
		p.learnedTime(r.line, r.fields[k].from, h)
	case columnAny, columnNumber, columnHost, columnMark:
	}
}

// learnedTime reads the time that begins at i, if it has a date and none was read yet.
func (p *Parser) learnedTime(line []byte, i int, h *Header) {
	if i < len(line) && line[i] == '[' {
		i++
	}
	if h.Time != 0 {
		return
	}
	if ns, n, _ := p.minute.timeAt(line, i); n > 0 {
		h.Time = ns
		return
	}
	end := i
	for end < len(line) && (isDigit(line[end]) || line[end] == '.') {
		end++
	}
	h.Time = EpochTime(line[i:end])
}

// reachLearned finds out up to where a line was looked at that parseLearned read, for its form; it has none
// if that is not sure, or more than classes of bytes was asked for.
func (p *Parser) reachLearned(r *row, most int, h *Header) {
	l := p.learn.layout
	reach, clock := p.seen.reach, false
	p.seen.reach = 0
	if reach == 0 || reach > reachMax || l.bars || len(r.fields) < most || p.seen.clock != clockDated || p.seen.timeEnd > 0 {
		return
	}
	for k, f := range r.fields {
		c := columnAny
		if k < len(l.columns) {
			c = l.columns[k]
		}
		switch {
		case c == columnHost, r.line[f.from] == '[' && closingBracket(r.line, f.from, maxBracket) == 0:
			return
		case c == columnTime && !steady(r.at(k)):
			return
		case c == columnTime && !clock:
			if clock = f.from == p.seen.timeAt; !clock {
				return // the time is to be read again where both found it
			}
		}
		reach = max(reach, f.to+1)
	}
	if clock && reach <= len(r.line) && h.MessageAt < reach {
		p.seen.reach = reach
	}
}
