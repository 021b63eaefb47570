package header

import (
	"bytes"

	"lastnight"
)

// parseLevelFirst is for "LEVEL:name:message", "LEVEL: message" and "LEVEL message".
func (p *Parser) parseLevelFirst(line []byte, i, n int, level lastnight.Level, h *Header) {
	end := i + n
	switch {
	case end >= len(line):
		return
	case line[end] == ':':
		at := end + 1
		if name := nameOnly(line, at); name > at && name+1 <= len(line) && name < len(line) && line[name] == ':' {
			h.Logger = p.Intern(line[at:name])
			at = name + 1
		}
		h.MessageAt = skipOne(line, at)
		if string(line[i:end]) == "panic" {
			h.MessageAt = 0 // Go's: the word belongs to the message
		}
	case line[end] == ' ' || line[end] == '\t' || line[end] == 0x1b:
		if isLower(line[i+1]) || !plainLevel(line[i:end]) {
			return
		}
		t := text{line: line, minute: &p.minute, i: skipBlank(line, end), level: level, time: true, message: -1}
		for range 3 {
			if t.i >= len(line) || !t.field(h) || t.message >= 0 {
				break
			}
			t.i = skipBlank(line, t.i)
		}
		if t.message < 0 {
			t.message, t.logger, t.thread = skipBlank(line, end), nil, nil
		}
		h.MessageAt = t.message
		h.Logger, h.Thread = p.Intern(t.logger), p.Intern(t.thread)
	default:
		return
	}
	h.Format, h.Starts, h.Level = FormatLevel, true, level
}

// plainLevel tells the names that may stand before a message without a colon.
func plainLevel(w []byte) bool {
	switch string(w) {
	case "TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "SEVERE", "CRITICAL":
		return true
	}
	return false
}

// nameOnly gives the end of a name without colons.
func nameOnly(b []byte, i int) int {
	for i < len(b) && isNameByte(b[i]) {
		i++
	}
	return i
}

// parseSyslog is for "Jun 15 02:04:59 host process[123]: message". It has no year, so there is no time.
func (p *Parser) parseSyslog(line []byte, i int, h *Header) bool {
	if i+16 > len(line) || line[i+3] != ' ' || line[i+6] != ' ' || month(line[i:i+3]) == 0 {
		return false
	}
	if !isDigit(line[i+5]) || line[i+4] != ' ' && !isDigit(line[i+4]) {
		return false
	}
	_, n, _ := clockAt(line, i+7)
	if n == 0 {
		return false
	}
	host := skipBlank(line, i+7+n)
	end := host
	for end < len(line) && !isBlank(line[end]) {
		end++
	}
	from := skipBlank(line, end)
	colon := bytes.Index(line[from:min(len(line), from+maxBracket)], []byte(": "))
	if colon > 0 {
		if blank := bytes.IndexByte(line[from:from+colon], ' '); blank >= 0 && (line[from+blank+1] != '(' || line[from+colon-1] != ')') {
			colon = -1 // but launchd's "name[1] (whose): message"
		}
	}
	h.Format, h.Starts, h.MessageAt = FormatText, true, from
	if colon > 0 {
		name, _, _ := bytes.Cut(line[from:from+colon], []byte("["))
		h.Logger = p.Intern(name)
		h.MessageAt = from + colon + 2
		p.seen = seen{reach: h.MessageAt, clock: clockAlone, timeAt: i + 7, timeSize: n, logger: field{from, from + len(name)}}
	}
	return true
}

var klogLevels = map[byte]lastnight.Level{
	'I': lastnight.LevelInfo, 'W': lastnight.LevelWarn, 'E': lastnight.LevelError, 'F': lastnight.LevelFatal,
}

// parseKlog is for "I1121 11:53:28.376123    1234 file.go:12] message". It has no year, so there is no time.
func (p *Parser) parseKlog(line []byte, i int, h *Header) bool {
	if i+15 > len(line) || line[i+5] != ' ' {
		return false
	}
	if _, ok := number(line, i+1, 4); !ok {
		return false
	}
	_, n, _ := clockAt(line, i+6)
	if n == 0 {
		return false
	}
	at := skipBlank(line, i+6+n)
	for at < len(line) && isDigit(line[at]) {
		at++
	}
	at = skipBlank(line, at)
	end := bytes.IndexByte(line[at:min(len(line), at+maxBracket)], ']')
	if end < 0 {
		return false
	}
	file := line[at : at+end]
	if colon := bytes.LastIndexByte(file, ':'); colon > 0 {
		file = file[:colon]
	}
	h.Format, h.Starts, h.Level = FormatKlog, true, klogLevels[line[i]]
	h.Logger = p.Intern(file)
	h.MessageAt = skipOne(line, at+end+1)
	return true
}

