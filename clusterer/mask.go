package clusterer

import (
	"bytes"

	"lastnight"
)

// kindOf tells the kind of a value and how many of its bytes are of it, 0 if it has
// no kind of its own. The order is fixed: what is more special comes first.
func kindOf(x []byte) (lastnight.VarKind, int) {
	flags := flagsOf(x)
	if flags&isDigit == 0 {
		if flags&isSlash != 0 && isPath(x) && !keyed(x) {
			return lastnight.VarPath, len(x)
		}
		return 0, 0
	}
	if flags&(isColon|isSlash|isDash|isDot|isMark) == 0 { // most are plain numbers
		return plainKind(x, flags)
	}
	if flags&(isColon|isSlash) == isColon|isSlash && bytes.Contains(x, []byte("://")) {
		return lastnight.VarURL, len(x)
	}
	if len(x) == 36 && isUUID(x) {
		return lastnight.VarUUID, 36
	}
	if attr[x[0]]&isDigit != 0 && len(x) >= 5 { // before addresses: 06:01 is no port of 2025-02-10T06
		if n := dateTime(x); n == len(x) {
			return lastnight.VarTime, n
		}
	}
	if k, n := addressKind(x, flags); n > 0 {
		return k, n
	}
	if flags&isSlash != 0 && isPath(x) && !keyed(x) {
		return lastnight.VarPath, len(x)
	}
	return plainKind(x, flags)
}

// plainKind: hex, size, duration, number.
func plainKind(x []byte, flags uint16) (lastnight.VarKind, int) {
	if isHex(x, flags) {
		return lastnight.VarHex, len(x)
	}
	n := number(x)
	if n == 0 {
		if isISODuration(x) {
			return lastnight.VarDuration, len(x)
		}
		return 0, 0
	}
	if n == len(x) {
		return lastnight.VarNumber, n
	}
	switch rest := x[n:]; {
	case isSizeUnit(rest):
		return lastnight.VarSize, len(x)
	case isDuration(x):
		return lastnight.VarDuration, len(x)
	case len(rest) > 0 && (rest[0] == '%' || rest[0] == '+') && len(rest) == 1:
		return lastnight.VarNumber, n
	}
	return 0, 0
}

func isUUID(x []byte) bool {
	for i, c := range x {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if attr[c]&(isDigit|isHexLetter) == 0 {
			return false
		}
	}
	return true
}

// addressKind: MAC, IPv6, IP, IP:port, host:port, also as Java writes them (host/ip:port).
func addressKind(x []byte, flags uint16) (lastnight.VarKind, int) {
	if flags&isColon != 0 {
		if groups, two := hexGroups(x); groups >= 6 && two {
			return lastnight.VarMAC, len(x)
		} else if groups >= 3 && groups <= 8 && (groups == 8 || bytes.Contains(x, []byte("::"))) {
			return lastnight.VarIP, len(x)
		}
		if k := bytes.LastIndexByte(x, ':'); len(x) > 2 && x[0] == ':' && x[1] == ':' && k+1 < len(x) && ipv4(x[k+1:]) == len(x)-k-1 {
			return lastnight.VarIP, len(x) // ::ffff:10.0.0.1
		}
	}
	at := 0
	if k := bytes.IndexByte(x, '/'); k >= 0 && flags&isSlash != 0 && isHost(x[:k]) {
		at = k + 1
	}
	if n := ipv4(x[at:]); n > 0 {
		at += n
		if n = port(x[at:]); n > 0 {
			return lastnight.VarHostPort, at + n
		}
		if at == len(x) || x[at] == ':' {
			return lastnight.VarIP, at
		}
		if x[at] == '/' && at+1 < len(x) && number(x[at+1:]) == len(x)-at-1 { // a network
			return lastnight.VarIP, len(x)
		}
		return 0, 0
	}
	if k := bytes.IndexByte(x, ':'); k > 0 && isHost(x[:k]) && port(x[k:]) > 0 {
		if isHostName(x[:k]) {
			return lastnight.VarHostPort, k + port(x[k:])
		}
	}
	return 0, 0
}

// isHostName tells hosts, and where source code stands (a.b.Class.method), from names of things.
func isHostName(h []byte) bool {
	dots := bytes.Count(h, []byte("."))
	switch {
	case string(h) == "localhost", dots >= 2:
		return true
	case hasInnerUpper(h):
		return false
	}
	return (dots > 0 || bytes.IndexByte(h, '-') >= 0) && attr[h[0]]&isAlnum != 0 || countDigits(h) > 0 && flagsOf(h)&isLower != 0
}

// hexGroups counts groups of at most four hex digits between colons, 0 if there is anything else.
// two tells that each has two.
func hexGroups(x []byte) (groups int, two bool) {
	two = true
	n := 0
	for i := 0; i <= len(x); i++ {
		if i == len(x) || x[i] == ':' {
			groups++
			two = two && n == 2
			n = 0
			continue
		}
		if n++; n > 4 || attr[x[i]]&(isDigit|isHexLetter) == 0 {
			return 0, false
		}
	}
	return groups, two
}

// isHost: empty, or letters, digits, dots and dashes.
func isHost(x []byte) bool {
	for _, c := range x {
		if attr[c]&isAlnum == 0 && c != '.' && c != '-' && c != '_' && c != '$' {
			return false
		}
	}
	return true
}

func ipv4(x []byte) int {
	i := 0
	for part := range 4 {
		if part > 0 {
			if i >= len(x) || x[i] != '.' {
				return 0
			}
			i++
		}
		from := i
		for i < len(x) && attr[x[i]]&isDigit != 0 {
			i++
		}
		if i == from || i-from > 3 {
			return 0
		}
	}
	if i < len(x) && (attr[x[i]]&isAlnum != 0 || x[i] == '.' || x[i] == '-') {
		return 0
	}
	return i
}

