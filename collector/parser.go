package collector

import (
	"bytes"
	"cmp"
	"slices"

	"lastnight"
	"lastnight/collector/cri"
	"lastnight/collector/multiline"
)

// Ending says what follows the bytes of a block.
type Ending uint8

// The endings.
const (
	More  Ending = iota // more bytes: the last record may go on, so it is left for the next block
	Quiet               // nothing for a while: records are closed, lines that are not whole are left
	End                 // nothing ever: lines that are not whole come out too, marked Partial
)

const (
	blockBytes = 1 << 20 // of a file parsed at once
	maxRecords = 8192    // of a span
	// MaxRaw is the longest line of a file, header included. A longer one comes out
	// as several lines, each at its own offset.
	MaxRaw = cri.MaxLine + 1<<10
	// maxBlock is when a block that holds nothing complete is given out as it stands. Only
	// hostile input gets there: the limits of joining come first.
	maxBlock = 3 * cri.MaxLine
)

// The reasons of damaged lines.
const (
	reasonHeader = "line without the header of a container runtime: kept as it is"
	reasonLong   = "line longer than 16 MiB: kept as several lines"
	reasonSplit  = "line whose parts do not come or exceed 16 MiB: kept as several lines"
)

// Block is a piece of a file and, after Parser.Parse, the records in it. Records
// share the memory of Raw: both must stay untouched as long as they are used.
type Block struct {
	Raw     []byte // bytes of the file generation from Base on
	Base    int64  // offset of Raw in the generation; a line begins here
	To      int64  // set by Parse: offset up to which every line is in Records
	Records []lastnight.Record
	Lines   int64 // number of lines in Records
	// Redacted is the number of places in Records that were masked.
	Redacted int64

	lines   []lastnight.Line
	damaged []damagedLine
	masked  []maskedLine
}

// makeRoom makes room for the lines of Raw, and for as many records but no more than most, if there is less: growing
// while they come would cost three times the memory.
func (b *Block) makeRoom(most int) {
	n := bytes.Count(b.Raw, []byte{'\n'}) + 1
	if cap(b.lines) < n {
		b.lines = make([]lastnight.Line, 0, n+n/8)
	}
	if n = min(n, most); cap(b.Records) < n {
		b.Records = make([]lastnight.Record, 0, n+n/8)
	}
}

type maskedLine struct {
	offset int64
	places int
}

// Redactor masks what must not leave the node.
type Redactor interface {
	// Redact gives text with all that must not leave the node masked by as many bytes, and how many places that
	// were. Text is not changed; without any it is given back as it is.
	Redact(text []byte) (masked []byte, places int)
}

type damagedLine struct {
	offset int64
	reason string
}

// Span makes the span of a parsed block.
func (b *Block) Span(stream *lastnight.Stream, gen lastnight.Generation) lastnight.Span {
	return lastnight.Span{
		Stream: stream, Generation: gen, From: b.Base, To: b.To,
		Records: b.Records, RawBytes: b.To - b.Base,
	}
}

// lastTime gives the time of the last line of raw that has one, else before.
func lastTime(raw []byte, before int64) int64 {
	for len(raw) > 0 {
		raw = bytes.TrimSuffix(raw, []byte("\n"))
		from := bytes.LastIndexByte(raw, '\n') + 1
		if e, ok := cri.Parse(raw[from:]); ok {
			return e.Time
		}
		raw = raw[:from]
	}
	return before
}

// Damages tells what was wrong with the lines of a parsed block, one finding a reason.
func (b *Block) Damages(file string) []Damage {
	var found []Damage
	for _, l := range b.damaged {
		i := slices.IndexFunc(found, func(d Damage) bool { return d.Reason == l.reason })
		if i < 0 {
			found = append(found, Damage{File: file, Offset: l.offset, Reason: l.reason})
			i = len(found) - 1
		}
		found[i].Count++
	}
	return found
}

// Parser turns blocks of one file into records. It keeps nothing from one block to
// the next but the time of the last line, which record goes on with one that was closed at a limit, and the layout of
// headers that it has learned from at least 32 lines (package header); so a block parses the same wherever reading began, but for these. Use Reset for another file. Not for several goroutines at once.
type Parser struct {
	// Redact masks lines before anything is read from them; nil: nothing is masked. Set it before use.
	Redact Redactor

	entries  cri.Parser
	entry    cri.Entry // the line at hand
	cri      cri.Joiner
	records  multiline.Joiner
	block    *Block
	last     int64           // time of the line before, for lines that have none
	cuts     []multiline.Cut // where records go on that were closed at a limit
	addLine  func(*lastnight.Line)
	addEntry func(*lastnight.Record)
}

