package investigation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

const headerOf = "2026-11-21 11:54:27,720 INFO  org.apache.flink.runtime.executiongraph.ExecutionGraph       [] - "

func recordOf(level lastnight.Level, msg string, exceptions ...string) *lastnight.Record {
	r := &lastnight.Record{Level: level, MessageAt: len(headerOf), Exception: exceptions}
	for i, line := range strings.Split(headerOf+msg, "\n") {
		r.Lines = append(r.Lines, lastnight.Line{Text: []byte(line), Offset: int64(i)})
	}
	return r
}

func recognize(z *Recognizer, r *lastnight.Record) (to lastnight.Recognition) {
	z.Recognize(&lastnight.Stream{}, r, &to)
	return to
}

func TestRecognize(t *testing.T) {
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	const id = "000000001035742f0000000000000000"
	for _, tt := range []struct {
		level lastnight.Level
		msg   string
		exc   []string
		want  lastnight.Recognition
	}{
		{lastnight.LevelInfo, "Job a (b) (" + id + ") switched from state RUNNING to RESTARTING.", nil, lastnight.Recognition{Signals: []string{"transition"}, JobName: "a (b)", JobID: id}},
		{lastnight.LevelInfo, "Job a (" + id + ") switched from state RUNNING to CANCELLING.", nil, lastnight.Recognition{Signals: []string{"transition", "planned"}, JobName: "a", JobID: id}},
		{lastnight.LevelInfo, "Job a (nohex) switched from state RUNNING to RESTARTING.", nil, lastnight.Recognition{}},
		{lastnight.LevelInfo, "Completed checkpoint 3 for job " + id + " (27074 bytes, checkpointDuration=47 ms, finalizationTime=40 ms).", nil, lastnight.Recognition{Signals: []string{"checkpoint", "restore"}, JobID: id}},
		{lastnight.LevelInfo, "Completed checkpoint 4 for job " + id + " (27074 bytes, checkpointDuration=47 ms, finalizationTime=40 ms).", nil, lastnight.Recognition{}},
		{lastnight.LevelInfo, "Triggering stop-with-savepoint for job " + id + ".", nil, lastnight.Recognition{Signals: []string{"planned", "lifecycle"}, JobID: id}},
		{lastnight.LevelInfo, "Restoring job " + id + " from Checkpoint 3.", nil, lastnight.Recognition{Signals: []string{"restore"}, JobID: id}},
		{lastnight.LevelInfo, "RECEIVED SIGNAL 15: SIGTERM. Shutting down as requested.", nil, lastnight.Recognition{Signals: []string{"lifecycle"}}},
		{lastnight.LevelInfo, "Worker x-taskmanager-1-1 is terminated. Diagnostics: …", nil, lastnight.Recognition{Signals: []string{"lifecycle"}}},
		{lastnight.LevelInfo, "http://10.0.0.1:8081 was granted leadership with leaderSessionID=1", nil, lastnight.Recognition{Signals: []string{"lifecycle"}}},
		{lastnight.LevelWarn, "Source: x (1/2)#0 (e1) switched from RUNNING to FAILED with failure cause:\njava.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:1)", []string{"java.lang.OutOfMemoryError"}, lastnight.Recognition{Signals: []string{"exception", "cause", "task"}}},
		{lastnight.LevelError, "Record skipped", nil, lastnight.Recognition{}},
		{lastnight.LevelInfo, "Committed batch 10 (100 records, 3 ms), last key customer-15", nil, lastnight.Recognition{}},
		{lastnight.LevelInfo, "", nil, lastnight.Recognition{}},
	} {
		z := NewRecognizer(c)
		if strings.HasPrefix(tt.msg, "Completed checkpoint 4") {
			recognize(z, recordOf(lastnight.LevelInfo, strings.Replace(tt.msg, "4", "3", 1)))
		}
		if d := cmp.Diff(tt.want, recognize(z, recordOf(tt.level, tt.msg, tt.exc...)), cmp.Comparer(func(a, b []string) bool { return strings.Join(a, " ") == strings.Join(b, " ") })); d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.msg, d)
		}
	}
}

