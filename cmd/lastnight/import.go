package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/collector"
	"lastnight/indexer"
)

func newImport(o *options) *cobra.Command {
	var strict bool
	var nodeName, cluster string
	cmd := &cobra.Command{
		Use:   "import DIR...",
		Short: "Load directories of pod logs, events and pods into the data directory",
		Long: `Load directories into the data directory: a recorded case (nodes/NODE/var/log/pods, events and
pods as JSON), or a bare directory laid out as /var/log/pods. Importing the same again changes
nothing. Damaged parts are named and counted; the rest is imported.`,
		Example: `  lastnight import ./case-2026-11-21
  lastnight import /mnt/node-a/var/log/pods --node node-a`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			for _, dir := range args {
				if st, err := os.Stat(dir); err != nil || !st.IsDir() {
					return lastnight.Errorf(lastnight.CodeInvalid, "lastnight import DIR names a directory of pod logs", "import: %s is not a directory that can be read", dir)
				}
			}
			dataDir, err := o.dataDir()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			n, err := openNode(ctx, nodeConfig{dir: dataDir, tiers: o.tiers, create: true, shards: importShards, log: o.logger(cmd.ErrOrStderr())})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, n.Close(context.WithoutCancel(ctx))) }()
			stats, err := n.load(ctx, cmd.ErrOrStderr(), collector.Config{Node: nodeName, Cluster: cluster}, args)
			if err != nil {
				return err
			}
			if strict && stats.Damaged > 0 {
				return lastnight.Errorf(lastnight.CodeInternal, "see the messages above; without --strict this is no error", "%d damaged places", stats.Damaged)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&strict, "strict", false, "damaged input is an error (exit 1)")
	f.StringVar(&nodeName, "node", "", "name of the node that a bare pods directory comes from")
	f.StringVar(&cluster, "cluster", "", "name of the cluster")
	return cmd
}

// importShards is how many workloads' clusterers an import keeps in memory. It reads one file after the other, so a
// workload that has been read hardly comes again, and what it learned only burdens the garbage collector.
const importShards = 16

// load imports directories, investigates what they show and compacts. It tells on stderr how it went.
func (n *node) load(ctx context.Context, talk io.Writer, cfg collector.Config, dirs []string) (collector.Stats, error) {
	began := time.Now()
	cfg.Ingester, cfg.Positions = n.indexer, n.indexer
	cfg.OnDamage = func(d collector.Damage) {
		fmt.Fprintf(talk, "damaged: %s\n", oneLine(d.String()))
	}
	var total collector.Stats
	for _, dir := range dirs {
		s, err := collector.Import(ctx, cfg, dir)
		total.Files += s.Files
		total.Held += s.Held
		total.Bytes += s.Bytes
		total.Lines += s.Lines
		total.Events += s.Events
		total.Pods += s.Pods
		total.Damaged += s.Damaged
		if err != nil {
			return total, fmt.Errorf("import %s: %w", dir, err)
		}
	}
	if err := n.finish(ctx); err != nil {
		return total, err
	}
	took := time.Since(began)
	fmt.Fprintf(talk, "imported %d lines (%.1f MB) of %d files, %d events, %d pods in %s (%.0f MB/s)\n",
		total.Lines, float64(total.Bytes)/1e6, total.Files, total.Events, total.Pods, shownDuration(took), float64(total.Bytes)/1e6/took.Seconds())
	if total.Damaged > 0 {
		fmt.Fprintf(talk, "%d damaged places, named above; everything else was imported\n", total.Damaged)
	}
	return total, nil
}

// finish investigates what was imported, and compacts it unless that is a server's duty.
func (n *node) finish(ctx context.Context) error {
	if err := n.indexer.Flush(ctx); err != nil { // the investigation counts
		return fmt.Errorf("keep what was learned: %w", err)
	}
	var marks []indexer.Mark
	if n.shared() {
		for _, p := range n.detector.Pending() {
			marks = append(marks, indexer.Mark(p))
		}
	}
	if err := n.detector.Detect(ctx); err != nil {
		return fmt.Errorf("investigate: %w", err)
	}
	if !n.shared() {
		if err := n.archive.Compact(ctx); err != nil {
			return fmt.Errorf("compact archive: %w", err)
		}
		return nil
	}
	if len(marks) == 0 {
		return nil
	}
	return n.board.Mark(ctx, marks) // a server may have investigated at the same time, knowing less
}
