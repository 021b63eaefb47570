package otlp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"lastnight"
)

// Decode reads an ExportLogsServiceRequest. now stands for the times that foreign records
// lack. Texts share the memory of data, which must stay untouched as long as they are used.
func Decode(data []byte, now time.Time) (*Request, error) {
	if len(data) > MaxRequest {
		return nil, tooLarge("%d bytes, at most %d", len(data), MaxRequest)
	}
	d := &decoder{req: &Request{}, now: now.UnixNano(), names: map[string]string{}}
	c := cursor{data}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil {
			return nil, err
		}
		if !ok {
			return d.req, nil
		}
		if f.isMessage(1) {
			if err := d.resource(f.bytes); err != nil {
				return nil, err
			}
		}
	}
}

func tooLarge(format string, args ...any) error {
	return lastnight.Errorf(lastnight.CodeTooLarge, "send smaller requests", "the request is too large: "+format, args...)
}

// decoder is the state of reading one request.
type decoder struct {
	req   *Request
	now   int64
	names map[string]string // so that names which repeat are one string
	slab  []lastnight.Line  // lines are cut from it
	lines int               // of all records
	attrs int               // of all records
	own   record            // for reuse
}

// reject counts log records that are left out.
func (d *decoder) reject(n int, why string) {
	if n > 0 && d.req.Rejected == 0 {
		d.req.Reason = why
	}
	d.req.Rejected += int64(n)
}

// taken counts a record and refuses more than a request may have.
func (d *decoder) taken() error {
	d.req.Records++
	if d.req.Records > MaxRecords {
		return tooLarge("more than %d log records", MaxRecords)
	}
	return nil
}

// resource reads a ResourceLogs.
func (d *decoder) resource(b []byte) error {
	res, err := message(b, 1)
	if err != nil {
		return err
	}
	r := resource{d: d, raw: res}
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return err
		}
		if f.isMessage(2) {
			if err := r.scope(f.bytes); err != nil {
				return err
			}
		}
	}
}

// message finds the last field of that number, which is a message.
func message(b []byte, num protowire.Number) ([]byte, error) {
	var found []byte
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return found, err
		}
		if f.isMessage(num) {
			found = f.bytes
		}
	}
}

// resource is what one ResourceLogs says of all its records.
type resource struct {
	d      *decoder
	raw    []byte            // the Resource
	stream *lastnight.Stream // of our own spans; nil until needed
	attrs  map[string]string // of foreign records; nil until needed
}

// scope reads a ScopeLogs.
func (r *resource) scope(b []byte) error {
	raw, err := message(b, 1)
	if err != nil {
		return err
	}
	s, err := readScope(raw)
	if err != nil {
		return err
	}
	switch {
	case s.name == scopeName && s.generation != "":
		return r.span(b, &s)
	case s.name == eventScope:
		return metas(r.d, b, keyEvent, &r.d.req.Batch.Events)
	case s.name == podScope:
		return metas(r.d, b, keyPod, &r.d.req.Batch.Pods)
	}
	return r.foreign(b)
}

// scope is what an InstrumentationScope of ours says.
type scope struct {
	name, generation       string
	from, to, raw, records int64
}

func readScope(b []byte) (scope, error) {
	var s scope
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return s, err
		}
		switch {
		case f.isMessage(1):
			if len(f.bytes) <= len(eventScope) {
				s.name = string(f.bytes)
			}
		case f.isMessage(3) && (s.name == scopeName || s.name == ""):
			key, v, err := keyValue(f.bytes)
			if err != nil {
				return s, err
			}
			switch string(key) {
			case keyGeneration:
				if text := v.text(); len(text) < 64 {
					s.generation = string(text)
				}
			case keyFrom:
				s.from = v.int()
			case keyTo:
				s.to = v.int()
			case keyRaw:
				s.raw = v.int()
			case keyRecords:
				s.records = v.int()
			}
		}
	}
}

