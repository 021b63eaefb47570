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
	keepPerMinute  = 3   // of a template that is young in its stream
	keepKnown      = 1   // of one that has been seen youngRecords times
	youngRecords   = 50  // records
	knownMinutes   = 10  // a known one gets keepKnown documents in so many minutes
	keepLandmarks  = 200 // landmarks (transitions, lifecycle …) a minute: never merged, only bounded
	maxMergeGroups = 50_000
)

type groupKey struct {
	stream   lastnight.StreamID
	template string
	minute   int64 // start, ns since 1970
}

type ageKey struct {
	stream   lastnight.StreamID
	template string
}

// age is how long a template has been known in a stream.
type age struct {
	n        int64
	lastKept int64 // minute of the last document, ns since 1970
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
	ages   map[ageKey]*age
}

func newMerger() *merger {
	return &merger{groups: map[groupKey]*group{}, ages: map[ageKey]*age{}}
}

// see counts a record. Memory is bounded by starting anew: then a few records more become documents.
func (m *merger) see(k groupKey, landmark bool) seen {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.groups) >= maxMergeGroups || len(m.ages) >= maxMergeGroups {
		clear(m.groups)
		clear(m.ages)
	}
	a := m.ages[ageKey{k.stream, k.template}]
	if a == nil {
		a = &age{}
		m.ages[ageKey{k.stream, k.template}] = a
	}
	a.n++
	known := a.n > youngRecords && !landmark
	if known && k.minute-a.lastKept < knownMinutes*int64(time.Minute) && k.minute >= a.lastKept {
		k.minute = a.lastKept // counts on the document of that minute
	}
	g := m.groups[k]
	if g == nil {
		g = &group{key: k}
		m.groups[k] = g
	}
	g.n++
	limit := keepPerMinute
	switch {
	case landmark:
		limit = keepLandmarks
	case known:
		limit = keepKnown
	}
	if g.kept < limit {
		g.kept++
		a.lastKept = k.minute
		return seen{key: k, keep: true, n: g.n}
	}
	return seen{key: k, n: g.n, first: g.first}
}

// kept names the document that a record seen became.
func (m *merger) kept(s seen, d *lastnight.Document) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g := m.groups[s.key]; g != nil && g.first == nil {
		g.first = d
	}
}

// reset forgets what was kept, after documents that it let through did not reach the store.
func (m *merger) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.groups)
	clear(m.ages)
}

// landmark tells records that an investigation needs one by one.
func landmark(rec lastnight.Recognition) bool {
	for _, s := range rec.Signals {
		switch s {
		case lastnight.SignalTransition, lastnight.SignalLifecycle, lastnight.SignalRestore, lastnight.SignalPlanned:
			return true
		}
	}
	return false
}

// trouble tells records after which the workload should be investigated again.
func trouble(r *lastnight.Record, rec lastnight.Recognition) bool {
	if r.Level >= lastnight.LevelError {
		return true
	}
	return slices.ContainsFunc(rec.Signals, func(s string) bool { return s != lastnight.SignalNew })
}
