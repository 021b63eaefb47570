package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
)

func newTemplates(o *options) *cobra.Command {
	var since, until, output string
	var req lastnight.TemplatesRequest
	cmd := &cobra.Command{
		Use:   "templates [JOB]",
		Short: "List the log patterns of a job with their counts, most frequent first",
		Example: `  lastnight templates orders-enrich --since "last night"
  lastnight templates --limit 20`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			iv, err := o.interval(since, until, time.Now())
			if err != nil {
				return err
			}
			req.Start, req.End = iv.Start, iv.End
			if len(args) > 0 {
				req.Job = args[0]
			}
			return o.ask(cmd, func(ctx context.Context, a *asker) error {
				list, err := a.Templates(ctx, req)
				if err != nil {
					return fmt.Errorf("list templates: %w", err)
				}
				if output == "json" {
					return printJSON(cmd.OutOrStdout(), items(list, iv))
				}
				if len(list) == 0 {
					return lastnight.Errorf(lastnight.CodeNotFound, "lastnight jobs, or a longer time (--since -7d)", "no templates found")
				}
				return newPage(cmd.OutOrStdout(), time.UTC).templates(list)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "count from this `time` on")
	f.StringVar(&until, "until", "", "count before this `time`")
	f.StringVarP(&req.Namespace, "namespace", "n", "", "only in this namespace")
	f.IntVar(&req.Limit, "limit", 100, "at most so many")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func (p *page) templates(list []lastnight.TemplateInfo) error {
	for i := range list {
		t := &list[i]
		p.printf("%9d  %-5s  %s  %s\n", t.Count, t.Level, p.style(dim, t.ID), clip(p.level(t.Level, printable(t.Text)), 400))
	}
	return p.flush()
}
