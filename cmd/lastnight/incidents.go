package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
)

func newIncidents(o *options) *cobra.Command {
	var since, until, output string
	var req lastnight.IncidentsRequest
	cmd := &cobra.Command{
		Use:   "incidents",
		Short: "List what failed, newest first",
		Example: `  lastnight incidents                       # of the last 24 hours
  lastnight incidents --since -7d -n flink-prod --planned`,
		Args: cobra.NoArgs,
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
				list, err := a.Incidents(ctx, req)
				if err != nil {
					return fmt.Errorf("list incidents: %w", err)
				}
				if output == "json" {
					return printJSON(cmd.OutOrStdout(), items(list, iv))
				}
				if len(list) == 0 {
					return lastnight.Errorf(lastnight.CodeNotFound, "lastnight incidents --since -7d, or lastnight jobs", "no incident since %s", since)
				}
				loc, err := o.location()
				if err != nil {
					return err
				}
				return newPage(cmd.OutOrStdout(), loc).incidents(list)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "-24h", "incidents that begin at or after this `time`: RFC 3339, -8h, yesterday")
	f.StringVar(&until, "until", "", "incidents that begin before this `time`")
	f.StringVarP(&req.Namespace, "namespace", "n", "", "only in this namespace")
	f.StringVar(&req.Job, "job", "", "only of this job")
	f.BoolVar(&req.Planned, "planned", false, "planned ones too (upgrades, cancels)")
	f.IntVar(&req.Limit, "limit", 200, "at most so many")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// list is the API's document for lists.
type list[T any] struct {
	Items      []T                `json:"items"`
	NextCursor string             `json:"next_cursor"`
	Interval   lastnight.Interval `json:"interval,omitzero"`
}

func items[T any](v []T, iv lastnight.Interval) list[T] {
	if v == nil {
		v = []T{}
	}
	return list[T]{Items: v, Interval: iv}
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
