package otlp_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"lastnight"
	"lastnight/collector"
	"lastnight/internal/otlp"
	"lastnight/internal/recorded"
)

var now = time.Unix(1_800_000_000, 0)

// kept holds what a collector hands on.
type kept struct {
	mu      sync.Mutex
	batches []lastnight.Batch
}

// Ingest copies the batch by way of the wire, since nothing of it may be kept.
func (k *kept) Ingest(_ context.Context, b lastnight.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range b.Spans {
		s := b.Spans[i]
		s.Records = slices.Clone(s.Records)
		for j := range s.Records {
			r := &s.Records[j]
			r.Lines = slices.Clone(r.Lines)
			for n := range r.Lines {
				r.Lines[n].Text = bytes.Clone(r.Lines[n].Text)
			}
		}
		b.Spans[i] = s
	}
	b.Spans = slices.Clone(b.Spans)
	k.batches = append(k.batches, b)
	return nil
}

func recordedBatches(t testing.TB, name string) []lastnight.Batch {
	t.Helper()
	dir := t.TempDir()
	if err := recorded.Extract(t.Context(), name, dir); err != nil {
		t.Fatal(err)
	}
	k := &kept{}
	if _, err := collector.Import(t.Context(), collector.Config{Cluster: "test", Ingester: k}, dir); err != nil {
		t.Fatal(err)
	}
	return k.batches
}

