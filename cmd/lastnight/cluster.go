package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/clusterer"
)

func newCluster() *cobra.Command {
	var cfg clusterer.RunConfig
	cmd := &cobra.Command{
		Use:   "cluster [FILE...]",
		Short: "Turn lines into templates with variables: any text, no server",
		Long: `Turn lines into templates with variables. Reads files or standard input and writes one JSON
object a line: {"line":1,"template_id":"…","template":"… <*> …","variables":["…"]}.

Without --final, template and variables are those known when the line comes, and the variables put
in the places of <*> give back the message byte for byte. With --final they are those of all lines, as
people write them: what never varied is constant, and runs of blanks are one.`,
		Example: `  kubectl logs orders-enrich-0 | lastnight cluster --final
  lastnight cluster --format message app.log`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in := cmd.InOrStdin()
			if len(args) > 0 {
				var files []io.Reader
				for _, name := range args {
					f, err := os.Open(name)
					if err != nil {
						return lastnight.Errorf(lastnight.CodeInvalid, "lastnight cluster FILE, or lines on standard input", "cluster: %w", err)
					}
					defer func() { _ = f.Close() }()
					files = append(files, &lineEnded{r: f})
				}
				in = io.MultiReader(files...)
			}
			cfg.Report = func(s clusterer.Stats) {
				if s.Evicted > 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "too many templates: %d of %d were forgotten; their lines may have gone to the same template under two ids\n", s.Evicted, s.Created)
				}
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

// lineEnded reads a file and ends its last line, so that the next file begins its own.
type lineEnded struct {
	r    io.Reader
	last byte
	done bool
}

// Read implements io.Reader.
func (l *lineEnded) Read(p []byte) (int, error) {
	if l.done || len(p) == 0 {
		return 0, io.EOF
	}
	n, err := l.r.Read(p)
	if n > 0 {
		l.last = p[n-1]
	}
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	l.done = true
	if l.last == '\n' || l.last == 0 && n == 0 || n == len(p) {
		return n, io.EOF
	}
	p[n] = '\n'
	return n + 1, io.EOF
}
