package indexer

import "sync/atomic"

// Metrics counts what an Indexer took in since it was opened.
type Metrics struct {
	records, lines, bytes, documents, events, adopted, recounted atomic.Int64
}

// MetricsSnapshot is the counts at one moment.
type MetricsSnapshot struct {
	Records, Lines, Bytes, Documents, Events int64
	Unindexed                                int   // segments that the store has not taken yet
	Adopted                                  int64 // segments of other servers that were indexed here
	Recounted                                int64 // times that a segment was counted anew, since another has its lines too
}

func (m *Metrics) count(p *pass) {
	m.records.Add(p.records)
	m.lines.Add(p.lines)
	m.bytes.Add(p.bytes)
	m.documents.Add(int64(len(p.order)))
}

// Metrics tells what was taken in so far.
func (x *Indexer) Metrics() MetricsSnapshot {
	x.mu.Lock()
	unindexed := len(x.unindexed)
	x.mu.Unlock()
	m := &x.metrics
	return MetricsSnapshot{
		Records: m.records.Load(), Lines: m.lines.Load(), Bytes: m.bytes.Load(),
		Documents: m.documents.Load(), Events: m.events.Load(), Unindexed: unindexed, Adopted: m.adopted.Load(), Recounted: m.recounted.Load(),
	}
}
