package indexer

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

// markedSink is a sink that keeps what it is told.
type markedSink struct{ marks []Mark }

func (s *markedSink) Mark(_ context.Context, marks []Mark) error {
	s.marks = append(s.marks, marks...)
	return nil
}

// TestMarksTellEvidence: errors are marked as mere evidence, until there is a landmark or an event among them.
func TestMarksTellEvidence(t *testing.T) {
	w := lastnight.Workload{Namespace: "ns", Name: "orders"}
	at := func(sec int64) time.Time { return time.Unix(sec, 0).UTC() }
	for _, tt := range []struct {
		name    string
		signals [][]string // of records, all of them errors
		event   bool
		want    []Mark
	}{
		{"errors", [][]string{nil, {lastnight.SignalException, lastnight.SignalTask}}, false, []Mark{{"ns", "orders", at(0), at(1), true}}},
		{"a landmark among them", [][]string{nil, {lastnight.SignalTransition}, {lastnight.SignalCause}}, false, []Mark{{"ns", "orders", at(0), at(2), false}}},
		{"a checkpoint that shows the recovery", [][]string{{lastnight.SignalCheckpoint, lastnight.SignalRestore}}, false, []Mark{{"ns", "orders", at(0), at(0), false}}},
		{"an event", [][]string{nil}, true, []Mark{{"ns", "orders", at(0), at(9), false}}},
	} {
		s := &markedSink{}
		p := newPass(&Indexer{cfg: Config{Sink: s}, merger: newMerger()})
		sp := &spanPass{pass: p, span: &lastnight.Span{Stream: &lastnight.Stream{}}, workload: w, stream: "s"}
		for i, signals := range tt.signals {
			r := lastnight.Record{Level: lastnight.LevelError, Template: "t", Lines: []lastnight.Line{{Time: at(int64(i)).UnixNano(), Offset: int64(i), Text: []byte("x")}}}
			sp.important(&r, &lastnight.Recognition{Signals: signals})
		}
		sp.done()
		if tt.event {
			p.mark(w, stretch{from: at(9), to: at(9)})
		}
		if err := p.markSignals(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, s.marks); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}
