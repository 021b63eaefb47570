package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/clusterer"
	"lastnight/collector/checkpoint"
	"lastnight/collector/spool"
	"lastnight/indexer/archive"
)

func newDebug() *cobra.Command {
	return &cobra.Command{
		Use:   "debug FILE",
		Short: "Show one of lastnight's own files (segment, chunk, clusterer snapshot, checkpoint, spool) as JSON",
		Example: `  lastnight debug /var/lib/lastnight/archive/SEGMENT
  lastnight debug /var/lib/lastnight-collector/checkpoint
  lastnight debug /var/lib/lastnight-collector/spool/0000000000000001.spool`,
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
			case checkpoint.IsFile(head):
				err = checkpoint.Dump(out, f)
			case spool.IsFile(head):
				err = dumpSpool(out, f)
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

// dumpSpool shows a segment of a spool. Its number is its name.
func dumpSpool(w io.Writer, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("size of the file: %w", err)
	}
	var n uint64
	_, _ = fmt.Sscanf(filepath.Base(f.Name()), "%016x", &n) // another name: no mark is recognised
	return spool.Dump(w, f, info.Size(), n)
}
