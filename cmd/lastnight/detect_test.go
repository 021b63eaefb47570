package main

import (
	"fmt"
	"testing"
	"time"

	"lastnight"
	"lastnight/investigation"
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

// BenchmarkDetectErrors is what errors of jobs that are well cost: a server's first round over all of them ("first"),
// and the round after the next error of each ("again").
func BenchmarkDetectErrors(b *testing.B) {
	for _, many := range []int{40, 2000} {
		n := openTest(b, b.TempDir())
		at := time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
		marks := make([]investigation.Pending, many)
		for i := range marks {
			job := fmt.Sprintf("job-%d", i)
			docs := make([]lastnight.Document, 100_000/many)
			for j := range docs {
				docs[j] = lastnight.Document{
					ID: fmt.Sprintf("%s-%d", job, j), Kind: lastnight.DocumentRecord, Time: at.Add(time.Duration(j) * 7 * time.Second),
					Text: fmt.Sprintf("ERROR could not look up customer %d of %s", j*i, job), Level: "ERROR", Namespace: "prod", Job: job, Pod: job + "-5d5f7f8b9c-abcde",
				}
			}
			if err := n.store.Index(b.Context(), docs); err != nil {
				b.Fatal(err)
			}
			marks[i] = investigation.Pending{Namespace: "prod", Workload: job, From: at, To: docs[len(docs)-1].Time, Evidence: true}
		}
		detect := func(b *testing.B, d *investigation.Detector) {
			d.MarkAll(marks)
			if err := d.Detect(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		catalogue, err := investigation.DefaultCatalogue()
		if err != nil {
			b.Fatal(err)
		}
		cfg := investigation.DetectorConfig{Source: tiers{Indexer: n.indexer, store: n.store}, Keeper: n.store, Catalogue: catalogue}
		detect(b, investigation.NewDetector(cfg)) // the store packs what is fresh
		b.Run(fmt.Sprintf("first/jobs=%d", many), func(b *testing.B) {
			for b.Loop() {
				detect(b, investigation.NewDetector(cfg))
			}
		})
		d := investigation.NewDetector(cfg)
		detect(b, d)
		b.Run(fmt.Sprintf("again/jobs=%d", many), func(b *testing.B) {
			for b.Loop() {
				detect(b, d)
			}
		})
		closeTest(b, n)
	}
}
