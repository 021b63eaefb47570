package dfa_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"lastnight/internal/dfa"
)

var expressions = []string{
	`a`, `abc`, `^abc`, `abc$`, `^$`, `^`, `$`, `a*`, `a+b`, `(a|b)*c`, `[0-9]{3}77[0-9]{2}99[0-9]`, `\bfoo\b`, `\Bfoo`, `foo\b`, `(?i)WaRn`, `a.c`, `(?s)a.c`,
	`[^a]b`, `\d+\.\d+`, `é+`, `[^x]é`, `(?i)Ω`, `(?m)^b$`, `x{0,3}y`, `(WARN|ERROR).*[0-9]+`, `blk_-?16089[0-9]+ .*size`, `\w\W\w`, `(a|ab)(c|bcd)$`, `\x{fffd}`, `\b`, `\B`, `a\z`, `\Aa`,
}

// lines has a match by package regexp, of which line by line is what is meant.
func lines(re *regexp.Regexp, text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if re.MatchString(line) {
			return true
		}
	}
	return false
}

// check walks over a text in pieces of any size.
func check(t *testing.T, re *regexp.Regexp, d *dfa.DFA, text string, r *rand.Rand) {
	t.Helper()
	want := lines(re, text)
	if got := d.May([]byte(text)); got != want {
		t.Fatalf("%s in %q: %t, want %t", re, text, got, want)
	}
	s := d.Start()
	runes := []rune(text)
	if string(runes) != text { // pieces must not end within a character
		return
	}
	for len(runes) > 0 {
		n := 1 + r.IntN(len(runes))
		s = d.Step(s, []byte(string(runes[:n])))
		runes = runes[n:]
	}
	if got := d.Ends(s); got != want {
		t.Fatalf("%s in pieces of %q: %t, want %t", re, text, got, want)
	}
}

// TestAsRegexp compares with package regexp over texts made of what the expressions have.
func TestAsRegexp(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	parts := []string{"a", "b", "c", "abc", "foo", " ", "WARN", "warn", "ERROR", "7", "77", "99", "123", "blk_-16089", "size", ".", "é", "Ω", "ω", "\xff", "_", "\n", "x", "y", ""}
	for _, expr := range expressions {
		re := regexp.MustCompile(expr)
		d, err := dfa.New(expr)
		if err != nil {
			t.Fatal(err)
		}
		for range 400 {
			var b strings.Builder
			for range r.IntN(9) {
				b.WriteString(parts[r.IntN(len(parts))])
			}
			check(t, re, d, b.String(), r)
		}
	}
}

func FuzzAsRegexp(f *testing.F) {
	for _, expr := range expressions {
		f.Add(expr, "abc foo 12377459912 WARN 5\nblk_160891 size é")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		re, err := regexp.Compile(expr)
		if err != nil || len(expr) > 100 || len(text) > 1000 {
			return
		}
		d, err := dfa.New(expr)
		if err != nil {
			t.Fatal(err)
		}
		if s := d.Step(d.Start(), []byte(text)); s == dfa.GaveUp {
			return
		}
		check(t, re, d, text, rand.New(rand.NewPCG(1, 1)))
	})
}

// TestGivesUp: an expression with too many states is given up, which costs little.
func TestGivesUp(t *testing.T) {
	d, err := dfa.New(`(a|b)*a(a|b){14}$`)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 3))
	text := make([]byte, 1<<16)
	for i := range text {
		text[i] = "ab"[r.IntN(2)]
	}
	if s := d.Step(d.Start(), text); s != dfa.GaveUp || !d.Ends(s) {
		t.Fatalf("state %d", s)
	}
}

// TestReach: what may be reached with some bytes is told without walking over all texts.
func TestReach(t *testing.T) {
	d, err := dfa.New(`[0-9]{3}77`)
	if err != nil {
		t.Fatal(err)
	}
	digits := []byte("0123456789")
	from := []dfa.State{d.Start()}
	for limit, want := range map[int]bool{1: false, 4: false, 5: true, 9: true} {
		to := d.Reach(from, digits, limit)
		if got := len(to) == 1 && to[0] == dfa.Matched; got != want {
			t.Errorf("up to %d digits: %t", limit, got)
		}
	}
	if to := d.Reach(from, []byte("xyz"), 100); len(to) != 1 || to[0] != d.Start() {
		t.Errorf("letters lead to %v", to)
	}
}

func BenchmarkMay(b *testing.B) {
	for name, text := range map[string]string{
		"ascii": "2026-03-01 00:00:00.265 WARN [main] Finished task 29.8 in stage 35.3 (TID 4298). 4298 bytes sent to driver ",
		"other": "2026-03-01 00:00:00.265 WARN 任务管理器在阶段三十五中完成了第二十九个任务，并向驱动程序发送了四千多个字节 ",
	} {
		b.Run(name, func(b *testing.B) { benchmarkMay(b, text) })
	}
}

func benchmarkMay(b *testing.B, line string) {
	b.Helper()
	text := []byte(strings.Repeat(line, 100))
	d, err := dfa.New(`[0-9]{3}77[0-9]{2}99[0-9]`)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if d.May(text) {
			b.Fatal("found")
		}
	}
}
