package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"lastnight/collector"
	"lastnight/internal/recorded"
)

func newDemo(o *options) *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show lastnight on recorded real failures, as if they happened last night",
		Long: `Show lastnight on recorded real failures of Flink jobs, replayed so that they happened last
night. Needs no cluster and no network. The data lives in a temporary directory unless --data names one.`,
		Example: `  lastnight demo
  lastnight why clickstream-sessions --server http://127.0.0.1:7077`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.demo(cmd, &s) },
	}
	s.flags(cmd)
	return cmd
}

func (o *options) demo(cmd *cobra.Command, s *serving) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	ctx := cmd.Context()
	l, err := s.bind(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	tmp, err := os.MkdirTemp("", "lastnight-demo-")
	if err != nil {
		return fmt.Errorf("make directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	dir := o.data
	if dir == "" {
		dir = filepath.Join(tmp, "data")
	}
	n, err := openNode(ctx, nodeConfig{dir: dir, tiers: o.tiers, create: true, listen: s.who.address(l), log: o.logger(cmd.ErrOrStderr())})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.closeInTime(ctx)) }()
	if err := o.replay(ctx, cmd, n, filepath.Join(tmp, "cases")); err != nil {
		return err
	}
	o.introduce(cmd, l.Addr().String())
	return n.serveOn(ctx, l, s, nil)
}

// replay writes the recorded cases as of last night and imports them.
func (o *options) replay(ctx context.Context, cmd *cobra.Command, n *node, dir string) error {
	loc, err := o.location()
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "replaying recorded failures as last night …")
	if err := recorded.Replay(ctx, dir, recorded.Shift{Now: time.Now(), Zone: loc}); err != nil {
		return fmt.Errorf("replay recorded cases: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("replay recorded cases: %w", err)
	}
	dirs := make([]string, len(entries))
	for i, e := range entries {
		dirs[i] = filepath.Join(dir, e.Name())
	}
	_, err = n.load(ctx, cmd.ErrOrStderr(), collector.Config{}, dirs)
	return err
}

// introduce says where to look and three things to try.
func (o *options) introduce(cmd *cobra.Command, addr string) {
	server := ""
	if addr != defaultListen {
		server = " --server http://" + addr
	}
	fmt.Fprintf(cmd.OutOrStdout(), `
lastnight is at  http://%s

Three things to try:
  1. open http://%s/ and look at what failed last night
  2. in a second shell:  %s why clickstream-sessions%s
  3. and the log of a pod that is long gone:
                         %s logs clickstream-sessions-taskmanager-1-2%s --tail 20
Ctrl-C ends the demo and removes its data.
`, addr, addr, os.Args[0], server, os.Args[0], server)
}
