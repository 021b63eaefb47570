package archive

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestInts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	of := func(n int, f func(i int) uint64) []uint64 {
		list := make([]uint64, n)
		for i := range list {
			list[i] = f(i)
		}
		return list
	}
	for name, tc := range map[string]struct {
		list []uint64
		most float64 // bits a number, at most
	}{
		"none":        {nil, 0},
		"one":         {[]uint64{77}, 64},
		"same":        {of(1000, func(int) uint64 { return 1 << 40 }), .2},
		"ports":       {of(10_000, func(int) uint64 { return 10_000 + r.Uint64N(90_000) }), 17.1},
		"few ports":   {of(50, func(int) uint64 { return 10_000 + r.Uint64N(90_000) }), 19},
		"small":       {of(10_000, func(int) uint64 { return 240 + r.Uint64N(12) }), 3.8},
		"skewed":      {of(10_000, func(int) uint64 { return uint64(r.ExpFloat64() * 2) }), 2.6},
		"gaps":        {of(10_000, func(int) uint64 { return timeDelta(int64(r.ExpFloat64() * 5e8)) }), 31.5},
		"bursts":      {of(10_000, func(i int) uint64 { return []uint64{1000, 1000, 1000, r.Uint64N(1 << 30)}[i%4] }), 9.5},
		"ids":         {of(1000, func(int) uint64 { return r.Uint64() }), 65.5},
		"ends":        {[]uint64{0, math.MaxUint64, 1, math.MaxUint64 - 1, 1 << 63}, 100},
		"large ones":  {of(10_000, func(i int) uint64 { return []uint64{r.Uint64N(100), 1 << 60}[min(i%1000, 1)^1] }), 8},
		"two pieces":  {of(huffPiece+10, func(int) uint64 { return r.Uint64N(5) * r.Uint64N(5) }), 4},
		"many pieces": {of(3*huffPiece, func(int) uint64 { return r.Uint64N(3) * r.Uint64N(2) }), 1.6},
	} {
		var p intPacker
		for range 2 { // used again
			var e enc
			p.pack(&e, slices.Clone(tc.list))
			got := make([]uint64, len(tc.list))
			d := &dec{b: e.b}
			if err := unpackInts(d, got, &slabs{}); err != nil || len(d.b) > 0 || !slices.Equal(got, tc.list) {
				t.Fatalf("%s: %v, %d bytes left", name, err, len(d.b))
			}
			if n := float64(8*len(e.b)) / float64(max(len(tc.list), 1)); n > tc.most {
				t.Errorf("%s: %.2f bits a number, want at most %.2f", name, n, tc.most)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		values string
		fits   bool
	}{
		{"1 2 3", true},
		{"10.1.2.3 10.250.0.0 10.7.77.1", true},
		{"001 002 113", true},
		{"001 02", false},
		{"001 12", false},
		{"12 001", false},
		{"12 13 04", true},
		{"0 00", false},
		{"x1y2z x3y4z x500y0z", true},
		{"x1y2z x3y4", false},
		{"9999999999999999999 1", true},
		{"99999999999999999999 1", false},
		{"1.2.3.4.5.6.7.8 1.2.3.4.5.6.7.9", true},
		{"1.2.3.4.5.6.7.8.9 1.2.3.4.5.6.7.9.9", false},
		{"ab cd", false},
	} {
		text := []byte(strings.ReplaceAll(tc.values, " ", "\n") + "\n")
		n := bytes.Count(text, []byte("\n"))
		column := packedNumbers(t, text)
		if (column != nil) != tc.fits {
			t.Errorf("%s: is a column of numbers: %t", tc.values, column != nil)
		}
		if column == nil {
			continue
		}
		mem := &slabs{}
		for range 2 { // used again
			if got, err := numbersText(column, n, mem); err != nil || got != string(text) {
				t.Errorf("%q became %q: %v", text, got, err)
			}
			mem.reset()
		}
		if _, err := decodeNumbers(column, n-1, mem); err == nil {
			t.Error("more numbers than lines")
		}
	}
}

// packedNumbers packs values, each ended by a newline, if they make a column of numbers.
func packedNumbers(t testing.TB, text []byte) []byte {
	t.Helper()
	var mem columnMemory
	var c column
	for v := range bytes.SplitSeq(text[:len(text)-1], []byte("\n")) {
		mem.add(&c, v)
	}
	if c.way == columnSame { // is not looked at further
		return nil
	}
	joined := c.joined(nil)
	if !bytes.Equal(joined, text) {
		t.Fatalf("a column of %q has %q", text, joined)
	}
	if c.way == columnText {
		return nil
	}
	if c.size != len(text) {
		t.Fatalf("%d bytes of %q have been counted", c.size, text)
	}
	var p numberPacker
	p.gather(&c)
	return p.pack(&c)
}

// numbersText gives the values of a column. Their lengths must be those that the column tells.
func numbersText(column []byte, n int, mem *slabs) (string, error) {
	c, err := decodeNumbers(column, n, mem)
	if err != nil {
		return "", err
	}
	text, err := c.text(mem)
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if c.length(i) != len(line) {
			return "", fmt.Errorf("length of %q is told to be %d", line, c.length(i))
		}
	}
	return string(text), err
}

// FuzzNumbers: any values come back as they were, and whatever lies in a file gives values or an error.
func FuzzNumbers(f *testing.F) {
	f.Add([]byte("10.1.2.3\n10.1.2.4\n"))
	f.Add([]byte("007\n008\n"))
	f.Add(packedNumbers(f, []byte(strings.Repeat("17\n5\n", 100))))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeNumbers(b, 1000, &slabs{})
		text := append(bytes.TrimRight(b, "\n"), '\n')
		column := packedNumbers(t, text)
		if column == nil {
			return
		}
		got, err := numbersText(column, bytes.Count(text, []byte("\n")), &slabs{})
		if err != nil || got != string(text) {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
	})
}

func TestDigits(t *testing.T) {
	list := []uint64{0, math.MaxUint64}
	for _, p := range tens {
		list = append(list, p-1, p, p+1)
	}
	for _, v := range list {
		if n := digitsOf(v); n != len(strconv.FormatUint(v, 10)) {
			t.Errorf("%d has %d digits", v, n)
		}
	}
}
