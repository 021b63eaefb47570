package indexer

import (
	"slices"
	"sync"
	"time"

	"lastnight"
)

// How many records of one template in one stream become documents. A flood of one
// warning would otherwise cost more than everything else (bleve takes 8,000 to 58,000
// small documents a second). Counts tell how many there were; the archive has them all.
const (
	keepPerMinute  = 3   // of a template that is young, or that an investigation asks for
	keepKnown      = 1   // of one that has been seen youngRecords times, whatever the stream
	youngRecords   = 200 // records
	knownMinutes   = 60  // a known one gets keepKnown documents a stream in so many minutes
	keepLandmarks  = 200 // landmarks (transitions, lifecycle …) a minute: never merged, only bounded
	maxMergeGroups = 100_000
	maxFirsts      = 4_000 // documents kept in memory so that they can tell the number
)

// weight is how much an investigation needs a record one by one.
type weight uint8

const (
	weightPlain    weight = iota // a warning or error that nothing else speaks for
	weightEvidence               // an exception, or a match of the catalogue
	weightLandmark               // a transition, or the life of a process
)

type groupKey struct {
	stream   lastnight.StreamID
	template string
	minute   int64 // start, ns since 1970
}

type keptKey struct {
	stream   lastnight.StreamID
	template string
}

// group is the like records of one minute.
type group struct {
	key   groupKey
	n     int64
	kept  int
	first *lastnight.Document // the document that tells the number
}

// seen is what see answered: keep the record as a document, or count it on first.
type seen struct {
	key   groupKey
	keep  bool
	n     int64
	first *lastnight.Document
}

// merger decides which of many like records become documents. Safe for concurrent use.
type merger struct {
	mu     sync.Mutex
	groups map[groupKey]*group
	firsts []*group          // groups whose first document is kept
	seen   map[string]int64  // records of a template, in all streams
	last   map[keptKey]int64 // minute of the last document of a known template
}

func newMerger() *merger {
	return &merger{groups: map[groupKey]*group{}, seen: map[string]int64{}, last: map[keptKey]int64{}}
}

// see counts a record. Memory is bounded by starting anew: then a few records more become documents.
func (m *merger) see(k groupKey, w weight) seen {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.groups) >= maxMergeGroups || len(m.last) >= maxMergeGroups || len(m.seen) >= maxMergeGroups {
		m.forget()
	}
	m.seen[k.template]++
	known := w == weightPlain && m.seen[k.template] > youngRecords
	if known {
		last, ok := m.last[keptKey{k.stream, k.template}]
		if ok && k.minute >= last && k.minute-last < knownMinutes*int64(time.Minute) {
			k.minute = last // counts on the document of that minute
		} else {
			m.last[keptKey{k.stream, k.template}] = k.minute
		}
	}
	g := m.groups[k]
	if g == nil {
		g = &group{key: k}
		m.groups[k] = g
	}
	g.n++
	limit := keepPerMinute
	switch {
	case w == weightLandmark:
		limit = keepLandmarks
	case known:
		limit = keepKnown
	}
	if g.kept < limit {
		g.kept++
		return seen{key: k, keep: true, n: g.n}
	}
	return seen{key: k, n: g.n, first: g.first}
}

// kept names the document that a record seen became.
func (m *merger) kept(s seen, d *lastnight.Document) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.groups[s.key]
	if g == nil || g.first != nil || g.kept > 1 {
		return
	}
	if len(m.firsts) >= maxFirsts { // those of half the groups stay; the others' number stands still
		for _, old := range m.firsts[:maxFirsts/2] {
			old.first = nil
		}
		m.firsts = append(m.firsts[:0:0], m.firsts[maxFirsts/2:]...)
	}
	g.first = d
	m.firsts = append(m.firsts, g)
}

// reset forgets what was kept, after documents that it let through did not reach the store.
func (m *merger) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
}

// forget starts anew. The caller holds m.mu.
func (m *merger) forget() {
	clear(m.groups)
	m.firsts = nil
	clear(m.seen)
	clear(m.last)
}

// weigh tells how much an investigation needs a record.
func weigh(r *lastnight.Record, rec lastnight.Recognition) weight {
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
func trouble(r *lastnight.Record, rec lastnight.Recognition) bool {
	if r.Level >= lastnight.LevelError {
		return true
	}
	return slices.ContainsFunc(rec.Signals, func(s string) bool { return s != lastnight.SignalNew })
}
