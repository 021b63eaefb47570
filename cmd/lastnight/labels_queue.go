package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
)

// span adds --since and --until, and gives what reads them.
func (l *labeling) span(cmd *cobra.Command) func() (lastnight.Interval, error) {
	var since, until string
	cmd.Flags().StringVar(&since, "since", "", "failovers of incidents that begin at or after this `time` (default 30 days ago)")
	cmd.Flags().StringVar(&until, "until", "", "and before this `time`")
	return func() (lastnight.Interval, error) { return l.interval(since, until, time.Now()) }
}

func (l *labeling) queue() *cobra.Command {
	var req lastnight.QueueRequest
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "List what is worth labeling, that with the most impact first",
		Long: `List templates without a label and incidents that nothing explains, ranked by impact: failovers
touched × jobs × recency (half of it is gone after a week).`,
		Args: cobra.NoArgs,
	}
	interval := l.span(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		iv, err := interval()
		if err != nil {
			return err
		}
		req.Start, req.End = iv.Start, iv.End
		return l.asking(cmd, func(ctx context.Context, a *asker) error {
			found, err := a.Queue(ctx, req)
			if err != nil {
				return fmt.Errorf("queue: %w", err)
			}
			return l.tell(cmd, listed(found, iv), func(p *page) { p.queue(found) })
		})
	}
	f := cmd.Flags()
	f.StringVar(&req.Kind, "kind", "", "template or incident (default both)")
	f.StringVarP(&req.Namespace, "namespace", "n", "", "only in this namespace")
	f.IntVar(&req.Limit, "limit", 20, "at most so many")
	return cmd
}

func (l *labeling) coverage() *cobra.Command {
	var req lastnight.CoverageRequest
	cmd := &cobra.Command{
		Use:   "coverage",
		Short: "Tell which share of the failovers is explained",
		Args:  cobra.NoArgs,
	}
	interval := l.span(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		iv, err := interval()
		if err != nil {
			return err
		}
		req.Start, req.End = iv.Start, iv.End
		return l.asking(cmd, func(ctx context.Context, a *asker) error {
			c, err := a.Coverage(ctx, req)
			if err != nil {
				return fmt.Errorf("coverage: %w", err)
			}
			return l.tell(cmd, c, func(p *page) {
				p.printf("%s\n%d by labels, %d by the catalogue, %d by nothing\n", p.style(bold, c.Summary), c.ByLabel, c.ByCatalogue, c.Failovers-c.Explained)
			})
		})
	}
	cmd.Flags().StringVarP(&req.Namespace, "namespace", "n", "", "only in this namespace")
	cmd.Flags().StringVar(&req.Job, "job", "", "only of this job")
	return cmd
}

func (l *labeling) feedback() *cobra.Command {
	var comment string
	cmd := &cobra.Command{
		Use:   "feedback [INCIDENT [yes|no|other CAUSE]]",
		Short: "Say whether a diagnosis was right, or tell how often each label and cause was",
		Example: `  lastnight labels feedback                                  # precision of each label and cause
  lastnight labels feedback 7f780d86a7ecd42f                 # what was said of an incident
  lastnight labels feedback 7f780d86a7ecd42f other "a cable was unplugged"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 && (args[1] == lastnight.FeedbackOther) != (len(args) > 2) {
				return errors.New("give yes, no, or other and the cause that it was")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				switch len(args) {
				case 0:
					return l.precision(ctx, cmd, a)
				case 1:
					return l.said(ctx, cmd, a, args[0])
				}
				f, err := a.PutFeedback(ctx, lastnight.Feedback{Incident: args[0], Answer: args[1], Other: strings.Join(args[2:], " "), Comment: comment})
				if err != nil {
					return fmt.Errorf("answer on incident %s: %w", args[0], err)
				}
				return l.tell(cmd, f, func(p *page) { p.printf("Kept: %s says %s of %s.\n", printable(f.By), f.Answer, said(f)) })
			})
		},
	}
	cmd.Flags().StringVar(&comment, "comment", "", "more words")
	return cmd
}

// said tells what an answer is about.
func said(f *lastnight.Feedback) string {
	switch {
	case f.Label != "":
		return "label " + printable(f.Label)
	case f.Cause != "":
		return "cause " + printable(f.Cause)
	}
	return "an incident that nothing explains"
}

func (l *labeling) said(ctx context.Context, cmd *cobra.Command, a *asker, incident string) error {
	list, err := a.Feedback(ctx, incident)
	if err != nil {
		return fmt.Errorf("answers on incident %s: %w", incident, err)
	}
	return l.tell(cmd, listed(list, lastnight.Interval{}), func(p *page) {
		for i := range list {
			f := &list[i]
			p.printf("%s  %-12s %-5s of %s  %s\n", shownTime(f.At, p.loc), printable(f.By), f.Answer, said(f), printable(strings.TrimSpace(f.Other+" "+f.Comment)))
		}
		if len(list) == 0 {
			p.printf("Nobody said anything yet.\n")
		}
	})
}

func (l *labeling) precision(ctx context.Context, cmd *cobra.Command, a *asker) error {
	list, err := a.Precision(ctx)
	if err != nil {
		return fmt.Errorf("precision: %w", err)
	}
	return l.tell(cmd, listed(list, lastnight.Interval{}), func(p *page) {
		for _, x := range list {
			p.printf("%3.0f %% right  %3d yes %3d no  %s %s\n", 100*x.Precision, x.Yes, x.No, x.Kind, printable(x.ID))
		}
		if len(list) == 0 {
			p.printf("Nobody said anything yet: lastnight labels feedback INCIDENT yes\n")
		}
	})
}
