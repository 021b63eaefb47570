package query

import (
	"iter"
	"unicode"
	"unicode/utf8"
)

// MaxTokenBytes is how much of a word counts, in bytes after folding. What follows
// in a longer word is ignored, in texts and in queries alike, so that a megabyte of
// base64 is one small token.
const MaxTokenBytes = 128

// asciiWord gives the folded form of an ASCII character of a word; 0 for one that parts words.
var asciiWord = func() (t [utf8.RuneSelf]byte) {
	for c := range byte(utf8.RuneSelf) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_':
			t[c] = c
		case 'A' <= c && c <= 'Z':
			t[c] = c + 'a' - 'A'
		}
	}
	return t
}()

// Tokens yields the words of text in order, folded: maximal runs of letters, digits
// and underscores, each cut to MaxTokenBytes. Anything else, invalid UTF-8 too, parts words.
func Tokens(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		ScanTokens(text, func(token []byte) bool { return yield(string(token)) })
	}
}

// ScanTokens is Tokens without a copy of each word: token is valid only during the
// call of yield, which returns false to stop.
func ScanTokens[T ~string | ~[]byte](text T, yield func(token []byte) bool) {
	var room [MaxTokenBytes]byte
	for pos := 0; ; {
		from := skipToWord(text, pos)
		if from == len(text) {
			return
		}
		var token []byte
		token, pos = readWord(text, from, room[:0])
		if !yield(token) {
			return
		}
	}
}

// skipToWord gives where the first word at or after pos begins, len(text) if there is none.
func skipToWord[T ~string | ~[]byte](text T, pos int) int {
	for pos < len(text) {
		if c := text[pos]; c < utf8.RuneSelf {
			if asciiWord[c] != 0 {
				return pos
			}
			pos++
			continue
		}
		r, n := decodeRune(text, pos)
		if isWordRune(r) {
			return pos
		}
		pos += n
	}
	return len(text)
}

// readWord appends the folded word that begins at pos to buf, and gives where it ends.
func readWord[T ~string | ~[]byte](text T, pos int, buf []byte) (word []byte, end int) {
	full := false
	for pos < len(text) {
		if c := text[pos]; c < utf8.RuneSelf {
			f := asciiWord[c]
			if f == 0 {
				break
			}
			if full = full || len(buf) == MaxTokenBytes; !full {
				buf = append(buf, f)
			}
			pos++
			continue
		}
		r, n := decodeRune(text, pos)
		if !isWordRune(r) {
			break
		}
		r = foldRune(r)
		if full = full || len(buf)+utf8.RuneLen(r) > MaxTokenBytes; !full {
			buf = utf8.AppendRune(buf, r)
		}
		pos += n
	}
	return buf, pos
}

func decodeRune[T ~string | ~[]byte](text T, pos int) (rune, int) {
	return utf8.DecodeRuneInString(string(text[pos:min(pos+utf8.UTFMax, len(text))]))
}

// isWordRune tells whether r is part of a word. r is what utf8 decoded: U+FFFD is not.
func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return asciiWord[r] != 0
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}
