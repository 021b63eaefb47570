package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"lastnight"
)

func newJobs(o *options) *cobra.Command {
	var l listing
	var req lastnight.JobsRequest
	cmd := &cobra.Command{
		Use:     "jobs",
		Short:   "List the jobs that there are or were, with their incidents",
		Example: `  lastnight jobs --since -7d`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runList(o, cmd, &l, lister[lastnight.Job]{
				ask: func(ctx context.Context, a *asker, iv lastnight.Interval) ([]lastnight.Job, error) {
					req.Start, req.End = iv.Start, iv.End
					return a.Jobs(ctx, req)
				},
				show: (*page).jobs,
				none: func() error {
					return lastnight.Errorf(lastnight.CodeNotFound, "lastnight import DIR", "no jobs are known")
				},
			})
		},
	}
	l.flags(cmd, "", "seen at or after this `time`, and count incidents from then on", "seen before this `time`")
	cmd.Flags().StringVarP(&req.Namespace, "namespace", "n", "", "only in this namespace")
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
		p.printf("%-44s %-12s last seen %s  %s\n", printable(j.Namespace+"/"+j.Name), j.Kind, shownTime(j.LastSeen, p.loc), count)
	}
	return p.flush()
}
