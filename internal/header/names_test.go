package header_test

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight/internal/header"
)

// TestInternKeepsWhatComesAgain holds that names which come again cost nothing, though many that never do come between them, and
// that the table of names is bounded.
func TestInternKeepsWhatComesAgain(t *testing.T) {
	var p header.Parser
	for i := range 100_000 { // fill it
		if s := p.Intern(fmt.Appendf(nil, "thread-%d", i)); s != fmt.Sprintf("thread-%d", i) {
			t.Fatalf("name %d is %q", i, s)
		}
	}
	known := [][]byte{[]byte("main"), []byte("org.apache.flink.runtime.taskmanager.Task"), []byte("akka"), []byte("x")}
	once := make([][]byte, 1000)
	next := 0
	round := func() {
		for i := range once {
			once[i] = strconv.AppendInt(append(once[i][:0], "once-"...), int64(next), 10)
			next++
		}
		for _, b := range once {
			p.Intern(b)
			for _, k := range known {
				if s := p.Intern(k); s != string(k) {
					t.Fatalf("%q is %q", k, s)
				}
			}
		}
	}
	round()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		round()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 { // the names that come once have 10 bytes each
		t.Errorf("%d bytes for 100,000 new names and 400,000 known ones", n)
	}
	if after.HeapAlloc > before.HeapAlloc+1<<20 {
		t.Errorf("%d bytes are held", after.HeapAlloc-before.HeapAlloc)
	}
	runtime.KeepAlive(&p)
}

// TestTimeAfterTime holds that a line's time is the same whatever line came before it.
func TestTimeAfterTime(t *testing.T) {
	var p header.Parser
	for _, line := range []string{
		"2026-11-21 11:53:28,123 INFO  a.b.C [] - x",
		"2026-11-21 11:53:29.5 INFO  a.b.C [] - x",
		"2026-11-21 11:53:61,123 INFO  a.b.C [] - no such second",
		"2026-11-21 11:53:2x,123 INFO  a.b.C [] - no time",
		"2026-11-21 11:53",
		"2026-11-21 11:53:28",
		"2026-11-21T11:53:28+02:00 INFO x",
		"2026-11-21T11:53:29-0130 INFO x",
		"2026/11/21 11:53:29 INFO x",
		"[2026-11-21 11:53:28.123] [main] ERROR a.b.C - x",
		"1970-01-01 11:53:28,123 INFO  a.b.C [] - without a date",
		"1970-01-01 11:53:29,123 INFO  a.b.C [] - without a date",
		"12-3- 00:00:00.1234567 x",
		"12-3- 00:00:00.1234568 x",
	} {
		var fresh header.Parser
		var want, got header.Header
		fresh.Parse([]byte(line), &want)
		p.Parse([]byte(line), &got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-alone +after others):\n%s", line, diff)
		}
	}
	var h header.Header
	p.Parse([]byte("2026-11-21 11:53:28,123 INFO  a.b.C [] - x"), &h)
	p.Parse([]byte("2026-11-21 11:53:30,25 INFO  a.b.C [] - x"), &h)
	if want := time.Date(2026, 11, 21, 11, 53, 30, 250e6, time.UTC).UnixNano(); h.Time != want {
		t.Errorf("time %d, want %d", h.Time, want)
	}
}
