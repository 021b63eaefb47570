package main

import (
	"context"

	"github.com/spf13/cobra"

	"lastnight"
)

func newTemplates(o *options) *cobra.Command {
	var l listing
	var req lastnight.TemplatesRequest
	cmd := &cobra.Command{
		Use:   "templates [JOB]",
		Short: "List the log patterns of a job with their counts, most frequent first",
		Example: `  lastnight templates orders-enrich --since "last night"
  lastnight templates --limit 20`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				req.Job = args[0]
			}
			return runList(o, cmd, &l, lister[lastnight.TemplateInfo]{
				ask: func(ctx context.Context, a *asker, iv lastnight.Interval) ([]lastnight.TemplateInfo, error) {
					req.Start, req.End = iv.Start, iv.End
					return a.Templates(ctx, req)
				},
				show: (*page).templates,
				none: func() error {
					return lastnight.Errorf(lastnight.CodeNotFound, "lastnight jobs, or a longer time (--since -7d)", "no templates found")
				},
			})
		},
	}
	l.flags(cmd, "", "count from this `time` on", "count before this `time`")
	f := cmd.Flags()
	f.StringVarP(&req.Namespace, "namespace", "n", "", "only in this namespace")
	f.IntVar(&req.Limit, "limit", 100, "at most so many")
	return cmd
}

func (p *page) templates(list []lastnight.TemplateInfo) error {
	for i := range list {
		t := &list[i]
		p.printf("%9d  %-5s  %s  %s\n", t.Count, t.Level, p.style(dim, t.ID), p.level(t.Level, clip(printable(t.Text), 400)))
	}
	return p.flush()
}
