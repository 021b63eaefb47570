package header

import "encoding/binary"

// minute is the minute that the lines before were of, as they wrote it. Most lines are of the same minute as the
// one before; what stands for it is compared then, not read again. The zero value knows none.
type minute struct {
	dated   stamp // of timeAt
	compact stamp // of compactAt
}

// stamp is a minute of a day as it was written: "2026-11-21 11:53" or the like.
type stamp struct {
	from, to uint64 // its first and last eight bytes
	size     int    // of it, 8 to 16 bytes; 0: there is none yet
	day      int64  // since 1970
	clock    int64  // ns since midnight
}

// at tells whether it stands at i, and so many bytes more behind it.
func (s *stamp) at(b []byte, i, more int) bool {
	return s.size > 0 && i+s.size+more <= len(b) && binary.LittleEndian.Uint64(b[i:]) == s.from &&
		binary.LittleEndian.Uint64(b[i+s.size-8:]) == s.to
}

// set keeps what stands at i, a time in all.
func (s *stamp) set(b []byte, i, size int, ns, beyond int64) {
	s.from, s.to, s.size = binary.LittleEndian.Uint64(b[i:]), binary.LittleEndian.Uint64(b[i+size-8:]), size
	s.day = (ns - beyond) / 86400e9
	s.clock = (ns - beyond) % 86400e9
}

// timeAt gives what the function timeAt does.
func (m *minute) timeAt(b []byte, i int) (ns int64, n int, comma bool) {
	s := &m.dated
	if s.at(b, i, 3) {
		if ns, n, comma = secondsAt(b, i+s.size); n == 0 {
			return 0, 0, false
		}
		return zoned(b, i, i+s.size+n, s.day, s.clock+ns, comma)
	}
	ns, n, comma = timeAt(b, i)
	var size int
	switch {
	case ns <= 0: // 1970 itself counts as no date
		return ns, n, comma
	case n >= 19 && (b[i+4] == '-' || b[i+4] == '/'):
		size = 16
	case n >= 17 && b[i+2] == '/' && b[i+5] == '/':
		size = 14
	default:
		return ns, n, comma
	}
	second, used, _ := secondsAt(b, i+size)
	offset, _ := zoneAt(b, i+size+used)
	s.set(b, i, size, ns, second-offset)
	return ns, n, comma
}

// compactAt gives what the function compactAt does.
func (m *minute) compactAt(b []byte, i int) (ns int64, n int) {
	s := &m.compact
	if s.at(b, i, 3) {
		if second, ok := number(b, i+11, 2); ok && second < 60 && b[i+13] == ' ' {
			return s.day*86400e9 + s.clock + int64(second)*1e9, 13
		}
		return 0, 0
	}
	if ns, n = compactAt(b, i); n > 0 {
		second, _ := number(b, i+11, 2)
		s.set(b, i, 11, ns, int64(second)*1e9)
	}
	return ns, n
}

// timeAt reads a time at i: a date with a time of day, or a time of day alone.
// It gives ns since 1970 (0 without a date) and how many bytes it takes, 0 if it is no time.
// comma tells that the fraction follows a comma, as log4j writes it.
func timeAt(b []byte, i int) (ns int64, n int, comma bool) {
	if i+8 > len(b) || !isDigit(b[i]) {
		return 0, 0, false
	}
	var day int64
	at := i
	switch {
	case b[i+2] == ':':
		// A time of day alone.
	case b[i+2] == '-' && b[i+5] == ' ': // Android: month and day
		at = i + 6
	case b[i+2] == '/' && b[i+5] == '/': // Spark: two digits of the year
		if i+17 > len(b) || b[i+8] != ' ' {
			return 0, 0, false
		}
		y, ok1 := number(b, i, 2)
		m, ok2 := number(b, i+3, 2)
		d, ok3 := number(b, i+6, 2)
		if !ok1 || !ok2 || !ok3 || !validDate(2000+y, m, d) {
			return 0, 0, false
		}
		day, at = daysFromCivil(2000+y, m, d), i+9
	case b[i+4] == '-' || b[i+4] == '/':
		if i+19 > len(b) || b[i+7] != b[i+4] || b[i+10] != ' ' && b[i+10] != 'T' {
			return 0, 0, false
		}
		y, ok1 := number(b, i, 4)
		m, ok2 := number(b, i+5, 2)
		d, ok3 := number(b, i+8, 2)
		if !ok1 || !ok2 || !ok3 || !validDate(y, m, d) {
			return 0, 0, false
		}
		day, at = daysFromCivil(y, m, d), i+11
	default:
		d, n, ok := wordDate(b, i)
		if !ok {
			return 0, 0, false
		}
		day, at = d, i+n
	}
	clock, n, comma := clockAt(b, at)
	if n == 0 {
		return 0, 0, false
	}
	return zoned(b, i, at+n, day, clock, comma)
}

