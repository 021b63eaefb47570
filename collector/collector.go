// Package collector reads what a node has of its pods: log files laid out as
// /var/log/pods, and recorded events, pods and nodes of the API server.
//
//	files ─▶ cri (lines) ─▶ multiline (records) ─▶ Span ─▶ Batch ─▶ Ingester
//	kube objects ─▶ kube (events, pods) ─────────────────┘
//
// Import does it once for a directory; package tail follows a directory. Both
// share Parser and Reader, which turn the bytes of one file into spans.
//
// Nothing is dropped: a line that is damaged comes out with all of its bytes. What
// cannot be read is reported as Damage with file and offset, counted, and stops
// nothing else. Memory is bounded by Config.Workers times a batch of a few MB,
// whatever the size of the files; a single line of up to 16 MiB may add to that.
package collector

import (
	"context"
	"fmt"

	"lastnight"
)

// Positions tells what is held already, so that nothing is read twice.
type Positions interface {
	// Position gives the offset in the generation up to which the archive holds all
	// lines of the stream; 0 if it has none.
	Position(stream lastnight.Stream, gen lastnight.Generation) int64
}

// Config says where things go. Ingester must be set.
type Config struct {
	Cluster   string             // k8s.cluster.name of everything read; may be ""
	Node      string             // node of a bare pods directory; a recorded case names its own
	Ingester  lastnight.Ingester // may be called from Workers goroutines at once
	Positions Positions          // nil: everything is read from its beginning
	Workers   int                // streams read at once; 0: one for each processor, at most 8
	OnDamage  func(Damage)       // called once for each finding, never from two goroutines at once; may be nil
}

// Damage is something that could not be read as it should.
type Damage struct {
	File   string
	Offset int64 // of its first occurrence, in the uncompressed file; of a JSON-lines file the line number
	Reason string
	Count  int64 // how many lines, objects or files it concerns
}

// String gives "file:offset: reason (n times)".
func (d Damage) String() string {
	s := fmt.Sprintf("%s:%d: %s", d.File, d.Offset, d.Reason)
	if d.Count > 1 {
		s += fmt.Sprintf(" (%d times)", d.Count)
	}
	return s
}

// maxDamages is how many findings Stats keeps.
const maxDamages = 1000

// Stats counts what was done.
type Stats struct {
	Files   int64    // log files read, whole or in part
	Held    int64    // log files of which everything was held already
	Bytes   int64    // of log files, uncompressed, handed on
	Lines   int64    // lines handed on
	Records int64    // records handed on
	Pods    int64    // pods handed on
	Events  int64    // events handed on
	Damaged int64    // lines, objects and files that could not be read as they should
	Damages []Damage // the first 1,000 findings
}

// ingest hands a batch on and says what it was doing if that fails.
func ingest(ctx context.Context, to lastnight.Ingester, b lastnight.Batch) error {
	if len(b.Pods) == 0 && len(b.Events) == 0 && len(b.Spans) == 0 {
		return nil
	}
	if err := to.Ingest(ctx, b); err != nil {
		return fmt.Errorf("ingest %d spans and %d events: %w", len(b.Spans), len(b.Events), err)
	}
	return nil
}
