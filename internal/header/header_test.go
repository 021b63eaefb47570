package header_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/internal/header"
)

// want is a header as a test tells it: the message instead of its offset, the time in RFC 3339.
type want struct {
	level, logger, thread, time, message string
	attrs                                map[string]string
}

func parse(line string) (want, bool) {
	var p header.Parser
	var h header.Header
	p.Parse([]byte(line), &h)
	w := want{level: h.Level.String(), logger: h.Logger, thread: h.Thread, message: line[h.MessageAt:], attrs: h.Attrs}
	if h.Time != 0 {
		w.time = time.Unix(0, h.Time).UTC().Format(time.RFC3339Nano)
	}
	return w, h.Starts
}

func TestParse(t *testing.T) {
	const at, atSecond = "2026-11-21T11:53:28.376Z", "2026-11-21T11:53:28Z"
	for name, tc := range map[string]struct {
		line string
		want want
	}{
		"flink":             {"2026-11-21 11:53:28,376 INFO  org.apache.flink.X                [] - the message", want{"INFO", "org.apache.flink.X", "", at, "the message", nil}},
		"flink, blank kept": {"2026-11-21 11:53:28,376 INFO  org.apache.flink.X [] -  OS user: flink", want{"INFO", "org.apache.flink.X", "", at, " OS user: flink", nil}},
		"flink, empty":      {"2026-11-21 11:53:28,376 WARN  org.apache.flink.X [] - ", want{"WARN", "org.apache.flink.X", "", at, "", nil}},
		"log4j status": {
			"2026-11-21 11:53:28,376 Source: events -> x (1/2)#0 ERROR An exception occurred processing Appender",
			want{"ERROR", "", "Source: events -> x (1/2)#0", at, "An exception occurred processing Appender", nil},
		},
		"log4j with thread":   {"2026-11-21 11:53:28,376 DEBUG [main] a.b.C - x", want{"DEBUG", "a.b.C", "main", at, "x", nil}},
		"log4j thread behind": {"2026-11-21 11:53:28,376 INFO  a.b.C [flink-pekko.actor.default-dispatcher-4] - x", want{"INFO", "a.b.C", "flink-pekko.actor.default-dispatcher-4", at, "x", nil}},
		"logback":             {"11:53:28.376 [main] WARN  a.b.C - x - y", want{"WARN", "a.b.C", "main", "", "x - y", nil}},
		"spring boot":         {"2026-11-21T11:53:28.376Z  INFO 1 --- [           main] o.s.b.Application       : Started in 2 s", want{"INFO", "o.s.b.Application", "main", at, "Started in 2 s", nil}},
		"quarkus":             {"2026-11-21 11:53:28,376 INFO  [io.quarkus] (main) started", want{"INFO", "io.quarkus", "main", at, "started", nil}},
		"zone":                {"2026-11-21T12:53:28.376+01:00 ERROR a.b.C - x", want{"ERROR", "a.b.C", "", at, "x", nil}},
		"bracketed time":      {"[2026-11-21 11:53:28,376] INFO Started (kafka.server.KafkaServer)", want{"INFO", "", "", at, "Started (kafka.server.KafkaServer)", nil}},
		"zookeeper":           {"2026-11-21 11:53:28,376 [myid:1] - INFO  [main:QuorumPeer@123] - x", want{"INFO", "", "main:QuorumPeer@123", at, "x", nil}},
		"postgres":            {"2026-11-21 11:53:28.376 UTC [123] LOG:  ready", want{"INFO", "", "", at, " ready", nil}},
		"nginx":               {"2026/11/21 11:53:28 [error] 7#7: *1 open() failed", want{"ERROR", "", "", atSecond, "7#7: *1 open() failed", nil}},
		"go log":              {"2026/11/21 11:53:28 listening on :80", want{"", "", "", atSecond, "listening on :80", nil}},
		"klog":                {"E1121 11:53:28.376123    1234 reflector.go:150] Failed to watch", want{"ERROR", "reflector.go", "", "", "Failed to watch", nil}},
		"zap":                 {"2026-11-21T11:53:28.376Z\tinfo\tsetup\tcmd/main.go:12\tstarting", want{"INFO", "setup", "", at, "starting", nil}},
		"zap without logger":  {"2026-11-21T11:53:28.376Z\tERROR\tcmd/main.go:12\tfailed", want{"ERROR", "", "", at, "failed", nil}},
		"python":              {"2026-11-21 11:53:28,376 - app.worker - WARNING - slow", want{"WARN", "app.worker", "", at, "slow", nil}},
		"python basic":        {"ERROR:urllib3.connectionpool:Retrying: no", want{"ERROR", "urllib3.connectionpool", "", "", "Retrying: no", nil}},
		"flask":               {"[2026-11-21 11:53:28,376] ERROR in app: Exception on /", want{"ERROR", "app", "", at, "Exception on /", nil}},
		"loguru":              {"2026-11-21 11:53:28.376 | INFO     | app.main:run:12 - ready", want{"INFO", "app.main:run:12", "", at, "ready", nil}},
		"colours":             {"\x1b[2m2026-11-21T11:53:28.376Z\x1b[0m \x1b[32mINFO\x1b[0m ready", want{"INFO", "", "", at, "ready", nil}},
		"bare level":          {"FATAL licence file /x is gone", want{"FATAL", "", "", "", "licence file /x is gone", nil}},
		"bare level, colon":   {"ERROR: no such table", want{"ERROR", "", "", "", "no such table", nil}},
		"jdk warning":         {"WARNING: System::setSecurityManager has been called", want{"WARN", "", "", "", "System::setSecurityManager has been called", nil}},
		"go panic":            {"panic: runtime error: index out of range", want{"FATAL", "", "", "", "panic: runtime error: index out of range", nil}},
		"jul, first line":     {"Nov 21, 2026 11:53:28 AM a.b.C run", want{"", "a.b.C", "", atSecond, "a.b.C run", nil}},
		"jul, afternoon":      {"Nov 1, 2026 1:53:28 PM a.b.C run", want{"", "a.b.C", "", "2026-11-01T13:53:28Z", "a.b.C run", nil}},
		"logfmt":              {`time="2026-11-21T11:53:28.376Z" level=warning msg="slow \"disk\"" n=1`, want{"WARN", "", "", at, `slow \"disk\"" n=1`, nil}},
		"logfmt, level first": {`level=info ts=1795262008.376 logger=a msg=x`, want{"INFO", "a", "", at, "x", nil}},
		"json": {
			`{"@timestamp":"2026-11-21T11:53:28.376Z","log.level":"WARN","message":"slow","thread_name":"main","logger_name":"a.B","took":12,"mdc":{"job":"x\ny"},"list":[1,{"a":"]"}]}`,
			want{"WARN", "a.B", "main", at, `slow","thread_name":"main","logger_name":"a.B","took":12,"mdc":{"job":"x\ny"},"list":[1,{"a":"]"}]}`, map[string]string{"took": "12", "mdc.job": "x\ny", "list": `[1,{"a":"]"}]`}},
		},
		"json, nested level":  {`{"log":{"level":"error","logger":"a.B"},"ts":1795262008376,"msg":""}`, want{"ERROR", "a.B", "", at, `"}`, nil}},
		"json, pino":          {`{"level":50,"time":1795262008376,"msg":"x"}`, want{"ERROR", "", "", at, `x"}`, nil}},
		"slf4j-simple":        {"[main] WARN a.b.C - slow", want{"WARN", "a.b.C", "main", "", "slow", nil}},
		"maven":               {"[INFO] Building", want{"INFO", "", "", "", "Building", nil}},
		"jvm":                 {"[2026-11-21T11:53:28.376+0000][info][gc] GC(0) Pause", want{"INFO", "", "gc", at, "GC(0) Pause", nil}},
		"spark":               {"26/11/21 11:53:28 INFO spark.SecurityManager: Changing view", want{"INFO", "spark.SecurityManager", "", atSecond, "Changing view", nil}},
		"hdfs":                {"261121 115328 329 INFO dfs.DataNode$PacketResponder: x", want{"INFO", "dfs.DataNode$PacketResponder", "", atSecond, "x", nil}},
		"android":             {"11-21 11:53:28.376  2227  2228 D TextView: visible", want{"DEBUG", "TextView", "", "", "visible", nil}},
		"openstack":           {"2026-11-21 11:53:28.376 25746 INFO nova.osapi.server [req-1 - -] GET", want{"INFO", "nova.osapi.server", "", at, "[req-1 - -] GET", nil}},
		"apache":              {"[Sat Nov 21 11:53:28 2026] [notice] jk2_init() Found", want{"INFO", "", "", atSecond, "jk2_init() Found", nil}},
		"apache 2.4":          {"[Sat Nov 21 11:53:28.376000 2026] [core:error] [pid 7] AH00126: no", want{"ERROR", "", "pid 7", at, "AH00126: no", nil}},
		"syslog":              {"Nov  1 11:53:28 host sshd(pam)[204]: authentication failure: x", want{"", "sshd(pam)", "", "", "authentication failure: x", nil}},
		"message with level":  {"2026-11-21 11:53:28.376 Received an ERROR from peer", want{"", "", "", at, "Received an ERROR from peer", nil}},
		"thread and sentence": {"2026-11-21 11:53:28,376 INFO [main] Failed: because", want{"INFO", "", "main", at, "Failed: because", nil}},
		"exception, no logger": {
			"2026-11-21 11:53:28,376 ERROR java.lang.IllegalStateException: no",
			want{"ERROR", "", "", at, "java.lang.IllegalStateException: no", nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, starts := parse(tc.line)
			if !starts {
				t.Error("does not start a record")
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.line, diff)
			}
		})
	}
}

