package indexer

import (
	"context"
	"errors"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/store"
)

// told is an inventory that keeps what it is told of jobs.
type told struct {
	store.Inventory
	full bool
	jobs map[string]lastnight.Job
	puts int
}

func (s *told) PutJobs(_ context.Context, list []lastnight.Job) error {
	if s.full {
		return errors.New("full")
	}
	for _, j := range list {
		held, ok := s.jobs[j.Name]
		if !ok {
			held = j
		}
		store.MergeJob(&held, &j)
		s.jobs[j.Name] = held
		s.puts++
	}
	return nil
}

// The store is told of a job at once when something is new of it, else once a minute, and of all in the end.
func TestJobsAreToldSeldom(t *testing.T) {
	s := &told{jobs: map[string]lastnight.Job{}}
	j := newJobs(s)
	at := func(sec int) lastnight.Job {
		when := time.Unix(int64(sec), 0)
		return lastnight.Job{Namespace: "ns", Name: "orders", Workload: "orders", Kind: lastnight.JobDeployment, FirstSeen: when, LastSeen: when}
	}
	see := func(list ...lastnight.Job) {
		t.Helper()
		if err := j.see(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	for sec := range 150 {
		see(at(sec))
	}
	if s.puts != 3 { // at 0, 60 and 120
		t.Errorf("told %d times in 150 seconds, want 3", s.puts)
	}
	flink := at(150)
	flink.Kind, flink.FlinkIDs = lastnight.JobFlink, []string{"a"}
	see(flink)
	if got := s.jobs["orders"]; s.puts != 4 || got.Kind != lastnight.JobFlink || len(got.FlinkIDs) != 1 {
		t.Errorf("what is new was not told at once: %d puts, %+v", s.puts, got)
	}
	s.full = true
	if err := j.see(t.Context(), []lastnight.Job{at(300)}); err == nil {
		t.Error("a store that takes nothing is no error")
	}
	s.full = false
	see(at(301)) // what it did not take is told again
	see(at(303))
	if err := j.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.jobs["orders"]; !got.LastSeen.Equal(time.Unix(303, 0)) || !got.FirstSeen.Equal(time.Unix(0, 0)) || s.puts != 6 {
		t.Errorf("in the end, after %d puts: %+v", s.puts, got)
	}
	if err := j.flush(t.Context()); err != nil || s.puts != 6 {
		t.Errorf("told again what it knows: %d puts, %v", s.puts, err)
	}
}
