package header_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight/internal/header"
)

// formLines are headers of many kinds, all with digits.
var formLines = []string{
	"2026-11-21 11:53:28,376 INFO  org.apache.flink.X                [] - the message 4711",
	"2026-11-21 11:53:28,376 INFO  a.B [flink-akka.actor.default-dispatcher-16] - the message",
	"2026-11-21 11:53:28.376 - WARN  [QuorumPeer[myid=3]/2:0:9:QuorumCnxManager@969] - Cannot open channel to 9",
	"2026-11-21 11:53:28.376 INFO [RMCommunicator Allocator-7] org.apache.hadoop.ipc.Client: Retrying connect to 12",
	"2026-11-21T11:53:28.376+01:00  INFO 1 --- [main-1] o.s.b.w.TomcatWebServer2  : Tomcat started on port 80",
	"26/03/01 00:08:48 INFO python.PythonRunner: Times: total = 24", "260301 000449 17484 INFO dfs.DataNode$PacketResponder: Received block blk_3",
	"Mar  1 00:03:06 LabSZ sshd[99561]: Failed password for root from 10.249.52.155", "Jun 15 02:04:59 combo7 su(pam_unix)[21416]: session opened",
	"[2026-11-21 11:53:28] ERROR in module: x 5", "[2026-11-21 11:53:28,376] INFO [Broker id=0] Leader: 3 (kafka.cluster.Partition)",
	"2026-11-21 11:53:28,376 - app.worker1 - ERROR - no 12", "12:13:14.5 (x-3) INFO a.B2 - y", "21 Nov 2026 11:53:28,376 [t-1] INFO a.B - c",
	"2026-11-21T11:53:28Z\tinfo\tctl7\tb.go:1\tc 12", "11-21 11:53:28.376  1702  2395 D WindowManager: printFreezingDisplayLogs", "10.30 16:49:06 chrome.exe *64 - proxy.cse:5070 close",
	"- 1200000001 2008.01.10 R07-M0-N3 2008-01-10-21.20.01.000123 R07-M0-N3 RAS KERNEL INFO memory row was remapped after a fault",
	"16.09.28 04:30:31, Info   CBS    Loaded plugin number 3 of the store", "081109 203518 143 INFO dfs.DataNode$DataXceiver: Receiving block blk_-1608999687919862906",
	"2026-11-21 11:53:28,376 ERROR [worker-12] c.a.Orders3: [7] no\tsuch", "2026-11-21 11:53:28 1234 WARN a.b [req-7 1] message", "1970-01-01 11:53:28 INFO a.B - c", "2026/11/21 23:59:60.5Z INFO a.B - c",
}

// otherDigits gives a line with other digits: the n-th variant.
func otherDigits(line string, n int) string {
	b := []byte(line)
	x := uint32(n)*2654435761 + 1
	for i, c := range b {
		if c >= '0' && c <= '9' {
			if x = x*1664525 + 1013904223; n%4 == 1 || x>>24%4 == 0 { // all, or few
				b[i] = '0' + byte(x>>16%10)
			}
		}
	}
	return string(b)
}

// sameForms holds that a parser finds the same headers in lines, one after another, whether it knows forms, and the minute of
// the line before, or not.
func sameForms(t *testing.T, lines []string) *header.Parser {
	t.Helper()
	var p header.Parser
	q := header.WithoutForms()
	var got, want header.Header
	for i, line := range lines {
		q.Forget()
		if i%7 == 6 {
			p.ParseAgain([]byte(line), &got)
			q.ParseAgain([]byte(line), &want)
		} else {
			p.Parse([]byte(line), &got)
			q.Parse([]byte(line), &want)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("line %d, %q (-without forms +with):\n%s", i, line, diff)
		}
	}
	return &p
}

// variants gives the lines in turns, with other digits, other ends and other beginnings.
func variants(lines []string, rounds int) (all []string) {
	for n := range rounds {
		for i, line := range lines {
			line = otherDigits(line, n)
			switch cut := (n*31 + i*17) % (len(line) + 1); n % 16 { // few, so that layouts are learned
			case 3:
				line = line[:cut]
			case 5:
				line = line[:cut] + " 1" + line[cut:]
			case 7:
				line = line[:cut] + "\x00x:"[:n%4] + line[cut:]
			}
			all = append(all, line, lines[i])
		}
	}
	return all
}

func TestFormsChangeNothing(t *testing.T) {
	if n := sameForms(t, variants(formLines, 400)).Forms(); n < len(formLines)/2 {
		t.Errorf("only %d forms are known", n)
	}
	for _, line := range formLines { // one after the other, so that layouts are learned
		sameForms(t, variants([]string{line}, 400))
	}
}

// TestFormsAreBounded: many forms cost little memory, and lines that never come again are soon read without looking for theirs.
func TestFormsAreBounded(t *testing.T) {
	lines := make([]string, 0, 30_000)
	for i := range cap(lines) {
		name := strings.NewReplacer("0", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6", "g", "7", "h", "8", "i", "9", "j").Replace(fmt.Sprint(i % 7000))
		lines = append(lines, fmt.Sprintf("2026-11-21 11:53:%02d,376 INFO  %s.B [] - the message", i%60, name))
	}
	if n := sameForms(t, lines).Forms(); n == 0 || n > 1024 {
		t.Errorf("%d forms", n)
	}
}

// FuzzForms holds that forms change nothing, whatever the lines.
func FuzzForms(f *testing.F) {
	f.Add(strings.Join(formLines, "\n"))
	for _, line := range formLines {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		lines := strings.Split(text, "\n")
		sameForms(t, variants(lines, 2+60/len(lines)))
	})
}
