package header

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func isLetter(c byte) bool { return isLower(c) || isUpper(c) }
func isBlank(c byte) bool  { return c == ' ' || c == '\t' }

// isNameByte tells what may stand in the name of a logger or module.
func isNameByte(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '_' || c == '.' || c == '$' || c == '-' || c == '/' || c == '@' || c == '#' || c == '*'
}

// nameEnd gives the end of the name at i, which is i if there is none. A colon
// belongs to it if more of the name follows at once.
func nameEnd(b []byte, i int) int {
	for i < len(b) && (isNameByte(b[i]) || b[i] == ':' && i+1 < len(b) && isNameByte(b[i+1])) {
		i++
	}
	return i
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return len(b) > 0
}

// skipColour skips terminal colour sequences.
func skipColour(b []byte, i int) int {
	for i+2 < len(b) && b[i] == 0x1b && b[i+1] == '[' {
		j := i + 2
		for j < len(b) && (isDigit(b[j]) || b[j] == ';') {
			j++
		}
		if j >= len(b) || b[j] != 'm' {
			return i
		}
		i = j + 1
	}
	return i
}

// skipBlank skips blanks, column bars and colours.
func skipBlank(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ' ', '\t', '|':
			i++
		case 0x1b:
			j := skipColour(b, i)
			if j == i {
				return i
			}
			i = j
		default:
			return i
		}
	}
	return i
}

// skipOne skips one blank: more belong to the message.
func skipOne(b []byte, i int) int {
	if i < len(b) && isBlank(b[i]) {
		i++
	}
	return min(i, len(b))
}
