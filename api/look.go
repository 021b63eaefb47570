package api

import (
	"context"
	"slices"
	"time"

	"lastnight"
)

// looker finds what is new since it looked last. Not for several goroutines.
type looker struct {
	ask    finder
	req    lastnight.SearchRequest
	now    func() time.Time
	begin  time.Time // of the tail
	newest time.Time // of what was given
	seen   map[string]told
	late   time.Time // when it looked last for what is late; zero: never
	from   time.Time // arrival from which the next such look goes
	floor  time.Time // arrival before which no such look goes: ids were let go
	silent bool      // what the next such look finds was there before the tail
}

// told is a document that was given: its time, and when it was found last.
type told struct {
	at, found time.Time
	byTime    bool // late ones like it are looked for by time, not by arrival
}

// newLooker begins at req.Start. resumed: it goes on for a reader that was away, who may have missed late ones.
func newLooker(ask finder, req lastnight.SearchRequest, resumed bool, now func() time.Time) *looker {
	l := &looker{ask: ask, req: req, now: now, begin: req.Start, newest: req.Start, seen: map[string]told{}, from: now().Add(-lateWindow), silent: !resumed}
	if resumed {
		l.from = now().Add(-lateResume)
	}
	return l
}

// next gives at most most documents, oldest first, and whether there may be more already.
func (l *looker) next(ctx context.Context, most int) (docs []lastnight.Document, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	if l.silent {
		// What is older than the tail and was there before it is not late: it is only known from here on.
		for _, req := range l.lateRequests(l.begin) {
			if _, _, err := l.look(ctx, req, maxCounted); err != nil {
				return nil, false, err
			}
		}
		l.silent, l.late = false, l.now()
	}
	if docs, more, err = l.look(ctx, l.req, most); err != nil || more {
		return docs, more, err
	}
	if now := l.now(); now.Sub(l.late) >= lateEvery && len(docs) < most {
		for _, req := range l.lateRequests(l.req.Start) {
			found, again, err := l.look(ctx, req, most-len(docs))
			if err != nil {
				return nil, false, err
			}
			docs, more = append(docs, found...), more || again
		}
		if !more {
			l.late, l.from = now, now.Add(-lateWindow)
			if l.from.Before(l.floor) {
				l.from = l.floor
			}
		}
	}
	l.forget()
	return docs, more, nil
}

// lateRequests ask for what is older than end but may have arrived just now.
func (l *looker) lateRequests(end time.Time) []lastnight.SearchRequest {
	wants := func(k lastnight.DocumentKind) bool { return len(l.req.Kinds) == 0 || slices.Contains(l.req.Kinds, k) }
	var reqs []lastnight.SearchRequest
	if wants(lastnight.DocumentRecord) && !l.req.Important {
		r := l.req
		r.Start, r.End, r.ArrivedSince = l.begin.Add(-lateLines), end, l.from
		r.Kinds = []lastnight.DocumentKind{lastnight.DocumentRecord}
		reqs = append(reqs, r)
	}
	if wants(lastnight.DocumentEvent) || l.req.Important { // The store does not know when they arrived; there are few.
		r := l.req
		r.Start, r.End = end.Add(-lateEvents), end
		if !l.req.Important {
			r.Kinds = []lastnight.DocumentKind{lastnight.DocumentEvent}
		}
		reqs = append(reqs, r)
	}
	return reqs
}

// look gives at most most documents that were not given before.
func (l *looker) look(ctx context.Context, req lastnight.SearchRequest, most int) (docs []lastnight.Document, more bool, err error) {
	if !req.End.IsZero() && !req.Start.Before(req.End) {
		return nil, false, nil
	}
	req.Limit = len(l.seen) + most + 1
	size, now := 0, l.now()
	for d, err := range l.ask.Search(ctx, req) {
		if err != nil {
			return nil, false, err
		}
		if old, known := l.seen[d.ID]; known {
			old.found = now
			l.seen[d.ID] = old
			continue
		}
		if len(docs) == most || size > maxPageBytes {
			more = true
			break
		}
		l.seen[d.ID] = told{d.Time, now, req.Important || d.Kind == lastnight.DocumentEvent}
		docs = append(docs, d)
		size += len(d.Text)
		if d.Time.After(l.newest) {
			l.newest = d.Time
		}
	}
	if req.End.IsZero() {
		l.move()
	}
	return docs, more, nil
}

// move lets the window go on with what is newest.
func (l *looker) move() {
	from := l.newest.Add(-tailWindow)
	if n := len(l.seen); n > 10*tailBurst { // A flood: rather lose what is late than hold it all.
		times := make([]time.Time, 0, n)
		for _, t := range l.seen {
			times = append(times, t.at)
		}
		slices.SortFunc(times, time.Time.Compare)
		if t := times[n-5*tailBurst]; t.After(from) {
			from = t
		}
		for id, t := range l.seen {
			if t.at.Before(from) {
				delete(l.seen, id)
			}
		}
		l.floor = l.now()
		l.from = l.floor
	}
	if from.After(l.req.Start) {
		l.req.Start = from
	}
}

// forget drops the ids that no look finds any more.
func (l *looker) forget() {
	now := l.now()
	for id, t := range l.seen {
		keep := 2 * lateWindow
		if t.byTime {
			keep = 2 * lateEvents
		}
		if t.at.Before(l.req.Start) && now.Sub(t.found) > keep {
			delete(l.seen, id)
		}
	}
}
