package recorded

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// mover moves the times of the recorded day in texts and names. It changes them
// in place: a moved time is as long as it was.
type mover struct {
	by       time.Duration // whole seconds
	day      []byte        // 2026-11-21
	from, to int64         // the day in milliseconds since 1970
	prefix   []byte        // that all of those milliseconds have in common
	compact  string        // the day as in names of rotated files: 20261121
}

func newMover(by time.Duration) *mover {
	day := at(0, 0, 0)
	m := &mover{
		by: by, day: []byte(recordedDay), compact: day.Format("20060102"),
		from: day.UnixMilli(), to: day.AddDate(0, 0, 1).UnixMilli(),
	}
	first, last := strconv.FormatInt(m.from, 10), strconv.FormatInt(m.to-1, 10)
	n := 0
	for first[n] == last[n] {
		n++
	}
	m.prefix = []byte(first[:n])
	return m
}

// text moves all times in b: 2026-11-21T11:53:28…, 2026-11-21 11:53:28… and milliseconds since 1970.
func (m *mover) text(b []byte) {
	m.stamps(b)
	m.millis(b)
}

func (m *mover) stamps(b []byte) {
	const layout = "2006-01-02T15:04:05"
	for pos := 0; ; {
		i := bytes.Index(b[pos:], m.day)
		if i < 0 {
			return
		}
		stamp := b[pos+i:]
		pos += i + len(m.day)
		if len(stamp) < len(layout) || stamp[len(m.day)] != 'T' && stamp[len(m.day)] != ' ' {
			continue
		}
		sep := stamp[len(m.day)]
		t, err := time.Parse(time.TimeOnly, string(stamp[len(m.day)+1:len(layout)]))
		if err != nil {
			continue // not a time of day: the application's own text
		}
		moved := at(t.Hour(), t.Minute(), t.Second()).Add(m.by)
		moved.AppendFormat(stamp[:0], layout)
		stamp[len(m.day)] = sep
	}
}

func (m *mover) millis(b []byte) {
	const digits = 13
	for pos := 0; ; {
		i := bytes.Index(b[pos:], m.prefix)
		if i < 0 {
			return
		}
		start := pos + i
		end := start
		for end < len(b) && isDigit(b[end]) {
			end++
		}
		pos = end
		if end-start != digits || start > 0 && isDigit(b[start-1]) {
			continue
		}
		ms, err := strconv.ParseInt(string(b[start:end]), 10, 64)
		if err == nil && ms >= m.from && ms < m.to {
			strconv.AppendInt(b[start:start], ms+m.by.Milliseconds(), 10)
		}
	}
}

// name moves the time in the name of a rotated file: 0.log.20261121-115716.
func (m *mover) name(file string) string {
	const layout = "20060102-150405"
	i := strings.Index(file, "."+m.compact+"-")
	if i < 0 || len(file) < i+1+len(layout) {
		return file
	}
	t, err := time.Parse(layout, file[i+1:i+1+len(layout)])
	if err != nil {
		return file
	}
	return file[:i+1] + t.Add(m.by).Format(layout) + file[i+1+len(layout):]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
