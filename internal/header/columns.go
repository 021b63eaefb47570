package header

import (
	"bytes"
	"slices"

	"lastnight"
)

// field is a piece of a line between blanks.
type field struct{ from, to int }

// fieldsOf cuts the first fields of a line, at most so many, or one more behind bars. What stands in brackets is one field.
func fieldsOf(line []byte, bars bool, most int, out []field) []field {
	i := 0
	for len(out) < most {
		if bars {
			n := bytes.IndexByte(line[i:], '|')
			if n < 0 {
				break
			}
			out = append(out, field{i, i + n})
			i += n + 1
			continue
		}
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
		if i >= len(line) {
			break
		}
		from := i
		if line[i] == '[' {
			if n := closingBracket(line, i, maxBracket); n > 0 {
				i = n
			}
		}
		for i < len(line) && line[i] != ' ' && line[i] != '\t' {
			i++
		}
		out = append(out, field{from, i})
	}
	if bars && i < len(line) {
		out = append(out, field{i, len(line)})
	}
	return out
}

// closingBracket gives the offset behind the bracket that closes the one at i, 0 if it is too far.
func closingBracket(line []byte, i, most int) int {
	depth := 0
	for j := i; j < len(line) && j < i+most; j++ {
		switch line[j] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return j + 1
			}
		}
	}
	return 0
}

// judge finds the layout that most of the lines have, nil if there is none.
func judge(lines [][]byte) *layout {
	bars := 0
	lines = slices.DeleteFunc(slices.Clone(lines), func(line []byte) bool { return !timed(line) })
	if len(lines) < fewLines {
		return nil
	}
	for _, line := range lines {
		if n := bytes.IndexByte(line, '|'); n > 0 && bytes.IndexByte(line[n+1:], '|') >= 0 && bytes.IndexByte(line[:n], ' ') < 0 {
			bars++
		}
	}
	t := table{bars: bars*100 >= mostLines*len(lines)}
	for _, line := range lines {
		t.rows = append(t.rows, row{line, fieldsOf(line, t.bars, maxColumns, nil)})
	}
	last := t.anchor()
	if last < 0 {
		return nil
	}
	t.rows = slices.DeleteFunc(t.rows, func(r row) bool { return len(r.fields) <= last })
	columns := make([]column, 0, maxColumns)
	for k := range last + 1 {
		c := t.column(k)
		if c != columnTime && c != columnLevel && c != columnThread {
			c = columnAny
		}
		columns = append(columns, c)
	}
	return &layout{columns: t.beyond(columns), sure: last + 1, bars: t.bars}
}

// timed tells whether one of the first fields is a time: continuations have none.
func timed(line []byte) bool {
	var buffer [maxColumns + 1]field
	for _, bars := range [...]bool{false, true} {
		for _, f := range fieldsOf(line, bars, maxColumns, buffer[:0]) {
			if isTimeField(line[f.from:f.to]) {
				return true
			}
		}
	}
	return false
}

// table is lines side by side.
type table struct {
	rows []row
	bars bool
}

type row struct {
	line   []byte
	fields []field
}

func (r *row) at(k int) []byte {
	if k < 0 || k >= len(r.fields) {
		return nil
	}
	return r.line[r.fields[k].from:r.fields[k].to]
}

// share tells whether at least percent of the rows hold in column k what is wanted.
func (t *table) share(k, percent int, want func(r *row) bool) bool {
	n := 0
	for i := range t.rows {
		if k < len(t.rows[i].fields) && want(&t.rows[i]) {
			n++
		}
	}
	return n > 0 && n*100 >= percent*len(t.rows)
}

// anchor gives the last column that is a time, or a level behind one, in most rows; -1 if none is a time.
func (t *table) anchor() int {
	last, timed := -1, false
	for k := range maxColumns {
		if t.share(k, manyLines, func(r *row) bool { return isTimeField(r.at(k)) }) {
			last, timed = k, true
		}
	}
	for k := last + 1; timed && k < min(maxColumns, last+5); k++ {
		if t.share(k, manyLines, func(r *row) bool { return isLevelField(r.at(k)) }) {
			return k
		}
	}
	return last
}

// column tells what column k is, columnAny if nothing certain.
func (t *table) column(k int) column {
	for _, c := range [...]column{columnTime, columnLevel, columnNumber, columnMark, columnThread, columnTag, columnHost} {
		percent := mostLines
		if c == columnTag || c == columnHost {
			percent = manyLines
		}
		if t.share(k, percent, func(r *row) bool { return r.is(k, c) }) {
			return c
		}
	}
	return columnAny
}

// is tells whether field k of a row is a column's.
func (r *row) is(k int, c column) bool {
	x := r.at(k)
	if len(x) == 0 {
		return false
	}
	switch c {
	case columnAny:
		return true
	case columnTime:
		return isTimeField(x)
	case columnLevel:
		return isLevelField(x)
	case columnNumber:
		return allDigits(x) && len(x) <= 10
	case columnMark:
		return string(x) == "-" || string(x) == ":" || string(x) == "---" || string(x) == "|"
	case columnThread:
		return x[0] == '[' && x[len(x)-1] == ']'
	case columnTag:
		return isTag(x)
	case columnHost:
		for i := range k {
			if y := r.at(i); len(y) >= 3 && !isTimeField(y) && bytes.Contains(x, y) {
				return true
			}
		}
		return false
	case columnName:
		return len(x) >= 2 && isLetter(x[0]) && x[len(x)-1] != ':' && nameEnd(x, 0) == len(x) && !allDigits(x)
	}
	return false
}

