package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lastnight/indexer/store"
)

// awayExact is a store that does not answer.
type awayExact struct {
	store.Exact
	asked atomic.Int64
}

func (a *awayExact) Get(ctx context.Context, _, _ string) (store.Item, error) {
	a.asked.Add(1)
	<-ctx.Done()
	return store.Item{}, ctx.Err()
}

// TestRequestsDoNotWaitForChanges: while the store is away requests wait for it for a moment, all at once, and not again
// for a while.
func TestRequestsDoNotWaitForChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := &awayExact{}
		c := newChanges(away)
		var failed, served atomic.Int64
		h := c.handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }), func(error) { failed.Add(1) })
		background, stop := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() { _ = c.follow(background) }) // as long as the store lets it
		ask := func() time.Duration {
			began := time.Now()
			var asking sync.WaitGroup
			for range 20 {
				asking.Go(func() {
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/jobs", nil))
				})
			}
			asking.Wait()
			return time.Since(began)
		}
		if took := ask(); took > followPatience || failed.Load() != 1 {
			t.Errorf("20 requests took %s, %d told that it failed", took, failed.Load())
		}
		if took := ask(); took > 0 {
			t.Errorf("20 more right after took %s", took)
		}
		stop()
		following.Wait()
		time.Sleep(followRest)
		before := away.asked.Load()
		if took := ask(); took > followPatience || away.asked.Load() == before || failed.Load() != 2 {
			t.Errorf("later 20 took %s, the store was asked %d times, %d told that it failed", took, away.asked.Load()-before, failed.Load())
		}
		if served.Load() != 60 {
			t.Errorf("%d of 60 requests were served", served.Load())
		}
	})
}
