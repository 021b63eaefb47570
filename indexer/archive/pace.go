package archive

import (
	"context"
	"fmt"

	"golang.org/x/time/rate"
)

const (
	defaultUpkeepBytes = 16 << 20
	// catchUp is in how many seconds upkeep may read and write twice what waits for it beyond a chunk's worth, whatever its bound.
	catchUp = 1
	// requestBytes is what a request counts at least: on an object store many small ones cost more than few large ones.
	requestBytes = 64 << 10
	// paceBurst is how much may go at once.
	paceBurst = 1 << 20
)

// pace bounds what upkeep (CompactDue and Retain) reads and writes, so that a disk or a network has room for what
// arrives and for questions. It yields to backlog: the more segments wait, the faster it goes, so that upkeep is never
// further behind than a chunk's worth and what arrives in catchUp seconds, if the machine can do it at all: questions cost more of segments. Upkeep says who it is in the
// context (paced); all else passes. Safe for concurrent use.
type pace struct {
	base    float64       // bytes/s
	limit   *rate.Limiter // nil: no bound
	waiting func() int64  // bytes of segments that are not compacted yet, beyond what makes a chunk
}

// newPace bounds to so many bytes a second; below 0: to none.
func newPace(perSecond int64, waiting func() int64) *pace {
	p := &pace{base: float64(perSecond), waiting: waiting}
	if perSecond > 0 {
		p.limit = rate.NewLimiter(rate.Limit(perSecond), paceBurst)
	}
	return p
}

// wait returns when n more bytes may be read or written, if ctx is upkeep's.
func (p *pace) wait(ctx context.Context, n int64) error {
	if on, _ := ctx.Value(pacedKey{}).(bool); !on || p.limit == nil {
		return nil
	}
	p.limit.SetLimit(rate.Limit(max(p.base, 2*float64(p.waiting())/catchUp)))
	for n = max(n, requestBytes); n > 0; n -= paceBurst {
		if err := p.limit.WaitN(ctx, int(min(n, paceBurst))); err != nil {
			return fmt.Errorf("wait for upkeep's turn to read or write: %w", err)
		}
	}
	return nil
}

type pacedKey struct{}

// paced marks a context as upkeep's.
func paced(ctx context.Context) context.Context { return context.WithValue(ctx, pacedKey{}, true) }

// hurried takes the mark away: for what others wait for.
func hurried(ctx context.Context) context.Context { return context.WithValue(ctx, pacedKey{}, false) }

// pacedBlobs makes upkeep wait before it reads or writes. Deletes are paced by sweep and lists not at all: others wait for them.
type pacedBlobs struct {
	Blobs
	pace *pace
}

// Put stores a blob, when it may.
func (b pacedBlobs) Put(ctx context.Context, name string, data []byte) error {
	if err := b.pace.wait(ctx, int64(len(data))); err != nil {
		return err
	}
	return b.Blobs.Put(ctx, name, data)
}

// Get gives a range, when it may.
func (b pacedBlobs) Get(ctx context.Context, name string, off, n int64) ([]byte, error) {
	if err := b.pace.wait(ctx, n); err != nil {
		return nil, err
	}
	return b.Blobs.Get(ctx, name, off, n)
}

// waiting gives how many bytes of segments are not compacted yet, beyond about what makes a chunk.
func (a *Archive) waiting() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var size, raw int64
	for _, f := range a.segments {
		if !f.skip {
			size, raw = size+f.size, raw+f.raw
		}
	}
	if raw <= a.cfg.ChunkBytes {
		return 0
	}
	return int64(float64(size) * (1 - float64(a.cfg.ChunkBytes)/float64(raw)))
}
