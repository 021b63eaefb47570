package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

const (
	tailEvery  = 500 * time.Millisecond // between two looks
	tailWindow = 5 * time.Second        // how far back in time a look goes
	lateEvery  = 2 * time.Second        // between two looks for what arrived later than that
	lateWindow = 8 * time.Second        // how far back in arrival such a look goes
	lateResume = time.Minute            // the same, of the first look of a tail that goes on where another ended
	lateLines  = time.Hour              // how much older than the beginning of the tail a late line may be
	lateEvents = 10 * time.Minute       // how late an event may be: they do not say when they arrived
	tailBurst  = 2000                   // documents that one look gives at most; the rest comes with the next, at once
	tailAlive  = 15 * time.Second       // silence after which the reader hears that the tail lives
	maxTails   = maxAtOnce / 2          // so that tails never take all places of questions
	eventsType = "text/event-stream"
)

// finder is what a tail needs of a Searcher.
type finder interface {
	Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error]
}

// tail sends documents as they arrive, as server-sent events: "id" is a cursor, "data" a document.
//
// It looks again and again for what is new, so it needs nothing of the writing side and
// holds little: the ids of the last seconds. What arrives up to tailWindow later than others that are newer comes
// in its place; what is later than that (a node that was cut off sends an hour of lines at once) is found by
// its arrival within lateEvery. A line more than lateLines older than the tail, and an event more than lateEvents
// late, is not told (a search finds it). A reader that takes nothing stops the looking, not the server. After a reconnect with
// Last-Event-ID nothing is lost, but the documents of the last tailWindow come again: readers
// leave out ids that they know.
type tail struct {
	env   *env
	ask   finder
	every time.Duration
	slots chan struct{} // one taken by each tail
}

func newTail(e *env, ask finder) tail {
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
	// Who says where to begin has read until there, some time ago: what arrived late meanwhile is new to them.
	resumed := id != "" || p.text("start") != ""
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	default:
		return lastnight.Errorf(lastnight.CodeUnavailable, "close another live tail", "%d live tails are open already", maxTails)
	}
	return t.send(w, r, newLooker(t.ask, req, resumed, t.env.now), left)
}

// send looks and sends until the reader goes or has left documents.
func (t tail) send(w http.ResponseWriter, r *http.Request, look *looker, left int) error {
	out := t.env.newLineWriter(w, eventsType)
	defer out.stop()
	heard := time.Now()
	var newest lastnight.Document // Where a reader goes on that comes again; late ones do not lead back.
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
			if order(docs[i].Time, docs[i].ID, newest.Time, newest.ID) > 0 {
				newest = lastnight.Document{Time: docs[i].Time, ID: docs[i].ID}
			}
			if err == nil {
				err = sendEvent(out, &docs[i], lastnight.CursorOf(newest.Time, newest.ID))
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

func sendEvent(out *lineWriter, d *lastnight.Document, cursor string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %s\ndata: ", cursor)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil { // JSON has no line break but the one that Encode ends with.
		return fmt.Errorf("encode a document: %w", err)
	}
	return out.line(b.Bytes())
}
