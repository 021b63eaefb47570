package archive

import (
	"bytes"
	"slices"
	"testing"
	"unicode"
)

// FuzzMatch: a line that is held against the shape of another has it just when cutting the line says so, and is cut the same.
func FuzzMatch(f *testing.F) {
	at := int64(1_772_323_200_000_000_000)
	for i, s := range samples {
		f.Add([]byte(s), []byte(s), at)
		f.Add([]byte(s), []byte(samples[(i+1)%len(samples)]), at)
	}
	f.Add([]byte("2026-03-01 00:00:00,123 took 5 ms"), []byte("2026-03-01 00:00:01,999 took 77 ms"), at)
	f.Add([]byte("a 2026-03-01 00:00:00 took 5"), []byte("a 2026-03-01x00:00:01 took 5"), at)
	f.Add([]byte("Mar  1 00:00:00 x1"), []byte("May  1 00:00:00 x1"), at)
	f.Add([]byte("12-34.5 a-1 -b"), []byte("1 a-1.2.3 -b"), at)
	f.Add([]byte("00:00:007 7"), []byte("00:00:00 7"), at)
	f.Fuzz(func(t *testing.T, a, b []byte, at int64) {
		var sp, want splitter
		sp.split(a, at)
		shape, tail := bytes.Clone(sp.shape), sp.tail >= 0
		var m shapeMatcher
		m.of(shape)
		if m.ok == tail {
			t.Fatalf("a shape with a tail (%v) can be matched: %v", tail, m.ok)
		}
		columns := columnsOf(a, &sp)
		want.split(b, at)
		if !sp.match(&m, columns, b, at) {
			if !tail && bytes.Equal(want.shape, shape) {
				t.Fatalf("%q has the shape of %q, which was not seen", b, a)
			}
			return
		}
		if !bytes.Equal(want.shape, shape) {
			t.Fatalf("%q has not the shape of %q", b, a)
		}
		if !slices.Equal(sp.vars, want.vars) || sp.tail != want.tail || sp.stamp != want.stamp ||
			sp.stamp >= 0 && (sp.stamps.form != want.stamps.form || sp.stampNS != want.stampNS) {
			t.Fatalf("%q is cut %+v, want %+v", b, sp, want)
		}
	})
}

// columnsOf gives the columns of a line that has been cut, of which every second one has another value too: the same, but for its
// first digit.
func columnsOf(text []byte, sp *splitter) []column {
	var mem columnMemory
	var columns []column
	for i, p := range sp.vars {
		if i == sp.stamp {
			continue
		}
		var c column
		v := bytes.Clone(text[p.from:p.to])
		mem.add(&c, v)
		if i%2 == 1 {
			at := bytes.IndexFunc(v, unicode.IsDigit)
			v[at] = '0' + '9' - v[at]
			mem.add(&c, v)
		}
		columns = append(columns, c)
	}
	return columns
}
