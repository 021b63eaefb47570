package archive

import (
	"math/bits"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"lastnight/internal/bloom"
	"lastnight/query"
)

// A filter tells which words a block certainly does not have: a bloom filter over the lower-cased
// words, a word being a maximal run of letters, digits and _.

// filterOf builds the filter of distinct word hashes.
func filterOf(words *wordSet) []byte {
	slots := words.all()
	f := bloom.NewOf(words.n, maxSlices)
	for _, h := range slots {
		if h != 0 {
			bloom.Add(f, h)
		}
	}
	return f
}

// mayHave tells whether a word of that hash may be in the filter.
func mayHave(f []byte, h uint64) bool { return bloom.MayHave(f, h) }

// wordSet is a set of word hashes, none of which is 0.
type wordSet struct {
	slots  []uint64
	n      int
	recent [1 << 11]uint64 // short words that are in the set, as their bytes
	// waiting are words to be added. Those of a block fill more memory than a processor has close by: many at once wait
	// for it side by side, one by one each would wait for itself.
	waiting [128]uint64
	waits   int
	numbers [maxNumberBits]uint64 // bits of those that are to be added
	near    uint64                // of no use but to be reckoned
}

// maxNumberBits bounds, in words of 64, what lists of numbers may reach over for each of them to be looked at but once.
const maxNumberBits = 2 << 10

func (s *wordSet) reset() {
	if len(s.slots) == 0 {
		s.slots = make([]uint64, 1<<12)
	}
	clear(s.slots)
	clear(s.recent[:])
	s.n, s.waits = 0, 0
}

// all gives all words, and zeros between them. They are valid until the next one is added.
func (s *wordSet) all() []uint64 {
	s.settle()
	return s.slots
}

// settle adds the words that wait.
func (s *wordSet) settle() {
	mask := uint64(len(s.slots) - 1)
	for _, h := range s.waiting[:s.waits] { // to have the slots at hand
		s.near += s.slots[h>>7&mask] & 1
	}
	for _, h := range s.waiting[:s.waits] {
		s.insert(h)
	}
	s.waits = 0
}

// knows tells whether a word of at most 8 bytes, given as these, was lately added, and takes for granted that it will be now.
func (s *wordSet) knows(short uint64) bool {
	slot := &s.recent[short*hashPrime>>53]
	if *slot == short {
		return true
	}
	*slot = short
	return false
}

// addNumbers adds the words of decimal numbers, with zeros in front of those of fewer digits than width.
func (s *wordSet) addNumbers(l *numberList, width int) {
	list, least := l.list, l.least
	if words := (l.most - least) / 64; words < maxNumberBits && words < uint64(len(list)) {
		bitmap := s.numbers[:words+1]
		clear(bitmap)
		for _, v := range list {
			bitmap[(v-least)/64%maxNumberBits] |= 1 << ((v - least) % 64)
		}
		for i, b := range bitmap {
			for ; b != 0; b &= b - 1 {
				s.addNumber(least+uint64(64*i+bits.TrailingZeros64(b)), width)
			}
		}
		return
	}
	for _, v := range list {
		s.addNumber(v, width)
	}
}

func (s *wordSet) addNumber(v uint64, width int) {
	digits := max(digitsOf(v), width)
	if digits > 8 || !s.knows(uint64(digits)<<32|v) { // no bytes of a word are such a number
		var buf [maxRunDigits + 1]byte
		s.add(hashWord(appendPadded(buf[:0], v, width)))
	}
}

func (s *wordSet) add(h uint64) {
	s.waiting[s.waits] = h
	if s.waits++; s.waits == len(s.waiting) {
		s.settle()
	}
}

func (s *wordSet) insert(h uint64) {
	mask := uint64(len(s.slots) - 1)
	for i := h >> 7 & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case h:
			return
		case 0:
			s.slots[i] = h
			if s.n++; s.n*2 > len(s.slots) {
				s.grow()
			}
			return
		}
	}
}

func (s *wordSet) grow() {
	old := s.slots
	s.slots = make([]uint64, 2*len(old))
	s.n = 0
	for _, h := range old {
		if h != 0 {
			s.insert(h)
		}
	}
}

// wordBytes tells what a byte is in a word: 0 if it ends one, else its lower case;
// 0xff if it begins a character that needs a closer look.
var wordBytes = func() (t [256]byte) {
	for c := range t {
		switch {
		case c >= utf8.RuneSelf:
			t[c] = 0xff
		case c >= 'A' && c <= 'Z':
			t[c] = byte(c) + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_':
			t[c] = byte(c)
		}
	}
	return t
}()

const (
	hashSeed  = 0x9e3779b97f4a7c15
	hashPrime = 0xff51afd7ed558ccd
)

// mix finishes a word's hash. It never gives 0.
func mix(h uint64) uint64 {
	h ^= h >> 32
	h *= hashPrime
	h ^= h >> 29
	h *= hashSeed
	h ^= h >> 32
	if h == 0 {
		return 1
	}
	return h
}

// addWords adds the words of text, which may be any bytes. Words are those of
// query.Tokens; ASCII, nearly all of most logs, takes a short way.
func addWords(s *wordSet, text []byte) {
	for i := 0; i < len(text); {
		c := wordBytes[text[i]]
		if c == 0 {
			i++
			continue
		}
		h, short, start := uint64(hashSeed), uint64(0), i
		for c != 0 && c != 0xff {
			h = (h ^ uint64(c)) * hashPrime
			short = short<<8 | uint64(c)
			if i++; i == len(text) {
				break
			}
			c = wordBytes[text[i]]
		}
		if i < len(text) && c == 0xff || i-start > query.MaxTokenBytes {
			i = addOddWords(s, text, start)
			continue
		}
		if i-start > 8 || !s.knows(short) {
			s.add(mix(h))
		}
	}
}

// addOddWords adds the words of the run from start on that no ASCII character parts, and
// gives where it ends.
func addOddWords(s *wordSet, text []byte, start int) int {
	end := start
	for end < len(text) && wordBytes[text[end]] != 0 {
		end++
	}
	query.ScanTokens(text[start:end], func(token []byte) bool {
		s.add(hashWord(token))
		return true
	})
	return end
}

// hashWord gives the hash of a folded word.
func hashWord(w []byte) uint64 {
	h := uint64(hashSeed)
	for _, c := range w {
		h = (h ^ uint64(c)) * hashPrime
	}
	return mix(h)
}

// sum is the checksum of a part.
func sum(p []byte) uint64 { return xxhash.Sum64(p) }
