package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
)

func newLogs(o *options) *cobra.Command {
	var s selection
	var output string
	var raw bool
	var tail int
	cmd := &cobra.Command{
		Use:   "logs JOB|POD",
		Short: "Print the log of a job or pod, living or gone, oldest first",
		Example: `  lastnight logs orders-enrich --since "last night"
  lastnight logs orders-enrich-taskmanager-1-2 -n flink-prod --raw > pod.log
  lastnight logs orders-enrich-taskmanager-1-2 --tail 50`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			req, err := s.request(o, time.Now())
			if err != nil {
				return err
			}
			return o.ask(cmd, func(ctx context.Context, a *asker) error {
				if err := resolve(ctx, a, args[0], &req); err != nil {
					return err
				}
				if err := o.tellLosses(ctx, cmd.ErrOrStderr(), a, req); err != nil {
					return err
				}
				if raw {
					return printRaw(cmd.OutOrStdout(), a.RawLines(ctx, req), tail)
				}
				req.Kinds = []lastnight.DocumentKind{lastnight.DocumentRecord}
				if tail > 0 {
					return o.printTail(ctx, cmd, a, req, tail, output)
				}
				req.Oldest = true
				return o.printDocuments(cmd, a.Search(ctx, req), output, whole)
			})
		},
	}
	s.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&raw, "raw", false, "the lines just as the container wrote them")
	f.IntVar(&tail, "tail", 0, "only the last so many")
	f.StringVarP(&output, "output", "o", "text", "text or json (one document a line)")
	return cmd
}

// resolve finds out whether the name is a pod or a job.
func resolve(ctx context.Context, a *asker, name string, req *lastnight.SearchRequest) error {
	streams, err := a.Streams(ctx, lastnight.StreamsRequest{Namespace: req.Namespace, Pod: name})
	if err != nil {
		return fmt.Errorf("look up pod %s: %w", name, err)
	}
	if len(streams) > 0 {
		return oneNamespace(name, req, streams)
	}
	streams, err = a.Streams(ctx, lastnight.StreamsRequest{Namespace: req.Namespace, Job: name})
	if err != nil {
		return fmt.Errorf("look up job %s: %w", name, err)
	}
	if len(streams) > 0 {
		req.Job = name
		return nil
	}
	return lastnight.Errorf(lastnight.CodeNotFound, nearHint(ctx, a, req.Namespace, name), "no pod or job %q has a log", name)
}

func oneNamespace(name string, req *lastnight.SearchRequest, streams []lastnight.StreamInfo) error {
	req.Pod = name
	for _, s := range streams {
		if s.Namespace != streams[0].Namespace {
			return lastnight.Errorf(lastnight.CodeInvalid, "-n "+streams[0].Namespace+", or -n "+s.Namespace, "pod %q is in several namespaces", name)
		}
	}
	req.Namespace = streams[0].Namespace
	return nil
}

// nearHint names jobs and pods that are spelled almost like the one asked for.
func nearHint(ctx context.Context, a *asker, namespace, name string) string {
	streams, err := a.Streams(ctx, lastnight.StreamsRequest{Namespace: namespace})
	if err != nil {
		return "lastnight jobs"
	}
	var names []string
	for _, s := range streams {
		names = append(names, s.Job, s.Pod)
	}
	slices.Sort(names)
	near := lastnight.Nearest(name, slices.Compact(names), 3)
	if len(near) == 0 {
		return "lastnight jobs"
	}
	return "did you mean " + strings.Join(near, ", ")
}

func printRaw(out io.Writer, lines iter.Seq2[lastnight.RawLine, error], tail int) error {
	w := bufio.NewWriterSize(out, 1<<16)
	n := 0
	var ring [][]byte
	for l, err := range lines {
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		n++
		if tail > 0 {
			if len(ring) == tail {
				ring = ring[1:]
			}
			ring = append(ring, slices.Clone(l.Text))
			continue
		}
		_, _ = w.Write(l.Text) // Flush reports the first error
		if err := w.WriteByte('\n'); err != nil {
			return fmt.Errorf("write log: %w", err)
		}
	}
	for _, l := range ring {
		_, _ = w.Write(l)
		_ = w.WriteByte('\n')
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	if n == 0 {
		return lastnight.Errorf(lastnight.CodeNotFound, "a longer time, or without -c and --restart", "no lines found")
	}
	return nil
}

// printTail prints the newest n in the order in which they were written.
func (o *options) printTail(ctx context.Context, cmd *cobra.Command, a *asker, req lastnight.SearchRequest, n int, output string) error {
	req.Limit = n
	var docs []lastnight.Document
	for d, err := range a.Search(ctx, req) {
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		docs = append(docs, d)
	}
	slices.Reverse(docs)
	return o.printDocuments(cmd, func(yield func(lastnight.Document, error) bool) {
		for i := range docs {
			if !yield(docs[i], nil) {
				return
			}
		}
	}, output, whole)
}
