package otlp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"lastnight"
)

// errLines says that what tells of a span's records and lines does not fit them.
var errLines = errors.New("lines do not fit the text")

var errManyLines = tooLarge("more than %d lines and parts", MaxLines)

// maxVersion is how much of a version is looked at, in bytes.
const maxVersion = 16

// scope is what an InstrumentationScope of ours says.
type scope struct {
	name, version, generation string
	from, to, raw, records    int64
	names                     value  // of loggers and threads
	layout                    []byte // see layout.go
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
		case f.isMessage(2):
			s.version = string(clip(f.bytes, maxVersion))
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
			case keyNames:
				s.names = v
			case keyLayout:
				s.layout = v.text()
			}
		}
	}
}

// span reads a ScopeLogs of n records that our own encoder wrote. It is taken as a whole or not at all: a range
// of which lines are missing would hide them for ever.
func (r *resource) span(b []byte, s *scope, n int) error {
	gen, err := lastnight.ParseGeneration(s.generation)
	var stream *lastnight.Stream
	if err == nil {
		stream, err = r.own()
	}
	switch {
	case err == nil && int64(n) != s.records:
		err = fmt.Errorf("a span has %d records of %d: nothing between collector and server may take it apart", n, s.records)
	case err == nil && (s.from < 0 || s.to < s.from || s.raw < 0):
		err = fmt.Errorf("a span from %d to %d", s.from, s.to)
	case r.d.req.Records+int64(n) > MaxRecords:
		return tooLarge("more than %d log records", MaxRecords)
	}
	span := lastnight.Span{Stream: stream, Generation: gen, From: s.from, To: s.to, RawBytes: s.raw}
	if err == nil {
		err = r.d.spanRecords(b, s, &span, n)
	}
	if errors.Is(err, errWire) || lastnight.CodeOf(err) == lastnight.CodeTooLarge {
		return err
	}
	if err != nil {
		r.d.reject(max(n, 1), err.Error())
		return nil
	}
	r.d.req.Records += int64(n)
	r.d.req.Batch.Spans = append(r.d.req.Batch.Spans, span)
	return nil
}

// spanRecords reads the n records of a span. errLines: they are not what the scope says.
func (d *Decoder) spanRecords(b []byte, s *scope, span *lastnight.Span, n int) error {
	if n == 0 {
		return nil
	}
	if err := d.spanNames(s.names, 2*n); err != nil {
		return err
	}
	span.Records = d.records.take(n)
	l := layoutReader{b: s.layout, offset: span.From, names: d.known}
	next := 0
	c := cursor{b}
	var f field
	for next < n {
		ok, err := c.next(&f)
		if err != nil {
			return err
		}
		if !ok {
			return errLines
		}
		if !f.isMessage(2) {
			continue
		}
		r := &span.Records[next]
		if err := d.ownRecord(f.bytes, &l, r); err != nil {
			return err
		}
		for i := range r.Lines {
			at := r.Lines[i].Offset
			if at < 0 || !r.Lines[i].Partial && (at < span.From || at >= span.To) {
				return errLines
			}
		}
		next++
	}
	if l.bad || len(l.b) > 0 {
		return errLines
	}
	return nil
}

// spanNames reads the names of a span, at most so many. They share one string: many are of this span alone.
func (d *Decoder) spanNames(v value, atMost int) error {
	d.known, d.text, d.ends = d.known[:0], d.text[:0], d.ends[:0]
	if v.kind != kindArray {
		return nil
	}
	c := cursor{v.bytes}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if !f.isMessage(1) {
			continue
		}
		name, err := readValue(f.bytes)
		if err != nil {
			return err
		}
		if len(d.ends) == atMost {
			return errLines
		}
		d.text = append(d.text, name.text()...)
		d.ends = append(d.ends, len(d.text))
	}
	all, from := string(d.text), 0
	for _, end := range d.ends {
		d.known = append(d.known, all[from:end])
		from = end
	}
	return nil
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
	body           value
	attrs          [][]byte
	fieldwise      bool // not to be read in one step: for tests
}