// NewParser makes a parser.
func NewParser() *Parser {
	p := &Parser{}
	p.addLine = p.lineDone
	p.addEntry = p.record
	return p
}

// lineDone takes a whole line.
func (p *Parser) lineDone(l *lastnight.Line) {
	if p.Redact != nil {
		var n int
		if l.Text, n = p.Redact.Redact(l.Text); n > 0 {
			p.block.masked = append(p.block.masked, maskedLine{l.Offset, n})
		}
	}
	p.records.Add(l, p.addEntry)
}

// State is what goes from one block of a file to the next. The zero value is that of a file's beginning.
type State struct {
	last   int64
	cuts   []multiline.Cut
	parsed int64 // offset up to which headers were learned from lines
}

// Reset turns to another file, or to the same one again after others. s is what
// State gave for it.
func (p *Parser) Reset(s State) {
	p.last, p.cuts = s.last, s.cuts
	p.records.SetParsed(s.parsed)
}

// State gives what Reset needs to go on behind the block parsed last.
func (p *Parser) State() State { return State{p.last, p.cuts, p.records.Parsed()} }

// Parse finds the records of a block and sets b.To: the next block begins there.
// With More or Quiet it may be b.Base: then nothing is complete yet. all is false if
// there were more records than a span should have, and Parse stopped early.
func (p *Parser) Parse(b *Block, ending Ending) (all bool) {
	p.block = b
	before, want := p.last, ending
	for limit := maxRecords; ; limit *= 2 {
		p.last = before
		b.Records, b.lines, b.damaged, b.masked = b.Records[:0], b.lines[:0], b.damaged[:0], b.masked[:0]
		b.makeRoom(limit)
		next := p.scan(limit)
		b.To = b.Base + int64(next)
		all, ending = true, want
		if next < len(b.Raw) && len(b.Records) >= limit {
			all, ending = false, More
		}
		p.finish(ending)
		if b.To > b.Base || all {
			break
		}
	}
	p.block = nil
	p.cuts = p.records.Cuts(b.To)
	p.entry = cri.Entry{}
	p.cri.Reset()
	p.records.Reset(nil) // a parser that waits for its file to grow must not hold the block
	b.Lines, b.Redacted = 0, 0
	for i := range b.Records {
		b.Lines += int64(len(b.Records[i].Lines))
	}
	for _, m := range b.masked {
		if m.offset < b.To || ending == End {
			b.Redacted += int64(m.places)
		}
	}
	p.last = lastTime(b.Raw[:b.To-b.Base], before)
	b.damaged = slices.DeleteFunc(b.damaged, func(d damagedLine) bool { return d.offset >= b.To && ending != End })
	return all
}

// scan adds whole lines until there are limit records, and gives where it stopped.
func (p *Parser) scan(limit int) int {
	b := p.block
	p.cri.Reset()
	p.records.Reset(p.cuts)
	pos := 0
	for pos < len(b.Raw) && len(b.Records) < limit {
		n := bytes.IndexByte(b.Raw[pos:], '\n')
		if n > MaxRaw || n < 0 && len(b.Raw)-pos >= MaxRaw {
			b.damaged = append(b.damaged, damagedLine{b.Base + int64(pos), reasonLong})
			p.line(b.Raw[pos:pos+MaxRaw], pos)
			pos += MaxRaw
			continue
		}
		if n < 0 {
			break
		}
		p.line(b.Raw[pos:pos+n], pos)
		pos += n + 1
	}
	return pos
}

// line adds one line of the file.
func (p *Parser) line(raw []byte, pos int) {
	e := &p.entry
	if !p.entries.Parse(raw, e) {
		p.block.damaged = append(p.block.damaged, damagedLine{p.block.Base + int64(pos), reasonHeader})
		*e = cri.Entry{Time: p.timeFor(pos), Text: raw}
	}
	p.last = e.Time
	split := p.cri.Split
	p.cri.Add(e, p.block.Base+int64(pos), p.addLine)
	if p.cri.Split > split {
		p.block.damaged = append(p.block.damaged, damagedLine{p.block.Base + int64(pos), reasonSplit})
	}
}

// timeFor gives the time of a line that has none: that of the line before, or of the first one after that has one.
func (p *Parser) timeFor(pos int) int64 {
	for p.last == 0 && pos < len(p.block.Raw) {
		n := bytes.IndexByte(p.block.Raw[pos:], '\n')
		if n < 0 {
			break
		}
		if e, ok := cri.Parse(p.block.Raw[pos : pos+n]); ok {
			p.last = e.Time
		}
		pos += n + 1
	}
	return p.last
}

