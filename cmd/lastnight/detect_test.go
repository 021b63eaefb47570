package main

import (
	"fmt"
	"testing"
	"time"

	"lastnight"
)

// BenchmarkDetect is the detection of one job's incident on a store that keeps few or many others.
func BenchmarkDetect(b *testing.B) {
	for _, many := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("incidents=%d", many), func(b *testing.B) {
			ctx := b.Context()
			n := openTest(b, b.TempDir())
			defer closeTest(b, n)
			n.night(b, time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC))
			is, err := n.store.Incidents(ctx, lastnight.IncidentsRequest{Job: "clickstream-sessions"})
			if err != nil || len(is) == 0 {
				b.Fatalf("%d incidents, %v", len(is), err)
			}
			one, copies := is[0], make([]lastnight.Incident, many)
			for i := range copies {
				c := one
				c.ID, c.Job, c.Workload = fmt.Sprintf("copy%d", i), fmt.Sprintf("job-%d", i%300), fmt.Sprintf("job-%d", i%300)
				c.Start = one.Start.Add(-time.Duration(i+1) * 4 * time.Minute)
				c.End = c.Start.Add(one.End.Sub(one.Start))
				copies[i] = c
			}
			if err := n.store.PutIncidents(ctx, copies); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				n.detector.Mark(one.Namespace, one.Workload, one.Start)
				if err := n.detector.Detect(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
