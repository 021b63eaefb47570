package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"lastnight"
)

// Media types.
const (
	ndjsonType = "application/x-ndjson"
	rawType    = "text/plain; charset=utf-8"
	yamlType   = "application/yaml"
)

const (
	flushAfter = 50 * time.Millisecond // a line waits at most so long for others to go with it
	flushBytes = 32 << 10
)

// List is a page of things on the wire.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor string  `json:"next_cursor"` // "": no more
	Interval   *Bounds `json:"interval,omitempty"`
}

// Bounds is an interval on the wire; a zero bound did not restrict and is left out.
type Bounds struct {
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
	Zone  string    `json:"zone"`
}

// newList makes a page that says which interval it is about.
func newList[T any](items []T, next string, in lastnight.Interval) List[T] {
	if items == nil {
		items = []T{}
	}
	return List[T]{Items: items, NextCursor: next, Interval: &Bounds{Start: in.Start, End: in.End, Zone: in.Zone}}
}

// body is an answer while it is encoded.
type body struct {
	buf bytes.Buffer
	enc *json.Encoder // into buf

	zip    *gzip.Writer // into zipped
	zips   bool         // what was encoded is compressed as it comes: see zipFor
	zipped bytes.Buffer
}

// maxKeptBody is how large the memory of an answer may be to be used again.
const maxKeptBody = 2 << 20

var bodies = sync.Pool{New: func() any {
	b := &body{}
	b.enc = json.NewEncoder(&b.buf)
	b.enc.SetEscapeHTML(false)
	b.zip = newZip(&b.zipped)
	return b
}}

// newBody gives an empty one. Release it when the answer is written.
func newBody() *body { return bodies.Get().(*body) } //nolint:forcetypeassert // nothing else is put there

func (b *body) release() {
	if b.buf.Cap() <= maxKeptBody && b.zipped.Cap() <= maxKeptBody {
		b.buf.Reset()
		b.zipped.Reset()
		b.zips = false
		bodies.Put(b)
	}
}

// zipPiece is how much is compressed at once.
const zipPiece = 32 << 10

// zipFor compresses what is encoded while the rest is looked for, if the request's reader accepts it; call zipSome
// now and then. Else the middleware compresses all of it at the end.
func (b *body) zipFor(r *http.Request) {
	if b.zips = acceptsZip(r); b.zips {
		b.zip.Reset(&b.zipped)
	}
}

// zipSome compresses what has been encoded, if it is enough. Nothing of it can be changed then.
func (b *body) zipSome() {
	if b.zips && b.buf.Len() >= zipPiece {
		_, _ = b.zip.Write(b.buf.Bytes()) // into memory
		b.buf.Reset()
	}
}

// encode appends v.
func (b *body) encode(v any) error {
	if d, ok := v.(*lastnight.Document); ok {
		b.buf.Grow(1<<10 + len(d.Text)) // mostly enough
		out, err := appendDocument(b.buf.AvailableBuffer(), d)
		b.buf.Write(out)
		return err
	}
	if err := b.enc.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	b.buf.Truncate(b.buf.Len() - 1) // the newline
	return nil
}

// encodeBehind appends the fields of v to the object that was begun, behind what ends its last field.
func (b *body) encodeBehind(end string, v any) error {
	b.buf.WriteString(end)
	at := b.buf.Len()
	if err := b.encode(v); err != nil {
		return err
	}
	b.buf.Bytes()[at] = ',' // instead of the brace that opens v
	return nil
}

// answer sends what was encoded, as one object.
func (b *body) answer(w http.ResponseWriter) {
	b.buf.WriteByte('\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	out := &b.buf
	if b.zips {
		_, _ = b.zip.Write(b.buf.Bytes()) // into memory
		_ = b.zip.Close()
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		out = &b.zipped
	}
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	// The reader may have gone; nobody is left to tell.
	_, _ = w.Write(out.Bytes())
}

// writeJSON answers with v. It fails only before it has written anything.
func writeJSON(w http.ResponseWriter, v any) error {
	b := newBody()
	defer b.release()
	if err := b.encode(v); err != nil {
		return err
	}
	b.answer(w)
	return nil
}

// wantsLines tells whether the reader asked for NDJSON, by the header or, in a link, by a parameter.
func wantsLines(r *http.Request) bool {
	if r.URL.Query().Get("format") == "ndjson" {
		return true
	}
	for _, accept := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			kind, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(kind), ndjsonType) {
				return true
			}
		}
	}
	return false
}

