package main

import (
	"context"

	"github.com/spf13/cobra"

	"lastnight"
)

func newIncidents(o *options) *cobra.Command {
	var l listing
	var req lastnight.IncidentsRequest
	cmd := &cobra.Command{
		Use:   "incidents",
		Short: "List what failed, newest first",
		Example: `  lastnight incidents                       # of the last 24 hours
  lastnight incidents --since -7d -n flink-prod --planned`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runList(o, cmd, &l, lister[lastnight.Incident]{
				ask: func(ctx context.Context, a *asker, iv lastnight.Interval) ([]lastnight.Incident, error) {
					req.Start, req.End = iv.Start, iv.End
					return a.Incidents(ctx, req)
				},
				show: (*page).incidents,
				none: func() error {
					return lastnight.Errorf(lastnight.CodeNotFound, "lastnight incidents --since -7d, or lastnight jobs", "no incident since %s", l.since)
				},
			})
		},
	}
	l.flags(cmd, "-24h", "incidents that begin at or after this `time`: RFC 3339, -8h, yesterday", "incidents that begin before this `time`")
	f := cmd.Flags()
	f.StringVarP(&req.Namespace, "namespace", "n", "", "only in this namespace")
	f.StringVar(&req.Job, "job", "", "only of this job")
	f.BoolVar(&req.Planned, "planned", false, "planned ones too (upgrades, cancels)")
	f.IntVar(&req.Limit, "limit", 200, "at most so many")
	return cmd
}

func (p *page) incidents(list []lastnight.Incident) error {
	for i := range list {
		in := &list[i]
		what := "unexplained"
		if in.Diagnosis.Explained {
			what = in.Diagnosis.Title
		}
		p.printf("%s  %s  %s\n", p.style(dim, in.Start.In(p.loc).Format("2006-01-02 15:04:05")), p.style(bold, printable(in.Namespace+"/"+in.Job)), printable(what))
		p.printf("%21s%s\n", "", p.status(in))
	}
	return p.flush()
}
