package otlp

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"lastnight"
)

// Encoder writes batches as requests. It keeps its buffers for the next one. The zero
// value is ready. Not for several goroutines at once.
type Encoder struct {
	resource, scope, record, value []byte
}

// Append appends the batch as one ExportLogsServiceRequest. The error is of an event or a pod that has no JSON.
func (e *Encoder) Append(dst []byte, b *lastnight.Batch) ([]byte, error) {
	var err error
	if len(b.Pods) > 0 {
		if dst, err = appendMeta(e, dst, podScope, keyPod, b.Pods); err != nil {
			return dst, err
		}
	}
	if len(b.Events) > 0 {
		if dst, err = appendMeta(e, dst, eventScope, keyEvent, b.Events); err != nil {
			return dst, err
		}
	}
	for i := 0; i < len(b.Spans); {
		e.resource = appendResource(e.resource[:0], b.Spans[i].Stream)
		stream := b.Spans[i].Stream
		for ; i < len(b.Spans) && (b.Spans[i].Stream == stream || *b.Spans[i].Stream == *stream); i++ {
			e.span(&b.Spans[i])
		}
		dst = appendBytes(dst, 1, e.resource)
	}
	return dst, nil
}

// span appends a ScopeLogs to the resource.
func (e *Encoder) span(s *lastnight.Span) {
	attrs := e.record[:0]
	attrs = appendString(attrs, 1, scopeName)
	attrs = appendText(attrs, 3, keyGeneration, s.Generation.String())
	attrs = appendInt(attrs, 3, keyFrom, s.From)
	attrs = appendInt(attrs, 3, keyTo, s.To)
	attrs = appendInt(attrs, 3, keyRaw, s.RawBytes)
	attrs = appendInt(attrs, 3, keyRecords, int64(len(s.Records)))
	e.scope = appendBytes(e.scope[:0], 1, attrs)
	e.record = attrs
	for i := range s.Records {
		e.record = e.appendRecord(e.record[:0], &s.Records[i])
		e.scope = appendBytes(e.scope, 2, e.record)
	}
	e.resource = appendBytes(e.resource, 2, e.scope)
}

func appendResource(dst []byte, s *lastnight.Stream) []byte {
	var r []byte
	for _, kv := range [...]struct{ key, value string }{
		{keyCluster, s.Cluster},
		{keyNamespace, s.Namespace},
		{keyPodName, s.Pod},
		{keyPodUID, s.PodUID},
		{keyContainer, s.Container},
		{keyNode, s.Node},
	} {
		if kv.value != "" {
			r = appendText(r, 1, kv.key, kv.value)
		}
	}
	r = appendInt(r, 1, keyRestart, int64(s.Restart))
	return appendBytes(dst, 1, r)
}

// severities are OpenTelemetry's numbers of our levels.
var severities = [...]byte{0, 1, 5, 9, 13, 17, 21}

// appendRecord appends a record, which has at least one line, as a LogRecord.
func (e *Encoder) appendRecord(dst []byte, r *lastnight.Record) []byte {
	dst = protowire.AppendTag(dst, 1, protowire.Fixed64Type)
	dst = protowire.AppendFixed64(dst, uint64(r.Lines[0].Time))
	if r.Level > 0 && int(r.Level) < len(severities) {
		dst = append(dst, 2<<3, severities[r.Level])
		dst = appendString(dst, 3, r.Level.String())
	}
	dst = e.appendBody(dst, r)
	if r.Lines[0].Stderr {
		dst = append(dst, stderrAttr...) // nothing is stdout: most lines are
	}
	e.value = appendLines(e.value[:0], r.Lines)
	dst = appendKeyValue(dst, 6, keyLines, 7, e.value)
	if r.Logger != "" {
		dst = appendText(dst, 6, keyLogger, r.Logger)
	}
	if r.Thread != "" {
		dst = appendText(dst, 6, keyThread, r.Thread)
	}
	if r.MessageAt != 0 {
		dst = appendInt(dst, 6, keyMessageAt, int64(r.MessageAt))
	}
	if r.AppTime != 0 {
		dst = appendInt(dst, 6, keyAppTime, r.AppTime)
	}
	return e.appendRest(dst, r)
}

// appendRest appends what few records have.
func (e *Encoder) appendRest(dst []byte, r *lastnight.Record) []byte {
	if len(r.Exception) > 0 {
		dst = appendText(dst, 6, keyException, r.Exception[0])
		if len(r.Exception) > 1 {
			e.value = e.value[:0]
			for _, x := range r.Exception {
				e.value = appendBytes(e.value, 1, appendAny(nil, x))
			}
			dst = appendKeyValue(dst, 6, keyExceptions, 5, e.value)
		}
	}
	if len(r.Attrs) == 0 {
		return dst
	}
	keys := make([]string, 0, len(r.Attrs))
	for k := range r.Attrs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		dst = appendText(dst, 6, sentName(k), r.Attrs[k])
	}
	return dst
}

// sentName gives the name under which an application's attribute is sent.
func sentName(key string) string {
	if reserved(key) || key == "" || !utf8.ValidString(key) {
		return attrPrefix + url.QueryEscape(key)
	}
	return key
}

// reserved tells the names that mean something else here.
func reserved(key string) bool {
	switch key {
	case keyStream, keyLogger, keyThread, keyException:
		return true
	}
	return len(key) >= len(scopeName)+1 && key[:len(scopeName)+1] == scopeName+"."
}