// beyond adds the columns behind the last time or level that belong to the header still.
func (t *table) beyond(columns []column) []column {
	for len(columns) < maxColumns-1 {
		k := len(columns)
		c := t.column(k)
		if t.bars {
			if !t.share(k+1, mostLines, func(*row) bool { return true }) {
				return columns
			}
			columns = append(columns, c)
			continue
		}
		switch c {
		case columnNumber, columnThread, columnHost:
		case columnTag, columnMark:
			if !t.worded(k + 1) {
				return columns
			}
			return append(columns, c) // the message begins
		case columnAny, columnTime, columnLevel, columnName:
			// A name: in a column of its own width, or with dots, or a mark or a tag comes soon.
			switch {
			case t.column(k+1) == columnMark && t.worded(k+2):
				c = columnName
			case !t.worded(k + 1):
				return columns
			case t.column(k+1) == columnTag, t.named(k):
				c = columnName
			default:
				return columns
			}
		}
		columns = append(columns, c)
	}
	return columns
}

// named tells whether column k holds names of programs or classes: with dots, or padded to one width.
func (t *table) named(k int) bool {
	if !t.share(k, mostLines, func(r *row) bool { return r.is(k, columnName) }) {
		return false
	}
	if t.share(k, mostLines, func(r *row) bool { return looksLikeLogger(r.at(k)) }) {
		return true
	}
	return t.share(k, mostLines, func(r *row) bool {
		return k+1 < len(r.fields) && r.fields[k+1].from >= r.fields[k].to+2 && r.fields[k+1].from-r.fields[k].from == t.width(k)
	})
}

// worded tells whether words stand in column k of half of the rows: a header leaves something to say.
func (t *table) worded(k int) bool {
	return t.share(k, 50, func(r *row) bool { return lettered(r.at(k)) })
}

// lettered tells whether there is a letter in x.
func lettered(x []byte) bool { return slices.ContainsFunc(x, isLetter) }

// width is that of column k in the first row.
func (t *table) width(k int) int {
	if len(t.rows) == 0 || k+1 >= len(t.rows[0].fields) {
		return -1
	}
	return t.rows[0].fields[k+1].from - t.rows[0].fields[k].from
}

// trimField takes brackets and punctuation off a field.
func trimField(x []byte) []byte {
	for len(x) > 0 && classes[x[0]]&classFrame != 0 {
		x = x[1:]
	}
	for len(x) > 0 && classes[x[len(x)-1]]&classFrame != 0 {
		x = x[:len(x)-1]
	}
	return x
}

func isLevelField(x []byte) bool {
	return levelWord(trimField(x)) != lastnight.LevelUnknown
}

// isTag: a name that a colon ends, such as "kernel:", "sshd[4711]:" and "crond(pam_unix)[2915]:".
func isTag(x []byte) bool {
	if len(x) < 3 || x[len(x)-1] != ':' || !isLetter(x[0]) && x[0] != '/' {
		return false
	}
	return bytes.IndexByte(x, '=') < 0 && bytes.IndexByte(x, ',') < 0
}

var weekdays = [...]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// isTimeField tells times, dates and parts of them: 10:20:30, 2026-11-21, 11.21, Nov, seconds since 1970.
func isTimeField(x []byte) bool {
	x = trimField(x)
	if bytes.IndexByte(x, ' ') > 0 {
		return isTimeInWords(x)
	}
	if len(x) == 3 {
		return month(x) > 0 || slices.Contains(weekdays[:], string(x))
	}
	digits, groups, marks, before := 0, 0, 0, uint8(0)
	for _, c := range x {
		class := classes[c] & (classDigit | classMark)
		switch class {
		case classDigit:
			if digits++; before != classDigit {
				groups++
			}
		case classMark:
			marks++
		default:
			return false
		}
		before = class
	}
	switch {
	case marks == 0:
		return (digits == 10 || digits == 13) && EpochTime(x) != 0
	case groups < 2 || groups > 9 || digits > 26 || marks > groups+1 || !isDigit(x[0]):
		return false
	case groups == 2: // month and day, minutes and seconds; seconds with a fraction
		return digits <= 4 && len(x) == 5 || digits >= 13 && x[10] == '.' && EpochTime(x) != 0
	}
	return groups >= 3 && !isAddress(x)
}

// isTimeInWords: what brackets hold, such as "Sun Dec 04 04:47:44 2005" and "10.30 16:49:06".
func isTimeInWords(x []byte) bool {
	clock := false
	for len(x) > 0 {
		var part []byte
		part, x, _ = bytes.Cut(x, []byte(" "))
		if len(part) > 0 && !isTimeField(part) && (!allDigits(part) || len(part) > 4) {
			return false
		}
		clock = clock || bytes.IndexByte(part, ':') > 0
	}
	return clock
}

// isAddress: four numbers with dots and nothing else, or a version's three.
func isAddress(x []byte) bool {
	dots := bytes.Count(x, []byte("."))
	return dots >= 3 && bytes.IndexByte(x, ':') < 0 && bytes.IndexByte(x, '-') < 0 || dots == 2 && len(x) < 8
}
