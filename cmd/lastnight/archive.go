package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/internal/vfs"
)

func newArchive(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "archive",
		Short: "Check and count what the archive holds",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newArchiveVerify(o), newArchiveStats(o))
	for _, c := range cmd.Commands() {
		c.Args = usageArgs(c.Args)
	}
	return cmd
}

func newArchiveVerify(o *options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read all of the archive and name what is damaged, with file and offset",
		Long: `Read every file of the archive in place, check each part against its checksum, and decode it.
Nothing is changed, and a server may go on using the archive meanwhile. Exit code 1 when anything is damaged.`,
		Example: `  lastnight archive verify --data /var/lib/lastnight`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			return o.inArchive(cmd.Context(), func(ctx context.Context, b archive.Blobs) error {
				r, err := archive.Verify(ctx, b)
				if err != nil {
					return err
				}
				return printReport(cmd.OutOrStdout(), r, output)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`format`: text or json")
	return cmd
}

func printReport(w io.Writer, r archive.Report, output string) error {
	if output == "json" {
		if err := printJSON(w, r); err != nil {
			return err
		}
	} else {
		for _, f := range r.Findings {
			fmt.Fprintf(w, "damaged: %s: %s\n", f.File, oneLine(f.Error))
		}
		fmt.Fprintf(w, "%d files, %d blocks, %.1f MB read; %d damaged places\n", r.Files, r.Blocks, float64(r.Bytes)/1e6, len(r.Findings))
	}
	if len(r.Findings) > 0 {
		return lastnight.Errorf(lastnight.CodeInternal, "what is damaged is skipped and everything else stays readable; a copy of these files would mend it",
			"%d damaged places in the archive", len(r.Findings))
	}
	return nil
}

func newArchiveStats(o *options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "stats",
		Short:   "Count the archive's files, lines and bytes",
		Example: `  lastnight archive stats -o json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			loc, err := o.location()
			if err != nil {
				return err
			}
			return o.inArchive(cmd.Context(), func(ctx context.Context, b archive.Blobs) error {
				s, err := archive.StatsOf(ctx, b)
				if err != nil {
					return err
				}
				out := cmd.OutOrStdout()
				if output == "json" {
					return printJSON(out, s)
				}
				fmt.Fprintf(out, "%d segments, %d chunks with %d blocks, %d listed in %d manifests; %d replaced, %d damaged\n", s.Segments, s.Chunks, s.Blocks, s.Listed, s.Manifests, s.Garbage, s.Damaged)
				fmt.Fprintf(out, "%d lines in %d records\n", s.Lines, s.Records)
				fmt.Fprintf(out, "%.1f MB", float64(s.Bytes)/1e6)
				if s.RawBytes > 0 {
					fmt.Fprintf(out, " for %.1f MB of logs (%.4f)", float64(s.RawBytes)/1e6, float64(s.Bytes)/float64(s.RawBytes))
				}
				if !s.First.IsZero() {
					fmt.Fprintf(out, "\nfrom %s to %s", shownTime(s.First, loc), shownTime(s.Last, loc))
				}
				fmt.Fprintln(out)
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`format`: text or json")
	return cmd
}

// inArchive calls f with the archive's files, where they are. It takes no lock and changes nothing.
func (o *options) inArchive(ctx context.Context, f func(context.Context, archive.Blobs) error) (err error) {
	dir, err := o.dataDir()
	if err != nil {
		return err
	}
	where := orEnv(o.tiers.archive, "LASTNIGHT_ARCHIVE")
	if strings.Contains(where, "://") {
		b, err := o.tiers.openBlobs(ctx, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		return f(ctx, b)
	}
	if where == "" {
		where = filepath.Join(dir, "archive")
	}
	if st, err := os.Stat(where); err != nil || !st.IsDir() {
		return lastnight.Errorf(lastnight.CodeInvalid, "--data names a data directory, --archive an archive elsewhere", "archive: there is none in %s", where)
	}
	fsys, err := vfs.NewOS(where)
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	defer func() { err = errors.Join(err, fsys.Close()) }()
	return f(ctx, archive.ReadDir(fsys))
}
