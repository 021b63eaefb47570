package archive

import (
	"context"
	"iter"
	"math"
	"runtime"
	"slices"
	"time"

	"lastnight"
)

// Search streams the records that match, newest first or, with req.Oldest, oldest first.
// Order is (time, id), ids compared by stream, generation and offset, a record's time being that
// of its first line. match, if not nil, has the last word on every document; it does not see its id, and
// several calls of it run at once. need is what every match certainly has: it only makes it faster.
//
// req.Query is not looked at. Memory is bounded whatever matches. Damaged parts are
// skipped and reported (see Damaged); other errors end the search and are yielded.
func (a *Archive) Search(ctx context.Context, req lastnight.SearchRequest, match func(*lastnight.Document) bool, need Need) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		if len(req.Kinds) > 0 && !slices.Contains(req.Kinds, lastnight.DocumentRecord) {
			return
		}
		s := a.plan(req)
		if err := s.resume(req.Cursor); err != nil {
			yield(lastnight.Document{}, err)
			return
		}
		s.workers = runtime.GOMAXPROCS(0)
		s.hashes, s.levels = need.hashes(), need.cond.levels()
		s.stream = func(e *streamEntry) bool { return wanted(e, &req) && need.cond.mayStream(e) }
		s.narrow = s.narrow || need.cond.asksStream()
		err := a.refresh(ctx, false)
		if err == nil {
			err = s.snapshot(ctx)
		}
		if err != nil {
			yield(lastnight.Document{}, err)
			return
		}
		defer s.release(ctx)
		l := look{s: s, cond: need.cond, match: match}
		err = ordered(ctx, s, l.find, func(d *lastnight.Document) bool { return yield(*d, nil) })
		if err != nil {
			yield(lastnight.Document{}, err)
		}
	}
}

// resume makes the scan go on after the document of a cursor. A document that is no record of
// ours (an event) comes before the records of the same time.
func (s *scan) resume(cursor string) error {
	if cursor == "" {
		return nil
	}
	t, id, err := lastnight.ParseCursor(cursor)
	if err != nil {
		return err
	}
	p := edge(clampNano(t), s.sign)
	if stream, g, off, err := lastnight.LineID(id).Parse(); err == nil {
		p = place{major: clampNano(t), stream: streamNumber(stream), gen: g, off: off}
	}
	s.after = &p
	return nil
}

// clampNano gives t in ns since 1970, or the nearest time that has one.
func clampNano(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// identify gives a document its id.
func identify(d *lastnight.Document, at place) {
	d.ID = string(lastnight.NewLineID(streamID(at.stream), at.gen, at.off))
}

// document makes a document of a record, which it does not share memory with. It has no id yet.
func document(e *streamEntry, r *lastnight.Record) lastnight.Document {
	s := e.stream
	return lastnight.Document{
		Kind: lastnight.DocumentRecord,
		Time: r.Time(), Text: r.Text(), Level: r.Level.String(), Logger: r.Logger, Thread: r.Thread, MessageAt: r.MessageAt,
		Cluster: s.Cluster, Namespace: s.Namespace, Pod: s.Pod, PodUID: s.PodUID, Container: s.Container, Restart: s.Restart, Node: s.Node,
		Stderr: r.Lines[0].Stderr, Job: e.job, Component: e.component, Template: r.Template, Exception: r.Exception, Attrs: r.Attrs,
	}
}

// documentSize gives about how many bytes a document takes.
func documentSize(d *lastnight.Document) int64 {
	n := 512 + len(d.Text)
	for k, v := range d.Attrs {
		n += 64 + len(k) + len(v)
	}
	return int64(n)
}
