package investigation

import (
	"strings"
	"testing"
)

// naive is what literals do, by the book.
func naive(patterns []pattern, line string) bool {
	for _, p := range patterns {
		if p.matchLine(line) {
			return true
		}
	}
	return false
}

func FuzzLiterals(f *testing.F) {
	f.Add("Caused by: java.lang.OutOfMemoryError: Java heap space", "OutOfMemoryError: <*>", "heap", "no <*> left")
	f.Add("xxabcdefgabcdefghyy", "abcdefgh", "abcdefg", "ab")
	f.Add("aaaaaaaaaaaaaaaaaaaaaab", "aaaaaaab", "<*>", "b<*>a")
	f.Fuzz(func(t *testing.T, line, a, b, c string) {
		var patterns []pattern
		for _, s := range []string{a, b, c} {
			if p := newPattern(s); !p.empty() {
				patterns = append(patterns, p)
			}
		}
		l := newLiterals(patterns)
		for _, s := range []string{line, a + line, "x" + b + line + c, "yz" + line + c, "uvw" + a + b} {
			if got, want := l.match([]byte(s)), naive(patterns, s); got != want {
				t.Errorf("match(%q) = %v, want %v", s, got, want)
			}
		}
	})
}

// TestLiteralsOfCatalogue: each pattern of the catalogue is found wherever it stands.
func TestLiteralsOfCatalogue(t *testing.T) {
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.entries {
		for i := range e.Evidence {
			p := &e.Evidence[i]
			if p.Log == "" || p.Weak {
				continue
			}
			text := strings.Join(p.pattern.parts, "…")
			for at := range 9 {
				if line := strings.Repeat("-", at) + text + strings.Repeat(".", at%5); !c.logs.match([]byte(line)) {
					t.Errorf("%s: %q is not found in %q", e.ID, p.Log, line)
				}
			}
			if line := text[:len(text)/2]; c.logs.match([]byte(line)) != naive(allLogs(c), line) {
				t.Errorf("half of %q is taken for a pattern, or is not", text)
			}
		}
	}
}

func allLogs(c *Catalogue) (logs []pattern) {
	for _, e := range c.entries {
		for i := range e.Evidence {
			if p := &e.Evidence[i]; p.Log != "" && !p.Weak {
				logs = append(logs, p.pattern)
			}
		}
	}
	return logs
}
