package clusterer

import "lastnight"

// extend gives where a value ends that began at i and is, up to j, of a kind, and what it is
// then: some go on after a blank or a comma.
func (s *scanner) extend(i, j int, kind lastnight.VarKind) (int, lastnight.VarKind) {
	switch kind {
	case lastnight.VarTime:
		return s.extendTime(i, j), kind
	case lastnight.VarNumber:
		if k := s.extendNumber(j); k > j {
			return k, lastnight.VarSize
		}
	case lastnight.VarPath:
		return s.path(j), kind
	}
	return j, kind
}

// extendTime takes milliseconds after a comma, and a time after a date.
func (s *scanner) extendTime(i, j int) int {
	b := s.b[:s.end]
	if j+4 <= len(b) && b[j] == ',' && number(b[j+1:]) == 3 {
		return j + 4
	}
	if j == len(b) || b[j] != ' ' || !isDate(b[i:j]) {
		return j
	}
	k := j + 1
	for k < len(b) && attr[b[k]]&isAtom != 0 {
		k++
	}
	if n := clock(b[j+1 : k]); n > 0 {
		return s.extendTime(j+1, j+1+n)
	}
	return j
}

// extendNumber takes the unit of a size after a blank: 12 KB. Other units are words.
func (s *scanner) extendNumber(j int) int {
	b := s.b[:s.end]
	if j+2 > len(b) || b[j] != ' ' {
		return j
	}
	k := j + 1
	for k < len(b) && attr[b[k]]&isAlnum != 0 {
		k++
	}
	switch string(b[j+1 : k]) {
	case "B", "kB", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB":
		return k
	}
	return j
}

// dateTime gives the length of the date, time or both that x begins with, without a blank in it.
func dateTime(x []byte) int {
	if n := clock(x); n > 0 {
		return n
	}
	n := dateLen(x)
	if n == 0 || n == len(x) {
		return n
	}
	if x[n] == 'T' || x[n] == '-' || x[n] == '_' || x[n] == '.' || x[n] == '/' {
		if m := clock(x[n+1:]); m > 0 {
			return n + 1 + m
		}
	}
	return 0
}

func isDate(x []byte) bool { return dateLen(x) == len(x) }

// dateLen: 2026-11-21, 2026/11/21, 2026.11.21, 21-11-2026, 11/21/26.
func dateLen(x []byte) int {
	if len(x) < 8 || len(x) > 10 && attr[x[10]]&isDigit != 0 {
		return 0
	}
	var sep byte
	part, n, lens := 0, 0, [3]int{}
	for n < len(x) && n < 10 {
		switch c := x[n]; {
		case attr[c]&isDigit != 0:
			lens[part]++
		case (c == '-' || c == '/' || c == '.') && part < 2 && (sep == 0 || sep == c):
			sep = c
			part++
		default:
			goto done
		}
		n++
	}
done:
	long := lens[0] == 4 && lens[1] <= 2 && lens[2] <= 2 || lens[2] == 4 && lens[0] <= 2 && lens[1] <= 2
	short := sep == '/' && lens == [3]int{2, 2, 2}
	if part == 2 && (long || short) && lens[0] > 0 && lens[1] > 0 && lens[2] > 0 {
		return n
	}
	return 0
}

// clock: 18:06, 18:06:07, with a fraction and a zone; or 18.06.07.123456. What the first digit is is asked for: see memo.
func clock(x []byte) int {
	two := func(i int) bool {
		return i+1 < len(x) && attr[x[i]]&isDigit != 0 && attr[x[i+1]]&isDigit != 0
	}
	if !two(0) || len(x) < 5 || x[0] > '2' || x[2] != ':' && x[2] != '.' || !two(3) {
		return 0
	}
	sep, n := x[2], 5
	if n < len(x) && x[n] == sep && two(n+1) {
		n += 3
	} else if sep == '.' {
		return 0
	}
	if n+1 < len(x) && x[n] == '.' && attr[x[n+1]]&isDigit != 0 {
		from := n
		for n++; n < len(x) && attr[x[n]]&isDigit != 0; n++ { //nolint:revive // moves n
		}
		if sep == '.' && n-from < 5 { // 10.11.21.122 is an address
			return 0
		}
	}
	if n < len(x) && x[n] == 'Z' {
		n++
	} else if n+3 <= len(x) && (x[n] == '+' || x[n] == '-') && two(n+1) {
		n += 3
		if n < len(x) && x[n] == ':' {
			n++
		}
		if two(n) {
			n += 2
		}
	}
	if n < len(x) {
		return 0
	}
	return n
}

// calendarDate gives the length of a date with names that x begins with, as in
// "Sat Jul  9 12:16:49 2005", "Jul 9 12:16:49" or "9 Jul 2005 12:16:49 GMT"; 0 if there is none.
func calendarDate(x []byte) int {
	i := 0
	if isName(x, weekdays) {
		i = skip(x, 3)
		if i == 3 {
			return 0
		}
	}
	if !isName(x[i:], months) {
		return 0
	}
	i = skip(x, i+3)
	n := i
	for n < len(x) && attr[x[n]]&isDigit != 0 {
		n++
	}
	if n == i || n-i > 2 {
		return 0
	}
	i = skip(x, n)
	n = i
	for n < len(x) && (attr[x[n]]&isDigit != 0 || x[n] == ':' || x[n] == '.') {
		n++
	}
	if clock(x[i:n]) == 0 {
		return 0
	}
	// A zone and a year may follow.
	end := n
	k := skip(x, n)
	z := k
	for z < len(x) && attr[x[z]]&isUpper != 0 && z-k < 5 {
		z++
	}
	if z-k >= 3 {
		k = skip(x, z)
	}
	if k+4 <= len(x) && number(x[k:min(k+5, len(x))]) == 4 && (k+4 == len(x) || attr[x[k+4]]&isAlnum == 0) {
		end = k + 4
	}
	return end
}

const (
	weekdays = "MonTueWedThuFriSatSun"
	months   = "JanFebMarAprMayJunJulAugSepOctNovDec"
)

func isName(x []byte, names string) bool {
	if len(x) < 4 || x[3] != ' ' && x[3] != ',' {
		return false
	}
	for i := 0; i < len(names); i += 3 {
		if string(x[:3]) == names[i:i+3] {
			return true
		}
	}
	return false
}

func skip(x []byte, i int) int {
	for i < len(x) && (x[i] == ' ' || x[i] == ',') {
		i++
	}
	return i
}
