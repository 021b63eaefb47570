package api

import (
	"math"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

// logs gives lines back as the containers wrote them.
type logs struct {
	env *env
	ask lastnight.Searcher
}

// Routes gives the resource's routes.
func (l logs) Routes() chi.Router {
	r := chi.NewRouter()
	l.env.get(r, "/raw", endpoint{
		params:  append([]string{"namespace", "job", "pod", "pod_uid", "container", "node", "restart", "format", "limit"}, intervalParams...),
		streams: always,
		looks:   always,
		handle:  l.raw,
	})
	return r
}

// RawLine is a line on the wire: Text, or Bytes where it is not UTF-8. Stream is
// there when it is another than that of the line before.
type RawLine struct {
	Stream *lastnight.Stream `json:"stream,omitempty"`
	ID     lastnight.LineID  `json:"id"`
	Time   time.Time         `json:"time"`
	Stderr bool              `json:"stderr,omitempty"`
	Text   string            `json:"text,omitempty"`
	Bytes  []byte            `json:"bytes,omitempty"`
}

func (l logs) raw(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.SearchRequest{
		Start: in.Start, End: in.End, Namespace: p.text("namespace"), Job: p.text("job"), Pod: p.text("pod"), PodUID: p.text("pod_uid"),
		Container: p.text("container"), Node: p.text("node"), Restart: p.restart(), Limit: p.integer("limit", 0, 1, math.MaxInt),
	}
	if req.Pod == "" && req.PodUID == "" && req.Job == "" {
		p.fail("add pod=NAME or job=NAME; "+prefix+"/streams lists what there is", "whose lines?")
	}
	if p.err != nil {
		return p.err
	}
	l.env.exported(r, "export.logs")
	if wantsLines(r) {
		return l.lines(w, r, req)
	}
	return l.text(w, r, req)
}

// text sends the bytes alone. If that fails on the way, it breaks the connection off:
// there is no other way to tell the reader of bare lines that they are not all.
func (l logs) text(w http.ResponseWriter, r *http.Request, req lastnight.SearchRequest) error {
	out := l.env.newLineWriter(w, rawType)
	defer out.stop()
	var failed error
	for line, err := range l.ask.RawLines(r.Context(), req) {
		if err == nil {
			err = out.line(line.Text)
		}
		if failed = err; err != nil {
			break
		}
	}
	if failed == nil {
		failed = r.Context().Err()
	}
	switch {
	case failed == nil:
		out.finish()
		return nil
	case !out.begun():
		return failed
	case r.Context().Err() == nil:
		l.env.log.Error("cut a stream", "route", routeOf(r), "err", failed)
	}
	panic(http.ErrAbortHandler) // net/http knows this one: it closes the connection and logs nothing.
}

// lines sends lines with where they come from.
func (l logs) lines(w http.ResponseWriter, r *http.Request, req lastnight.SearchRequest) error {
	out := l.env.newLineWriter(w, ndjsonType)
	defer out.stop()
	var last lastnight.Stream
	for line, err := range l.ask.RawLines(r.Context(), req) {
		if err == nil {
			wire := RawLine{ID: line.ID, Time: line.Time, Stderr: line.Stderr}
			if line.Stream != last {
				last = line.Stream
				wire.Stream = &line.Stream
			}
			if utf8.Valid(line.Text) {
				wire.Text = string(line.Text)
			} else {
				wire.Bytes = line.Text
			}
			err = out.json(wire)
		}
		if err != nil {
			return l.env.failLines(out, r, err)
		}
	}
	return l.env.endLines(out, r)
}