func FuzzRecognize(f *testing.F) {
	c, err := DefaultCatalogue()
	if err != nil {
		f.Fatal(err)
	}
	z := NewRecognizer(c)
	f.Add("Job a (000000001035742f0000000000000000) switched from state RUNNING to RESTARTING.", 3)
	f.Add("Worker x is terminated. Diagnostics: exitCode=99999999999999999999, reason=Error", 0)
	f.Add("x (1/2) (e) switched from  to ", 5)
	f.Add("Job 000000001035742f0000000000000000 switched from state  to .", 0)
	f.Add("  Starting StandaloneSessionClusterEntrypoint (Version 1.20", 1)
	f.Add("Shutting KubernetesApplicationClusterEntrypoint down with application status FAILED.", 0)
	f.Add("RECEIVED SIGNAL 15: SIGTERM", 0)
	f.Add("Triggering cancel-with-savepoint for job x", 0)
	f.Add("Completed checkpoint 1 for job 000000001035742f000000000000000", 1)
	f.Fuzz(func(t *testing.T, text string, at int) {
		var r lastnight.Record
		for line := range strings.SplitSeq(text, "\n") {
			r.Lines = append(r.Lines, lastnight.Line{Text: []byte(line)})
		}
		r.MessageAt = min(max(at, 0), len(r.Lines[0].Text))
		r.Level = lastnight.Level(max(at, 0) % 7)
		rec := recognize(z, &r)
		d := lastnight.Document{Kind: lastnight.DocumentRecord, Text: text, MessageAt: r.MessageAt, Signals: rec.Signals}
		if mayOpen(&d) && !opening(t, &d) && r.MessageAt < len(text) {
			t.Errorf("%q may open a failover, and has only the signals %v", text, rec.Signals)
		}
		var fact fact
		recordFact(&fact, message(&d))
		fact.doc = &d
		what(&item{f: &fact, text: text})
		mask(text)
		names(text)
	})
}

func BenchmarkRecognize(b *testing.B) {
	c, err := DefaultCatalogue()
	if err != nil {
		b.Fatal(err)
	}
	z := NewRecognizer(c)
	s := &lastnight.Stream{}
	for name, r := range map[string]*lastnight.Record{
		"info":    recordOf(lastnight.LevelInfo, "Received task count-by-customer -> Sink: audit-sink (2/2)#0 (05957c174bec2090), deploy into slot with allocation id 976292f4dd2593e1e0"),
		"warning": recordOf(lastnight.LevelWarn, "Association with remote system [pekko.tcp://flink@10.244.1.5:6122] has failed, address is now gated for [50] ms. Reason: [Disassociated]"),
		"trace":   recordOf(lastnight.LevelError, "Lookup failed\njava.lang.IllegalStateException: no\n"+strings.Repeat("\tat com.acme.crm.ContactNormalizer.map(ContactNormalizer.java:31)\n", 30), "java.lang.IllegalStateException"),
	} {
		r.Logger = "org.apache.flink.runtime.taskexecutor.TaskExecutor"
		b.Run(name, func(b *testing.B) {
			n := 0
			for i := range r.Lines {
				n += len(r.Lines[i].Text)
			}
			b.SetBytes(int64(n))
			b.ReportAllocs()
			var rec lastnight.Recognition
			for b.Loop() {
				rec = lastnight.Recognition{}
				z.Recognize(s, r, &rec)
			}
		})
	}
}

// TestLoggersAreRemembered: what is remembered of loggers is what is true of them, however many there are.
func TestLoggersAreRemembered(t *testing.T) {
	z := NewRecognizer(nil)
	for range 2 {
		for i := range 3 * loggerSlots {
			for _, last := range []string{"Task", "JobMaster", "TaskExecutor", "DefaultLeaderElectionService", "SlotManager"} {
				for _, name := range []string{fmt.Sprintf("org.acme.p%d.%s", i, last), fmt.Sprintf("%s%d", last, i), strings.Repeat("a.", 10*i) + last} {
					if got, want := z.namesFirst(name), namesFirst(name); got != want {
						t.Fatalf("namesFirst(%q) = %v, want %v", name, got, want)
					}
				}
			}
		}
	}
}
