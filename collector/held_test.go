package collector_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"lastnight"
)

// held is an Ingester in memory. It checks what spans promise, and answers as Positions.
type held struct {
	t       *testing.T
	mu      sync.Mutex
	to      map[string]int64
	lines   map[lastnight.LineID]lastnight.Line
	records []lastnight.Record
	pods    []lastnight.Pod
	events  []lastnight.Event
	kinds   []string // what each batch had
	doubled int
	fail    error

	failAfter int // batches that are taken before one is refused; 0: none is
	taken     int
}

func newHeld(t *testing.T) *held {
	return &held{t: t, to: map[string]int64{}, lines: map[lastnight.LineID]lastnight.Line{}}
}

func (h *held) Position(s lastnight.Stream, g lastnight.Generation) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.to[string(s.ID())+g.String()]
}

func (h *held) Ingest(_ context.Context, b lastnight.Batch) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return h.fail
	}
	if h.failAfter > 0 {
		if h.taken++; h.taken > h.failAfter {
			h.taken = 0
			return lastnight.Errorf(lastnight.CodeUnavailable, "", "full")
		}
	}
	switch {
	case len(b.Spans) > 0:
		h.kinds = append(h.kinds, "spans")
	case len(b.Pods) > 0:
		h.kinds = append(h.kinds, "pods")
	case len(b.Events) > 0:
		h.kinds = append(h.kinds, "events")
	}
	h.pods = append(h.pods, b.Pods...)
	h.events = append(h.events, b.Events...)
	for i := range b.Spans {
		h.span(&b.Spans[i])
	}
	return nil
}

func (h *held) span(s *lastnight.Span) {
	id := s.Stream.ID()
	key := string(id) + s.Generation.String()
	if s.From != h.to[key] {
		h.t.Errorf("%s %s: span from %d, want %d", s.Stream.Pod, s.Generation, s.From, h.to[key])
	}
	h.to[key] = s.To
	last := int64(-1)
	for _, r := range s.Records {
		if r.Lines[0].Offset <= last {
			h.t.Errorf("%s: record at %d after one at %d", s.Stream.Pod, r.Lines[0].Offset, last)
		}
		last = r.Lines[0].Offset
		if r.MessageAt < 0 || r.MessageAt > len(r.Lines[0].Text) {
			h.t.Errorf("message at %d of %d", r.MessageAt, len(r.Lines[0].Text))
		}
		kept := r
		kept.Lines = nil
		for _, l := range r.Lines {
			if l.Stderr != r.Lines[0].Stderr {
				h.t.Errorf("%s: a record of both iostreams at %d", s.Stream.Pod, l.Offset)
			}
			if l.Partial != (l.Offset >= s.To) || l.Offset < s.From {
				h.t.Errorf("%s: line at %d (partial %v) in span %d to %d", s.Stream.Pod, l.Offset, l.Partial, s.From, s.To)
			}
			lid := lastnight.NewLineID(id, s.Generation, l.Offset)
			if old, ok := h.lines[lid]; ok && !old.Partial {
				h.doubled++
			}
			l.Text = bytes.Clone(l.Text)
			h.lines[lid] = l
			kept.Lines = append(kept.Lines, l)
		}
		h.records = append(h.records, kept)
	}
}

// find gives the records whose text contains a string.
func (h *held) find(part string) []lastnight.Record {
	var found []lastnight.Record
	for _, r := range h.records {
		if strings.Contains(r.Text(), part) {
			found = append(found, r)
		}
	}
	return found
}

// spanKeeper keeps the streams of spans.
type spanKeeper struct {
	mu      sync.Mutex
	streams []lastnight.Stream
}

func newSpanKeeper() *spanKeeper { return &spanKeeper{} }

func (k *spanKeeper) Ingest(_ context.Context, b lastnight.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range b.Spans {
		k.streams = append(k.streams, *b.Spans[i].Stream)
	}
	return nil
}