// zoned gives what timeAt does of a time that begins at i; day and time of day have been read up to at.
func zoned(b []byte, i, at int, day, clock int64, comma bool) (ns int64, n int, _ bool) {
	offset, n := zoneAt(b, at)
	at += n
	if at == i || at < len(b) && isNameByte(b[at]) && b[at] != '.' && b[at] != '-' {
		return 0, 0, false
	}
	if day == 0 {
		return 0, at - i, comma
	}
	return day*86400e9 + clock - offset, at - i, comma
}

// compactAt reads HDFS's "081109 204106", year month day and hour minute second.
func compactAt(b []byte, i int) (ns int64, n int) {
	if i+14 > len(b) || b[i+6] != ' ' || b[i+13] != ' ' {
		return 0, 0
	}
	var v [6]int
	for k := range v {
		at := i + 2*k
		if k >= 3 {
			at++
		}
		x, ok := number(b, at, 2)
		if !ok {
			return 0, 0
		}
		v[k] = x
	}
	if !validDate(2000+v[0], v[1], v[2]) || v[3] > 23 || v[4] > 59 || v[5] > 59 {
		return 0, 0
	}
	return (daysFromCivil(2000+v[0], v[1], v[2])*86400 + int64(v[3])*3600 + int64(v[4])*60 + int64(v[5])) * 1e9, 13
}

// ctimeAt reads all of b as Apache's "Sun Dec 04 04:51:09.123456 2005".
func ctimeAt(b []byte) (ns int64, ok bool) {
	if len(b) < 24 || b[3] != ' ' || b[7] != ' ' || b[10] != ' ' {
		return 0, false
	}
	day := b[8:10]
	if day[0] == ' ' {
		day = day[1:]
	}
	d, ok1 := number(day, 0, len(day))
	clock, n, _ := clockAt(b, 11)
	y, ok2 := number(b, min(11+n+1, len(b)), 4)
	m := month(b[4:7])
	if !ok1 || !ok2 || n == 0 || m == 0 || 11+n+5 != len(b) || !validDate(y, m, d) {
		return 0, false
	}
	return daysFromCivil(y, m, d)*86400e9 + clock, true
}

// wordDate reads "21 Nov 2026 " or "21/Nov/2026:" in days since 1970.
func wordDate(b []byte, i int) (day int64, n int, ok bool) {
	if i+12 > len(b) || b[i+2] != ' ' && b[i+2] != '/' {
		return 0, 0, false
	}
	d, ok1 := number(b, i, 2)
	m := month(b[i+3 : i+6])
	y, ok2 := number(b, i+7, 4)
	if !ok1 || !ok2 || m == 0 || b[i+6] != b[i+2] || b[i+11] != ' ' && b[i+11] != ':' || !validDate(y, m, d) {
		return 0, 0, false
	}
	return daysFromCivil(y, m, d), 12, true
}

// clockAt reads HH:MM:SS with an optional fraction, in ns since midnight.
func clockAt(b []byte, i int) (ns int64, n int, comma bool) {
	if i+8 > len(b) || b[i+2] != ':' || b[i+5] != ':' {
		return 0, 0, false
	}
	h, ok1 := number(b, i, 2)
	m, ok2 := number(b, i+3, 2)
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, 0, false
	}
	if ns, n, comma = secondsAt(b, i+5); n == 0 {
		return 0, 0, false
	}
	return (int64(h)*60+int64(m))*60e9 + ns, 5 + n, comma
}

