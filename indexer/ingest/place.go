package ingest

import (
	"math/rand/v2"
	"sync"
	"time"

	"lastnight"
	"lastnight/internal/otlp"
)

// maxPlaces is how many foreign streams are known at once. When there are more all begin anew: a
// generation more each, nothing else.
const maxPlaces = 50_000

// placer gives the lines of foreign streams a place: a generation for each stream as long as
// the process lives, offsets one after another.
type placer struct {
	mu      sync.Mutex
	streams map[lastnight.Stream]*place // guarded by mu
}

type place struct {
	gen  lastnight.Generation
	next int64
}

// place gives the span the next place in its stream. Places of requests that are refused stay empty.
func (p *placer) place(s *lastnight.Span, now time.Time) {
	p.mu.Lock()
	at := p.streams[*s.Stream]
	if at == nil {
		if len(p.streams) >= maxPlaces {
			clear(p.streams)
		}
		at = &place{gen: lastnight.Generation{Start: now.UnixNano(), Sum: rand.Uint32()}} //nolint:gosec // two of a stream have to differ, not to be secret
		p.streams[*s.Stream] = at
	}
	gen, from := at.gen, at.next
	at.next += s.To - s.From
	p.mu.Unlock()
	otlp.Place(s, gen, from)
}
