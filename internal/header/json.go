package header

import (
	"bytes"
	"encoding/json"
	"strings"

	"lastnight"
)

// object scans one JSON object without building it.
type object struct {
	p     *Parser
	h     *Header
	line  []byte
	i     int
	key   []byte // name of the present field, nested names joined with dots
	known bool   // a time, a level or a message was found
}

// parseJSON is for a line that is one JSON object with a time, a level or a message.
func (p *Parser) parseJSON(line []byte, i int, h *Header) {
	o := object{p: p, h: h, line: line, i: i}
	if !o.object(0) || !o.known {
		*h = Header{}
		return
	}
	o.blanks()
	if o.i < len(line) {
		*h = Header{}
		return
	}
	h.Format, h.Starts = FormatJSON, true
}

func (o *object) blanks() {
	for o.i < len(o.line) && (isBlank(o.line[o.i]) || o.line[o.i] == '\r') {
		o.i++
	}
}

// take consumes c behind blanks.
func (o *object) take(c byte) bool {
	o.blanks()
	if o.i < len(o.line) && o.line[o.i] == c {
		o.i++
		return true
	}
	return false
}

// object scans {…}; false if it is malformed or too deep.
func (o *object) object(depth int) bool {
	if depth > maxDepth || !o.take('{') {
		return false
	}
	if o.take('}') {
		return true
	}
	outer := len(o.key)
	for {
		o.blanks()
		name, _, ok := o.string()
		if !ok || !o.take(':') {
			return false
		}
		if outer > 0 {
			o.key = append(o.key, '.')
		}
		o.key = append(o.key, name...)
		if len(o.key) > maxAttrBytes || !o.value(depth) {
			return false
		}
		o.key = o.key[:outer]
		if o.take('}') {
			return true
		}
		if !o.take(',') {
			return false
		}
	}
}

// value scans a value and gives it to the field of the present key.
func (o *object) value(depth int) bool {
	o.blanks()
	if o.i >= len(o.line) {
		return false
	}
	from := o.i
	switch c := o.line[o.i]; c {
	case '{':
		return o.object(depth + 1)
	case '"':
		raw, escaped, ok := o.string()
		if ok {
			o.field(raw, from+1, escaped)
		}
		return ok
	case '[':
		if !o.array() {
			return false
		}
	default:
		for o.i < len(o.line) && (isNameByte(o.line[o.i]) || o.line[o.i] == '+') {
			o.i++
		}
		if o.i == from {
			return false
		}
	}
	o.field(o.line[from:o.i], from, false)
	return true
}

// string scans "…" and gives what is between the quotes, as written.
func (o *object) string() (raw []byte, escaped, ok bool) {
	if o.i >= len(o.line) || o.line[o.i] != '"' {
		return nil, false, false
	}
	from := o.i + 1
	for i := from; i < len(o.line); i++ {
		switch o.line[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			o.i = i + 1
			return o.line[from:i], escaped, true
		}
	}
	return nil, false, false
}

// array skips […] by counting brackets outside strings.
func (o *object) array() bool {
	open := 0
	for o.i < len(o.line) {
		switch o.line[o.i] {
		case '"':
			if _, _, ok := o.string(); !ok {
				return false
			}
			continue
		case '[', '{':
			open++
		case ']', '}':
			open--
		}
		o.i++
		if open == 0 {
			return true
		}
	}
	return false
}

// field puts a value where it belongs.
func (o *object) field(raw []byte, at int, escaped bool) {
	h := o.h
	switch string(o.key) {
	case "time", "ts", "@timestamp", "timestamp", "datetime", "timeMillis":
		if t := anyTime(raw); t != 0 {
			h.Time, o.known = t, true
			return
		}
	case "level", "severity", "lvl", "levelname", "loglevel", "log.level":
		if l := Level(raw); l != lastnight.LevelUnknown {
			h.Level, o.known = l, true
			return
		}
	case "logger", "logger_name", "loggerName", "log.logger":
		h.Logger = o.p.Intern(raw)
		return
	case "thread", "thread_name", "threadName", "process.thread.name":
		h.Thread = o.p.Intern(raw)
		return
	case "message", "msg":
		if h.MessageAt == 0 && at < len(o.line) {
			h.MessageAt, o.known = at, true
			return
		}
	}
	o.attr(raw, escaped)
}

// attr keeps a field that has no name of its own.
func (o *object) attr(raw []byte, escaped bool) {
	if len(o.h.Attrs) >= maxAttrs {
		return
	}
	if len(raw) > maxAttrBytes {
		raw, escaped = raw[:maxAttrBytes], false
	}
	value := o.p.valueString(raw, escaped)
	if o.h.Attrs == nil {
		o.h.Attrs = make(map[string]string)
	}
	o.h.Attrs[o.p.Intern(o.key)] = value
}

// valueString gives the text of a value, escapes resolved, always valid UTF-8.
func (p *Parser) valueString(raw []byte, escaped bool) string {
	if escaped {
		var s string
		quoted := append(append([]byte{'"'}, raw...), '"')
		if json.Unmarshal(quoted, &s) == nil {
			return s
		}
	}
	return strings.ToValidUTF8(string(bytes.TrimSpace(raw)), "\uFFFD")
}