// secondsAt reads :SS with an optional fraction, in ns; n is 0 if there are none.
func secondsAt(b []byte, i int) (ns int64, n int, comma bool) {
	if i+3 > len(b) || b[i] != ':' {
		return 0, 0, false
	}
	s, ok := number(b, i+1, 2)
	if !ok || s > 60 {
		return 0, 0, false
	}
	ns = int64(s) * 1e9
	n = 3
	if i+4 < len(b) && (b[i+3] == '.' || b[i+3] == ',') && isDigit(b[i+4]) {
		comma = b[i+3] == ','
		unit := int64(1e8)
		for n = 4; i+n < len(b) && isDigit(b[i+n]); n++ {
			ns += int64(b[i+n]-'0') * unit
			unit /= 10
		}
	}
	return ns, n, comma
}

// zoneAt reads Z, +hh:mm, +hhmm or +hh, after at most one space, or the words UTC and GMT.
func zoneAt(b []byte, i int) (offset int64, n int) {
	j := i
	if j < len(b) && b[j] == ' ' {
		j++
	}
	if j >= len(b) {
		return 0, 0
	}
	switch c := b[j]; {
	case c == 'Z' && j == i:
		return 0, 1
	case (c == 'U' || c == 'G') && j+3 <= len(b) && (string(b[j:j+3]) == "UTC" || string(b[j:j+3]) == "GMT") && (j+3 == len(b) || !isNameByte(b[j+3])):
		return 0, j + 3 - i
	case c == '+' || c == '-':
		h, ok := number(b, j+1, 2)
		if !ok || h > 14 {
			return 0, 0
		}
		end, m := j+3, 0
		k := end
		if k < len(b) && b[k] == ':' {
			k++
		}
		if v, ok := number(b, k, 2); ok && v < 60 {
			m, end = v, k+2
		} else if j != i {
			return 0, 0 // " -12" is not a zone
		}
		offset = (int64(h)*3600 + int64(m)*60) * 1e9
		if c == '-' {
			offset = -offset
		}
		return offset, end - i
	}
	return 0, 0
}

// EpochTime reads a number of seconds, milliseconds, microseconds or nanoseconds
// since 1970, whichever puts it between 1990 and 2100, as ns; 0 if none does.
func EpochTime(b []byte) int64 {
	var whole, frac, unit int64 = 0, 0, 1e9
	i := 0
	for ; i < len(b) && isDigit(b[i]) && i < 19; i++ {
		whole = whole*10 + int64(b[i]-'0')
	}
	if i == 0 || i < len(b) && b[i] != '.' {
		return 0
	}
	for i++; i < len(b) && isDigit(b[i]) && unit > 1; i++ {
		unit /= 10
		frac += int64(b[i]-'0') * unit
	}
	const year1990, year2100 = 631152000, 4102444800
	for _, per := range []int64{1, 1e3, 1e6, 1e9} {
		if v := whole / per; v >= year1990 && v < year2100 {
			return whole*(1e9/per) + frac/per
		}
	}
	return 0
}

var months = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// month gives 1 … 12 for an English short name, else 0.
func month(b []byte) int {
	for i, m := range months {
		if string(b) == m {
			return i + 1
		}
	}
	return 0
}

// number reads exactly n digits.
func number(b []byte, i, n int) (int, bool) {
	if i+n > len(b) {
		return 0, false
	}
	v := 0
	for _, c := range b[i : i+n] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

func validDate(y, m, d int) bool {
	return y >= 1970 && y <= 2261 && m >= 1 && m <= 12 && d >= 1 && d <= 31
}

// daysFromCivil counts days since 1970-01-01 (Howard Hinnant, chrono-compatible
// low-level date algorithms).
func daysFromCivil(y, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era*146097 + doe - 719468)
}
