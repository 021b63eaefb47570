// Package header recognises the header of a log line: the time, level, logger
// and thread that an application writes before its message, and where the
// message begins.
//
// It knows what log4j, logback, java.util.logging, klog, Python's logging, Go's
// log, zap, syslog, web servers, JSON lines and logfmt write by default and in the
// usual patterns, from one left-to-right pass without regular expressions. It is not told which
// of them a stream uses: a line decides for itself. Of lines that none explains wholly it learns: laid side
// by side, 32 of them show which columns always hold a time, a level, a number or a name (learn.go).
//
// It guesses. A line that looks like nothing known has no header (Starts is
// false) and is all message; nothing is ever an error, and any bytes are allowed.
package header

import "lastnight"

// Format is the family of layouts that a header belongs to.
type Format uint8

// The formats.
const (
	FormatNone   Format = iota // no header
	FormatText                 // time, level, logger, thread in some order
	FormatKlog                 // I1121 11:53:28.376123    1234 file.go:12] …
	FormatJSON                 // one JSON object
	FormatLogfmt               // key=value …
	FormatJUL                  // first line of java.util.logging's two; level and message are on the next
	FormatLevel                // only a level: "ERROR: …"
)

// Header is what a line says before its message. Strings are owned by the Parser's
// table of names and stay valid; nothing aliases the line.
type Header struct {
	Format    Format
	Starts    bool            // the line begins a record: it has a time or a level of its own
	Time      int64           // as written, read as UTC where no zone is given, ns since 1970; 0 if none or without a date
	Level     lastnight.Level // LevelUnknown if it has none
	Logger    string
	Thread    string
	MessageAt int               // offset of the message in the line, in [0, len(line)]; in JSON and logfmt where the message's value begins, 0 if it has none
	Attrs     map[string]string // JSON only: fields without a name of their own, nested names joined with dots; nil if none
}

// Limits of what is kept of one line, so that no input makes memory grow.
const (
	maxAttrs     = 64
	maxAttrBytes = 4 << 10 // a longer value is cut
	maxDepth     = 16      // of nested JSON
)

// Parser recognises headers of one stream. It keeps a bounded table of the names it has seen,
// so that a known logger or thread costs no memory, and the layout that the stream has shown. The zero value is ready. Not
// for several goroutines at once.
type Parser struct {
	names  names
	minute minute
	learn  learner
	forms  forms
	seen   seen // of the line at hand
}

// Parse recognises the header of a line (without its newline) and overwrites h.
func (p *Parser) Parse(line []byte, h *Header) { p.parse(line, h, true) }

// ParseAgain is Parse for a line that has been parsed before: nothing is learned from it, or a line that is read
// many times while a file grows would pass for many lines that agree.
func (p *Parser) ParseAgain(line []byte, h *Header) { p.parse(line, h, false) }

func (p *Parser) parse(line []byte, h *Header, learn bool) {
	forms := mayHaveForm(line)
	if forms {
		if f := p.forms.find(line, p.learn.layout); f != nil && p.fill(f, line, h) {
			if f.layout != nil && learn {
				p.learn.hit()
			}
			return
		}
	}
	p.seen.reach = 0
	p.parseKnown(line, h)
	if h.Starts && (h.Format != FormatText || h.Logger != "") || len(line) == 0 || isBlank(line[0]) {
		if forms {
			p.remember(line, h, nil)
		}
		return
	}
	if p.learn.layout == nil {
		if learn {
			p.learn.observe(line)
		}
		return
	}
	var learned Header
	if p.parseLearned(line, &learned) {
		if learned.MessageAt >= h.MessageAt {
			*h = learned
			if forms {
				p.remember(line, h, p.learn.layout)
			}
		}
		if learn {
			p.learn.hit()
		}
		return
	}
	if learn {
		p.learn.missed()
	}
}

// parseKnown tries the formats that are known beforehand.
func (p *Parser) parseKnown(line []byte, h *Header) {
	*h = Header{}
	i := skipColour(line, 0)
	if i >= len(line) {
		return
	}
	switch c := line[i]; {
	case c == '\t' || c == ' ':
		return
	case c == '{':
		p.parseJSON(line, i, h)
	case c >= '0' && c <= '9' || c == '[' || c == '<' || c == '(':
		p.parseText(line, i, h)
	default:
		p.parseWord(line, i, h)
	}
}

// Intern gives the string of b from the table of names, for names that repeat.
func (p *Parser) Intern(b []byte) string { return p.names.of(b) }

// parseWord is for lines that begin with a letter or something else that is no digit or bracket.
func (p *Parser) parseWord(line []byte, i int, h *Header) {
	c := line[i]
	if (c == 'I' || c == 'W' || c == 'E' || c == 'F') && p.parseKlog(line, i, h) {
		return
	}
	if !isLetter(c) {
		return
	}
	if level, n := levelAt(line, i); n > 0 {
		p.parseLevelFirst(line, i, n, level, h)
		return
	}
	if isUpper(c) && (p.parseJUL(line, i, h) || p.parseSyslog(line, i, h)) {
		return
	}
	p.parseLogfmt(line, i, h)
}
