package otlp

import (
	"encoding/json"
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"lastnight"
)

// Decode is Decoder.Decode for one request.
func Decode(data []byte, now time.Time) (*Request, error) { return new(Decoder).Decode(data, now) }

// Decode reads an ExportLogsServiceRequest. now stands for the times that foreign records
// lack. Texts share the memory of data, which must stay untouched as long as they are used. The records and lines
// of the request are good until the next call; the rest of it is the caller's.
func (d *Decoder) Decode(data []byte, now time.Time) (*Request, error) {
	if len(data) > MaxRequest {
		return nil, tooLarge("%d bytes, at most %d", len(data), MaxRequest)
	}
	d.begin(now)
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

// Decoder reads requests, and keeps its memory for the next one. The zero value is ready. Not for several goroutines at once.
type Decoder struct {
	records slab[lastnight.Record]
	places  slab[lastnight.Line]
	names   map[string]string // of exceptions, so that those which repeat are one string; at most knownNames when a request begins

	// for reuse
	own   record
	known []string // names of the span
	text  []byte   // of all of them
	ends  []int    // of each in text

	// of the request that is being read
	req   *Request
	now   int64
	lines int // of all records
	attrs int // of all records
}

// What is kept for the next request: so many names, and bytes of a span's names.
const (
	knownNames = 4096
	keptText   = 1 << 20
)

func (d *Decoder) begin(now time.Time) {
	if d.names == nil || len(d.names) > knownNames {
		d.names = map[string]string{}
	}
	if cap(d.text) > keptText || cap(d.ends) > keptItems || cap(d.own.attrs) > keptItems {
		d.text, d.ends, d.known, d.own.attrs = nil, nil, nil, nil
	}
	d.records.reset()
	d.places.reset()
	d.req, d.now, d.lines, d.attrs = &Request{}, now.UnixNano(), 0, 0
}

// reject counts log records that are left out.
func (d *Decoder) reject(n int, why string) {
	if n > 0 && d.req.Rejected == 0 {
		d.req.Reason = why
	}
	d.req.Rejected += int64(n)
}

// taken counts a record and refuses more than a request may have.
func (d *Decoder) taken() error {
	d.req.Records++
	if d.req.Records > MaxRecords {
		return tooLarge("more than %d log records", MaxRecords)
	}
	return nil
}

// resource reads a ResourceLogs.
func (d *Decoder) resource(b []byte) error {
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

// survey finds the scope of a ScopeLogs and the number of its log records.
func survey(b []byte) (scope []byte, records int, err error) {
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return scope, records, err
		}
		switch {
		case f.isMessage(1):
			scope = f.bytes
		case f.isMessage(2):
			records++
		}
	}
}

// resource is what one ResourceLogs says of all its records.
type resource struct {
	d      *Decoder
	raw    []byte            // the Resource
	stream *lastnight.Stream // of our own spans; nil until needed
	attrs  map[string]string // of foreign records; nil until needed
}

// scope reads a ScopeLogs.
func (r *resource) scope(b []byte) error {
	raw, n, err := survey(b)
	if err != nil {
		return err
	}
	s, err := readScope(raw)
	if err != nil {
		return err
	}
	switch {
	case s.name == scopeName && s.generation != "" && s.version != scopeVersion:
		return lastnight.Errorf(lastnight.CodeUnavailable, "use the same version of lastnight for collectors and servers",
			"spans are written in version %q, this server knows version %s", s.version, scopeVersion)
	case s.name == scopeName && s.generation != "":
		return r.span(b, &s, n)
	case s.name == eventScope:
		return metas(r.d, b, keyEvent, &r.d.req.Batch.Events)
	case s.name == podScope:
		return metas(r.d, b, keyPod, &r.d.req.Batch.Pods)
	}
	return r.foreign(b)
}

// metas reads a ScopeLogs of events or pods.
func metas[T lastnight.Event | lastnight.Pod](d *Decoder, b []byte, key string, to *[]T) error {
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
