package header

// What a byte can be.
const (
	classDigit uint8 = 1 << iota
	classLower
	classUpper
	className   // may stand in the name of a logger or module
	classMark   // may stand between the digits of a time
	classFrame  // brackets and punctuation around a field
	classLevel  // the first letter of a level's name
	classForm   // the first byte of a line that may have a form
	classLetter = classLower | classUpper
)

// classes tells what each byte can be.
var classes = makeClasses()

func makeClasses() (t [256]uint8) {
	for c := byte('0'); c <= '9'; c++ {
		t[c] |= classDigit | className | classForm
	}
	for c := byte('a'); c <= 'z'; c++ {
		t[c] |= classLower | className
		t[c&^0x20] |= classUpper | className | classForm
	}
	for chars, class := range map[string]uint8{
		"_.$-/@#*": className, ":-/.,TZ+": classMark, "[]()<>,:;|": classFrame,
		"[(": classForm, "incliwesdftpaINCLIWESDFTPA": classLevel, // info, notice, config, log, warn, error, severe, debug, fine, trace, panic, alert
	} {
		for i := range len(chars) {
			t[chars[i]] |= class
		}
	}
	return t
}

func isDigit(c byte) bool  { return c-'0' <= 9 }
func isLower(c byte) bool  { return c-'a' <= 'z'-'a' }
func isUpper(c byte) bool  { return c-'A' <= 'Z'-'A' }
func isLetter(c byte) bool { return c|0x20-'a' <= 'z'-'a' }
func isBlank(c byte) bool  { return c == ' ' || c == '\t' }

// isNameByte tells what may stand in the name of a logger or module.
func isNameByte(c byte) bool { return classes[c]&className != 0 }

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
