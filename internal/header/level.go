package header

import "lastnight"

// levelWord reads a whole word as a level: any of the usual names, all in upper
// case, all in lower case, or capitalised.
func levelWord(w []byte) lastnight.Level {
	if len(w) < 3 || len(w) > 9 || classes[w[0]]&classLevel == 0 {
		return lastnight.LevelUnknown
	}
	if !isLower(w[1]) {
		return capitalLevel(w)
	}
	var up [9]byte
	for i, c := range w {
		if !isLetter(c) || i > 0 && !isLower(c) {
			return lastnight.LevelUnknown
		}
		up[i] = c &^ 0x20
	}
	return capitalLevel(up[:len(w)])
}

// capitalLevel is levelWord of capitals.
func capitalLevel(w []byte) lastnight.Level {
	switch string(w) {
	case "INFO", "NOTICE", "CONFIG", "LOG", "INFORMATION":
		return lastnight.LevelInfo
	case "WARN", "WARNING":
		return lastnight.LevelWarn
	case "ERROR", "ERR", "SEVERE":
		return lastnight.LevelError
	case "DEBUG", "DBG", "FINE", "DEBU":
		return lastnight.LevelDebug
	case "TRACE", "FINER", "FINEST", "TRC":
		return lastnight.LevelTrace
	case "FATAL", "CRITICAL", "CRIT", "PANIC", "EMERGENCY", "EMERG", "ALERT", "DPANIC":
		return lastnight.LevelFatal
	case "INF":
		return lastnight.LevelInfo
	case "WRN":
		return lastnight.LevelWarn
	case "FTL":
		return lastnight.LevelFatal
	}
	return lastnight.LevelUnknown
}

// levelAt reads the word at i as a level and gives its length, 0 if it is none.
func levelAt(line []byte, i int) (lastnight.Level, int) {
	if i >= len(line) || classes[line[i]]&classLevel == 0 {
		return lastnight.LevelUnknown, 0
	}
	n := 1
	for i+n < len(line) && n < 10 && isLetter(line[i+n]) {
		n++
	}
	if n < 3 || i+n < len(line) && isNameByte(line[i+n]) {
		return lastnight.LevelUnknown, 0
	}
	if level := levelWord(line[i : i+n]); level != lastnight.LevelUnknown {
		return level, n
	}
	return lastnight.LevelUnknown, 0
}

// Level reads a level's name as applications write it in a field: names in any
// case, syslog's and pino's numbers (10 … 60).
func Level(b []byte) lastnight.Level {
	if l := levelWord(b); l != lastnight.LevelUnknown {
		return l
	}
	switch string(b) {
	case "10":
		return lastnight.LevelTrace
	case "20":
		return lastnight.LevelDebug
	case "30":
		return lastnight.LevelInfo
	case "40":
		return lastnight.LevelWarn
	case "50":
		return lastnight.LevelError
	case "60":
		return lastnight.LevelFatal
	}
	return lastnight.LevelUnknown
}
