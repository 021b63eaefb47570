package main

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"lastnight"
)

// labeling is the flags that all commands of labels know.
type labeling struct {
	*options
	as     string // --as
	output string // -o
	why    string // --why
}

func newLabels(o *options) *cobra.Command {
	l := &labeling{options: o}
	cmd := &cobra.Command{
		Use:   "labels",
		Short: "Keep what you know: root causes and advice that explain every past and future failure",
		Long: `Keep what you know: a root cause and advice, attached once to a template or a signature, explains
every past and future failure that matches. A label is written by one person and approved by another.`,
		Example: `  lastnight labels queue                                  # what is worth labeling
  lastnight labels add --template 3f2a9c01d4e5b6a7 --title "The lease was lost" --advice "Nothing to do" --propose
  lastnight labels review the-lease-was-lost approve --as bob
  lastnight labels export > labels.yaml                   # into git, and back: labels import labels.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&l.as, "as", "", "your `name`, in the history (default $LASTNIGHT_USER, else who you are on this machine)")
	f.StringVarP(&l.output, "output", "o", "text", "text or json")
	cmd.AddCommand(
		l.list(), l.show(), l.add(), l.edit(), l.review(), l.retire(), l.undo(), l.history(), l.settings(),
		l.queue(), l.coverage(), l.feedback(), l.template(), l.merge(), l.split(), l.export(), l.load(),
	)
	for _, c := range cmd.Commands() {
		c.Args = usageArgs(c.Args)
	}
	return cmd
}

// asking finds who answers, and asks in the name of who is at the terminal. On a data
// directory of one's own everything is allowed; a server decides by itself.
func (l *labeling) asking(cmd *cobra.Command, f func(ctx context.Context, a *asker) error) error {
	if err := checkOutput(l.output, "text", "json"); err != nil {
		return err
	}
	return l.ask(cmd, func(ctx context.Context, a *asker) error {
		who := lastnight.Actor{Name: l.name(), Role: lastnight.RoleAdmin, Namespaces: []string{lastnight.EveryNamespace}, Via: "local"}
		return f(lastnight.WithActor(ctx, who), a)
	})
}

func (l *labeling) name() string {
	if l.as != "" {
		return l.as
	}
	if name := os.Getenv("LASTNIGHT_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// whyFlag adds --why.
func (l *labeling) whyFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&l.why, "why", "", "why, for the history")
	return cmd
}

// tell prints an answer: as JSON, or by text.
func (l *labeling) tell(cmd *cobra.Command, v any, text func(p *page)) error {
	if l.output == "json" {
		return printJSON(cmd.OutOrStdout(), v)
	}
	loc, err := l.location()
	if err != nil {
		return err
	}
	p := newPage(cmd.OutOrStdout(), loc)
	text(p)
	return p.flush()
}

func (l *labeling) list() *cobra.Command {
	var req lastnight.LabelsRequest
	var states []string
	cmd := &cobra.Command{
		Use:   "list [TEXT]",
		Short: "List labels",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Text = strings.Join(args, "")
			for _, s := range states {
				req.States = append(req.States, lastnight.LabelState(s))
			}
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				found, err := a.Labels(ctx, req)
				if err != nil {
					return fmt.Errorf("list labels: %w", err)
				}
				if err := l.tell(cmd, listed(found, lastnight.Interval{}), func(p *page) { p.labels(found) }); err != nil {
					return err
				}
				if len(found) == 0 && l.output == "text" {
					return lastnight.Errorf(lastnight.CodeNotFound, "lastnight labels queue shows what is worth labeling", "no labels found")
				}
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&states, "state", nil, "only these: draft, proposed, approved, retired")
	f.StringVar(&req.Template, "template", "", "only labels of this template")
	f.IntVar(&req.Limit, "limit", 0, "at most so many")
	return cmd
}

func (l *labeling) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a label and what it explains",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				found, err := a.Label(ctx, args[0])
				if err != nil {
					return fmt.Errorf("show label: %w", err)
				}
				preview, err := a.PreviewLabel(ctx, *found)
				if err != nil {
					return fmt.Errorf("find what label %s explains: %w", args[0], err)
				}
				return l.tell(cmd, found, func(p *page) {
					p.label(found)
					p.refs(fmt.Sprintf("Matches %d incidents of the last 90 days, %d failovers", preview.Matches, preview.Failovers), preview.Incidents)
				})
			})
		},
	}
}

func (l *labeling) history() *cobra.Command {
	return &cobra.Command{
		Use:   "history ID",
		Short: "Tell who changed a label, when, what and why",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				found, err := a.LabelHistory(ctx, args[0])
				if err != nil {
					return fmt.Errorf("history of label: %w", err)
				}
				return l.tell(cmd, listed(found, lastnight.Interval{}), func(p *page) { p.history(found) })
			})
		},
	}
}

func (l *labeling) settings() *cobra.Command {
	var s lastnight.LabelSettings
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Show or change how labels are reviewed",
		Example: `  lastnight labels settings
  lastnight labels settings --one-person --min-votes 3`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				now, err := a.LabelSettings(ctx)
				if err != nil {
					return fmt.Errorf("read settings: %w", err)
				}
				changed := false
				for name, set := range map[string]func(){
					"one-person":       func() { now.OnePerson = s.OnePerson },
					"proposed-explain": func() { now.ProposedExplain = s.ProposedExplain },
					"min-precision":    func() { now.MinPrecision = s.MinPrecision },
					"min-votes":        func() { now.MinVotes = s.MinVotes },
				} {
					if cmd.Flags().Changed(name) {
						set()
						changed = true
					}
				}
				if changed {
					if err := a.SetLabelSettings(ctx, now); err != nil {
						return fmt.Errorf("change settings: %w", err)
					}
				}
				return l.tell(cmd, now, func(p *page) {
					p.printf("one person is enough       %t\nproposed labels explain    %t\n", now.OnePerson, now.ProposedExplain)
					p.printf("back to review             below %.0f %% right of at least %d answers\n", 100*now.MinPrecision, now.MinVotes)
				})
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&s.OnePerson, "one-person", false, "who wrote a label may approve it too")
	f.BoolVar(&s.ProposedExplain, "proposed-explain", false, "proposed labels explain too")
	f.Float64Var(&s.MinPrecision, "min-precision", 0.5, "a label that is right less often returns to review, 0 to 1")
	f.IntVar(&s.MinVotes, "min-votes", 5, "but not with fewer answers")
	return cmd
}

// listed is the API's document of a list.
func listed[T any](v []T, iv lastnight.Interval) list[T] {
	if v == nil {
		v = []T{}
	}
	return list[T]{Items: v, Interval: iv}
}
