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
	layout                        layoutWriter
	resource, scope, rest, record []byte // record is of events and pods
	sizes                         []recordSize
}

// recordSize says how much a record of a span takes.
type recordSize struct {
	message int // the LogRecord, without tag and length
	text    int // its lines, joined
	rest    int // of Encoder.rest
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
	for i := range b.Spans {
		dst = e.span(dst, &b.Spans[i])
	}
	return dst, nil
}

// span appends a ResourceLogs with one ScopeLogs. Sizes are found first: what is inside something else is written
// behind its length, once, where it is to be.
func (e *Encoder) span(dst []byte, s *lastnight.Span) []byte {
	records := e.measure(s)
	e.resource = appendResource(e.resource[:0], s.Stream)
	e.scope = e.appendScope(e.scope[:0], s)
	scopeLogs := sizeField(len(e.scope)) + records
	resourceLogs := sizeField(len(e.resource)) + sizeField(scopeLogs)
	dst = slices.Grow(dst, sizeField(resourceLogs))
	dst = appendLength(dst, 1, resourceLogs)
	dst = appendBytes(dst, 1, e.resource)
	dst = appendLength(dst, 2, scopeLogs)
	dst = appendBytes(dst, 1, e.scope)
	rest := e.rest
	for i := range s.Records {
		size := &e.sizes[i]
		dst = appendLength(dst, 2, size.message)
		dst = appendRecord(dst, &s.Records[i], size.text)
		dst = append(dst, rest[:size.rest]...)
		rest = rest[size.rest:]
	}
	return dst
}

// measure finds the sizes of a span's records, their layout, and what few of them have; it gives the size of all of them.
func (e *Encoder) measure(s *lastnight.Span) (total int) {
	e.layout.reset(s.From)
	e.sizes, e.rest = e.sizes[:0], e.rest[:0]
	for i := range s.Records {
		r := &s.Records[i]
		e.layout.add(r)
		size := recordSize{text: len(r.Lines) - 1, rest: len(e.rest)}
		for j := range r.Lines {
			size.text += len(r.Lines[j].Text)
		}
		e.rest = e.appendRest(e.rest, r)
		size.rest = len(e.rest) - size.rest
		size.message = timeBytes + sizeField(sizeField(size.text)) + size.rest
		if hasSeverity(r.Level) {
			size.message += severityBytes
		}
		e.sizes = append(e.sizes, size)
		total += sizeField(size.message)
	}
	return total
}

// sizeField gives the size of a field of n bytes, with its tag of one byte and its length.
func sizeField(n int) int { return 1 + protowire.SizeBytes(n) }

// appendLength appends the tag and the length of a field of n bytes.
func appendLength(dst []byte, field protowire.Number, n int) []byte {
	dst = append(dst, byte(field)<<3|byte(protowire.BytesType))
	return binary.AppendUvarint(dst, uint64(n))
}

func (e *Encoder) appendScope(dst []byte, s *lastnight.Span) []byte {
	dst = appendString(dst, 1, scopeName)
	dst = appendString(dst, 2, scopeVersion)
	dst = appendText(dst, 3, keyGeneration, s.Generation.String())
	dst = appendInt(dst, 3, keyFrom, s.From)
	dst = appendInt(dst, 3, keyTo, s.To)
	dst = appendInt(dst, 3, keyRaw, s.RawBytes)
	dst = appendInt(dst, 3, keyRecords, int64(len(s.Records)))
	if len(s.Records) == 0 {
		return dst
	}
	if len(e.layout.names) > 0 {
		e.record = e.record[:0]
		for _, name := range e.layout.names {
			e.record = appendLength(e.record, 1, sizeField(len(name)))
			e.record = appendAny(e.record, name)
		}
		dst = appendKeyValue(dst, 3, keyNames, kindArray, e.record)
	}
	return appendKeyValue(dst, 3, keyLayout, kindBytes, e.layout.b)
}

func appendResource(dst []byte, s *lastnight.Stream) []byte {
	for _, kv := range [...]struct{ key, value string }{
		{keyCluster, s.Cluster},
		{keyNamespace, s.Namespace},
		{keyPodName, s.Pod},
		{keyPodUID, s.PodUID},
		{keyContainer, s.Container},
		{keyNode, s.Node},
	} {
		if kv.value != "" {
			dst = appendText(dst, 1, kv.key, kv.value)
		}
	}
	return appendInt(dst, 1, keyRestart, int64(s.Restart))
}

// severities are OpenTelemetry's numbers of our levels.
var severities = [...]byte{0, 1, 5, 9, 13, 17, 21}

func hasSeverity(l lastnight.Level) bool { return l > 0 && int(l) < len(severities) }

// What the first fields of a LogRecord take.
const (
	timeBytes     = 9
	severityBytes = 2
)

// appendRecord appends the fields of a LogRecord that all have; text is the size of the lines, joined.
func appendRecord(dst []byte, r *lastnight.Record, text int) []byte {
	dst = append(dst, tagTime)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Lines[0].Time))
	if hasSeverity(r.Level) {
		dst = append(dst, tagSeverity, severities[r.Level])
	}
	valid := true
	for i := range r.Lines {
		valid = valid && utf8.Valid(r.Lines[i].Text)
	}
	kind := protowire.Number(kindString)
	if !valid {
		kind = kindBytes
	}
	dst = appendLength(dst, 5, sizeField(text))
	dst = appendLength(dst, kind, text)
	for i := range r.Lines {
		if i > 0 {
			dst = append(dst, '\n')
		}
		dst = append(dst, r.Lines[i].Text...)
	}
	return dst
}

// appendRest appends what few records have.
func (e *Encoder) appendRest(dst []byte, r *lastnight.Record) []byte {
	if r.Lines[0].Stderr {
		dst = append(dst, stderrAttr...) // for others: the layout says it too
	}
	if len(r.Exception) > 0 {
		dst = appendText(dst, 6, keyException, r.Exception[0])
		if len(r.Exception) > 1 {
			e.record = e.record[:0]
			for _, x := range r.Exception {
				e.record = appendLength(e.record, 1, sizeField(len(x)))
				e.record = appendAny(e.record, x)
			}
			dst = appendKeyValue(dst, 6, keyExceptions, kindArray, e.record)
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