func encode(t testing.TB, b *lastnight.Batch) []byte {
	t.Helper()
	data, err := new(otlp.Encoder).Append(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t testing.TB, data []byte) *otlp.Request {
	t.Helper()
	r, err := otlp.Decode(data, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// diff is cmp.Diff, and quick where there is nothing to tell.
func diff(want, got lastnight.Batch) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

// odd is a batch of everything that a recording does not have.
func odd() lastnight.Batch {
	code := 137
	line := func(at, offset int64, text string) lastnight.Line {
		return lastnight.Line{Time: at, Offset: offset, Text: []byte(text)}
	}
	cut := line(5, 300, "three parts in all")
	cut.Parts = []lastnight.Part{{Time: 5, Offset: 300, Size: 6}, {Time: 9, Offset: 340, Size: 6}, {Time: 8, Offset: 390, Size: 6}}
	half := line(50, 10_000, "not whole")
	half.Partial, half.Stderr = true, true
	early := line(-5, 200, "before 1970 \xff no UTF-8")
	a := &lastnight.Stream{Namespace: "n\xff", Pod: "p", PodUID: "u", Container: "c", Restart: 3, Node: "node"}
	b := &lastnight.Stream{Cluster: "k", Namespace: "ns", Pod: "other", PodUID: "", Container: "c"}
	return lastnight.Batch{
		Pods: []lastnight.Pod{{Namespace: "ns", Name: "p", UID: "u", Labels: map[string]string{"a": "b"}, Created: time.Unix(3, 4).UTC()}},
		Events: []lastnight.Event{{
			ID: "e1", Time: time.Unix(1, 5).UTC(), Kind: lastnight.EventContainer, Reason: "OOMKilled", ExitCode: &code,
			Object: lastnight.ObjectRef{Kind: "Pod", Namespace: "ns", Name: "p"}, Type: "Warning", Message: "m",
		}},
		Spans: []lastnight.Span{
			{Stream: a, Generation: lastnight.Generation{Start: -7, Sum: 0xffffffff}, From: 100, To: 400, RawBytes: 300, Records: []lastnight.Record{
				{Lines: []lastnight.Line{line(1, 100, ""), line(2, 141, "\tat x")}, Level: lastnight.LevelFatal, Logger: "l\xfe", Thread: "t", AppTime: -3},
				{Lines: []lastnight.Line{early}, MessageAt: 7, Exception: []string{"a.B", "c.D", "a.B"}},
				{Lines: []lastnight.Line{cut}, Exception: []string{"only"}, Attrs: map[string]string{
					"plain": "v", "log.iostream": "x", "lastnight.lines": "y", "": "empty name", "\xff\x00%": "\xfe", "lastnight.attr.z": "w", "k8s.pod.name": "mine",
				}},
				{Lines: []lastnight.Line{half}},
			}},
			{Stream: a, Generation: lastnight.Generation{Start: 9, Sum: 1}, From: 0, To: 10, RawBytes: 10},
			{Stream: b, Generation: lastnight.Generation{Start: 9, Sum: 1}, From: 5, To: 50, RawBytes: 45, Records: []lastnight.Record{
				{Lines: []lastnight.Line{line(1<<62, 49, strings.Repeat("x\r", 500))}, Level: lastnight.LevelTrace},
			}},
		},
	}
}

// Nothing of ours is lost on the way, whoever reads and writes the request in between.
func TestLossless(t *testing.T) {
	batches := append(recordedBatches(t, "tm-oomkilled"), odd())
	records := int64(0)
	var d otlp.Decoder // of what it read before nothing is left in what it reads then
	for i := range batches {
		data := encode(t, &batches[i])
		r, err := d.Decode(data, now)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(batches[i], r.Batch); d != "" {
			t.Fatalf("batch %d: %s", i, d)
		}
		if r.Rejected > 0 || len(r.Foreign) > 0 {
			t.Fatalf("batch %d: %d rejected: %s", i, r.Rejected, r.Reason)
		}
		records += r.Records
		var m logs.LogsData // as an OpenTelemetry Collector does
		if err := proto.Unmarshal(data, &m); err != nil {
			t.Fatalf("batch %d is no OTLP: %v", i, err)
		}
		again, err := proto.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(batches[i], decode(t, again).Batch); d != "" {
			t.Fatalf("batch %d by way of another implementation: %s", i, d)
		}
		text, err := protojson.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 1<<20 {
			continue
		}
		j, err := otlp.DecodeJSON(text, now)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(batches[i], j.Batch); d != "" {
			t.Fatalf("batch %d by way of JSON: %s", i, d)
		}
	}
	t.Logf("%d batches, %d records", len(batches), records)
}

// A span of which something is missing or wrong is left out as a whole, and told of.
func TestDamagedSpans(t *testing.T) {
	b := odd()
	b.Pods, b.Events, b.Spans = nil, nil, b.Spans[:1]
	change := func(f func(*logs.LogsData)) *otlp.Request {
		t.Helper()
		var m logs.LogsData
		if err := proto.Unmarshal(encode(t, &b), &m); err != nil {
			t.Fatal(err)
		}
		f(&m)
		data, err := proto.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, data)
	}
	for name, f := range map[string]func(*logs.LogsData){
		"a record is missing": func(m *logs.LogsData) {
			s := m.ResourceLogs[0].ScopeLogs[0]
			s.LogRecords = s.LogRecords[1:]
		},
		"text was cut": func(m *logs.LogsData) {
			m.ResourceLogs[0].ScopeLogs[0].LogRecords[0].Body = &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: "x"}}
		},
		"no pod": func(m *logs.LogsData) { m.ResourceLogs[0].Resource.Attributes = nil },
		"another range": func(m *logs.LogsData) {
			for _, a := range m.ResourceLogs[0].ScopeLogs[0].Scope.Attributes {
				if a.Key == "lastnight.to" {
					a.Value = &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: 150}}
				}
			}
		},
		"no layout":     func(m *logs.LogsData) { drop(m, "lastnight.layout") },
		"no names":      func(m *logs.LogsData) { drop(m, "lastnight.names") },
		"longer layout": func(m *logs.LogsData) { layout(m, func(b []byte) []byte { return append(b, 0) }) },
		"shorter layout": func(m *logs.LogsData) {
			layout(m, func(b []byte) []byte { return b[:len(b)-1] })
		},
		"unknown kind": func(m *logs.LogsData) {
			layout(m, func(b []byte) []byte { b[0] |= 0x80; return b })
		},
		"too many names": func(m *logs.LogsData) {
			for _, a := range m.ResourceLogs[0].ScopeLogs[0].Scope.Attributes {
				if a.Key == "lastnight.names" {
					for range 100 {
						a.Value.GetArrayValue().Values = append(a.Value.GetArrayValue().Values, text("x"))
					}
				}
			}
		},
	} {
		r := change(f)
		if len(r.Batch.Spans) != 0 || r.Rejected < 3 || r.Reason == "" {
			t.Errorf("%s: %d spans, %d rejected, %q", name, len(r.Batch.Spans), r.Rejected, r.Reason)
		}
	}
}