// port: a colon and one to five digits.
func port(x []byte) int {
	i := 1
	for i < len(x) && attr[x[i]]&isDigit != 0 {
		i++
	}
	if len(x) == 0 || x[0] != ':' || i == 1 || i > 6 || i < len(x) && (attr[x[i]]&isAlnum != 0 || x[i] == '-' || x[i] == '.') {
		return 0
	}
	return i
}

// isPath: from the root, a drive, here or above; or with two separators, or a dot after one.
func isPath(x []byte) bool {
	if len(x) < 2 {
		return false
	}
	slash := bytes.IndexAny(x, `/\`)
	switch {
	case slash < 0:
		return false
	case slash == 0, string(x[:slash]) == ".", string(x[:slash]) == "..", string(x[:slash]) == "~":
		return true
	case slash == 2 && x[1] == ':' && attr[x[0]]&(isLower|isUpper) != 0:
		return true
	}
	rest := x[slash+1:]
	return bytes.ContainsAny(rest, `/\`) || bytes.IndexByte(x, '.') >= 0
}

// isHex: 0x…, or at least seven hex digits with both letters and digits. That a digit is 0 is asked for: see memo.
func isHex(x []byte, flags uint16) bool {
	if len(x) > 2 && x[0] == '0' && (x[1] == 'x' || x[1] == 'X') {
		return flagsOf(x[2:])&^(isAtom|isAlnum|isDigit|isHexLetter|isLower|isUpper) == 0
	}
	return len(x) >= 7 && flags&isHexLetter != 0 && flags&isDigit != 0 && flags&(isOther|isDash|isDot|isColon|isSlash|isMark) == 0
}

// number gives the length of the number that x begins with: sign, digits, fraction, exponent.
func number(x []byte) int {
	i := 0
	if i < len(x) && (x[i] == '-' || x[i] == '+') {
		i++
	}
	from := i
	for i < len(x) && attr[x[i]]&isDigit != 0 {
		i++
	}
	if i == from && (i+1 >= len(x) || x[i] != '.') {
		return 0
	}
	if i+1 < len(x) && x[i] == '.' && attr[x[i+1]]&isDigit != 0 {
		for i++; i < len(x) && attr[x[i]]&isDigit != 0; i++ { //nolint:revive // moves i
		}
	}
	if i == from {
		return 0
	}
	if i+1 < len(x) && (x[i] == 'e' || x[i] == 'E') {
		k := i + 1
		if x[k] == '-' || x[k] == '+' {
			k++
		}
		if k < len(x) && k+3 >= len(x) && attr[x[k]]&isDigit != 0 {
			for i = k; i < len(x) && attr[x[i]]&isDigit != 0; i++ { //nolint:revive // moves i
			}
		}
	}
	return i
}

func isSizeUnit(x []byte) bool {
	switch string(x) {
	case "B", "b", "kB", "KB", "MB", "GB", "TB", "PB", "kb", "mb", "gb", "tb", "KiB", "MiB", "GiB", "TiB", "k", "K", "M", "G", "T", "g", "Ki", "Mi", "Gi", "bytes":
		return true
	}
	return false
}

// isDuration: numbers with units of time, as in 1h3m, 12ms, 0.5s.
func isDuration(x []byte) bool {
	for len(x) > 0 {
		n := number(x)
		if n == 0 {
			return false
		}
		x = x[n:]
		u := 0
		for u < len(x) && attr[x[u]]&isDigit == 0 && x[u] != '.' {
			u++
		}
		if !isTimeUnit(x[:u]) {
			return false
		}
		x = x[u:]
	}
	return true
}

// isISODuration: PT3S, PT1H30M, P1DT0.5S.
func isISODuration(x []byte) bool {
	if len(x) < 3 || x[0] != 'P' || attr[x[1]]&isDigit == 0 && x[1] != 'T' {
		return false
	}
	for x = bytes.TrimPrefix(x[1:], []byte("T")); len(x) > 0; x = bytes.TrimPrefix(x, []byte("T")) {
		n := number(x)
		if n == 0 || n == len(x) || bytes.IndexByte([]byte("YMWDHS"), x[n]) < 0 {
			return false
		}
		x = x[n+1:]
	}
	return true
}

func isTimeUnit(x []byte) bool {
	switch string(x) {
	case "ns", "us", "µs", "μs", "ms", "s", "sec", "secs", "m", "min", "mins", "h", "hr", "hrs", "d":
		return true
	}
	return false
}

// splitName looks at a name with digits. variable: it is an id (several digits, or a part
// of digits only). Else its first n bytes are the name and the rest is a number after a dot.
func splitName(x []byte, flags uint16) (n int, variable bool) {
	digits, last := 0, byte('.')
	alone := false
	dots := false
	for i, c := range x {
		a := attr[c]
		if a&isDigit == 0 {
			last = c
			dots = dots || c == '.'
			continue
		}
		if digits++; digits >= 2 && flags&isDot == 0 {
			return len(x), true
		}
		if attr[last]&isAlnum == 0 && (i+1 == len(x) || attr[x[i+1]]&isAlnum == 0) {
			alone = true
		}
	}
	if !dots {
		return len(x), digits >= 2 || alone
	}
	if dot := bytes.LastIndexByte(x, '.'); dot > 0 && dot+1 < len(x) {
		if f := flagsOf(x[:dot]); f&isDigit == 0 && f&(isSlash|isMark) == 0 && number(x[dot+1:]) == len(x)-dot-1 {
			return dot, false
		}
	}
	return len(x), digits >= 2 || alone
}
