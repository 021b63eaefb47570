package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/clusterer"
	"lastnight/internal/header"
)

func newCluster() *cobra.Command {
	var cfg clusterer.RunConfig
	cmd := &cobra.Command{
		Use:   "cluster [FILE...]",
		Short: "Turn lines into templates with variables: any text, no server",
		Long: `Turn lines into templates with variables. Reads files or standard input and writes one JSON
object a line: {"line":1,"template_id":"…","template":"… <*> …","variables":["…"]}.`,
		Example: `  kubectl logs orders-enrich-0 | lastnight cluster --final
  lastnight cluster --format message app.log`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var parser header.Parser
			var h header.Header
			cfg.MessageAt = func(line []byte) int {
				parser.Parse(line, &h)
				return h.MessageAt
			}
			in := cmd.InOrStdin()
			if len(args) > 0 {
				files := make([]io.Reader, len(args))
				for i, name := range args {
					f, err := os.Open(name)
					if err != nil {
						return lastnight.Errorf(lastnight.CodeInvalid, "lastnight cluster FILE, or lines on standard input", "cluster: %w", err)
					}
					defer func() { _ = f.Close() }()
					files[i] = f
				}
				in = io.MultiReader(files...)
			}
			if err := clusterer.Run(cmd.Context(), in, cmd.OutOrStdout(), cfg); err != nil {
				return fmt.Errorf("cluster: %w", err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&cfg.Final, "final", false, "id, template and variables as they stand after the last line (buffers all)")
	f.StringVar(&cfg.Format, "format", clusterer.FormatRaw, "raw: whole lines, the header is cut; message: lines are messages")
	return cmd
}
