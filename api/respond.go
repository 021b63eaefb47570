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

	"lastnight"
)

// Media types.
const (
	ndjsonType = "application/x-ndjson"
	rawType    = "text/plain; charset=utf-8"
	yamlType   = "application/yaml"
)

const (
	flushAfter   = 50 * time.Millisecond // a line waits at most so long for others to go with it
	flushBytes   = 32 << 10
	extendBefore = writeTimeout / 2 // a stream's deadline moves when less than this is left
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

// writeJSON answers with v. It fails only before it has written anything.
func writeJSON(w http.ResponseWriter, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	// The reader may have gone; nobody is left to tell.
	_, _ = w.Write(b.Bytes())
	return nil
}

// wantsLines tells whether the reader asked for NDJSON.
func wantsLines(r *http.Request) bool {
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
	w    http.ResponseWriter
	rc   *http.ResponseController
	kind string // media type

	mu       sync.Mutex // all below
	buf      *bufio.Writer
	started  bool
	closed   bool
	timer    *time.Timer // pending flush; nil if none
	deadline time.Time   // of writing
	err      error       // of a flush that nobody waited for
}

func newLineWriter(w http.ResponseWriter, kind string) *lineWriter {
	return &lineWriter{w: w, rc: http.NewResponseController(w), kind: kind, buf: bufio.NewWriterSize(w, flushBytes)}
}

// line sends one line; the error says that the reader is gone.
func (l *lineWriter) line(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.extend()
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
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode a line: %w", err)
	}
	return l.line(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
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
		l.w.Header().Set("Content-Type", l.kind)
		l.w.Header().Set("Cache-Control", "no-store")
		l.w.WriteHeader(http.StatusOK)
	}
}

// extend gives the reader more time, as long as it takes what it gets.
func (l *lineWriter) extend() {
	if now := time.Now(); l.deadline.Sub(now) < extendBefore {
		l.deadline = now.Add(writeTimeout)
		// Not every writer has deadlines: then there is none.
		_ = l.rc.SetWriteDeadline(l.deadline)
	}
}

func (l *lineWriter) flush() error {
	if err := l.buf.Flush(); err != nil {
		return err
	}
	return l.rc.Flush()
}

func (l *lineWriter) flushLater() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = nil
	if !l.closed && l.err == nil {
		l.extend()
		l.err = l.flush()
	}
}

// finish sends what is left, the header at least.
func (l *lineWriter) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.extend()
		l.start()
		// The reader may have gone; nobody is left to tell.
		_ = l.flush()
	}
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
