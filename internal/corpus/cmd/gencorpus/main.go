// Command gencorpus writes a tree of pod logs for benchmarks, as in /var/log/pods,
// and prints what it wrote as JSON.
//
//	go run ./internal/corpus/cmd/gencorpus -out /tmp/corpus -mb 1024 -pods 2000
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"lastnight/internal/corpus"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gencorpus:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	out := flag.String("out", "", "folder to write <namespace>_<pod>_<uid>/<container>/0.log into")
	mb := flag.Int64("mb", 64, "size of all log files together, MiB")
	pods := flag.Int("pods", 40, "number of pods")
	span := flag.Duration("span", 6*time.Hour, "time from the first to the last line")
	start := flag.String("start", "2026-03-01T00:00:00Z", "time of the first line, RFC 3339")
	seed := flag.Uint64("seed", 1, "other values, sizes and orders for another seed")
	flag.Parse()
	if *out == "" {
		return fmt.Errorf("-out names no folder; try -out %s", os.TempDir()+"/corpus")
	}
	at, err := time.Parse(time.RFC3339, *start)
	if err != nil {
		return fmt.Errorf("-start: %w", err)
	}
	c, err := corpus.New(ctx, corpus.Options{Bytes: *mb << 20, Pods: *pods, Span: *span, Start: at, Seed: *seed})
	if err != nil {
		return err
	}
	stats, err := c.Write(ctx, *out)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(stats)
}
