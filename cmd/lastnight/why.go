package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
)

func newWhy(o *options) *cobra.Command {
	var since, until, namespace, output string
	cmd := &cobra.Command{
		Use:   "why JOB [WHEN]",
		Short: "Say why a job failed: the cause, the evidence, what to do",
		Long: `Say why a job failed: the cause, what proves it, in which order things happened, what to do
(or that nothing needs doing), and when it happened before.

JOB is the name of a job, a Flink job id, or a link that contains one. WHEN is "last night",
"yesterday", a date or a time. Without it: the newest incident of the last 24 hours.`,
		Example: `  lastnight why orders-enrich
  lastnight why orders-enrich last night
  lastnight why orders-enrich --since 2026-11-21T02:00:00Z --until 2026-11-21T04:00:00Z
  lastnight why orders-enrich -o markdown`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output, "text", "json", "markdown"); err != nil {
				return err
			}
			now := time.Now()
			req, err := o.whyRequest(args, since, until, now)
			if err != nil {
				return err
			}
			req.Namespace = namespace
			return o.ask(cmd, func(ctx context.Context, a *asker) error {
				answer, err := a.Why(ctx, req)
				if err != nil {
					return fmt.Errorf("why %s: %w", args[0], err)
				}
				if err := o.printAnswer(cmd, answer, output); err != nil {
					return err
				}
				return o.tellLossesOf(ctx, cmd.ErrOrStderr(), a, answer)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "incidents that begin at or after this `time`: RFC 3339, -8h, yesterday")
	f.StringVar(&until, "until", "", "incidents that begin before this `time`")
	f.StringVarP(&namespace, "namespace", "n", "", "namespace of the job, if several have one of that name")
	f.StringVarP(&output, "output", "o", "text", "text, json or markdown")
	return cmd
}

// whyRequest reads JOB, WHEN and the interval flags.
func (o *options) whyRequest(args []string, since, until string, now time.Time) (lastnight.WhyRequest, error) {
	req := lastnight.WhyRequest{Job: args[0]}
	iv, err := o.interval(since, until, now)
	if err != nil {
		return req, err
	}
	if when := strings.Join(args[1:], " "); when != "" {
		if since != "" || until != "" {
			return req, lastnight.Errorf(lastnight.CodeInvalid, "lastnight why "+args[0]+" "+when, "give WHEN or --since and --until, not both")
		}
		loc, err := o.location()
		if err != nil {
			return req, err
		}
		if iv, err = lastnight.ParseWhen(when, now, loc); err != nil {
			return req, fmt.Errorf("WHEN: %w", err)
		}
	}
	req.Start, req.End, req.Zone = iv.Start, iv.End, iv.Zone
	return req, nil
}

func (o *options) printAnswer(cmd *cobra.Command, a *lastnight.Answer, output string) error {
	out := cmd.OutOrStdout()
	if output == "json" {
		if err := printJSON(out, a); err != nil {
			return err
		}
	}
	loc, err := o.location()
	if err != nil {
		return err
	}
	if len(a.Incidents) == 0 {
		return lastnight.Errorf(lastnight.CodeNotFound, "lastnight why "+a.Job+" --since -7d, or lastnight logs "+a.Job,
			"%s had no incident from %s to %s", a.Job, shownTime(a.Interval.Start, loc), shownTime(a.Interval.End, loc))
	}
	switch output {
	case "text":
		return newPage(out, loc).answer(a)
	case "markdown":
		return markdownAnswer(out, a, loc)
	}
	return nil
}
