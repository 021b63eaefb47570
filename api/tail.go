package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

const (
	tailEvery  = 500 * time.Millisecond // between two looks
	tailWindow = 5 * time.Second        // how far back a look goes for what arrived late
	tailBurst  = 2000                   // documents that one look gives at most; the rest comes with the next, at once
	tailAlive  = 15 * time.Second       // silence after which the reader hears that the tail lives
	maxTails   = maxAtOnce / 2          // so that tails never take all places of questions
	eventsType = "text/event-stream"
)

// found is what a tail needs of a Searcher.
type found interface {
	Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error]
}

// tail sends documents as they arrive, as server-sent events: "id" is a cursor, "data" a document.
//
// It looks again and again for what is new, so it needs nothing of the writing side and
// holds little: the ids of the last seconds. What arrives up to tailWindow later than
// others that are newer is found all the same; what is later than that is not (a search finds it).
// A reader that takes nothing stops the looking, not the server. After a reconnect with
// Last-Event-ID nothing is lost, but the documents of the last tailWindow come again: readers
// leave out ids that they know.
type tail struct {
	env   *env
	ask   found
	every time.Duration
	slots chan struct{} // one taken by each tail
}

func newTail(e *env, ask found) tail {
	return tail{e, ask, tailEvery, make(chan struct{}, maxTails)}
}

// Routes gives the resource's routes.
func (t tail) Routes() chi.Router {
	r := chi.NewRouter()
	t.env.get(r, "/", endpoint{
		params:  []string{"q", "scope", "namespace", "job", "pod", "pod_uid", "container", "node", "restart", "kind", "signal", "start", "zone", "cursor", "limit"},
		streams: func(*http.Request) bool { return true },
		handle:  t.follow,
	})
	return r
}

func (t tail) follow(w http.ResponseWriter, r *http.Request, p *params) error {
	start, err := lastnight.ParseBounds(p.text("start"), "", p.now, p.location())
	if err != nil && p.err == nil {
		p.err = err
	}
	req := lastnight.SearchRequest{
		Query: p.text("q"), Start: start.Start, Important: p.choice("scope", "everything", "important") == "important",
		Namespace: p.text("namespace"), Job: p.text("job"), Pod: p.text("pod"), PodUID: p.text("pod_uid"),
		Container: p.text("container"), Node: p.text("node"), Restart: p.restart(),
		Kinds: kinds(p), Signals: p.list("signal"), Oldest: true,
	}
	left := p.integer("limit", math.MaxInt, 1, math.MaxInt)
	at, id := p.position()
	if last := r.Header.Get("Last-Event-ID"); last != "" && p.err == nil { // What a browser says that connects again.
		at, id, p.err = lastnight.ParseCursor(last)
	}
	if p.err != nil {
		return p.err
	}
	if req.Start.IsZero() {
		req.Start = p.now.UTC()
	}
	if id != "" {
		req.Start = at.Add(-tailWindow)
	}
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	default:
		return lastnight.Errorf(lastnight.CodeUnavailable, "close another live tail", "%d live tails are open already", maxTails)
	}
	return t.send(w, r, req, left)
}

// send looks and sends until the reader goes or has left documents.
func (t tail) send(w http.ResponseWriter, r *http.Request, req lastnight.SearchRequest, left int) error {
	out := t.env.newLineWriter(w, eventsType)
	defer out.stop()
	look := newLooker(t.ask, req)
	heard := time.Now()
	for {
		docs, more, err := look.next(r.Context(), min(left, tailBurst))
		switch {
		case r.Context().Err() != nil:
			return nil // The reader is gone, or the server stops: the reader comes again.
		case err != nil:
			return t.fail(out, r, err)
		case !out.begun():
			err = out.line([]byte("retry: 1000\n")) // Tells at once that the tail stands.
		case len(docs) == 0 && time.Since(heard) > tailAlive:
			err = out.line([]byte(": alive\n"))
			heard = time.Now()
		}
		for i := range docs {
			if err == nil {
				err = sendEvent(out, &docs[i])
			}
			heard = time.Now()
		}
		if left -= len(docs); err != nil || left <= 0 {
			out.finish()
			return nil // An error of writing: the reader is gone.
		}
		if more {
			continue
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-time.After(t.every):
		}
	}
}

// fail ends the tail with its error, which the reader may answer by connecting again.
func (t tail) fail(out *lineWriter, r *http.Request, err error) error {
	if !out.begun() {
		return err
	}
	p := problemOf(err)
	if p.Code == lastnight.CodeInternal {
		t.env.log.Error("answer with a live tail", "route", routeOf(r), "err", err)
	}
	// If the reader is gone, nobody is left to tell.
	_ = out.line(append([]byte("event: problem\ndata: "), encode(p)...))
	out.finish()
	return nil
}

func sendEvent(out *lineWriter, d *lastnight.Document) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %s\ndata: ", lastnight.CursorOf(d.Time, d.ID))
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil { // JSON has no line break but the one that Encode ends with.
		return fmt.Errorf("encode a document: %w", err)
	}
	return out.line(b.Bytes())
}

// looker finds what is new since it looked last. Not for several goroutines.
type looker struct {
	ask    found
	req    lastnight.SearchRequest
	newest time.Time
	seen   map[string]time.Time // ids of the window that were given
}

func newLooker(ask found, req lastnight.SearchRequest) *looker {
	return &looker{ask: ask, req: req, newest: req.Start, seen: map[string]time.Time{}}
}

// next gives at most most documents, oldest first, and whether there may be more already.
func (l *looker) next(ctx context.Context, most int) (docs []lastnight.Document, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	req := l.req
	req.Limit = len(l.seen) + most + 1
	size := 0
	for d, err := range l.ask.Search(ctx, req) {
		if err != nil {
			return nil, false, err
		}
		if _, known := l.seen[d.ID]; known {
			continue
		}
		if len(docs) == most || size > maxPageBytes {
			more = true
			break
		}
		docs = append(docs, d)
		size += len(d.Text)
	}
	l.remember(docs)
	return docs, more, nil
}

// remember moves the window on and forgets the ids that fell out of it.
func (l *looker) remember(docs []lastnight.Document) {
	for i := range docs {
		l.seen[docs[i].ID] = docs[i].Time
		if docs[i].Time.After(l.newest) {
			l.newest = docs[i].Time
		}
	}
	from := l.newest.Add(-tailWindow)
	if n := len(l.seen); n > 10*tailBurst { // A flood: rather lose what is late than hold it all.
		times := make([]time.Time, 0, n)
		for _, at := range l.seen {
			times = append(times, at)
		}
		slices.SortFunc(times, time.Time.Compare)
		from = times[n-5*tailBurst]
	}
	if !from.After(l.req.Start) {
		return
	}
	l.req.Start = from
	for id, at := range l.seen {
		if at.Before(from) {
			delete(l.seen, id)
		}
	}
}
