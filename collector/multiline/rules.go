package multiline

import (
	"bytes"
	"slices"

	"lastnight"
	"lastnight/internal/header"
)

var (
	causedBy  = []byte("Caused by: ")
	pyTrace   = []byte("Traceback (most recent call last):")
	pyDuring  = []byte("During handling of the above exception")
	pyCause   = []byte("The above exception was the direct cause")
	goPanic   = []byte("panic: ")
	goFatal   = []byte("fatal error: ")
	goroutine = []byte("goroutine ")
	inThread  = []byte(`Exception in thread "`)

	serialized = []byte("SerializedThrowable")
)

// opening gives the state of a record from its first line.
func opening(text []byte, h *header.Header) state {
	switch {
	case len(text) > 0 && (text[0] == 'p' || text[0] == 'f' || text[0] == 'g') &&
		(bytes.HasPrefix(text, goPanic) || bytes.HasPrefix(text, goFatal) || isGoroutine(text)):
		return panicking
	case h.Format == header.FormatJUL:
		return julHead
	case h.Format == header.FormatLevel:
		return levelOnly
	case h.Starts:
		return headed
	case bytes.HasPrefix(text, pyTrace):
		return traceback
	}
	return plain
}

// continues tells whether a line belongs to the record, and moves the record's state.
func (p *pending) continues(text []byte, h *header.Header) bool {
	if p.state == julHead {
		p.state = headed
		if h.Format == header.FormatLevel {
			p.head.Level = h.Level
			return true
		}
	}
	if len(text) > 0 && (text[0] == '\t' || text[0] == ' ') {
		return true
	}
	if h.Starts && !(p.state == panicking && h.Format == header.FormatLevel) {
		return false
	}
	switch p.state {
	case headed:
		if bytes.HasPrefix(text, inThread) || bytes.HasPrefix(text, goPanic) || bytes.HasPrefix(text, goFatal) {
			return false
		}
		return true
	case panicking:
		return !bytes.HasPrefix(text, goPanic)
	case traceback:
		if len(text) > 0 {
			p.state = afterTrace
		}
		return true
	case levelOnly:
		if bytes.HasPrefix(text, pyTrace) {
			p.state = traceback
			return true
		}
		return typeAt(text, false) != nil || continuation(text)
	case afterTrace:
		if bytes.HasPrefix(text, pyTrace) {
			p.state = traceback
			return true
		}
		return len(text) == 0 || bytes.HasPrefix(text, pyDuring) || bytes.HasPrefix(text, pyCause)
	case plain, julHead:
	}
	return continuation(text)
}

// continuation tells the lines that never stand alone.
func continuation(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	switch text[0] {
	case '}', ']', ')':
		return true
	case '.':
		return bytes.HasPrefix(text, []byte("... "))
	case 'C':
		return bytes.HasPrefix(text, causedBy)
	case 'S':
		return bytes.HasPrefix(text, []byte("Suppressed: "))
	case 'a':
		return bytes.HasPrefix(text, []byte("at ")) && bytes.IndexByte(text, '(') > 0
	}
	return false
}

// isGoroutine tells "goroutine 12 [running]:".
func isGoroutine(text []byte) bool {
	return bytes.HasPrefix(text, goroutine) && bytes.HasSuffix(text, []byte("]:"))
}

// isFrame tells the lines of a Java stack trace that follow the name of an exception.
func isFrame(text []byte) bool {
	t := bytes.TrimLeft(text, " \t")
	return len(t) < len(text) && (bytes.HasPrefix(t, []byte("at ")) || bytes.HasPrefix(t, []byte("... ")))
}

// maxExceptions is how many exception types of a record are kept.
const maxExceptions = 16

// maxSearch is how much of a line is searched for the name of an exception.
const maxSearch = 4 << 10

// exceptions gives the types of a record's exceptions, outermost first.
func exceptions(names *header.Parser, lines []lastnight.Line, messageAt int) []string {
	var found []string
	add := func(text, name []byte) {
		if len(name) == 0 || len(found) >= maxExceptions {
			return
		}
		found = append(found, names.Intern(name))
		if !bytes.HasSuffix(name, serialized) || len(found) >= maxExceptions {
			return
		}
		// Flink sends exceptions between processes as text: the type itself begins the message.
		if _, rest, ok := bytes.Cut(text, append(slices.Clip(name), ": "...)); ok {
			if inner := typeAt(rest, true); inner != nil {
				found = append(found, names.Intern(inner))
			}
		}
	}
	python := false
	for i := range lines {
		text := lines[i].Text
		framed := i+1 < len(lines) && isFrame(lines[i+1].Text)
		if i == 0 {
			text = text[messageAt:]
		}
		text = text[:min(len(text), maxSearch)]
		switch {
		case len(text) == 0 || text[0] == '\t' || text[0] == ' ' && i > 0:
		case bytes.HasPrefix(text, causedBy):
			add(text, typeAt(text[len(causedBy):], true))
		case bytes.HasPrefix(text, inThread):
			if n := bytes.Index(text, []byte(`" `)); n > 0 {
				add(text, typeAt(text[n+2:], true))
			}
		case i == 0 && messageAt == 0 && (bytes.HasPrefix(text, goPanic) || bytes.HasPrefix(text, goFatal)):
			add(nil, []byte("panic"))
		case bytes.HasPrefix(text, pyTrace):
			python = true
		case python:
			add(text, pythonType(text))
			python = false
		default:
			name := typeAt(text, framed)
			if name == nil && i == 0 && framed {
				name = typeWithin(text)
			}
			add(text, name)
		}
	}
	return found
}

// typeAt reads "pkg.Type" or "pkg.Type: …" at the beginning of a text; sure: a
// frame or a keyword says that it is an exception, whatever its name.
func typeAt(text []byte, sure bool) []byte {
	n, dot, last := 0, false, 0
	for n < len(text) && isTypeByte(text[n]) {
		if text[n] == '.' {
			dot, last = true, n+1
		}
		n++
	}
	if n == 0 || last >= n || n < len(text) && (text[n] != ':' || n+1 < len(text) && text[n+1] != ' ') {
		return nil
	}
	class := text[last:n]
	if class[0] < 'A' || class[0] > 'Z' || !sure && !dot {
		return nil
	}
	if dot && text[0] >= 'a' && text[0] <= 'z' && sure || named(class) {
		return text[:n]
	}
	return nil
}

// typeWithin finds the last ": pkg.Type" of a message that a frame follows.
func typeWithin(text []byte) []byte {
	for end := len(text); end > 0; {
		i := bytes.LastIndex(text[:end], []byte(": "))
		if i < 0 {
			return nil
		}
		if name := typeAt(text[i+2:], true); name != nil && bytes.IndexByte(name, '.') > 0 {
			return name
		}
		end = i
	}
	return nil
}

// pythonType reads "ValueError: …" or "pkg.mod.Error".
func pythonType(text []byte) []byte {
	n := 0
	for n < len(text) && isTypeByte(text[n]) {
		n++
	}
	if n == 0 || n < len(text) && text[n] != ':' {
		return nil
	}
	return text[:n]
}

// named tells whether a class is an exception by its name.
func named(class []byte) bool {
	for _, s := range [...]string{"Exception", "Error", "Throwable", "Failure", "ThreadDeath"} {
		if bytes.HasSuffix(class, []byte(s)) {
			return true
		}
	}
	return false
}

func isTypeByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c == '.'
}