// lineWriter streams lines: the first goes out at once, later ones together with
// those that follow within flushAfter. Nothing is sent before the first, so that an
// error until then is a problem with its status. Close it before the handler returns.
type lineWriter struct {
	out  timedWriter
	kind string // media type

	mu      sync.Mutex // all below
	buf     *bufio.Writer
	started bool
	closed  bool
	timer   *time.Timer // pending flush; nil if none
	err     error       // of a flush that nobody waited for
}

func (e *env) newLineWriter(w http.ResponseWriter, kind string) *lineWriter {
	out := timedWriter{w, http.NewResponseController(w), e.slowReader}
	return &lineWriter{out: out, kind: kind, buf: bufio.NewWriterSize(out, flushBytes)}
}

// timedWriter gives the reader some time to take what is written; in between, while
// the next line is being looked for, there is no deadline.
type timedWriter struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	patient time.Duration
}

// Not every writer has deadlines (those of tests do not): then there is none.
func (t timedWriter) begin() { _ = t.rc.SetWriteDeadline(time.Now().Add(t.patient)) }
func (t timedWriter) end()   { _ = t.rc.SetWriteDeadline(time.Time{}) }

func (t timedWriter) Write(p []byte) (int, error) {
	t.begin()
	defer t.end()
	return t.w.Write(p)
}

func (t timedWriter) flush() error {
	t.begin()
	defer t.end()
	return t.rc.Flush()
}

// line sends one line; the error says that the reader is gone.
func (l *lineWriter) line(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.started
	l.start()
	if _, err := l.buf.Write(b); err != nil {
		return err
	}
	if err := l.buf.WriteByte('\n'); err != nil {
		return err
	}
	if first {
		return l.flush()
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(flushAfter, l.flushLater)
	}
	return l.err
}

// json sends v as one line. The error says that v does not encode or the reader is gone.
func (l *lineWriter) json(v any) error {
	b := newBody()
	defer b.release()
	if err := b.encode(v); err != nil {
		return err
	}
	return l.line(b.buf.Bytes())
}

// begun tells whether something was sent already.
func (l *lineWriter) begun() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.started
}

// start sends the header once.
func (l *lineWriter) start() {
	if !l.started {
		l.started = true
		h := l.out.w.Header()
		h.Set("Content-Type", l.kind)
		h.Set("Cache-Control", "no-store")
		l.out.w.WriteHeader(http.StatusOK)
	}
}

func (l *lineWriter) flush() error {
	if err := l.buf.Flush(); err != nil {
		return err
	}
	return l.out.flush()
}

func (l *lineWriter) flushLater() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = nil
	if !l.closed && l.err == nil {
		l.err = l.flush()
	}
}

// finish sends what is left, the header at least.
func (l *lineWriter) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.start()
		// The reader may have gone; nobody is left to tell.
		_ = l.flush()
	}
	l.out.begin() // For the last bytes, which net/http writes when the handler has returned.
}

// stop sees to it that nothing is written any more. What was not sent is lost.
func (l *lineWriter) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.closed = true
}

// failLines ends a stream of NDJSON with its error: as a problem if nothing was
// sent, else as a last line.
func (e *env) failLines(out *lineWriter, r *http.Request, err error) error {
	if !out.begun() {
		return err
	}
	p := problemOf(err)
	if r.Context().Err() == nil && p.Code == lastnight.CodeInternal {
		e.log.Error("answer with a stream", "route", routeOf(r), "err", err)
	}
	// If the reader is gone, nobody is left to tell.
	_ = out.json(StreamError{Error: &p})
	out.finish()
	return nil
}

// endLines ends a stream of NDJSON that has all its lines, unless it was cancelled.
func (e *env) endLines(out *lineWriter, r *http.Request) error {
	if err := r.Context().Err(); err != nil {
		return e.failLines(out, r, err)
	}
	out.finish()
	return nil
}

// StreamError is the last line of a stream that failed on the way.
type StreamError struct {
	Error *Problem `json:"error"`
}
