package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
)

func newJobs(o *options) *cobra.Command {
	var since, until, output string
	var req lastnight.JobsRequest
	cmd := &cobra.Command{
		Use:     "jobs",
		Short:   "List the jobs that there are or were, with their incidents",
		Example: `  lastnight jobs --since -7d`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			iv, err := o.interval(since, until, time.Now())
			if err != nil {
				return err
			}
			req.Start, req.End = iv.Start, iv.End
			return o.ask(cmd, func(ctx context.Context, a *asker) error {
				list, err := a.Jobs(ctx, req)
				if err != nil {
					return fmt.Errorf("list jobs: %w", err)
				}
				if output == "json" {
					return printJSON(cmd.OutOrStdout(), items(list, iv))
				}
				if len(list) == 0 {
					return lastnight.Errorf(lastnight.CodeNotFound, "lastnight import DIR", "no jobs are known")
				}
				loc, err := o.location()
				if err != nil {
					return err
				}
				return newPage(cmd.OutOrStdout(), loc).jobs(list)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "seen at or after this `time`, and count incidents from then on")
	f.StringVar(&until, "until", "", "seen before this `time`")
	f.StringVarP(&req.Namespace, "namespace", "n", "", "only in this namespace")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func (p *page) jobs(list []lastnight.Job) error {
	for i := range list {
		j := &list[i]
		count := p.style(dim, "no incident")
		switch {
		case j.Incidents == 1:
			count = p.style(red, "1 incident")
		case j.Incidents > 1:
			count = p.style(red, fmt.Sprintf("%d incidents", j.Incidents))
		}
		p.printf("%-50s %-12s %s\n", printable(j.Namespace+"/"+j.Name), j.Kind, count)
		p.printf("  %s\n", p.style(dim, "last seen "+shownTime(j.LastSeen, p.loc)))
	}
	return p.flush()
}
