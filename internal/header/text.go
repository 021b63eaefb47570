package header

import (
	"bytes"

	"lastnight"
)

const (
	maxFields  = 10  // of a text header; a line with more is not one
	maxBracket = 256 // bytes of a thread's name and the like
	maxStatus  = 200 // how far to look for the level behind a thread's name with spaces
)

// text is the state of recognising one text header.
type text struct {
	line    []byte
	minute  *minute
	i       int
	time    bool
	comma   bool // the time has log4j's comma
	weak    bool // the time might be a mere number: it counts only with a level
	dash    bool // " - " was passed
	numbers int  // numbers passed before the level: processes and threads
	after   int  // where the message begins if no level follows: behind the time
	level   lastnight.Level
	logger  []byte
	thread  []byte
	message int  // -1 until known
	far     bool // bytes were looked at that may lie behind the header
	seen    seen
}

// parseText is for lines that begin with a time or a bracket.
func (p *Parser) parseText(line []byte, i int, h *Header) {
	var t text // set one by one: put together and copied it would cost more than the fields
	t.line, t.minute, t.i, t.message = line, &p.minute, i, -1
	for range maxFields {
		t.i = skipBlank(line, t.i)
		if t.i >= len(line) || !t.field(h) || t.message >= 0 {
			break
		}
	}
	if t.message > 0 && isBlank(line[t.message-1]) && t.time && !t.far {
		t.seen.reach, t.seen.logger, t.seen.thread = t.message, within(line, t.logger), within(line, t.thread)
		p.seen = t.seen
	}
	if t.level == lastnight.LevelUnknown {
		t.logger, t.thread, t.message = nil, nil, t.after
		if t.comma {
			t.statusLogger()
		}
	}
	if (!t.time || t.weak) && t.level == lastnight.LevelUnknown {
		*h = Header{}
		return
	}
	if t.message < 0 {
		t.message = min(t.i, len(line))
	}
	h.Format, h.Starts, h.Level, h.MessageAt = FormatText, true, t.level, t.message
	h.Logger, h.Thread = p.Intern(t.logger), p.Intern(t.thread)
}

// field takes one field of the header; false if there is none: the message begins.
func (t *text) field(h *Header) bool {
	switch c := t.line[t.i]; {
	case c == '[' || c == '(' && t.time:
		return t.bracket(h)
	case !t.time && isDigit(c):
		ns, n, comma := t.minute.timeAt(t.line, t.i)
		if n == 0 {
			if ns, n = t.minute.compactAt(t.line, t.i); n == 0 {
				return false
			}
			t.weak, t.seen.clock = true, clockCompact
		}
		t.seen.timeAt, t.seen.timeSize = t.i, n
		t.setTime(h, ns, n, comma)
		return true
	case c == '-':
		return t.separator()
	case c == ':' && t.level != lastnight.LevelUnknown && t.blankAt(t.i+1):
		t.message = skipOne(t.line, t.i+1)
		return true
	}
	if t.level == lastnight.LevelUnknown {
		return t.beforeLevel()
	}
	return t.afterLevel()
}

func (t *text) setTime(h *Header, ns int64, n int, comma bool) {
	t.time, t.comma, h.Time = true, comma, ns
	t.i += n
	if t.i < len(t.line) && t.line[t.i] == ',' {
		t.i++
	}
	t.after = skipOne(t.line, t.i)
}

