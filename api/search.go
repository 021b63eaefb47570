package api

import (
	"math"
	"net/http"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

const (
	maxPage      = 10_000
	maxPageBytes = 32 << 20 // of text, after which a page ends early
)

// search finds records and events.
type search struct {
	env *env
	ask lastnight.Searcher
}

// Routes gives the resource's routes.
func (s search) Routes() chi.Router {
	r := chi.NewRouter()
	s.env.get(r, "/", endpoint{
		params: append([]string{
			"q", "scope", "namespace", "job", "pod", "pod_uid", "container", "node", "restart", "kind", "signal", "order", "format", "limit", "cursor",
		}, intervalParams...),
		streams: wantsLines,
		looks:   always,
		handle:  s.search,
	})
	return r
}

func (s search) search(w http.ResponseWriter, r *http.Request, p *params) error {
	in := p.interval()
	req := lastnight.SearchRequest{
		Query: p.text("q"), Start: in.Start, End: in.End,
		Important: p.choice("scope", "everything", "important") == "important",
		Namespace: p.text("namespace"), Job: p.text("job"), Pod: p.text("pod"), PodUID: p.text("pod_uid"),
		Container: p.text("container"), Node: p.text("node"), Restart: p.restart(),
		Kinds: kinds(p), Signals: p.list("signal"),
		Oldest: p.choice("order", "newest", "oldest") == "oldest", Cursor: p.text("cursor"),
	}
	p.position() // A bad cursor is told here, whatever the backend would do with it.
	p.choice("format", "json", "ndjson")
	if wantsLines(r) {
		req.Limit = p.integer("limit", 0, 1, math.MaxInt)
		if p.err != nil {
			return p.err
		}
		s.env.exported(r, "export.search")
		return s.stream(w, r, req)
	}
	req.Limit = p.integer("limit", 100, 1, maxPage)
	if p.err != nil {
		return p.err
	}
	return s.page(w, r, req, in)
}

func kinds(p *params) []lastnight.DocumentKind {
	var ks []lastnight.DocumentKind
	for _, k := range p.list("kind") {
		switch lastnight.DocumentKind(k) {
		case lastnight.DocumentRecord, lastnight.DocumentEvent:
			ks = append(ks, lastnight.DocumentKind(k))
		default:
			p.fail("", "kind=%s is none of record, event", clip(k))
		}
	}
	return ks
}

// page answers with documents until there are enough; one more than wanted is asked for, to know whether there is a next page. Each is encoded as it
// comes, into a List.
func (s search) page(w http.ResponseWriter, r *http.Request, req lastnight.SearchRequest, in lastnight.Interval) error {
	limit, n, size, next := req.Limit, 0, 0, ""
	req.Limit++
	body := newBody()
	defer body.release()
	body.zipFor(r)
	var last lastnight.Document
	body.buf.WriteString(`{"items":[`)
	for d, err := range s.ask.Search(r.Context(), req) {
		if err != nil {
			return err
		}
		if n == limit || size > maxPageBytes {
			next = lastnight.CursorOf(last.Time, last.ID)
			break
		}
		if n > 0 {
			body.buf.WriteByte(',')
		}
		last = d
		if err := body.encode(&last); err != nil {
			return err
		}
		body.zipSome()
		n++
		size += len(d.Text)
	}
	if next == "" && r.Context().Err() != nil {
		return r.Context().Err()
	}
	rest := newList[lastnight.Document](nil, next, in)
	if err := body.encodeBehind("]", struct {
		NextCursor string  `json:"next_cursor"`
		Interval   *Bounds `json:"interval,omitempty"`
	}{rest.NextCursor, rest.Interval}); err != nil {
		return err
	}
	body.answer(w)
	return nil
}

// stream sends documents as they are found.
func (s search) stream(w http.ResponseWriter, r *http.Request, req lastnight.SearchRequest) error {
	out := s.env.newLineWriter(w, ndjsonType)
	defer out.stop()
	for d, err := range s.ask.Search(r.Context(), req) {
		if err == nil {
			err = out.json(&d)
		}
		if err != nil {
			return s.env.failLines(out, r, err)
		}
	}
	return s.env.endLines(out, r)
}