// span reads a ScopeLogs that our own encoder wrote. It is taken as a whole or not at all: a range
// of which lines are missing would hide them for ever.
func (r *resource) span(b []byte, s *scope) error {
	gen, err := lastnight.ParseGeneration(s.generation)
	var stream *lastnight.Stream
	if err == nil {
		stream, err = r.own()
	}
	n, countErr := countRecords(b)
	if countErr != nil {
		return countErr
	}
	switch {
	case err == nil && int64(n) != s.records:
		err = fmt.Errorf("a span has %d records of %d: nothing between collector and server may take it apart", n, s.records)
	case err == nil && (s.from < 0 || s.to < s.from || s.raw < 0):
		err = fmt.Errorf("a span from %d to %d", s.from, s.to)
	case r.d.req.Records+int64(n) > MaxRecords:
		return tooLarge("more than %d log records", MaxRecords)
	}
	if err != nil {
		r.d.reject(max(n, 1), err.Error())
		return nil
	}
	span := lastnight.Span{Stream: stream, Generation: gen, From: s.from, To: s.to, RawBytes: s.raw}
	if n > 0 {
		span.Records = make([]lastnight.Record, 0, n)
	}
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if !f.isMessage(2) {
			continue
		}
		rec, err := r.d.ownRecord(f.bytes, &span)
		switch {
		case errors.Is(err, errLines):
			r.d.reject(n, err.Error())
			return nil
		case err != nil:
			return err
		}
		span.Records = append(span.Records, rec)
	}
	r.d.req.Records += int64(n)
	r.d.req.Batch.Spans = append(r.d.req.Batch.Spans, span)
	return nil
}

func countRecords(b []byte) (int, error) {
	n := 0
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return n, err
		}
		if f.isMessage(2) {
			n++
		}
	}
}

// own gives the stream of the resource.
func (r *resource) own() (*lastnight.Stream, error) {
	if r.stream != nil {
		return r.stream, nil
	}
	s := &lastnight.Stream{}
	c := cursor{r.raw}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if !f.isMessage(1) {
			continue
		}
		key, v, err := keyValue(f.bytes)
		if err != nil {
			return nil, err
		}
		if len(v.text()) > maxName {
			return nil, fmt.Errorf("%s is longer than %d bytes", key, maxName)
		}
		setStream(s, string(key), v)
	}
	if s.Pod == "" || s.Restart < 0 {
		return nil, errors.New("a span without " + keyPodName)
	}
	r.stream = s
	return s, nil
}

// setStream takes one attribute that names a stream.
func setStream(s *lastnight.Stream, key string, v value) {
	switch key {
	case keyCluster:
		s.Cluster = string(v.text())
	case keyNamespace:
		s.Namespace = string(v.text())
	case keyPodName:
		s.Pod = string(v.text())
	case keyPodUID:
		s.PodUID = string(v.text())
	case keyContainer:
		s.Container = string(v.text())
	case keyNode:
		s.Node = string(v.text())
	case keyRestart:
		s.Restart = int(v.int())
	}
}

// record is a LogRecord as it lies in the request.
type record struct {
	time, observed uint64
	severity       uint64
	severityText   []byte
	body           []byte
	attrs          [][]byte
}

func (r *record) read(b []byte) error {
	*r = record{attrs: r.attrs[:0]}
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return err
		}
		switch {
		case f.num == 1 && f.typ == protowire.Fixed64Type:
			r.time = f.num64
		case f.num == 11 && f.typ == protowire.Fixed64Type:
			r.observed = f.num64
		case f.num == 2 && f.typ == protowire.VarintType:
			r.severity = f.num64
		case f.isMessage(3):
			r.severityText = f.bytes
		case f.isMessage(5):
			r.body = f.bytes
		case f.isMessage(6):
			r.attrs = append(r.attrs, f.bytes)
		}
	}
}

// level gives the level of a severity number.
func level(severity uint64) lastnight.Level {
	if severity < 1 || severity > 24 {
		return lastnight.LevelUnknown
	}
	return lastnight.LevelTrace + lastnight.Level((severity-1)/4)
}

// ownRecord reads a record of a span of ours. errLines: it is not one.
func (d *decoder) ownRecord(b []byte, span *lastnight.Span) (lastnight.Record, error) {
	var r lastnight.Record
	raw := &d.own
	if err := raw.read(b); err != nil {
		return r, err
	}
	r.Level = level(raw.severity)
	body, err := readValue(raw.body)
	if err != nil {
		return r, err
	}
	var lines []byte
	for _, a := range raw.attrs {
		key, v, err := keyValue(a)
		if err != nil {
			return r, err
		}
		if string(key) == keyLines {
			lines = v.bytes
			continue
		}
		if err := d.attribute(&r, key, v); err != nil {
			return r, err
		}
	}
	if r.Lines, err = d.cut(body.text(), lines, int64(raw.time)); err != nil {
		return r, err
	}
	for i := range r.Lines {
		l := &r.Lines[i]
		if l.Offset < 0 || !l.Partial && (l.Offset < span.From || l.Offset >= span.To) {
			return r, errLines
		}
	}
	if r.MessageAt < 0 || r.MessageAt > len(r.Lines[0].Text) || len(r.Attrs) > maxAttrs {
		return r, errLines
	}
	return r, nil
}