func TestNoHeader(t *testing.T) {
	for _, line := range []string{
		"", " ", "\tat a.b.C(C.java:1)", "java.lang.IllegalStateException: no", "Caused by: x", "... 12 more",
		"Starting kubernetes-taskmanager as a console application on host x.", "SLF4J: Class path contains multiple SLF4J bindings.",
		`Exception in thread "main" java.lang.IllegalStateException: x`, "Error opening file", "Information about it", "{", "{}", `{"a":1}`, `{"level":"info"`,
		`{"level":"info"} trailing`, "[1] 2", "12:00", "1234567890", "2026-13-21 11:53:28 no such month", "[", "[]", "]", "[main] starting", "[a] [b] c", "----", "Missing resources:",
		"Nov 21, 2026", "Nov 21 nothing", "261121 115328 eggs sold", "261121 115328", "I1121 nothing", "a=b", "x=1 y=2", "\x1b[", "\x1b[31m", "INFO", "Traceback (most recent call last):", "INFORMER started",
		strings.Repeat("[", 1000), strings.Repeat(`{"a":`, 1000),
	} {
		got, starts := parse(line)
		if starts || got.message != line || got.level != "" || got.attrs != nil {
			t.Errorf("%q: starts %v, %+v", line, starts, got)
		}
	}
}

func TestAttrsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"level":"info"`)
	for i := range 500 {
		b.WriteString(`,"k` + strings.Repeat("x", i) + `":"` + strings.Repeat("v", 100*i) + `"`)
	}
	b.WriteString("}")
	got, _ := parse(b.String())
	if len(got.attrs) != 64 {
		t.Errorf("%d attributes", len(got.attrs))
	}
	for k, v := range got.attrs {
		if len(v) > 4<<10 {
			t.Errorf("%s has %d bytes", k, len(v))
		}
	}
}

func TestKnownNamesCostNoMemory(t *testing.T) {
	var p header.Parser
	var h header.Header
	line := []byte("2026-11-21 11:53:28,376 INFO  org.apache.flink.X [main] - the message")
	p.Parse(line, &h)
	if n := testing.AllocsPerRun(100, func() { p.Parse(line, &h) }); n != 0 {
		t.Errorf("%v allocations a line", n)
	}
}

// FuzzHeader holds that any line is taken, within its bounds, and the same again.
func FuzzHeader(f *testing.F) {
	for _, line := range []string{
		"2026-11-21 11:53:28,376 INFO  org.apache.flink.X                [] - the message",
		"2026-11-21 11:59:29,944 Source: events -> x (1/2)#0 ERROR An exception occurred",
		`{"time":1795262008.376,"level":"warn","msg":"\u00e4","a":{"b":[1,2,{"c":"\""}]}}`,
		"I1121 11:53:28.376123    1234 file.go:12] msg", "Nov 21, 2026 11:53:28 AM a.b.C m", `time="2026" level=info msg="x`,
		"[2026-11-21 11:53:28] ERROR in module: x", "WARNING:a.b:c", "\x1b[31mERROR\x1b[0m x", "2026-11-21T11:53:28Z\tinfo\ta\tb.go:1\tc",
		"21 Nov 2026 11:53:28,376 [t] INFO a.B - c", "12:13:14.5 (x) INFO y",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var p header.Parser
		var h, again header.Header
		p.Parse([]byte(line), &h)
		if h.MessageAt < 0 || h.MessageAt > len(line) {
			t.Errorf("message at %d of %d", h.MessageAt, len(line))
		}
		if !h.Starts && (h.MessageAt != 0 || h.Level != lastnight.LevelUnknown || h.Logger != "" || h.Thread != "" || h.Attrs != nil || h.Format != header.FormatNone) {
			t.Errorf("no header, but %+v", h)
		}
		p.Parse([]byte(line), &again)
		if diff := cmp.Diff(h, again); diff != "" {
			t.Errorf("another header the second time:\n%s", diff)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, line := range map[string]string{
		"flink": "2026-11-21 11:53:28,376 INFO  org.apache.flink.runtime.taskexecutor.TaskExecutor [] - Activate slot 4bc4f3f0d5b4d6f7a8c9e0f1a2b3c4d5.",
		"json":  `{"@timestamp":"2026-11-21T11:53:28.376Z","level":"INFO","logger_name":"com.acme.Orders","thread_name":"main","message":"Order 4711 accepted"}`,
		"none":  "\tat org.apache.flink.streaming.runtime.tasks.StreamTask.invoke(StreamTask.java:751) ~[flink-dist-1.20.1.jar:1.20.1]",
	} {
		b.Run(name, func(b *testing.B) {
			var p header.Parser
			var h header.Header
			text := []byte(line)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				p.Parse(text, &h)
			}
		})
	}
}
