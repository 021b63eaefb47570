package investigation

import (
	"bytes"
	"encoding/binary"
	"strings"
)

const (
	gramSize  = 4
	gramTable = 1 << 13
)

// literals finds which of many patterns may occur in a line, at about a nanosecond a byte: each
// pattern is found by four bytes of its longest literal part, chosen so that they are rare among the patterns.
// Immutable once made.
type literals struct {
	first [gramTable]uint16 // index into lists, plus one
	lists [][]literal
	short []pattern // those whose longest part has fewer than four bytes
}

type literal struct {
	gram uint32
	at   int // where the gram stands in the longest part
	p    pattern
}

func gramHash(g uint32) uint32 { return g * 2654435761 >> (32 - 13) }

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
		if len(grams) == 0 {
			l.short = append(l.short, p)
			continue
		}
		best := 0
		for i, g := range grams {
			if count[g] < count[grams[best]] {
				best = i
			}
		}
		h := gramHash(grams[best])
		if l.first[h] == 0 {
			l.lists = append(l.lists, nil)
			l.first[h] = uint16(len(l.lists))
		}
		k := l.first[h] - 1
		l.lists[k] = append(l.lists[k], literal{grams[best], best, p})
	}
	return l
}

// match tells whether any pattern occurs in the line.
func (l *literals) match(line []byte) bool {
	for i := 0; i+gramSize <= len(line); i++ {
		g := binary.LittleEndian.Uint32(line[i:])
		k := l.first[gramHash(g)]
		if k == 0 {
			continue
		}
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
