package header_test

import (
	"fmt"
	"strings"
	"testing"

	"lastnight"
	"lastnight/internal/header"
)

// TestLearned: layouts that are in no list. %[1]d counts, %[2]s is the message.
func TestLearned(t *testing.T) {
	messages := []string{
		"connection to the store lost, will retry", "Loaded 12 plugins from /opt/plugins", "session opened for user root by (uid=0)",
		"cache is full: dropping the oldest", "Starting", "sync took 17 ms", "failed to open lock file", "step count 3579 stored",
	}
	for _, c := range []struct {
		name, layout string
		logger       string
		level        lastnight.Level
		timed        bool
	}{
		{"seconds since 1970, twice the node, level last", "- 11178385%02[1]d 2005.06.03 R07-M0-N3 2005-06-03-15.42.%02[1]d.675872 R07-M0-N3 RAS KERNEL INFO %[2]s", "", lastnight.LevelInfo, true},
		{"bars", "20171223-22:15:%02[1]d:606|Step_LSC|300023%02[1]d|%[2]s", "", lastnight.LevelUnknown, false},
		{"padded columns", "2016-09-28 04:30:%02[1]d, Info                  CBS    %[2]s", "CBS", lastnight.LevelInfo, true},
		{"a name and a dash", "[10.30 16:49:%02[1]d] chrome.exe - %[2]s", "chrome.exe", lastnight.LevelUnknown, false},
		{"a file's name first, a request in brackets", "api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:%02[1]d.008 25746 INFO nova.compute.manager [req-38101a0b-%02[1]d 113d3a99 - - -] %[2]s", "nova.compute.manager", lastnight.LevelInfo, true},
		{"seconds in the fifth column, and a flag", "1346%02[1]d node-246 unix.hw state_change.unavailable 10778047%02[1]d 1 %[2]s", "", lastnight.LevelUnknown, true},
		{"node twice, and a program", "- 11315664%02[1]d 2005.11.09 dn228 Nov 9 12:01:%02[1]d dn228/dn228 crond(pam_unix)[29%02[1]d]: %[2]s", "crond(pam_unix)", lastnight.LevelUnknown, true},
	} {
		var p header.Parser
		var h header.Header
		for i := range 100 {
			message := messages[i%len(messages)]
			line := fmt.Sprintf(c.layout, i%60, message)
			p.Parse([]byte(line), &h)
			if i < 40 {
				continue
			}
			if got := line[h.MessageAt:]; got != message || h.Logger != c.logger || h.Level != c.level || !h.Starts || c.timed != (h.Time != 0) {
				t.Errorf("%s, line %d: message %q, want %q; %+v", c.name, i, got, message, h)
				break
			}
		}
	}
}

// TestLearnedOfNothing: lines without a header have none after a thousand lines either, and what follows a
// stream's lines (a stack trace) does not make it forget its layout.
func TestLearnedOfNothing(t *testing.T) {
	var p header.Parser
	var h header.Header
	for i := range 1000 {
		line := strings.Repeat(fmt.Sprintf("word%d ", i%7), 1+i%9) + "ends here"
		if p.Parse([]byte(line), &h); h.Starts || h.MessageAt != 0 {
			t.Fatalf("line %d %q has a header: %+v", i, line, h)
		}
	}
	p = header.Parser{}
	for i := range 300 {
		line := fmt.Sprintf("16.09.28 04:30:%02d, Info   CBS    Loaded plugin number %d of the store", i%60, i)
		p.Parse([]byte(line), &h)
		if i > 40 && h.Logger != "CBS" {
			t.Fatalf("line %d: %+v", i, h)
		}
		for _, more := range []string{"java.io.IOException: gone", "Caused by: x.Y: z"} {
			p.Parse([]byte(more), &h)
		}
	}
}

// FuzzLearned holds that a layout learned from any lines gives bounds that hold for any line, and the same again.
func FuzzLearned(f *testing.F) {
	f.Add("- 1200000001 2008.01.10 R02 2005-06-03-15.42.50.675872 R02 RAS KERNEL INFO cache\nparity", "2005")
	f.Add("20171223-22:15:29:606|Step_LSC|30002312|onStand\n[10.30 16:49:06] chrome.exe - a b\n[10.30 16:49:06] x *64 - a b", "|||")
	f.Fuzz(func(t *testing.T, text, other string) {
		if len(text) > 1<<12 {
			return
		}
		var p header.Parser
		var h, again header.Header
		lines := append(strings.Split(text, "\n"), other)
		for i := range max(80, len(lines)) {
			line := lines[i%len(lines)]
			p.Parse([]byte(line), &h)
			if h.MessageAt < 0 || h.MessageAt > len(line) || !h.Starts && h.MessageAt != 0 {
				t.Fatalf("message at %d of %q: %+v", h.MessageAt, line, h)
			}
		}
		q := header.Parser{}
		for i := range 80 {
			q.Parse([]byte(lines[i%len(lines)]), &h)
		}
		p = header.Parser{}
		for i := range 80 {
			p.Parse([]byte(lines[i%len(lines)]), &again)
		}
		if h.MessageAt != again.MessageAt || h.Logger != again.Logger {
			t.Fatalf("%+v, then %+v", h, again)
		}
	})
}

// TestLearnedAllocatesNothing: a line of a layout that was learned costs no memory, nor does one that has none.
func TestLearnedAllocatesNothing(t *testing.T) {
	for _, line := range []string{
		"- 1200000001 2008.01.10 R07-M0-N3 2008-01-10-21.20.01.000123 R07-M0-N3 RAS KERNEL INFO memory row was remapped after a fault",
		"a line of words and nothing else, 12 of 13",
	} {
		var p header.Parser
		var h header.Header
		for range 100 << 14 / 16 {
			p.Parse([]byte(line), &h)
		}
		b := []byte(line)
		if n := testing.AllocsPerRun(100, func() { p.Parse(b, &h) }); n != 0 {
			t.Errorf("%q: %v allocations a line", line, n)
		}
	}
}

func BenchmarkParseLearned(b *testing.B) {
	line := []byte("- 1200000001 2008.01.10 R07-M0-N3 2008-01-10-21.20.01.000123 R07-M0-N3 RAS KERNEL INFO memory row was remapped after a fault")
	var p header.Parser
	var h header.Header
	for range 100 {
		p.Parse(line, &h)
	}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(line, &h)
	}
}
