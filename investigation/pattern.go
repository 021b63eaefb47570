package investigation

import (
	"bytes"
	"strings"

	"lastnight"
)

// pattern is text with wildcards (<*>). It matches anywhere in a line; its literal parts
// have to occur in order.
type pattern struct {
	parts   []string
	longest string // longest literal part: what a text must contain at least
}

func newPattern(s string) pattern {
	var p pattern
	for part := range strings.SplitSeq(s, lastnight.Wildcard) {
		if part != "" {
			p.parts = append(p.parts, part)
		}
	}
	// "Exception: <*>" is meant for the exception without a message too.
	if n := len(p.parts); n > 0 && strings.HasSuffix(s, ": "+lastnight.Wildcard) {
		p.parts[n-1] = strings.TrimSuffix(p.parts[n-1], ": ")
	}
	for _, part := range p.parts {
		if len(part) > len(p.longest) {
			p.longest = part
		}
	}
	return p
}

// empty tells a pattern without any literal text, which matches nothing.
func (p pattern) empty() bool { return strings.TrimSpace(p.longest) == "" }

// matchLine tells whether the parts occur in one line, in order.
func (p pattern) matchLine(line string) bool {
	for _, part := range p.parts {
		i := strings.Index(line, part)
		if i < 0 {
			return false
		}
		line = line[i+len(part):]
	}
	return len(p.parts) > 0
}

// matchText tells whether a line of text matches. Stack frames are no lines to match.
func (p pattern) matchText(text string) bool {
	if p.empty() || !strings.Contains(text, p.longest) {
		return false
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, p.longest) && !isFrame(line) && p.matchLine(line) {
			return true
		}
	}
	return false
}

// isFrame tells "\tat com.acme.Class.method(File.java:1)" and "... 12 more".
func isFrame(line string) bool {
	t := strings.TrimLeft(line, " \t")
	if len(t) == len(line) {
		return false
	}
	return strings.HasPrefix(t, "at ") || strings.HasPrefix(t, "... ")
}

func isFrameBytes(line []byte) bool {
	t := line
	for len(t) > 0 && (t[0] == ' ' || t[0] == '\t') {
		t = t[1:]
	}
	return len(t) < len(line) && (bytes.HasPrefix(t, []byte("at ")) || bytes.HasPrefix(t, []byte("... ")))
}
