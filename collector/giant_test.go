package collector_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"lastnight"
	"lastnight/collector"
	"lastnight/collector/multiline"
)

// A giant record is several: none of its lines is missing, and each piece says where the first one begins, however
// the file is read in pieces.
func TestGiantRecordIsLinked(t *testing.T) {
	var raw strings.Builder
	line := func(text string) {
		fmt.Fprintf(&raw, "2026-11-21T12:00:00.%09dZ stdout F %s\n", raw.Len(), text)
	}
	line("2026-11-21 12:00:00,000 INFO  a.B - before")
	giant := int64(raw.Len())
	line("2026-11-21 12:00:00,000 ERROR a.B - a giant")
	for i := range 2*multiline.MaxLines + 500 {
		line(fmt.Sprintf("\tat a.B.c%d(B.java:%d)", i, i))
	}
	line("2026-11-21 12:00:00,000 INFO  a.B - after")
	for _, size := range []int{1 << 30, 100_000, 30_000} {
		var lines int64
		var chain []lastnight.Record
		p := collector.NewParser()
		state := collector.State{}
		want := size
		for at := int64(0); at < int64(raw.Len()); {
			text := raw.String()[at:min(int(at)+want, raw.Len())]
			b := &collector.Block{Raw: []byte(text), Base: at}
			ending := collector.More
			if int(at)+len(text) == raw.Len() {
				ending = collector.End
			}
			p.Reset(state)
			p.Parse(b, ending)
			if b.To == at {
				want *= 2
				continue
			}
			want, state = size, p.State()
			lines += b.Lines
			for _, r := range b.Records {
				if len(r.Lines) > 1 {
					chain = append(chain, r)
				}
			}
			at = b.To
		}
		if lines != 2*multiline.MaxLines+503 || len(chain) != 3 {
			t.Fatalf("blocks of %d: %d lines, %d records of several", size, lines, len(chain))
		}
		for i, r := range chain {
			link, linked := r.Attrs[multiline.Continues]
			if linked != (i > 0) || linked && link != strconv.FormatInt(giant, 16) {
				t.Errorf("blocks of %d: record %d of the giant has attributes %v", size, i, r.Attrs)
			}
		}
	}
}
