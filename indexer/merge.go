package indexer

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"lastnight"
	"lastnight/indexer/store"
)

// How many records of one template in one stream become documents. A flood of one
// warning would otherwise cost more than everything else (bleve takes 8,000 to 58,000
// small documents a second). Counts tell how many there were; the archive has them all.
//
// What becomes a document follows from the records of its stream alone, in their order: so the same
// logs give the same documents, however many streams arrive at once, and in whatever order.
const (
	keepPerMinute = 3   // of a template that is young, or that an investigation asks for
	keepKnown     = 1   // of one that its stream has had more than youngRecords times
	youngRecords  = 3   // records: with more, many small streams would give far more documents than few large ones
	knownMinutes  = 60  // a known one gets keepKnown documents a stream in so many minutes
	keepLandmarks = 200 // landmarks (transitions, lifecycle …) a minute: never merged, only bounded

	maxKindsOfStream = 5_000   // templates of a stream; it starts anew when it has more, and gives a few documents more
	maxKinds         = 100_000 // of all streams: those that have been quiet for longest start anew
)

// A document is put when it is new. That it stands for more is written later, so that a flood that lasts costs few
// writes: growFirst after it stood for more first, then after twice that, up to growLast. Flush writes all. An incident
// is looked at again while it is young, so what an investigation counts is there in time.
const (
	growFirst = time.Second
	growLast  = 5 * time.Minute
)

// weight is how much an investigation needs a record one by one.
type weight uint8

const (
	weightPlain    weight = iota // a warning or error that nothing else speaks for
	weightEvidence               // an exception, or a match of the catalogue
	weightLandmark               // a transition, or the life of a process
)

// kind is the records of one template in one stream: how many there were, and the group of the last one.
type kind struct {
	seen   int64
	minute int64 // in which the group begins, ns since 1970
	n      int64 // records of the group
	kept   int   // of them, that became documents
	first  *growth
}

// growth is the document that stands for a group, and for how many.
type growth struct {
	id   string
	at   time.Time
	n    int64
	put  int64         // what the store has
	wait time.Duration // before the next put
	due  time.Time
}

// kindsOfStream are those of one stream, by template.
type kindsOfStream struct {
	stream lastnight.StreamID
	kinds  map[string]*kind
	at     *list.Element // in merger.recent; nil once it was forgotten
}

// seen is what see answered: keep the record as a document, or count it on first, if there is one.
type seen struct {
	kind  *kind
	keep  bool
	n     int64
	first *growth
}

// merger decides which of many like records become documents. Safe for concurrent use, but records of one
// stream come one after the other.
type merger struct {
	mu      sync.Mutex
	streams map[lastnight.StreamID]*kindsOfStream
	recent  *list.List // of *kindsOfStream; the one that had records last is in front
	kinds   int
	grown   map[*growth]struct{} // those that the store does not know of
}

func newMerger() *merger {
	return &merger{streams: map[lastnight.StreamID]*kindsOfStream{}, recent: list.New(), grown: map[*growth]struct{}{}}
}

// of gives the kinds of a stream that has records now.
func (m *merger) of(stream lastnight.StreamID) *kindsOfStream {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kindsOf(stream)
}

// kindsOf is of. The caller holds m.mu.
func (m *merger) kindsOf(stream lastnight.StreamID) *kindsOfStream {
	of := m.streams[stream]
	if of == nil {
		of = &kindsOfStream{stream: stream, kinds: map[string]*kind{}}
		of.at = m.recent.PushFront(of)
		m.streams[stream] = of
	}
	m.recent.MoveToFront(of.at)
	return of
}

// see counts a record of a stream and a template, of the minute that begins then.
func (m *merger) see(of *kindsOfStream, template string, minute int64, w weight) seen {
	m.mu.Lock()
	defer m.mu.Unlock()
	if of.at == nil {
		of = m.kindsOf(of.stream)
	}
	k := m.kindOf(of, template)
	k.seen++
	known := w == weightPlain && k.seen > youngRecords
	lasts := int64(time.Minute)
	if known {
		lasts *= knownMinutes
	}
	// Streams step back a little where a runtime's clock is set.
	if k.n == 0 || minute >= k.minute+lasts || minute < k.minute-int64(time.Minute) {
		*k = kind{seen: k.seen, minute: minute}
	}
	k.n++
	limit := keepPerMinute
	switch {
	case w == weightLandmark:
		limit = keepLandmarks
	case known:
		limit = keepKnown
	}
	if k.kept < limit {
		k.kept++
		return seen{kind: k, keep: true, n: k.n}
	}
	return seen{kind: k, n: k.n, first: k.first}
}

