package archive

import (
	"bytes"
	"encoding/binary"
	"time"
)

// A stamp is the time that an application wrote into its line, in one of the usual
// forms. It is nearly the runtime's time of the line, so a chunk stores the form once
// and the difference, which is small or always the same.

// dateForm is how a stamp writes the day.
type dateForm byte

const (
	dateNone   dateForm = iota // 15:04:05: the day is the line's
	dateDashes                 // 2006-01-02
	dateSlash                  // 2006/01/02
	dateShort                  // 06/01/02
	datePacked                 // 060102
	dateMonth                  // Jan _2: the year is the line's
	dateKlog                   // 0102: the year is the line's
	dateForms
)

// stampForm is all but the time itself. It is stored as its bytes.
type stampForm struct {
	date    dateForm
	between byte // between day and time of day; unused without a day
	packed  byte // 1: 150405, 0: 15:04:05
	point   byte // before the fraction: . or ,
	digits  byte // of the fraction: 0, 3, 6 or 9
}

const stampFormBytes = 5

func (f stampForm) bytes() [stampFormBytes]byte {
	return [...]byte{byte(f.date), f.between, f.packed, f.point, f.digits}
}

func parseStampForm(b []byte) (stampForm, bool) {
	f := stampForm{dateForm(b[0]), b[1], b[2], b[3], b[4]}
	return f, f.date < dateForms && f.packed <= 1 && f.digits <= 9
}

// maxDigits gives how many digits stand together in a stamp at most.
func (f stampForm) maxDigits() int {
	if f.packed != 0 || f.date == datePacked || isDigit(f.between) || isDigit(f.point) {
		return 32 // rare; between may be a digit too
	}
	return max(4, int(f.digits))
}

// unit is the stamp's resolution in ns.
func (f stampForm) unit() int64 {
	return units[f.digits]
}

// units is ns by digits of the fraction.
var units = [...]int64{1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1}

const (
	monthNames   = "JanFebMarAprMayJunJulAugSepOctNovDec"
	secondsADay  = 86400
	nsADay       = secondsADay * int64(time.Second)
	minStampText = 8
)

// stampReader reads stamps. Those of lines that follow each other mostly have the same minute, which is read once. The
// zero reader has read none. Not safe for concurrent use.
type stampReader struct {
	head   []byte    // the last stamp up to its seconds
	form   stampForm // of the last stamp
	minute int64     // that head means, in seconds since 1970
	day    uint64    // when the day of its line began, on which that may depend, ns since 1970
	sec    int64     // of the last stamp, since 1970
	frac   int64     // of the last stamp, in its unit
}

// read reads the stamp that text begins with, if there is one: its time in ns since 1970 as
// UTC, and its length, which is 0 if there is none. near is the line's time.
func (r *stampReader) read(text []byte, near int64) (ns int64, n int) {
	if len(text) < minStampText {
		return 0, 0
	}
	if n = len(r.head); n == 0 || uint64(near)-r.day >= uint64(nsADay) || len(text) < n+2 || string(text[:n]) != string(r.head) {
		if !r.readMinute(text, near) {
			return 0, 0
		}
		n = len(r.head)
	}
	seconds := twoDigits(text[n], text[n+1])
	if seconds < 0 || seconds > 59 {
		return 0, 0
	}
	n += 2
	r.sec, r.frac = r.minute+int64(seconds), 0
	var point, digits byte
	if len(text)-n > 3 && (text[n] == '.' || text[n] == ',') {
		if k := countDigits(text[n+1:]); k == 3 || k == 6 || k == 9 {
			point, digits = text[n], byte(k)
			r.frac = int64(number(text[n+1 : n+1+k]))
			n += 1 + k
		}
	}
	if n < len(text) && isDigit(text[n]) {
		return 0, 0
	}
	if r.form.point != point || r.form.digits != digits { // mostly not: what has just been written byte by byte is slow to be read at once
		r.form.point, r.form.digits = point, digits
	}
	return r.sec*int64(time.Second) + r.frac*units[digits], n
}

// countDigits gives how many digits text begins with, or 9 if there are more.
func countDigits(text []byte) (n int) {
	if len(text) >= 8 {
		if n = digitsIn(binary.LittleEndian.Uint64(text)); n < 8 {
			return n
		}
	}
	for n < 9 && n < len(text) && isDigit(text[n]) {
		n++
	}
	return n
}

