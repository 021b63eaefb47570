package api

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"lastnight"
)

// appendDocument appends a document as encoding/json would encode it without escapes for HTML, in a third of the time: pages and streams are
// mostly documents. A field of lastnight.Document that is not known here makes TestAppendDocument fail.
func appendDocument(dst []byte, d *lastnight.Document) ([]byte, error) {
	dst = appendString(append(dst, `{"id":`...), d.ID)
	dst = appendString(append(dst, `,"kind":`...), string(d.Kind))
	dst, err := appendTime(append(dst, `,"time":`...), d.Time)
	if err != nil {
		return dst, err
	}
	dst = appendString(append(dst, `,"text":`...), d.Text)
	dst = appendField(dst, `,"level":`, d.Level)
	dst = appendField(dst, `,"logger":`, d.Logger)
	dst = appendField(dst, `,"thread":`, d.Thread)
	dst = appendNumber(dst, `,"message_at":`, int64(d.MessageAt))
	dst = appendField(dst, `,"cluster":`, d.Cluster)
	dst = appendField(dst, `,"namespace":`, d.Namespace)
	dst = appendField(dst, `,"pod":`, d.Pod)
	dst = appendField(dst, `,"pod_uid":`, d.PodUID)
	dst = appendField(dst, `,"container":`, d.Container)
	dst = strconv.AppendInt(append(dst, `,"restart":`...), int64(d.Restart), 10)
	dst = appendField(dst, `,"node":`, d.Node)
	if d.Stderr {
		dst = append(dst, `,"stderr":true`...)
	}
	dst = appendField(dst, `,"job":`, d.Job)
	dst = appendField(dst, `,"component":`, d.Component)
	dst = appendField(dst, `,"flink_job_name":`, d.FlinkJob)
	dst = appendField(dst, `,"flink_job_id":`, d.FlinkJobID)
	dst = appendField(dst, `,"template_id":`, d.Template)
	dst = appendStrings(dst, `,"exception":`, d.Exception)
	dst = appendStrings(dst, `,"signals":`, d.Signals)
	if len(d.Attrs) > 0 {
		sep := byte('{')
		dst = append(dst, `,"attrs":`...)
		for _, name := range slices.Sorted(maps.Keys(d.Attrs)) {
			dst = appendString(append(dst, sep), name)
			dst = appendString(append(dst, ':'), d.Attrs[name])
			sep = ','
		}
		dst = append(dst, '}')
	}
	dst = appendNumber(dst, `,"alike":`, d.Alike)
	if d.Event != nil { // of few
		event, err := marshal(d.Event)
		if err != nil {
			return dst, err
		}
		dst = append(append(dst, `,"event":`...), event...)
	}
	return append(dst, '}'), nil
}

// appendField appends a string unless it is empty.
func appendField(dst []byte, name, v string) []byte {
	if v == "" {
		return dst
	}
	return appendString(append(dst, name...), v)
}

// appendNumber appends a number unless it is 0.
func appendNumber(dst []byte, name string, v int64) []byte {
	if v == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, name...), v, 10)
}

// appendStrings appends a list unless it is empty.
func appendStrings(dst []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(dst, name...)
	sep := byte('[')
	for _, s := range list {
		dst = appendString(append(dst, sep), s)
		sep = ','
	}
	return append(dst, ']')
}

// appendTime appends a time; what has none in RFC 3339 is encoding/json's error.
func appendTime(dst []byte, t time.Time) ([]byte, error) {
	if y := t.Year(); t.Location() == time.UTC && y >= 0 && y <= 9999 {
		return append(t.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"'), nil
	}
	text, err := t.MarshalJSON()
	if err != nil {
		return dst, fmt.Errorf("encode a time: %w", err)
	}
	return append(dst, text...), nil
}

// plainInJSON are the bytes that a string has as they are.
var plainInJSON = func() (t [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendString appends a string; bytes that are no UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		if plainInJSON[s[i]] {
			i++
			continue
		}
		c, n := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && c != '\u2028' && c != '\u2029' && (c != utf8.RuneError || n > 1) {
			i += n
			continue
		}
		dst = appendEscape(append(dst, s[from:i]...), c)
		i += n
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

// appendEscape appends what stands for a character that a string does not have as it is.
func appendEscape(dst []byte, c rune) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', byte(c))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
}

// marshal is json.Marshal without escapes for HTML.
func marshal(v any) ([]byte, error) {
	b := newBody()
	defer b.release()
	if err := b.encode(v); err != nil {
		return nil, err
	}
	return slices.Clone(b.buf.Bytes()), nil
}
