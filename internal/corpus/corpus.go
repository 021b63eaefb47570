// Package corpus makes pod logs for benchmarks: as much as wanted, the same for
// the same Options, and like the logs of a Flink platform, because it is grown from
// real ones (internal/recorded). Every record of the recordings is cut into text and
// values; pods replay the records in their order, with fresh values and advancing
// times: a start, then what the healthy job wrote, and now and then some of what the
// failing ones wrote, stack traces and all (of the records, about one in 100 is WARN
// or worse). A few lines are longer than the 16 KiB at which container runtimes cut
// lines into P and F parts.
//
// It is not for judging diagnoses: what the pods tell does not fit together.
package corpus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Options say what to make. The zero value of a field means its default.
type Options struct {
	Bytes int64         // of all log files together, 64 MiB; it is exceeded by less than one record a pod
	Pods  int           // 40; four to a job
	Span  time.Duration // from the first to the last line, 6 h
	Start time.Time     // of the first line, 2026-03-01 00:00 UTC
	Seed  uint64        // other values, sizes and orders for another seed
}

func (o Options) withDefaults() (Options, error) {
	if o.Bytes == 0 {
		o.Bytes = 64 << 20
	}
	if o.Pods == 0 {
		o.Pods = 40
	}
	if o.Span == 0 {
		o.Span = 6 * time.Hour
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Bytes < 0 || o.Pods < 0 || o.Span < 0 {
		return o, errors.New("bytes, pods and span of a corpus must be positive")
	}
	return o, nil
}

// Stats count what was made.
type Stats struct {
	Pods         int   `json:"pods"`
	Lines        int64 `json:"lines"`   // whole lines, P parts joined
	Parts        int64 `json:"parts"`   // lines of the files
	Records      int64 `json:"records"` // lines with their continuation lines
	Traces       int64 `json:"traces"`  // records of more than one line
	RawBytes     int64 `json:"raw_bytes"`
	MessageBytes int64 `json:"message_bytes"` // RawBytes without the runtime's own prefixes and newlines
}

func (s *Stats) add(t Stats) {
	s.Pods += t.Pods
	s.Lines += t.Lines
	s.Parts += t.Parts
	s.Records += t.Records
	s.Traces += t.Traces
	s.RawBytes += t.RawBytes
	s.MessageBytes += t.MessageBytes
}

// Corpus makes pods' logs. It may be used by several goroutines at once.
type Corpus struct {
	opts    Options
	samples map[string]*sample // by component; immutable
	sizes   []int64            // of the pods
}

// New reads the recordings, which takes some tenths of a second.
func New(ctx context.Context, o Options) (*Corpus, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	samples, err := load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read recordings to grow a corpus from: %w", err)
	}
	return &Corpus{opts: o, samples: samples, sizes: sizes(o)}, nil
}

// sizes deals out the bytes: few pods write much, many write little.
func sizes(o Options) []int64 {
	r := random(o.Seed, 0)
	weights, sum := make([]float64, o.Pods), 0.0
	for i := range weights {
		u := r.Float64()
		weights[i] = 0.25 + 2.5*u*u*u
		sum += weights[i]
	}
	out := make([]int64, o.Pods)
	for i, w := range weights {
		out[i] = int64(float64(o.Bytes) * w / sum)
	}
	return out
}

// random is a repeatable source for one purpose.
func random(seed, purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, purpose)) //nolint:gosec // repeatable on purpose, protects nothing
}

// Pods tells how many pods there are.
func (c *Corpus) Pods() int { return c.opts.Pods }

// WritePod writes the log file of pod i (0 to Pods-1) to w.
func (c *Corpus) WritePod(i int, w io.Writer) (Stats, error) {
	if i < 0 || i >= c.opts.Pods {
		return Stats{}, fmt.Errorf("pod %d of a corpus of %d", i, c.opts.Pods)
	}
	return newPod(c, i).write(w)
}

// Write makes the tree dir/<namespace>_<pod>_<uid>/<container>/0.log, as in /var/log/pods.
func (c *Corpus) Write(ctx context.Context, dir string) (Stats, error) {
	var total Stats
	for i := range c.opts.Pods {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		stats, err := c.writeFile(i, dir)
		if err != nil {
			return total, fmt.Errorf("write corpus pod %d: %w", i, err)
		}
		total.add(stats)
	}
	return total, nil
}

func (c *Corpus) writeFile(i int, dir string) (Stats, error) {
	folder := filepath.Join(dir, newPod(c, i).folder(), container)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return Stats{}, err
	}
	f, err := os.Create(filepath.Join(folder, "0.log"))
	if err != nil {
		return Stats{}, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	stats, err := c.WritePod(i, w)
	return stats, errors.Join(err, w.Flush(), f.Close())
}