// bracket takes [..] or (..): a time, a level, a thread, or something without meaning for us.
func (t *text) bracket(h *Header) bool {
	closing := byte(']')
	if t.line[t.i] == '(' {
		closing = ')'
	}
	from := t.i + 1
	n := bytes.IndexByte(t.line[from:min(len(t.line), from+maxBracket)], closing)
	if n < 0 {
		return false
	}
	if closing == ']' && bytes.IndexByte(t.line[from:from+n], '[') >= 0 { // a name with brackets in it
		if end := closingBracket(t.line, t.i, maxBracket); end > 0 {
			n = end - 1 - from
		} else {
			t.far = true
		}
	}
	in := bytes.TrimSpace(t.line[from : from+n])
	end := from + n + 1
	switch {
	case !t.time && len(in) >= 8 && isDigit(in[0]):
		ns, used, comma := t.minute.timeAt(in, 0)
		if used != len(in) {
			return false
		}
		at := within(t.line, in)
		t.seen.timeAt, t.seen.timeEnd, t.seen.timeSize = at.from, at.to, used
		t.setTime(h, ns, end-t.i, comma)
		return true
	case !t.time && len(in) >= 24 && isUpper(in[0]):
		ns, ok := ctimeAt(in)
		if !ok {
			return false
		}
		t.far = true // no form knows how to read this one again
		t.setTime(h, ns, end-t.i, false)
		return true
	case t.level == lastnight.LevelUnknown && bracketLevel(in) != lastnight.LevelUnknown:
		t.level = bracketLevel(in)
	case len(in) == 0 || allDigits(in):
	case closing == ')':
		if t.thread == nil {
			return false
		}
		t.logger, t.thread = t.thread, in // Quarkus: [logger] (thread)
	case t.thread == nil:
		t.thread = in
	case t.level != lastnight.LevelUnknown && bytes.HasPrefix(t.line[end:], []byte(" - ")):
		t.thread = in // ZooKeeper: [id] - LEVEL [thread] - message
	default:
		return false
	}
	t.i = end
	return true
}

// bracketLevel reads "error" or Apache's "core:error".
func bracketLevel(in []byte) lastnight.Level {
	if i := bytes.IndexByte(in, ':'); i > 0 {
		in = in[i+1:]
	}
	return levelWord(in)
}

// separator takes "-": a mere divider before the level, the message's beginning behind it.
func (t *text) separator() bool {
	line := t.line
	if bytes.HasPrefix(line[t.i:], []byte("--- ")) {
		t.i += 4
		return true
	}
	if !t.blankAt(t.i + 1) {
		return false
	}
	if t.level != lastnight.LevelUnknown {
		t.message = skipOne(line, t.i+1)
		return true
	}
	t.i, t.dash = t.i+1, true
	return true
}

// beforeLevel takes a word where a level may stand, or Python's "name - LEVEL".
func (t *text) beforeLevel() bool {
	if level, n := levelAt(t.line, t.i); n > 0 && t.levelStands(t.i, n) {
		t.level = level
		t.i += n
		if t.i < len(t.line) && t.line[t.i] == ':' {
			t.message = skipOne(t.line, t.i+1)
		}
		return true
	}
	end := nameEnd(t.line, t.i)
	if t.number(end) {
		return true
	}
	if !t.dash {
		return false
	}
	next := skipBlank(t.line, end)
	if end == t.i || next+2 >= len(t.line) || t.line[next] != '-' || t.line[next+1] != ' ' {
		return false
	}
	if _, n := levelAt(t.line, next+2); n == 0 {
		return false
	}
	t.logger = t.line[t.i:end]
	t.i = next + 1
	return true
}

// number takes the number of a process or thread before the level, and behind two of
// them Android's level of one letter.
func (t *text) number(end int) bool {
	if end >= len(t.line) || !isBlank(t.line[end]) {
		return false
	}
	word := t.line[t.i:end]
	switch {
	case t.time && allDigits(word) && len(word) <= 10 && t.numbers < 2:
		t.numbers++
	case t.numbers == 2 && len(word) == 1:
		t.level = letterLevel(word[0])
		if t.level == lastnight.LevelUnknown {
			return false
		}
	default:
		return false
	}
	t.i = end
	return true
}

func letterLevel(c byte) lastnight.Level {
	switch c {
	case 'V':
		return lastnight.LevelTrace
	case 'D':
		return lastnight.LevelDebug
	case 'I':
		return lastnight.LevelInfo
	case 'W':
		return lastnight.LevelWarn
	case 'E':
		return lastnight.LevelError
	case 'F':
		return lastnight.LevelFatal
	}
	return lastnight.LevelUnknown
}

