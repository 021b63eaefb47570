package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/clusterer"
	"lastnight/indexer/archive"
)

func newDebug() *cobra.Command {
	return &cobra.Command{
		Use:   "debug FILE",
		Short: "Show one of lastnight's own files (segment, chunk, clusterer snapshot) as JSON",
		Example: `  lastnight debug /var/lib/lastnight/archive/SEGMENT
  lastnight debug - < snapshot`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return lastnight.Errorf(lastnight.CodeInvalid, "lastnight debug FILE, a file of a data directory", "debug: %w", err)
			}
			defer func() { _ = f.Close() }()
			head := make([]byte, 64)
			n, _ := f.ReadAt(head, 0) // a short file is no error: its kind is then unknown
			head = head[:n]
			out := cmd.OutOrStdout()
			switch {
			case archive.IsFile(head):
				err = archive.DumpFile(cmd.Context(), out, f)
			case clusterer.IsSnapshot(head):
				err = clusterer.Dump(f, out)
			case bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")):
				return lastnight.Errorf(lastnight.CodeInvalid, "read it as it is", "debug: %s is JSON already", args[0])
			default:
				return lastnight.Errorf(lastnight.CodeInvalid, "debug knows segments, chunks, manifests and clusterer snapshots", "debug: %s is no file of lastnight, or of a version that this one does not know", args[0])
			}
			if err != nil {
				return fmt.Errorf("debug %s: %w", args[0], err)
			}
			return nil
		},
	}
}
