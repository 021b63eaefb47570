package investigation

import (
	"context"
	"testing"

	"lastnight"
	"lastnight/collector"
)

// loadCase imports a recorded case into m, by the collector's own way.
func loadCase(t testing.TB, m *memory, dir string) {
	t.Helper()
	if _, err := collector.Import(context.Background(), collector.Config{Ingester: m}, dir); err != nil {
		t.Fatal(err)
	}
}

// Ingest implements lastnight.Ingester.
func (m *memory) Ingest(_ context.Context, b lastnight.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range b.Pods {
		m.putPod(p)
	}
	for _, e := range b.Events {
		m.addEvent(e)
	}
	for i := range b.Spans {
		s := &b.Spans[i]
		for _, r := range s.Records {
			m.addRecord(s.Stream, s.Generation, r)
		}
	}
	return nil
}

// podStateBody is a container's state as truth.json has it.
type podStateBody struct {
	ExitCode int
	Reason   string
}