// levelStands tells whether a level's name at i is meant as one: in capitals, or set off.
func (t *text) levelStands(i, n int) bool {
	if !isLower(t.line[i+1]) {
		return true
	}
	end := i + n
	return end < len(t.line) && (t.line[end] == '\t' || t.line[end] == ':' || t.line[end] == '|' ||
		end+1 < len(t.line) && t.line[end] == ' ' && (t.line[end+1] == ' ' || t.line[end+1] == '|' || t.line[end+1] == '-'))
}

// afterLevel takes the logger, if what follows looks like one.
func (t *text) afterLevel() bool {
	line := t.line
	if t.logger != nil {
		return false
	}
	if t.i > 0 && line[t.i-1] == '\t' {
		if t.tabbed() {
			return true
		}
		t.far = true
	}
	from := t.i
	if bytes.HasPrefix(line[from:], []byte("in ")) {
		from += 3 // Flask: "ERROR in module: …"
	}
	end := nameEnd(line, from)
	if end == from {
		return false
	}
	next, brackets := skipBlank(line, end), false
	var thread []byte
	for next < len(line) && line[next] == '[' {
		n := bytes.IndexByte(line[next:min(len(line), next+maxBracket)], ']')
		if n < 0 {
			return false
		}
		if in := bytes.TrimSpace(line[next+1 : next+n]); len(in) > 0 && thread == nil {
			thread = in
		}
		brackets, next = true, skipBlank(line, next+n+1)
	}
	if next < len(line) && line[next] == '-' && bytes.HasPrefix(line[next:], []byte("--- ")) && allDigits(line[from:end]) {
		t.i = next + 4 // Spring Boot: "INFO 1 --- [main] logger : message"
		return true
	}
	if next >= len(line) || line[next] != '-' && line[next] != ':' || !t.blankAt(next+1) {
		if !brackets || end-from < 3 || bytes.IndexByte(line[from:end], '.') <= 0 || !looksLikeLogger(line[from:end]) {
			return false
		}
		t.far, t.logger, t.message = true, line[from:end], skipBlank(line, end) // OpenStack: "logger [request] message"
		return true
	}
	sure := brackets || t.thread != nil && line[next] == '-' || next >= end+2 || from > t.i
	if !sure && !looksLikeLogger(line[from:end]) {
		return false
	}
	t.logger = line[from:end]
	if t.thread == nil {
		t.thread = thread
	}
	t.message = skipOne(line, next+1)
	return true
}

// tabbed takes zap's columns behind the level: [logger] file.go:12 message.
func (t *text) tabbed() bool {
	rest := t.line[t.i:]
	for range 2 {
		n := bytes.IndexByte(rest, '\t')
		if n <= 0 || n > maxBracket || bytes.IndexByte(rest[:n], ' ') >= 0 {
			return false
		}
		at := len(t.line) - len(rest)
		if bytes.Contains(rest[:n], []byte(".go:")) {
			t.message = at + n + 1
			return true
		}
		t.logger = t.line[at : at+n]
		rest = rest[n+1:]
	}
	t.logger = nil
	return false
}

// statusLogger takes log4j's own messages, "time thread LEVEL message", whose thread's name may have spaces.
func (t *text) statusLogger() {
	line := t.line
	for i := t.after; i < len(line) && i < t.after+maxStatus; i++ {
		if line[i] != ' ' || i+1 >= len(line) || !isUpper(line[i+1]) {
			continue
		}
		level, n := levelAt(line, i+1)
		if n == 0 || isLower(line[i+2]) || i+1+n >= len(line) || line[i+1+n] != ' ' || i <= t.after {
			continue
		}
		t.level, t.thread = level, bytes.TrimSpace(line[t.after:i])
		t.message = i + n + 2
		return
	}
}

// blankAt tells whether there is a blank at i, or nothing.
func (t *text) blankAt(i int) bool { return i >= len(t.line) || isBlank(t.line[i]) }

// looksLikeLogger tells a class or module from the first word of a message.
func looksLikeLogger(b []byte) bool {
	if bytes.HasSuffix(b, []byte("Exception")) || bytes.HasSuffix(b, []byte("Error")) {
		return false
	}
	for i, c := range b {
		if c == '.' && i > 0 && i < len(b)-1 || c == '$' || i > 0 && isUpper(c) && isLower(b[i-1]) {
			return true
		}
	}
	return false
}
