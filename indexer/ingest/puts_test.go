package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/ingest"
)

// putting is an archive on an object store: every batch is one put, which takes a while.
type putting struct{ puts atomic.Int64 }

func (p *putting) Ingest(ctx context.Context, _ lastnight.Batch) error {
	p.puts.Add(1)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(80 * time.Millisecond):
		return nil
	}
}

// BenchmarkPuts counts the puts of segments that a server makes of what a hundred collectors send, each once a second, at
// several rates: the policy of groups alone, with puts that take 80 ms. "dollars" is what the puts of a month cost at 5 a million.
func BenchmarkPuts(b *testing.B) {
	const collectors, seconds = 100, 5
	for _, rate := range []int{1, 10, 100} { // MB/s
		for _, linger := range []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second} {
			b.Run(fmt.Sprintf("MB/s=%d/linger=%s", rate, linger), func(b *testing.B) {
				sink := &putting{}
				h := ingest.New(ingest.Config{Ingester: sink, Linger: linger, MaxPending: 1 << 30})
				ctx, cancel := context.WithCancel(b.Context())
				var runs, senders sync.WaitGroup
				runs.Go(func() { _ = h.Run(ctx) })
				for b.Loop() {
					for c := range collectors {
						body := ours(b, fmt.Sprintf("pod-%d", c), strings.Repeat("x", rate*1e6/collectors))
						senders.Go(func() {
							time.Sleep(time.Duration(rand.N(1000)) * time.Millisecond)
							for range seconds {
								began := time.Now()
								req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/logs", bytes.NewReader(body))
								req.Header.Set("Content-Type", "application/x-protobuf")
								w := httptest.NewRecorder()
								if h.ServeHTTP(w, req); w.Code != http.StatusOK {
									b.Errorf("%d MB/s: %d %s", rate, w.Code, w.Body)
								}
								time.Sleep(time.Second - time.Since(began))
							}
						})
					}
					senders.Wait()
				}
				cancel()
				runs.Wait()
				puts, megabytes := float64(sink.puts.Load()), float64(rate*seconds*b.N)
				b.ReportMetric(puts/b.Elapsed().Seconds(), "puts/s")
				b.ReportMetric(megabytes/puts, "MB/put")
				b.ReportMetric(megabytes/b.Elapsed().Seconds(), "MB/s")
				b.ReportMetric(puts/b.Elapsed().Seconds()*86400*30*5/1e6, "dollars")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