// drop takes an attribute from the first scope.
func drop(m *logs.LogsData, key string) {
	s := m.ResourceLogs[0].ScopeLogs[0].Scope
	s.Attributes = slices.DeleteFunc(s.Attributes, func(a *common.KeyValue) bool { return a.Key == key })
}

// layout changes the layout of the first scope.
func layout(m *logs.LogsData, f func([]byte) []byte) {
	for _, a := range m.ResourceLogs[0].ScopeLogs[0].Scope.Attributes {
		if a.Key == "lastnight.layout" {
			a.Value = &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: f(a.Value.GetBytesValue())}}
		}
	}
}

// A span of another version is for another server: its sender keeps it.
func TestOtherVersion(t *testing.T) {
	b := odd()
	var m logs.LogsData
	if err := proto.Unmarshal(encode(t, &lastnight.Batch{Spans: b.Spans}), &m); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"", "1", "3"} {
		m.ResourceLogs[2].ScopeLogs[0].Scope.Version = version
		data, err := proto.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := otlp.Decode(data, now); lastnight.CodeOf(err) != lastnight.CodeUnavailable || !strings.Contains(err.Error(), `"`+version+`"`) {
			t.Errorf("version %q: %v", version, err)
		}
	}
}

func text(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

func kv(pairs ...any) []*common.KeyValue {
	var out []*common.KeyValue
	for i := 0; i < len(pairs); i += 2 {
		v, ok := pairs[i+1].(*common.AnyValue)
		if !ok {
			v = text(pairs[i+1].(string))
		}
		out = append(out, &common.KeyValue{Key: pairs[i].(string), Value: v})
	}
	return out
}

func object(pairs ...any) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: kv(pairs...)}}}
}