// The tags of what nearly all records have, in this order.
const (
	tagTime     = 1<<3 | byte(protowire.Fixed64Type)
	tagSeverity = 2<<3 | byte(protowire.VarintType)
	tagBody     = 5<<3 | byte(protowire.BytesType)
	tagString   = kindString<<3 | byte(protowire.BytesType)
	tagBytes    = kindBytes<<3 | byte(protowire.BytesType)
)

// start reads what stands at the beginning as our encoder writes it, and gives the rest.
func (r *record) start(b []byte) []byte {
	if r.fieldwise || len(b) < timeBytes || b[0] != tagTime {
		return b
	}
	r.time = binary.LittleEndian.Uint64(b[1:])
	b = b[timeBytes:]
	if len(b) >= severityBytes && b[0] == tagSeverity && b[1] < 0x80 {
		r.severity = uint64(b[1])
		b = b[severityBytes:]
	}
	if len(b) == 0 || b[0] != tagBody {
		return b
	}
	size, n := uvarint(b[1:])
	if n == 0 || size > uint64(len(b)-1-n) {
		return b
	}
	v, rest := b[1+n:1+n+int(size)], b[1+n+int(size):]
	if len(v) == 0 || v[0] != tagString && v[0] != tagBytes {
		return b
	}
	size, n = uvarint(v[1:])
	if n == 0 || size != uint64(len(v)-1-n) {
		return b
	}
	text := v[1+n:]
	r.body = value{kind: protowire.Number(v[0] >> 3), bytes: slices.Clip(text)}
	return rest
}

func (r *record) read(b []byte) error {
	*r = record{attrs: r.attrs[:0], fieldwise: r.fieldwise}
	c := cursor{r.start(b)}
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
			if r.body, err = readValue(f.bytes); err != nil {
				return err
			}
		case f.isMessage(6):
			if len(r.attrs) == maxAllAttr {
				return tooLarge("more than %d attributes", maxAllAttr)
			}
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
func (d *Decoder) ownRecord(b []byte, l *layoutReader, r *lastnight.Record) error {
	raw := &d.own
	if err := raw.read(b); err != nil {
		return err
	}
	*r = lastnight.Record{Level: level(raw.severity)}
	text := raw.body.text()
	kind := l.byte()
	if kind&kindLines != 0 {
		if err := d.cut(r, text, l, int64(raw.time)); err != nil {
			return err
		}
	} else {
		if d.lines++; d.lines > MaxLines {
			return errManyLines
		}
		r.Lines = d.places.take(1)
		r.Lines[0] = lastnight.Line{Time: int64(raw.time), Text: text}
		l.whole(kind, &r.Lines[0])
	}
	l.fields(kind, r)
	if l.bad || kind >= kindUnknown || r.MessageAt > len(r.Lines[0].Text) {
		return errLines
	}
	for _, a := range raw.attrs {
		key, v, err := keyValue(a)
		if err != nil {
			return err
		}
		if err := d.attribute(r, key, v); err != nil {
			return err
		}
	}
	if len(r.Attrs) > maxAttrs {
		return errLines
	}
	return nil
}

// attribute takes an attribute of a record of ours.
func (d *Decoder) attribute(r *lastnight.Record, key []byte, v value) error {
	switch string(key) {
	case keyStream: // the lines say it
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
func (d *Decoder) setAttr(r *lastnight.Record, name, text string) error {
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
func (d *Decoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) <= maxName {
		d.names[s] = s
	}
	return s
}

// cut makes the lines of a text as the layout tells them.
func (d *Decoder) cut(r *lastnight.Record, text []byte, l *layoutReader, at int64) error {
	n := l.told()
	if l.bad {
		return errLines
	}
	if d.lines += n; d.lines > MaxLines {
		return errManyLines
	}
	r.Lines = d.places.take(n)
	for i := range r.Lines {
		line := &r.Lines[i]
		if i > 0 {
			if len(text) == 0 || text[0] != '\n' {
				return errLines
			}
			text = text[1:]
		}
		size := l.line(line, at)
		if l.bad || size > uint64(len(text)) {
			return errLines
		}
		if d.lines += len(line.Parts); d.lines > MaxLines {
			return errManyLines
		}
		line.Text = text[:size:size]
		text, at = text[size:], line.Time
	}
	if len(text) > 0 {
		return errLines
	}
	return nil
}