// readMinute reads a stamp up to its seconds, if text may begin with one. Two bytes more are there then.
func (r *stampReader) readMinute(text []byte, near int64) bool {
	today := floorDiv(near, nsADay)
	day, n, form := parseDay(text, today)
	f := stampForm{date: form}
	if form != dateNone {
		if n >= len(text) {
			return false
		}
		f.between = text[n]
		n++
	}
	sec, size, packed := parseClock(text[n:], form == datePacked)
	if size == 0 {
		return false
	}
	f.packed = boolByte(packed)
	r.head, r.form = append(r.head[:0], text[:n+size-2]...), f
	r.minute, r.day = day*secondsADay+sec-sec%60, uint64(today*nsADay)
	return true
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// number reads digits; -1 if there is anything else.
func number(b []byte) int {
	n := 0
	for _, c := range b {
		if !isDigit(c) {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// twoDigits is number for two digits.
func twoDigits(a, b byte) int {
	if !isDigit(a) || !isDigit(b) {
		return -1
	}
	return int(a-'0')*10 + int(b-'0')
}

// parseDay reads a day: days since 1970, length and form. Without a day it is today, the line's.
func parseDay(t []byte, today int64) (day int64, n int, form dateForm) {
	y, m, d := -1, -1, -1
	switch {
	case len(t) >= 10 && t[4] == '-' && t[7] == '-':
		y, m, d, n, form = number(t[:4]), number(t[5:7]), number(t[8:10]), 10, dateDashes
	case len(t) >= 10 && t[4] == '/' && t[7] == '/':
		y, m, d, n, form = number(t[:4]), number(t[5:7]), number(t[8:10]), 10, dateSlash
	case len(t) >= 8 && t[2] == '/' && t[5] == '/':
		y, m, d, n, form = shortYear(t), number(t[3:5]), number(t[6:8]), 8, dateShort
	case len(t) >= 13 && t[6] == ' ' && isDigit(t[0]):
		y, m, d, n, form = shortYear(t), number(t[2:4]), number(t[4:6]), 6, datePacked
	case len(t) >= 15 && t[3] == ' ' && t[6] == ' ':
		m, d, n, form = monthOf(t[:3]), monthDay(t[4:6]), 6, dateMonth
		y, _, _ = civil(today)
	case len(t) >= 13 && t[4] == ' ' && t[7] == ':':
		m, d, n, form = number(t[:2]), number(t[2:4]), 4, dateKlog
		y, _, _ = civil(today)
	}
	if form == dateNone || y < 1970 || y > 2200 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return today, 0, dateNone
	}
	return days(y, m, d), n, form
}

func shortYear(t []byte) int {
	y := number(t[:2])
	if y < 0 {
		return -1
	}
	return 2000 + y
}

func monthOf(name []byte) int {
	if i := bytes.Index([]byte(monthNames), name); i >= 0 && i%3 == 0 {
		return i/3 + 1
	}
	return -1
}

// monthDay reads a day padded with a space.
func monthDay(b []byte) int {
	if b[0] == ' ' {
		return number(b[1:])
	}
	if b[0] == '0' {
		return -1 // would be written with a space
	}
	return number(b)
}

// parseClock reads a time of day: seconds and length, which is 0 if there is none.
func parseClock(t []byte, mayPack bool) (sec int64, n int, packed bool) {
	var h, m, s int
	switch {
	case len(t) >= 8 && t[2] == ':' && t[5] == ':':
		h, m, s, n = twoDigits(t[0], t[1]), twoDigits(t[3], t[4]), twoDigits(t[6], t[7]), 8
	case mayPack && len(t) >= 6:
		h, m, s, n, packed = twoDigits(t[0], t[1]), twoDigits(t[2], t[3]), twoDigits(t[4], t[5]), 6, true
	default:
		return 0, 0, false
	}
	if h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59 {
		return 0, 0, false
	}
	return int64(h*3600 + m*60 + s), n, packed
}

// appendStamp writes what parseStamp read.
func (f stampForm) appendStamp(dst []byte, ns int64) []byte {
	sec := floorDiv(ns, int64(time.Second))
	day := floorDiv(sec, secondsADay)
	y, m, d := civil(day)
	switch f.date {
	case dateDashes:
		dst = pad(append(pad(append(pad(dst, y, 4), '-'), m, 2), '-'), d, 2)
	case dateSlash:
		dst = pad(append(pad(append(pad(dst, y, 4), '/'), m, 2), '/'), d, 2)
	case dateShort:
		dst = pad(append(pad(append(pad(dst, y, 2), '/'), m, 2), '/'), d, 2)
	case datePacked:
		dst = pad(pad(pad(dst, y, 2), m, 2), d, 2)
	case dateMonth:
		dst = append(append(dst, monthNames[m*3-3:m*3]...), ' ')
		if d < 10 {
			dst = append(dst, ' ', byte('0'+d))
		} else {
			dst = pad(dst, d, 2)
		}
	case dateKlog:
		dst = pad(pad(dst, m, 2), d, 2)
	case dateNone, dateForms:
	}
	if f.date != dateNone {
		dst = append(dst, f.between)
	}
	clock := int(sec - day*secondsADay)
	if f.packed == 1 {
		dst = pad(pad(pad(dst, clock/3600, 2), clock/60%60, 2), clock%60, 2)
	} else {
		dst = pad(append(pad(append(pad(dst, clock/3600, 2), ':'), clock/60%60, 2), ':'), clock%60, 2)
	}
	if f.digits > 0 {
		dst = pad(append(dst, f.point), int((ns-sec*int64(time.Second))/f.unit()), int(f.digits))
	}
	return dst
}

// stampText writes stamps of lines that follow each other: most are of the second of the one before, and
// only their fractions are written anew. Not safe for concurrent use.
type stampText struct {
	form stampForm
	sec  int64
	text []byte
}

// of gives the text of a stamp. It is valid until the next call.
func (t *stampText) of(f stampForm, ns int64) []byte {
	sec := floorDiv(ns, int64(time.Second))
	if len(t.text) == 0 || f != t.form || sec != t.sec {
		t.form, t.sec, t.text = f, sec, f.appendStamp(t.text[:0], ns)
		return t.text
	}
	if f.digits > 0 {
		pad(t.text[:len(t.text)-int(f.digits)], int((ns-sec*int64(time.Second))/f.unit()), int(f.digits))
	}
	return t.text
}

// pad appends the last width digits of v.
func pad(dst []byte, v, width int) []byte {
	var b [9]byte
	for i := width - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
	return append(dst, b[:width]...)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// days and civil turn a date into days since 1970 and back (Howard Hinnant, "chrono-compatible
// low-level date algorithms"): package time is several times slower at it.
func days(y, m, d int) int64 {
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

func civil(day int64) (y, m, d int) {
	z := day + 719468
	era := floorDiv(z, 146097)
	doe := int(z - era*146097)
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = (mp+2)%12 + 1
	y = yoe + int(era)*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

func daysIn(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
