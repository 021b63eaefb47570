// Package cri reads the lines that a container runtime writes into a pod's log
// files, and joins the parts of the lines that it cut:
//
//	2026-11-21T11:53:43.090458389Z stdout F the text
//	└ RFC 3339 with nanoseconds    │      │ └ any bytes up to the newline
//	                               │      └ P: the line goes on in the next part, F: full
//	                               └ stdout or stderr
//
// containerd and CRI-O cut lines at 16 KiB. Parts of the two iostreams may be
// interleaved.
//
// It never drops a byte: what has no such header is a line by itself, with all of
// its bytes as text, and is reported as damaged. A line is at most MaxLine bytes
// long: what goes on beyond that is another line, at the offset of its own first part.
package cri

import (
	"bytes"
	"encoding/binary"
)

// Entry is one line of a log file taken apart.
type Entry struct {
	Time    int64 // ns since 1970 UTC
	Text    []byte
	Stderr  bool
	Partial bool // tag P
}

// Parse takes a line (without its newline) apart. ok is false if it has not the
// header of a CRI line. Text shares raw's memory.
func Parse(raw []byte) (e Entry, ok bool) {
	ns, i, ok := parseTime(raw)
	if !ok || i+8 > len(raw) || raw[i] != ' ' {
		return Entry{}, false
	}
	switch string(raw[i+1 : i+8]) {
	case "stdout ":
	case "stderr ":
		e.Stderr = true
	default:
		return Entry{}, false
	}
	i += 8
	if i >= len(raw) || raw[i] != 'F' && raw[i] != 'P' {
		return Entry{}, false
	}
	e.Partial = raw[i] == 'P'
	i++
	if i < len(raw) && raw[i] == ':' { // more tags, which nobody has defined yet
		n := bytes.IndexByte(raw[i:], ' ')
		if n < 0 {
			n = len(raw) - i
		}
		i += n
	}
	e.Time = ns
	switch {
	case i == len(raw):
		e.Text = raw[i:]
	case raw[i] == ' ':
		e.Text = raw[i+1:]
	default:
		return Entry{}, false
	}
	return e, true
}

// Parser is Parse for the lines of one file after another: most are of the same minute as the line before, which is then
// compared and not read again. The zero value is ready. Not for several goroutines at once.
type Parser struct {
	date, clock uint64 // "2026-11-21" and "T11:53" as they stand there, in two pieces of eight bytes
	minute      int64  // the time that they mean, ns since 1970 UTC; 0 if there is none yet
}

// What stands between the time and the tag.
const (
	stdout = uint64(' ') | 's'<<8 | 't'<<16 | 'd'<<24 | 'o'<<32 | 'u'<<40 | 't'<<48 | ' '<<56
	stderr = uint64(' ') | 's'<<8 | 't'<<16 | 'd'<<24 | 'e'<<32 | 'r'<<40 | 'r'<<48 | ' '<<56
)

// Parse sets e to what the function Parse gives.
func (p *Parser) Parse(raw []byte, e *Entry) (ok bool) {
	if len(raw) < 40 || raw[16] != ':' || raw[19] != '.' || raw[29] != 'Z' {
		*e, ok = Parse(raw)
		return ok
	}
	if p.minute == 0 || binary.LittleEndian.Uint64(raw) != p.date || binary.LittleEndian.Uint64(raw[8:]) != p.clock {
		if *e, ok = Parse(raw); ok && raw[17] < '6' { // a leap second is of the minute before
			p.date, p.clock = binary.LittleEndian.Uint64(raw), binary.LittleEndian.Uint64(raw[8:])
			p.minute = e.Time - e.Time%60e9
		}
		return ok
	}
	second, last := two(raw, 17), raw[28]-'0'
	most, digits := eight(binary.LittleEndian.Uint64(raw[20:]))
	stream := binary.LittleEndian.Uint64(raw[30:])
	if second < 0 || second > 59 || !digits || last > 9 || stream != stdout && stream != stderr || raw[38] != 'F' && raw[38] != 'P' || raw[39] != ' ' {
		*e, ok = Parse(raw)
		return ok
	}
	e.Time = p.minute + int64(second)*1e9 + most*10 + int64(last)
	e.Text, e.Stderr, e.Partial = raw[40:], stream == stderr, raw[38] == 'P'
	return true
}

// eight reads eight digits at once, the first in the lowest byte; ok is false if there is anything else among them.
func eight(v uint64) (n int64, ok bool) {
	v ^= 0x3030303030303030
	if (v+0x7676767676767676|v)&0x8080808080808080 != 0 {
		return 0, false
	}
	v = v*10 + v>>8 // pairs, in every other byte
	v = (v&0x000000ff000000ff*0x000f424000000064 + v>>16&0x000000ff000000ff*0x0000271000000001) >> 32
	return int64(v), true
}

// parseTime reads an RFC 3339 time with 0 to 9 digits of a fraction, and gives its length.
func parseTime(b []byte) (ns int64, n int, ok bool) {
	if len(b) < 20 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, 0, false
	}
	year, month, day := two(b, 0)*100+two(b, 2), two(b, 5), two(b, 8)
	hour, minute, second := two(b, 11), two(b, 14), two(b, 17)
	if year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return 0, 0, false
	}
	i := 19
	if b[i] == '.' {
		unit := int64(1e8)
		for i++; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			ns += int64(b[i]-'0') * unit
			unit /= 10
		}
		if i == 20 || i > 29 {
			return 0, 0, false
		}
	}
	zone, i, ok := parseZone(b, i)
	if !ok {
		return 0, 0, false
	}
	s := days(year, month, day)*86400 + int64(hour)*3600 + int64(minute)*60 + int64(second) - zone
	return s*1e9 + ns, i, true
}

// parseZone reads Z or +hh:mm at i, in seconds east of UTC, and gives its end.
func parseZone(b []byte, i int) (seconds int64, end int, ok bool) {
	if i < len(b) && b[i] == 'Z' {
		return 0, i + 1, true
	}
	if i+6 > len(b) || b[i] != '+' && b[i] != '-' || b[i+3] != ':' {
		return 0, 0, false
	}
	h, m := two(b, i+1), two(b, i+4)
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, 0, false
	}
	seconds = int64(h)*3600 + int64(m)*60
	if b[i] == '-' {
		seconds = -seconds
	}
	return seconds, i + 6, true
}

// two reads two digits; a large negative number if they are none.
func two(b []byte, i int) int {
	h, l := b[i]-'0', b[i+1]-'0'
	if h > 9 || l > 9 {
		return -1 << 20
	}
	return int(h)*10 + int(l)
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days counts days since 1970-01-01 (Howard Hinnant, chrono-compatible low-level date algorithms).
func days(y, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*((m+9)%12)+2)/5 + d - 1
	return int64(era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468)
}
