package investigation

import (
	"bytes"
	"encoding/binary"
	"strings"
)

const (
	gramSize  = 4
	gramStep  = 4 // bytes from one place of a line that is looked at to the next
	gramBits  = 13
	gramTable = 1 << gramBits
	maybeBits = 16 // of which few are set, so that most places of a line cost one look at 8 KiB
)

// literals finds which of many patterns may occur in a line, at about a third of a nanosecond a byte: each
// pattern is found by four bytes of its longest literal part, chosen so that they are rare among the patterns. Every fourth
// place of a line is looked at, so a pattern is known by as many neighbouring grams. Immutable once made.
type literals struct {
	maybe [1 << maybeBits / 64]uint64 // which grams there are, by maybeBits of their hash
	first [gramTable]uint16           // index into lists, plus one
	lists [][]literal
	short []pattern // those whose longest part is too short for gramStep grams
}

type literal struct {
	gram uint32
	at   int // where the gram stands in the longest part
	p    pattern
}

func gramHash(g uint32) uint32 { return g * 2654435761 }

func gramsOf(s string) []uint32 {
	var out []uint32
	for i := 0; i+gramSize <= len(s); i++ {
		out = append(out, binary.LittleEndian.Uint32([]byte(s[i:i+gramSize])))
	}
	return out
}

func newLiterals(patterns []pattern) *literals {
	l := &literals{}
	count := map[uint32]int{}
	for _, p := range patterns {
		for _, g := range gramsOf(p.longest) {
			count[g]++
		}
	}
	for _, common := range []string{"java.", "java.lang.", "java.util.concurrent.", "org.apache.flink.", "Exception", "Error", " the ", "task", "checkpoint", "could not", " failed", "Could not "} {
		for _, g := range gramsOf(common) {
			count[g] += 100
		}
	}
	for _, p := range patterns {
		grams := gramsOf(p.longest)
		if len(grams) < gramStep {
			l.short = append(l.short, p)
			continue
		}
		best, rarest := 0, -1
		for i := 0; i+gramStep <= len(grams); i++ {
			n := 0
			for _, g := range grams[i : i+gramStep] {
				n += count[g]
			}
			if rarest < 0 || n < rarest {
				best, rarest = i, n
			}
		}
		for i, g := range grams[best : best+gramStep] {
			l.add(literal{g, best + i, p})
		}
	}
	return l
}

func (l *literals) add(c literal) {
	h := gramHash(c.gram)
	l.maybe[h>>(32-maybeBits)/64] |= 1 << (h >> (32 - maybeBits) % 64)
	first := &l.first[h>>(32-gramBits)]
	if *first == 0 {
		l.lists = append(l.lists, nil)
		*first = uint16(len(l.lists))
	}
	l.lists[*first-1] = append(l.lists[*first-1], c)
}

// match tells whether any pattern occurs in the line.
func (l *literals) match(line []byte) bool {
	for i := 0; i+gramSize <= len(line); i += gramStep {
		g := binary.LittleEndian.Uint32(line[i:])
		h := gramHash(g)
		if l.maybe[h>>(32-maybeBits)/64]>>(h>>(32-maybeBits)%64)&1 == 0 {
			continue
		}
		k := l.first[h>>(32-gramBits)]
		for j := range l.lists[k-1] {
			c := &l.lists[k-1][j]
			if c.gram != g || i < c.at || !strings.HasPrefix(string(line[i-c.at:min(len(line), i-c.at+len(c.p.longest))]), c.p.longest) {
				continue
			}
			if c.p.matchLine(string(line)) {
				return true
			}
		}
	}
	for _, p := range l.short {
		if bytes.Contains(line, []byte(p.longest)) && p.matchLine(string(line)) {
			return true
		}
	}
	return false
}
