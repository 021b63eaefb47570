package clusterer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"lastnight"
	"lastnight/clusterer"
)

// check fails unless template and variables of the match give back the message.
func check(t *testing.T, c *clusterer.Clusterer, message []byte, m clusterer.Match) {
	t.Helper()
	last := int32(0)
	for _, v := range m.Vars {
		if v.From < last || v.To < v.From || int(v.To) > len(message) {
			t.Fatalf("variables %v of %q are out of order", m.Vars, message)
		}
		last = v.To
	}
	tpl, ok := c.Template(m.ID)
	if !ok {
		t.Fatalf("no template %s for %q", m.ID, message)
	}
	got, ok := clusterer.Render(tpl.Text, clusterer.Values(message, m.Vars))
	if !ok || got != string(message) {
		t.Fatalf("Render(%q, %q) = %q, want %q", tpl.Text, clusterer.Values(message, m.Vars), got, message)
	}
}

// FuzzAdd: whatever the lines, each one is given back by its template and variables, a
// snapshot in the middle changes nothing, and memory stays bounded.
func FuzzAdd(f *testing.F) {
	f.Add("a b <*> c\na b 12 c\nuser  0101 from 10.0.0.1:22 \n<<*>>\n<*\n", uint8(0))
	f.Add(strings.Join(flinkLines(40), "\n"), uint8(3))
	f.Add("x=[] y=(a) (b) () [1, 2] 'q' \"r s\" it's /a/b=c,d http://x/?a=b,c;. Sat Jul  9 12:16:49 2005\n\xff\x00\t 1:2:3 ::1 a:b:c 0x", uint8(1))
	f.Fuzz(func(t *testing.T, text string, cut uint8) {
		if len(text) > 1<<14 {
			return
		}
		c := clusterer.New(clusterer.Config{MaxTemplates: 24, MaxPatterns: 32, MaxTokens: 24, MaxBytes: 256})
		lines := strings.Split(text, "\n")
		var vars []lastnight.Var
		for i, line := range lines {
			m := c.Add([]byte(line), nil, vars)
			vars = m.Vars
			check(t, c, []byte(line), m)
			if i == int(cut) {
				var snap bytes.Buffer
				if err := c.Snapshot(&snap); err != nil {
					t.Fatal(err)
				}
				c = clusterer.New(clusterer.Config{MaxTemplates: 24, MaxPatterns: 32, MaxTokens: 24, MaxBytes: 256})
				if err := c.Restore(&snap); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s := c.Stats(); s.Templates > 48 || s.Patterns > 64 || s.Lines != int64(len(lines)) {
			t.Fatalf("out of bounds: %+v", s)
		}
	})
}

// FuzzTokenize: a line of any bytes is cut without panic, a line of its own constants and values alike.
func FuzzTokenize(f *testing.F) {
	for _, line := range flinkLines(12) {
		f.Add([]byte(line))
	}
	f.Add([]byte("iar 001007a8 dear 065b4cac core.4900 L3.........0 (0)  -1 --2 a--3 ..4 C:\\x\\y key:/p/q jk2_init() Foo$Bar@1f2e3d4c"))
	f.Add([]byte("08:00 2015-10-18 18:06:18,045 2005-06-03-15.42.50.363779 FF:F2:9F:16:DC:81 fe80::1%eth0 12 KB 3ms 1h2m 50% 1.5E-7 adj=0.0userId=0 n=WorkSource{7}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		c := clusterer.New(clusterer.Config{})
		m := c.Add(line, nil, nil)
		check(t, c, line, m)
		again := c.Add(line, nil, nil)
		if again.ID != m.ID || again.New {
			t.Fatalf("the same line again: %+v, first %+v", again, m)
		}
	})
}

// FuzzRestore: bytes that are no snapshot are refused, and what is accepted works.
func FuzzRestore(f *testing.F) {
	c := clusterer.New(clusterer.Config{})
	for _, line := range flinkLines(60) {
		c.Add([]byte(line), nil, nil)
	}
	var snap bytes.Buffer
	if err := c.Snapshot(&snap); err != nil {
		f.Fatal(err)
	}
	f.Add(snap.Bytes())
	f.Add([]byte("lastnight-clusterer 3 0 0\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := clusterer.New(clusterer.Config{})
		if err := c.RestoreUnchecked(b); err != nil {
			if !errors.Is(err, clusterer.ErrCorrupt) && !errors.Is(err, clusterer.ErrVersion) {
				t.Fatalf("neither corrupt nor unknown: %v", err)
			}
			return
		}
		for _, line := range flinkLines(30) {
			c.Add([]byte(line), nil, nil)
		}
		c.Changed()
	})
}

// FuzzJSON: strings are written as encoding/json does.
func FuzzJSON(f *testing.F) {
	f.Add([]byte("plain \"quoted\" \\ \t\x00\x1b\x7f <&> ü \u2028 \xff\xfe \xed\xa0\x80"))
	f.Fuzz(func(t *testing.T, x []byte) {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(string(x)); err != nil {
			t.Fatal(err)
		}
		if got := append(clusterer.AppendJSON(nil, x), '\n'); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("got %s, want %s", got, want.Bytes())
		}
	})
}

// FuzzMerge: whatever two clusterers have seen, after a merge every id that either gave still leads to a
// template without a link, no text has changed, and lines go on being given back.
func FuzzMerge(f *testing.F) {
	f.Add(strings.Join(flinkLines(30), "\n"), strings.Join(flinkLines(60), "\n"))
	f.Add("user bob logged in\nuser eve logged in\na b c\n", "user bob logged in\nuser al logged in\na 1 c\na x=1 c")
	f.Fuzz(func(t *testing.T, one, two string) {
		if len(one)+len(two) > 1<<14 {
			return
		}
		texts := map[string]string{}
		learn := func(text string) *clusterer.Clusterer {
			c := clusterer.New(clusterer.Config{})
			for line := range strings.SplitSeq(text, "\n") {
				m := c.Add([]byte(line), nil, nil)
				x, _ := c.Template(m.ID)
				texts[m.ID] = x.Text
			}
			return c
		}
		a, b := learn(one), learn(two)
		if err := a.Merge(b); err != nil {
			t.Fatal(err)
		}
		for id, text := range texts {
			x, ok := a.Template(id)
			final, found := a.Template(a.Resolve(id))
			if !ok || !found || final.Link != "" || x.Text != text {
				t.Fatalf("%s %q became %+v and leads to %+v", id, text, x, final)
			}
		}
		for line := range strings.SplitSeq(one+"\n"+two, "\n") {
			m := a.Add([]byte(line), nil, nil)
			check(t, a, []byte(line), m)
		}
		var snap bytes.Buffer
		if err := a.Snapshot(&snap); err != nil {
			t.Fatal(err)
		}
		if err := clusterer.New(clusterer.Config{}).Restore(&snap); err != nil {
			t.Fatal(err)
		}
	})
}
