package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/indexer/store/elasticstore"
)

func newDeadLetters(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "dead-letters",
		Short: "Put documents again that Elasticsearch had refused for what they are",
		Long: `Put the documents again that Elasticsearch had refused, when the reasons are gone: those of
DATA/dead-letters.ndjson, of which the server must be stopped first, or, where there is no such file, those
that servers without a data directory keep in Elasticsearch itself. What is refused still stays there.`,
		Example: `  lastnight dead-letters --store https://elasticsearch:9200 --data /var/lib/lastnight`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			dir, err := o.dataDir()
			if err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(dir, deadLetterFile)); errors.Is(err, fs.ErrNotExist) {
				dir = ""
			} else {
				d, err := openDataDir(dir, false, "")
				if err != nil {
					return err
				}
				defer func() { _ = d.Close() }() // only its lock was taken
			}
			opened, err := o.tiers.openStore(cmd.Context(), dir, o.logger(cmd.ErrOrStderr()))
			if err != nil {
				return fmt.Errorf("open store: %w", err)
			}
			defer func() { err = errors.Join(err, opened.Close()) }()
			s, ok := opened.(*elasticstore.Store)
			if !ok {
				return lastnight.Errorf(lastnight.CodeInvalid, "--store https://HOST:9200", "dead-letters: only a store in Elasticsearch has any")
			}
			done, left, err := s.RetryDeadLetters(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d documents put, %d refused still\n", done, left)
			return nil
		},
	}
}