// kindOf finds or makes a kind. The caller holds m.mu.
func (m *merger) kindOf(of *kindsOfStream, template string) *kind {
	if k := of.kinds[template]; k != nil {
		return k
	}
	if len(of.kinds) >= maxKindsOfStream {
		m.kinds -= len(of.kinds)
		clear(of.kinds)
	}
	for m.kinds >= maxKinds && m.recent.Back() != of.at {
		m.forget(m.recent.Back().Value.(*kindsOfStream).stream)
	}
	k := &kind{}
	of.kinds[template] = k
	m.kinds++
	return k
}

// kept names the document that a record seen became. The first of a group stands for the others.
func (m *merger) kept(s seen, d *lastnight.Document) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.kind.kept == 1 {
		s.kind.first = &growth{id: d.ID, at: d.Time, n: s.n, put: s.n, wait: growFirst}
	}
}

// more is what a document stands for after some records: n in all.
type more struct {
	n   int64
	put bool // the store gets to know it anyway
}

// grow notes for how many records documents stand.
func (m *merger) grow(grown map[*growth]more, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for g, more := range grown {
		g.n = more.n
		if more.put {
			g.put = more.n
			continue
		}
		if _, ok := m.grown[g]; !ok {
			g.due = now.Add(g.wait)
			m.grown[g] = struct{}{}
		}
	}
}

// undo takes back that documents stand for so many records more: they did not arrive.
func (m *merger) undo(more map[*growth]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for g, n := range more {
		g.n -= n
	}
}

// take gives what the store is to be told of growth by now, or of all.
func (m *merger) take(now time.Time, all bool) []*growth {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []*growth
	for g := range m.grown {
		if !all && len(m.grown) < maxKinds && g.due.After(now) {
			continue
		}
		delete(m.grown, g)
		if g.n > g.put {
			g.wait = min(2*g.wait, growLast)
			due = append(due, g)
		}
	}
	return due
}

// alike makes the numbers of growths, as they are now.
func (m *merger) alike(gs []*growth) []store.Alike {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]store.Alike, len(gs))
	for i, g := range gs {
		list[i] = store.Alike{ID: g.id, Time: g.at, N: g.n}
	}
	return list
}

// told notes what the store has been told, or that it was not to be told.
func (m *merger) told(gs []*growth, list []store.Alike, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, g := range gs {
		if err != nil {
			m.grown[g] = struct{}{}
			continue
		}
		g.put = list[i].N
	}
}

// reset forgets streams whose documents, that it let through, did not reach the store.
func (m *merger) reset(streams map[lastnight.StreamID]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range streams {
		m.forget(s)
	}
}

// forget starts a stream anew. The caller holds m.mu.
func (m *merger) forget(stream lastnight.StreamID) {
	if of := m.streams[stream]; of != nil {
		m.kinds -= len(of.kinds)
		m.recent.Remove(of.at)
		of.at = nil
		delete(m.streams, stream)
	}
}

// weigh tells how much an investigation needs a record.
func weigh(r *lastnight.Record, rec *lastnight.Recognition) weight {
	w := weightPlain
	if len(r.Exception) > 0 {
		w = weightEvidence
	}
	for _, s := range rec.Signals {
		switch s {
		case lastnight.SignalTransition, lastnight.SignalLifecycle, lastnight.SignalRestore, lastnight.SignalPlanned:
			return weightLandmark
		case lastnight.SignalNew:
		default:
			w = weightEvidence
		}
	}
	return w
}

// trouble tells records after which the workload should be investigated again.
func trouble(r *lastnight.Record, rec *lastnight.Recognition) bool {
	if r.Level >= lastnight.LevelError {
		return true
	}
	return slices.ContainsFunc(rec.Signals, func(s string) bool { return s != lastnight.SignalNew })
}
