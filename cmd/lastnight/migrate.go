package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/api/audit"
	"lastnight/indexer/archive"
	"lastnight/indexer/store"
)

func newMigrate(o *options) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "migrate --from DIR --to URL",
		Short: "Move what a data directory holds into Elasticsearch and an object store, or back",
		Long: `Copy the store of a data directory into Elasticsearch and, with --archive, its archive into an object
store; or, the other way round, into a new data directory. The other flags and variables of Elasticsearch
are those of every command (--store-prefix, LASTNIGHT_STORE_API_KEY …). Stop the servers first.

It may be interrupted at any time: the same command goes on where it stopped. In the end both sides are read
and compared, value by value. A target that holds anything else is refused. The audit log goes to Elasticsearch
with the rest, but does not become files again on the way back.`,
		Example: `  lastnight migrate --from /var/lib/lastnight --to https://elasticsearch:9200 --archive 's3://logs?region=eu-central-1'
  lastnight migrate --from https://elasticsearch:9200 --archive 's3://logs?region=eu-central-1' --to /var/lib/lastnight`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if isURL(from) == isURL(to) {
				return lastnight.Errorf(lastnight.CodeInvalid, "lastnight migrate --from DIR --to https://elasticsearch:9200", "migrate: one of --from and --to is a data directory, the other the address of Elasticsearch; directories are copied with cp, clusters by a snapshot")
			}
			return o.migrate(cmd, from, to)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "data `directory`, or address of Elasticsearch, to copy from")
	cmd.Flags().StringVar(&to, "to", "", "where to copy to: the other of the two")
	return cmd
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

func (o *options) migrate(cmd *cobra.Command, from, to string) (err error) {
	ctx, talk, log := cmd.Context(), cmd.ErrOrStderr(), o.logger(cmd.ErrOrStderr())
	var src, dst side
	defer func() { err = errors.Join(err, src.close(), dst.close()) }()
	if src, err = o.side(ctx, from, false, log); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	if dst, err = o.side(ctx, to, true, log); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	began := time.Now()
	if src.dir != nil {
		// Into the source's own items, so that the copy and the comparison cover it.
		entries, err := audit.Read(ctx, filepath.Join(src.dir.path, "audit"), lastnight.AuditRequest{})
		if err == nil {
			_, err = audit.Copy(ctx, auditKeeper{bucket{src.store, auditBucket}}, entries)
		}
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	c := store.CopyConfig{From: src.store, To: dst.store, ToName: to, Progress: func(what string, n int) { fmt.Fprintf(talk, "%s: %d\n", oneLine(what), n) }}
	if src.blobs != nil && dst.blobs != nil {
		c.Also = func(ctx context.Context) error { return copyArchive(ctx, talk, src.blobs, dst.blobs) }
	} else {
		fmt.Fprintln(talk, "without --archive only the store is copied; the archive stays where it is")
	}
	have, done, err := store.Copy(ctx, c)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if done {
		fmt.Fprintf(talk, "%s was copied to %s before; there is nothing to do\n", from, to)
		return nil
	}
	fmt.Fprintf(talk, "copied and compared in %s\n", shownDuration(time.Since(began)))
	return printSummary(cmd.OutOrStdout(), have)
}

// side is one of the two places.
type side struct {
	dir   *dataDir // nil: it is remote
	blobs *openBlobs
	store store.Store
}

// side opens a place. A remote one has blobs if --archive names them.
func (o *options) side(ctx context.Context, where string, create bool, log *slog.Logger) (s side, err error) {
	tiers, data := o.tiers, ""
	if isURL(where) {
		tiers.store = where
		tiers.archive = orEnv(tiers.archive, "LASTNIGHT_ARCHIVE")
	} else {
		data = where
		tiers = tierFlags{store: "bleve", archive: filepath.Join(where, "archive")}
		if s.dir, err = openDataDir(where, create, ""); err != nil {
			return s, err
		}
	}
	if tiers.archive != "" {
		if s.blobs, err = tiers.openBlobs(ctx, data); err != nil {
			return s, err
		}
	}
	s.store, err = tiers.connect(ctx, data, log)
	return s, err
}

func (s *side) close() error {
	var errs []error
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.blobs != nil {
		errs = append(errs, s.blobs.Close())
	}
	if s.dir != nil {
		errs = append(errs, s.dir.Close())
	}
	return errors.Join(errs...)
}

func copyArchive(ctx context.Context, talk io.Writer, from, to archive.Blobs) error {
	told := time.Now()
	files, bytes, err := archive.Copy(ctx, from, to, func(files int, bytes int64) {
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			fmt.Fprintf(talk, "files of the archive: %d (%.1f MB)\n", files, float64(bytes)/1e6)
		}
	})
	if err != nil {
		return fmt.Errorf("copy archive: %w", err)
	}
	fmt.Fprintf(talk, "files of the archive: %d (%.1f MB), all there\n", files, float64(bytes)/1e6)
	return nil
}

// printSummary prints how many values there are of each kind, documents of all days together.
func printSummary(out io.Writer, have store.Summary) error {
	counts := map[string]int{}
	for kind, t := range have {
		if strings.HasPrefix(kind, "documents ") {
			kind = "documents"
		}
		counts[kind] += t.Values
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(t, "%s\t%d\n", printable(oneLine(kind)), counts[kind])
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}
