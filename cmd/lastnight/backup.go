package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/indexer/store/blevestore"
)

func newBackup(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write what is small and exact (labels, templates, incidents, jobs) to a file",
		Long: `Write what is small and exact to a file: labels and their history, templates, incidents, jobs,
pods, counts. The archive is a directory or bucket of immutable files: copy that with what copies files.`,
		Example: `  lastnight backup lastnight-2026-11-21.backup`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			dir, err := o.dataDir()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			n, err := openNode(ctx, nodeConfig{dir: dir, tiers: o.tiers, log: o.logger(cmd.ErrOrStderr())})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, n.Close(context.WithoutCancel(ctx))) }()
			b, ok := n.store.(interface {
				Backup(ctx context.Context, w io.Writer) error
			})
			if !ok {
				return lastnight.Errorf(lastnight.CodeInvalid, "a snapshot repository of Elasticsearch", "backup is for the embedded store; this one is in Elasticsearch")
			}
			if err := n.indexer.Flush(ctx); err != nil {
				return err
			}
			return writeFile(args[0], func(f *os.File) error { return b.Backup(ctx, f) })
		},
	}
}

// writeFile writes a file whole or not at all.
func writeFile(name string, write func(*os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp")
	if err != nil {
		return lastnight.Errorf(lastnight.CodeInvalid, "a FILE in a directory that you may write", "backup: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func newRestore(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "restore FILE",
		Short:   "Put a backup into an empty data directory, or into one that has only an archive",
		Example: `  lastnight restore lastnight-2026-11-21.backup --data /var/lib/lastnight`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			dir, err := o.dataDir()
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return lastnight.Errorf(lastnight.CodeInvalid, "lastnight restore FILE names a backup", "restore: %w", err)
			}
			defer func() { _ = f.Close() }()
			d, err := openDataDir(dir, true, "")
			if err != nil {
				return err
			}
			if err := errors.Join(blevestore.Restore(cmd.Context(), filepath.Join(dir, "store"), f), d.Close()); err != nil {
				return fmt.Errorf("restore %s: %w", args[0], err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "restored into %s\n", dir)
			return nil
		},
	}
}