// parseJUL is for the first line of java.util.logging's two:
// "Nov 21, 2026 11:53:28 AM pkg.Class method".
func (p *Parser) parseJUL(line []byte, i int, h *Header) bool {
	if i+20 > len(line) || line[i+3] != ' ' {
		return false
	}
	m := month(line[i : i+3])
	if m == 0 {
		return false
	}
	at, d := i+4, 0
	for at < len(line) && isDigit(line[at]) && d < 32 {
		d = d*10 + int(line[at]-'0')
		at++
	}
	if at+7 > len(line) || string(line[at:at+2]) != ", " {
		return false
	}
	y, ok := number(line, at+2, 4)
	if !ok || !validDate(y, m, d) || line[at+6] != ' ' {
		return false
	}
	clock, end, ok := clock12(line, at+7)
	if !ok {
		return false
	}
	h.Format, h.Starts = FormatJUL, true
	h.Time = daysFromCivil(y, m, d)*86400e9 + clock
	h.MessageAt = skipOne(line, end)
	if name := nameOnly(line, h.MessageAt); name > h.MessageAt {
		h.Logger = p.Intern(line[h.MessageAt:name])
	}
	return true
}

// clock12 reads "1:53:28 AM".
func clock12(b []byte, i int) (ns int64, end int, ok bool) {
	hour := 0
	for n := 0; n < 2 && i < len(b) && isDigit(b[i]); n++ {
		hour = hour*10 + int(b[i]-'0')
		i++
	}
	if i+9 > len(b) || b[i] != ':' || b[i+3] != ':' || b[i+8] != 'M' || hour < 1 || hour > 12 {
		return 0, 0, false
	}
	m, ok1 := number(b, i+1, 2)
	s, ok2 := number(b, i+4, 2)
	half := b[i+7]
	if !ok1 || !ok2 || half != 'A' && half != 'P' {
		return 0, 0, false
	}
	hour %= 12
	if half == 'P' {
		hour += 12
	}
	return (int64(hour)*3600 + int64(m)*60 + int64(s)) * 1e9, i + 9, true
}

// parseLogfmt is for "time=… level=info msg=…": it begins with a key and has a level, or a time and a message.
func (p *Parser) parseLogfmt(line []byte, i int, h *Header) {
	var time, message bool
	for i < len(line) {
		from := i
		for i < len(line) && isNameByte(line[i]) {
			i++
		}
		if i == from || i >= len(line) || line[i] != '=' {
			break
		}
		key := line[from:i]
		value, at, next := logfmtValue(line, i+1)
		switch string(key) {
		case "level", "lvl", "severity":
			h.Level = Level(value)
		case "time", "ts", "timestamp", "t":
			h.Time = anyTime(value)
			time = h.Time != 0
		case "logger", "component":
			h.Logger = p.Intern(value)
		case "thread":
			h.Thread = p.Intern(value)
		case "msg", "message":
			message, h.MessageAt = true, at
		}
		i = next
		for i < len(line) && isBlank(line[i]) {
			i++
		}
	}
	if h.Level == lastnight.LevelUnknown && !(time && message) {
		*h = Header{}
		return
	}
	h.Format, h.Starts = FormatLogfmt, true
}

// logfmtValue gives the value at i without its quotes, where it begins, and what follows.
func logfmtValue(line []byte, i int) (value []byte, at, next int) {
	if i < len(line) && line[i] == '"' {
		for j := i + 1; j < len(line); j++ {
			if line[j] == '\\' {
				j++
			} else if line[j] == '"' {
				return line[i+1 : j], i + 1, j + 1
			}
		}
		return line[i+1:], i + 1, len(line)
	}
	j := i
	for j < len(line) && !isBlank(line[j]) {
		j++
	}
	return line[i:j], i, j
}

// anyTime reads a time as text or as a number since 1970.
func anyTime(b []byte) int64 {
	if ns, n, _ := timeAt(b, 0); n > 0 {
		return ns
	}
	return EpochTime(b)
}