// What others send gets its stream from the names that they use.
func TestForeign(t *testing.T) {
	want := lastnight.Stream{Namespace: "shop", Pod: "cart-1", PodUID: "u1", Container: "app", Node: "n1"}
	collectorWant := want
	collectorWant.Restart, collectorWant.Cluster = 2, "prod"
	for name, c := range map[string]struct {
		in     *logs.ResourceLogs
		stream lastnight.Stream
		record lastnight.Record
	}{
		"OpenTelemetry Collector": {
			in: &logs.ResourceLogs{
				Resource: &resource.Resource{Attributes: kv("k8s.namespace.name", "shop", "k8s.pod.name", "cart-1", "k8s.pod.uid", "u1",
					"k8s.container.name", "app", "k8s.container.restart_count", "2", "k8s.node.name", "n1", "k8s.cluster.name", "prod")},
				ScopeLogs: []*logs.ScopeLogs{{LogRecords: []*logs.LogRecord{{
					TimeUnixNano: 77, SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_ERROR, Body: text("boom\n\tat a.B.c(B.java:1)\n"),
					Attributes: kv("log.iostream", "stderr", "exception.type", "a.Boom", "order", "17", "log.file.path", "/x"),
				}}}},
			},
			stream: collectorWant,
			record: lastnight.Record{
				Level: lastnight.LevelError, Exception: []string{"a.Boom"}, Attrs: map[string]string{"order": "17", "log.file.path": "/x"},
				Lines: []lastnight.Line{
					{Time: 77, Offset: 0, Text: []byte("boom"), Stderr: true},
					{Time: 77, Offset: 45, Text: []byte("\tat a.B.c(B.java:1)"), Stderr: true},
				},
			},
		},
		"Fluent Bit": {
			in: &logs.ResourceLogs{ScopeLogs: []*logs.ScopeLogs{{LogRecords: []*logs.LogRecord{{
				ObservedTimeUnixNano: 5, SeverityText: "warning",
				Body: object("log", "hello", "stream", "stdout", "kubernetes", object("namespace_name", "shop", "pod_name", "cart-1", "pod_id", "u1",
					"container_name", "app", "host", "n1", "labels", object("app", "cart")), "extra", object("a", object("b", "c"))),
			}}}}},
			stream: want,
			record: lastnight.Record{
				Level: lastnight.LevelWarn, Attrs: map[string]string{"extra.a.b": "c"},
				Lines: []lastnight.Line{{Time: 5, Text: []byte("hello")}},
			},
		},
		"Vector": {
			in: &logs.ResourceLogs{ScopeLogs: []*logs.ScopeLogs{{LogRecords: []*logs.LogRecord{{
				Body: object("kubernetes", object("pod_namespace", "shop", "pod_name", "cart-1", "pod_uid", "u1", "container_name", "app", "pod_node_name", "n1"),
					"message", "hello"),
			}}}}},
			stream: want,
			record: lastnight.Record{Lines: []lastnight.Line{{Time: now.UnixNano(), Text: []byte("hello")}}},
		},
		"a bare sender": {
			in: &logs.ResourceLogs{
				Resource:  &resource.Resource{Attributes: kv("service.name", "cron", "service.namespace", "ops")},
				ScopeLogs: []*logs.ScopeLogs{{LogRecords: []*logs.LogRecord{{TimeUnixNano: 3, Body: object("a", "b")}}}},
			},
			stream: lastnight.Stream{Namespace: "ops", Pod: "cron", Container: "cron"},
			record: lastnight.Record{Lines: []lastnight.Line{{Time: 3, Text: []byte(`{"a":"b"}`)}}, Attrs: map[string]string{"a": "b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := proto.Marshal(&logs.LogsData{ResourceLogs: []*logs.ResourceLogs{c.in, c.in}})
			if err != nil {
				t.Fatal(err)
			}
			r := decode(t, data)
			if len(r.Foreign) != 1 || len(r.Foreign[0].Records) != 2 || r.Records != 2 {
				t.Fatalf("%d spans, %d records", len(r.Foreign), r.Records)
			}
			s := &r.Foreign[0]
			if d := cmp.Diff(c.stream, *s.Stream); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.record, s.Records[0]); d != "" {
				t.Error(d)
			}
			length := s.To / 2
			otlp.Place(s, lastnight.Generation{Start: 1}, 1000)
			if s.From != 1000 || s.To != 1000+2*length || s.Records[1].Lines[0].Offset != 1000+length || s.RawBytes != 2*length {
				t.Errorf("placed from %d to %d, the second record at %d", s.From, s.To, s.Records[1].Lines[0].Offset)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	n, why, err := otlp.Rejected(otlp.Response(7, "because", false))
	if n != 7 || why != "because" || err != nil {
		t.Errorf("%d %q %v", n, why, err)
	}
	if n, _, err := otlp.Rejected(otlp.Response(0, "", false)); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if got := string(otlp.Response(7, "because", true)); got != `{"partialSuccess":{"errorMessage":"because","rejectedLogRecords":"7"}}` {
		t.Error(got)
	}
	if got := otlp.FailureText(otlp.Failure(3, "bad", false)); got != "bad" {
		t.Error(got)
	}
}

// Small requests that would be large in memory are refused.
func TestLimits(t *testing.T) {
	empty := bytes.Repeat([]byte{2<<3 | 2, 0}, 1_000_000) // log records of nothing
	scope := append([]byte{2<<3 | 2, 0x80, 0x89, 0x7a}, empty...)
	if n := len(empty); n != 2_000_000 {
		t.Fatal(n)
	}
	r, err := otlp.Decode(append([]byte{1<<3 | 2, 0x84, 0x89, 0x7a}, scope...), now)
	if err != nil || r.Rejected != 1_000_000 || len(r.Foreign) != 0 {
		t.Errorf("%+v %v", r, err)
	}
	one := []byte{2<<3 | 2, 5, 5<<3 | 2, 3, 1<<3 | 2, 1, 'x'} // a record of one letter
	many := bytes.Repeat(one, otlp.MaxRecords+1)
	data, err := proto.Marshal(&logs.LogsData{})
	if err != nil {
		t.Fatal(err)
	}
	data = appendField(data, 1, appendField(nil, 2, many))
	if _, err := otlp.Decode(data, now); lastnight.CodeOf(err) != lastnight.CodeTooLarge {
		t.Errorf("too many records: %v", err)
	}
	attrs := bytes.Repeat([]byte{6<<3 | 2, 0}, 1<<19+1) // of one record
	if _, err := otlp.Decode(appendField(nil, 1, appendField(nil, 2, appendField(nil, 2, attrs))), now); lastnight.CodeOf(err) != lastnight.CodeTooLarge {
		t.Errorf("too many attributes: %v", err)
	}
}

func appendField(dst []byte, num byte, b []byte) []byte {
	dst = append(dst, num<<3|2)
	n := len(b)
	for ; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(append(dst, byte(n)), b...)
}

func FuzzDecode(f *testing.F) {
	b := odd()
	f.Add(encode(f, &b))
	b.Spans = b.Spans[2:]
	f.Add(encode(f, &b))
	data, err := proto.Marshal(&logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		Resource:  &resource.Resource{Attributes: kv("k8s.pod.name", "p")},
		ScopeLogs: []*logs.ScopeLogs{{LogRecords: []*logs.LogRecord{{Body: object("log", "a\nb", "kubernetes", object("x", "y"))}}}},
	}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := otlp.Decode(data, now)
		plain, plainErr := otlp.DecodeFieldwise(data, now)
		if fmt.Sprint(err) != fmt.Sprint(plainErr) || !reflect.DeepEqual(r, plain) {
			t.Fatalf("in one step and field by field are not the same: %v, %v\n%s", err, plainErr, cmp.Diff(plain, r))
		}
		if err != nil {
			return
		}
		for i := range r.Foreign {
			otlp.Place(&r.Foreign[i], lastnight.Generation{Start: 1, Sum: 2}, 5)
		}
		for _, spans := range [][]lastnight.Span{r.Batch.Spans, r.Foreign} {
			check(t, spans)
		}
		// Written again and read again it is the same.
		r.Batch.Spans = append(r.Batch.Spans, r.Foreign...)
		again, err := new(otlp.Encoder).Append(nil, &r.Batch)
		if err != nil {
			return // an event of the year 10000
		}
		second, err := otlp.Decode(again, now)
		if err != nil {
			t.Fatal(err)
		}
		if second.Rejected > 0 {
			t.Fatalf("rejected: %s", second.Reason)
		}
		if d := cmp.Diff(r.Batch.Spans, second.Batch.Spans, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// check holds what the archive relies on.
func check(t *testing.T, spans []lastnight.Span) {
	t.Helper()
	for _, s := range spans {
		for _, r := range s.Records {
			if len(r.Lines) == 0 || r.MessageAt < 0 || r.MessageAt > len(r.Lines[0].Text) || len(r.Attrs) > 64 {
				t.Fatalf("record %+v", r)
			}
			for _, l := range r.Lines {
				if !l.Partial && (l.Offset < s.From || l.Offset >= s.To) {
					t.Fatalf("line at %d of %d to %d", l.Offset, s.From, s.To)
				}
			}
		}
	}
}

// spansOf gives batches without events and pods, and the bytes of files that they stand for.
func spansOf(b *testing.B) (batches []lastnight.Batch, raw int64) {
	b.Helper()
	batches = recordedBatches(b, "tm-oomkilled")
	for i := range batches {
		batches[i].Pods, batches[i].Events = nil, nil
		for j := range batches[i].Spans {
			raw += batches[i].Spans[j].RawBytes
		}
	}
	return batches, raw
}

func BenchmarkEncode(b *testing.B) {
	batches, raw := spansOf(b)
	var e otlp.Encoder
	var buf []byte
	b.SetBytes(raw)
	b.ReportAllocs()
	for b.Loop() {
		size := 0
		for i := range batches {
			var err error
			if buf, err = e.Append(buf[:0], &batches[i]); err != nil {
				b.Fatal(err)
			}
			size += len(buf)
		}
		b.ReportMetric(float64(size)/float64(raw), "of_raw")
	}
}

func BenchmarkDecode(b *testing.B) {
	batches, raw := spansOf(b)
	var requests [][]byte
	for i := range batches {
		requests = append(requests, encode(b, &batches[i]))
	}
	var d otlp.Decoder
	b.SetBytes(raw)
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range requests {
			if _, err := d.Decode(r, now); err != nil {
				b.Fatal(err)
			}
		}
	}
}