// attribute takes an attribute of a record of ours.
func (d *decoder) attribute(r *lastnight.Record, key []byte, v value) error {
	switch string(key) {
	case keyStream: // the lines say it
	case keyLogger:
		r.Logger = d.name(v.text())
	case keyThread:
		r.Thread = d.name(v.text())
	case keyMessageAt:
		r.MessageAt = int(v.int())
	case keyAppTime:
		r.AppTime = v.int()
	case keyException:
		if len(r.Exception) == 0 {
			r.Exception = []string{d.name(v.text())}
		}
	case keyExceptions:
		all, err := v.list(maxDepth)
		if err != nil {
			return err
		}
		r.Exception = r.Exception[:0]
		for _, x := range all {
			r.Exception = append(r.Exception, d.name(x.text()))
		}
	default:
		name := string(key)
		if escaped, ok := strings.CutPrefix(name, attrPrefix); ok {
			plain, err := url.QueryUnescape(escaped)
			if err != nil {
				return errLines
			}
			name = plain
		}
		return d.setAttr(r, name, string(v.text()))
	}
	return nil
}

// setAttr keeps an attribute. There is one too many of them where that is an error.
func (d *decoder) setAttr(r *lastnight.Record, name, text string) error {
	d.attrs++
	if d.attrs > maxAllAttr {
		return tooLarge("more than %d attributes", maxAllAttr)
	}
	if r.Attrs == nil {
		r.Attrs = make(map[string]string)
	}
	r.Attrs[name] = text
	return nil
}

// name gives a string for a name, the same one for the same name.
func (d *decoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) <= maxName {
		d.names[s] = s
	}
	return s
}

// cut makes the lines of a text.
func (d *decoder) cut(text, where []byte, first int64) ([]lastnight.Line, error) {
	n := 0
	r := lineReader{b: where, at: first}
	start := len(d.slab)
	for left := text; ; n++ {
		var l lastnight.Line
		size, ok := r.line(&l)
		if !ok || size > uint64(len(left)) {
			return nil, errLines
		}
		l.Text = left[:size:size]
		left = left[size:]
		if d.lines += 1 + len(l.Parts); d.lines > MaxLines {
			return nil, tooLarge("more than %d lines and parts", MaxLines)
		}
		d.slab = append(d.slab, l)
		if len(r.b) == 0 {
			if len(left) > 0 {
				return nil, errLines
			}
			break
		}
		if len(left) == 0 || left[0] != '\n' {
			return nil, errLines
		}
		left = left[1:]
	}
	lines := d.slab[start:len(d.slab):len(d.slab)]
	if len(d.slab) >= slabLines {
		d.slab = nil // the next one is new, rather than all of it copied
	}
	return lines, nil
}

// slabLines is how many lines are cut from one piece of memory, roughly.
const slabLines = 1024

// metas reads a ScopeLogs of events or pods.
func metas[T lastnight.Event | lastnight.Pod](d *decoder, b []byte, key string, to *[]T) error {
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return err
		}
		if !f.isMessage(2) {
			continue
		}
		if err := d.taken(); err != nil {
			return err
		}
		if err := d.own.read(f.bytes); err != nil {
			return err
		}
		var item T
		err = errors.New("a log record of " + key + " without it")
		for _, a := range d.own.attrs {
			k, v, kvErr := keyValue(a)
			if kvErr != nil {
				return kvErr
			}
			if string(k) != key {
				continue
			}
			if err = errors.New(key + " is too long"); len(v.text()) <= maxMeta {
				err = json.Unmarshal(v.text(), &item)
			}
		}
		if err != nil {
			d.req.Records--
			d.reject(1, err.Error())
			continue
		}
		*to = append(*to, item)
	}
}