// appendBody appends the text of all lines: a string, or bytes if it is not UTF-8.
func (e *Encoder) appendBody(dst []byte, r *lastnight.Record) []byte {
	n, valid := len(r.Lines)-1, true
	for i := range r.Lines {
		n += len(r.Lines[i].Text)
		valid = valid && utf8.Valid(r.Lines[i].Text)
	}
	field := protowire.Number(1)
	if !valid {
		field = 7
	}
	dst = protowire.AppendTag(dst, 5, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(1+protowire.SizeBytes(n)))
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(n))
	for i := range r.Lines {
		if i > 0 {
			dst = append(dst, '\n')
		}
		dst = append(dst, r.Lines[i].Text...)
	}
	return dst
}

// appendMeta appends events or pods: a LogRecord each, with the thing itself as JSON.
func appendMeta[T lastnight.Event | lastnight.Pod](e *Encoder, dst []byte, scope, key string, items []T) ([]byte, error) {
	e.scope = appendBytes(e.scope[:0], 1, appendString(nil, 1, scope))
	for i := range items {
		text, err := json.Marshal(items[i])
		if err != nil {
			return dst, fmt.Errorf("encode %s: %w", scope, err)
		}
		e.record = e.record[:0]
		if ev, ok := any(&items[i]).(*lastnight.Event); ok {
			e.record = appendEvent(e.record, ev)
		}
		e.record = appendText(e.record, 6, key, string(text))
		e.scope = appendBytes(e.scope, 2, e.record)
	}
	return appendBytes(dst, 1, appendBytes(nil, 2, e.scope)), nil
}

// appendEvent appends what others can read of an event.
func appendEvent(dst []byte, ev *lastnight.Event) []byte {
	dst = protowire.AppendTag(dst, 1, protowire.Fixed64Type)
	dst = protowire.AppendFixed64(dst, uint64(ev.Time.UnixNano()))
	if ev.Type == "Warning" {
		dst = append(dst, 2<<3, severities[lastnight.LevelWarn])
	}
	dst = appendBytes(dst, 5, appendAny(nil, ev.Message))
	dst = appendText(dst, 6, "k8s.event.reason", ev.Reason)
	if ev.Object.Namespace != "" {
		dst = appendText(dst, 6, keyNamespace, ev.Object.Namespace)
	}
	return dst
}

var stderrAttr = appendText(nil, 6, keyStream, "stderr")

// appendBytes appends a field of bytes, a string or a message.
func appendBytes(dst []byte, field protowire.Number, b []byte) []byte {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	return protowire.AppendBytes(dst, b)
}

func appendString(dst []byte, field protowire.Number, s string) []byte {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	return protowire.AppendString(dst, s)
}

// appendAny appends an AnyValue: a string, or bytes if it is not UTF-8.
func appendAny(dst []byte, s string) []byte {
	if utf8.ValidString(s) {
		return appendString(dst, 1, s)
	}
	return appendString(dst, 7, s)
}

// appendText appends a KeyValue with a text.
func appendText(dst []byte, field protowire.Number, key, value string) []byte {
	kind := protowire.Number(1)
	if !utf8.ValidString(value) {
		kind = 7
	}
	dst = appendKey(dst, field, key, 1+protowire.SizeBytes(len(value)))
	return appendString(dst, kind, value)
}

// appendKeyValue appends a KeyValue whose value is of the kind given: 7 bytes, 5 array.
func appendKeyValue(dst []byte, field protowire.Number, key string, kind protowire.Number, value []byte) []byte {
	dst = appendKey(dst, field, key, 1+protowire.SizeBytes(len(value)))
	return appendBytes(dst, kind, value)
}

// appendInt appends a KeyValue with a number.
func appendInt(dst []byte, field protowire.Number, key string, v int64) []byte {
	dst = appendKey(dst, field, key, 1+protowire.SizeVarint(uint64(v)))
	dst = protowire.AppendTag(dst, 3, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(v))
}

// appendKey appends a KeyValue up to where its AnyValue of n bytes begins.
func appendKey(dst []byte, field protowire.Number, key string, n int) []byte {
	size := 1 + protowire.SizeBytes(len(key)) + 1 + protowire.SizeBytes(n)
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	dst = appendString(dst, 1, key)
	dst = protowire.AppendTag(dst, 2, protowire.BytesType)
	return protowire.AppendVarint(dst, uint64(n))
}

// The flags of a line.
const (
	flagStderr = 1 << iota
	flagPartial
	flagParts
)

// headBytes is what a runtime writes before the text of a line, mostly: it foretells offsets.
const headBytes = 40

// appendLines appends where the lines stood and how long they are.
func appendLines(dst []byte, lines []lastnight.Line) []byte {
	at, next := lines[0].Time, int64(0)
	for i := range lines {
		l := &lines[i]
		flags := byte(0)
		if l.Stderr {
			flags |= flagStderr
		}
		if l.Partial {
			flags |= flagPartial
		}
		if len(l.Parts) > 0 {
			flags |= flagParts
		}
		dst = append(dst, flags)
		dst = binary.AppendUvarint(dst, uint64(len(l.Text)))
		dst = binary.AppendVarint(dst, l.Time-at)
		dst = binary.AppendVarint(dst, l.Offset-next)
		at, next = l.Time, l.Offset+headBytes+int64(len(l.Text))+1
		if flags&flagParts == 0 {
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(l.Parts)))
		before := lastnight.Part{Time: l.Time, Offset: l.Offset}
		for _, p := range l.Parts {
			dst = binary.AppendVarint(dst, p.Time-before.Time)
			dst = binary.AppendVarint(dst, p.Offset-before.Offset)
			dst = binary.AppendVarint(dst, int64(p.Size))
			before = p
		}
	}
	return dst
}
