package kube

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxObject is the largest object or line that is read; etcd allows 1.5 MiB.
const maxObject = 16 << 20

// DecodeLines reads a file of one JSON value a line: a watch ({"type", "object"}), or
// bare objects. kind is taken for objects that do not tell theirs.
func (d *Decoder) DecodeLines(r io.Reader, kind string) {
	in := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	for n := int64(1); ; n++ {
		var err error
		line, err = readLine(in, line[:0])
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			d.value(trimmed, kind, n)
		}
		if len(line) > maxObject {
			d.report(n, "line longer than 16 MiB")
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				d.report(n, "the rest cannot be read: "+err.Error())
			}
			return
		}
	}
}

// readLine appends the next line to b, of a longer one than maxObject only a little more than that.
func readLine(in *bufio.Reader, b []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(b) <= maxObject {
			b = append(b, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return b, err
		}
	}
}

// DecodeList reads a file with one object, a List of them, or several JSON values in
// a row. Items are decoded one by one, so a long list costs no more memory than its largest item.
func (d *Decoder) DecodeList(r io.Reader, kind string) {
	dec := json.NewDecoder(r)
	for {
		if err := d.topLevel(dec, kind); err != nil {
			if !errors.Is(err, io.EOF) {
				d.report(dec.InputOffset(), "not JSON from here on: "+err.Error())
			}
			return
		}
	}
}

// topLevel reads one JSON object of the file: its items, or itself.
func (d *Decoder) topLevel(dec *json.Decoder, kind string) error {
	at := dec.InputOffset()
	token, err := dec.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return fmt.Errorf("want an object, found %v", token)
	}
	fields := map[string]json.RawMessage{}
	list, size := false, 0
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return unexpected(err)
		}
		if key == "items" {
			list = true
			if err := d.items(dec, kind); err != nil {
				return unexpected(err)
			}
			continue
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return unexpected(err)
		}
		name, _ := key.(string)
		if size += len(raw); size <= maxObject {
			fields[name] = raw
		}
	}
	if _, err := dec.Token(); err != nil {
		return unexpected(err)
	}
	if list {
		return nil
	}
	whole, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("object: %w", err)
	}
	d.value(whole, kind, at)
	return nil
}

// unexpected makes the end of the input inside a value an error.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// items reads the array of a list.
func (d *Decoder) items(dec *json.Decoder, kind string) error {
	token, err := dec.Token()
	if err != nil || token == nil {
		return err
	}
	if token != json.Delim('[') {
		return fmt.Errorf("items: want an array, found %v", token)
	}
	for dec.More() {
		at := dec.InputOffset()
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		d.object(raw, kind, at, false)
	}
	_, err = dec.Token()
	return err
}

// value takes a watch's line, a list or a bare object.
func (d *Decoder) value(raw []byte, kind string, at int64) {
	var w struct {
		Type   string            `json:"type"`
		Object json.RawMessage   `json:"object"`
		Items  []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		d.report(at, "malformed JSON: "+err.Error())
		return
	}
	switch {
	case w.Items != nil:
		for _, item := range w.Items {
			d.object(item, kind, at, false)
		}
	case len(w.Object) == 0:
		d.object(raw, kind, at, false)
	case w.Type == "BOOKMARK":
	case w.Type == "ERROR":
		d.report(at, "the watch failed here: what happened until the next list is not known")
	default:
		d.object(w.Object, kind, at, w.Type == "DELETED")
	}
}

// object takes one event, pod or node.
func (d *Decoder) object(raw []byte, kind string, at int64, deleted bool) {
	kind, v1 := kindOf(raw, kind)
	var err error
	switch kind {
	case kindEvent:
		if v1 {
			var e newEvent
			if err = json.Unmarshal(raw, &e); err == nil {
				err = d.newEvent(&e)
			}
			break
		}
		var e Event
		if err = json.Unmarshal(raw, &e); err == nil {
			err = d.coreEvent(&e)
		}
	case kindPod:
		var p Pod
		if err = json.Unmarshal(raw, &p); err == nil {
			err = d.pod(&p, deleted)
		}
	case kindNode:
		var n Node
		if err = json.Unmarshal(raw, &n); err == nil {
			err = d.node(&n, deleted)
		}
	default:
		err = fmt.Errorf("objects of kind %q are not for us", kind)
	}
	if err != nil {
		d.report(at, "malformed object: "+err.Error())
	}
}

// kindOf tells an object's kind, and whether an event is one of events.k8s.io/v1.
func kindOf(raw []byte, fallback string) (kind string, eventsV1 bool) {
	var o struct {
		Kind      string          `json:"kind"`
		Involved  json.RawMessage `json:"involvedObject"`
		Regarding json.RawMessage `json:"regarding"`
		Note      *string         `json:"note"`
	}
	if json.Unmarshal(raw, &o) != nil {
		return fallback, false
	}
	if o.Kind == "" {
		o.Kind = fallback
	}
	return o.Kind, o.Kind == kindEvent && o.Involved == nil && (o.Regarding != nil || o.Note != nil)
}
