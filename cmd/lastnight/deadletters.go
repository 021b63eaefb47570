package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/indexer/store/elasticstore"
)

func newDeadLetters(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "dead-letters",
		Short: "Put documents again that Elasticsearch had refused for what they are",
		Long: `Put the documents of DATA/dead-letters.ndjson into Elasticsearch again, when the reasons that stand in
it are gone. What is refused still stays in the file. Stop the server that uses the data directory first.`,
		Example: `  lastnight dead-letters --store https://elasticsearch:9200 --data /var/lib/lastnight`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			dir, err := o.dataDir()
			if err != nil {
				return err
			}
			d, err := openDataDir(dir, false, "")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.Close()) }()
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