// record keeps a record that is complete.
func (p *Parser) record(r *lastnight.Record) {
	b := p.block
	from := len(b.lines)
	b.lines = append(b.lines, r.Lines...)
	n := len(b.Records)
	b.Records = slices.Grow(b.Records, 1)[:n+1]
	to := &b.Records[n] // of a block that is used again: all fields are set, one by one, since r has just been written so
	to.Lines, to.Level, to.Logger, to.Thread = b.lines[from:len(b.lines):len(b.lines)], r.Level, r.Logger, r.Thread
	to.AppTime, to.MessageAt, to.Exception, to.Attrs = r.AppTime, r.MessageAt, r.Exception, r.Attrs
	to.Template = ""
}

// finish closes what the ending allows, orders the records and sets To.
func (p *Parser) finish(ending Ending) {
	b := p.block
	if ending == More && len(b.Raw) >= maxBlock {
		p.cri.Flush(p.addLine)
		ending = Quiet
	}
	if waiting, ok := p.cri.Waiting(); ok && waiting < b.To {
		b.To = waiting
	}
	switch ending {
	case More:
		if waiting, ok := p.records.Waiting(); ok && waiting < b.To {
			b.To = waiting
		}
	case Quiet:
		p.records.Flush(p.addEntry)
	case End:
		p.tail()
		p.cri.Flush(p.addLine)
		p.records.Flush(p.addEntry)
	}
	p.order()
	if ending == End {
		b.markPartial()
		return
	}
	b.holdBack()
}

// tail adds the last line of a file, if that has no newline.
func (p *Parser) tail() {
	b := p.block
	from := bytes.LastIndexByte(b.Raw, '\n') + 1
	if rest := int(b.To - b.Base); from < rest {
		from = rest // a long line was cut
	}
	if from >= len(b.Raw) {
		return
	}
	e, ok := cri.Parse(b.Raw[from:])
	if !ok {
		e = cri.Entry{Time: p.timeFor(from), Text: b.Raw[from:]}
	}
	p.cri.Add(&e, b.Base+int64(from), p.addLine)
}

// order sorts the records by offset: those of the two iostreams end in another order than they begin. Each of
// one iostream comes late for those of the other that ended while it was open, so together no more moves than records are needed.
func (p *Parser) order() {
	records := p.block.Records
	for i := 1; i < len(records); i++ {
		at := i
		for at > 0 && records[at-1].Lines[0].Offset > records[i].Lines[0].Offset {
			at--
		}
		if at < i {
			late := records[i]
			copy(records[at+1:i+1], records[at:i])
			records[at] = late
		}
	}
}

// lastOffset gives where the last part of a line begins: who reads on from before it
// would take that part for a line.
func lastOffset(l *lastnight.Line) int64 {
	if n := len(l.Parts); n > 0 {
		return l.Parts[n-1].Offset
	}
	return l.Offset
}

// holdBack leaves out the records with a line at or behind To, and moves To before
// their first line, until the span has every line before To and no other.
func (b *Block) holdBack() {
	for moved := true; moved; {
		moved = false
		for i := range b.Records {
			lines := b.Records[i].Lines
			if lastOffset(&lines[len(lines)-1]) >= b.To {
				b.To = min(b.To, lines[0].Offset)
				b.Records = b.Records[:i]
				moved = true
				break
			}
		}
	}
}

// markPartial marks the lines at or behind To, and cuts records in two there. To
// moves before the lines that have parts on both sides of it.
func (b *Block) markPartial() {
	for moved := true; moved; {
		moved = false
		for i := range b.lines {
			if l := &b.lines[i]; l.Offset < b.To && lastOffset(l) >= b.To {
				b.To, moved = l.Offset, true
			}
		}
	}
	for i := 0; i < len(b.Records); i++ {
		lines := b.Records[i].Lines
		if lines[len(lines)-1].Offset < b.To {
			continue
		}
		n, _ := slices.BinarySearchFunc(lines, b.To, func(l lastnight.Line, to int64) int { return cmp.Compare(l.Offset, to) })
		for j := n; j < len(lines); j++ {
			lines[j].Partial = true
		}
		if n > 0 {
			b.Records[i].Lines = lines[:n:n]
			b.Records = slices.Insert(b.Records, i+1, lastnight.Record{Lines: lines[n:]})
			i++
		}
	}
}
