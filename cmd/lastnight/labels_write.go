package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lastnight"
)

// labelFlags is what a label says, as flags.
type labelFlags struct {
	label        lastnight.Label
	template     string
	templates    []string
	signature    lastnight.Signature
	actionNeeded bool
}

func (x *labelFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&x.label.Title, "title", "", "the root cause in one line")
	f.StringVar(&x.label.Cause, "cause", "", "`id` of a cause of the catalogue, or one of your own")
	f.StringVar(&x.label.Advice, "advice", "", "what to do")
	f.StringVar(&x.label.Severity, "severity", "", "critical, high, medium, low or info")
	f.StringVar(&x.label.Layer, "layer", "", "where it comes from: storage, network, user-code …")
	f.StringVar(&x.label.Owner, "owner", "", "who has to act")
	f.BoolVar(&x.actionNeeded, "action-needed", true, "somebody has to act")
	f.StringArrayVar(&x.label.Links, "link", nil, "a runbook or ticket; may be repeated")
	f.StringVar(&x.template, "template", "", "on this template (`id`)")
	f.StringSliceVar(&x.templates, "with-template", nil, "on a signature with this template; may be repeated")
	f.StringSliceVar(&x.signature.Exceptions, "with-exception", nil, "on a signature with this exception (full class name)")
	f.StringSliceVar(&x.signature.Reasons, "with-reason", nil, "on a signature with this reason of an event or container")
	f.IntSliceVar(&x.signature.ExitCodes, "with-exit-code", nil, "on a signature with this exit code")
	f.StringVar(&x.signature.Layer, "with-layer", "", "on a signature with this layer of the catalogue's diagnosis")
	f.StringVar(&x.signature.Job, "with-job", "", "on a signature, of this job only")
	f.StringVar(&x.signature.Namespace, "with-namespace", "", "on a signature, of this namespace only")
}

// apply puts the flags that were given into a label.
func (x *labelFlags) apply(cmd *cobra.Command, l *lastnight.Label) {
	given := cmd.Flags().Changed
	for name, set := range map[string]func(){
		"title":    func() { l.Title = x.label.Title },
		"cause":    func() { l.Cause = x.label.Cause },
		"advice":   func() { l.Advice = x.label.Advice },
		"severity": func() { l.Severity = x.label.Severity },
		"layer":    func() { l.Layer = x.label.Layer },
		"owner":    func() { l.Owner = x.label.Owner },
		"link":     func() { l.Links = x.label.Links },
		"action-needed": func() {
			needed := x.actionNeeded
			l.ActionNeeded = &needed
		},
		"template": func() { l.Target = lastnight.LabelTarget{Template: &lastnight.TemplateRef{ID: x.template}} },
	} {
		if given(name) {
			set()
		}
	}
	for _, name := range []string{"with-template", "with-exception", "with-reason", "with-exit-code", "with-layer", "with-job", "with-namespace"} {
		if !given(name) {
			continue
		}
		s := x.signature
		for _, id := range x.templates {
			s.Templates = append(s.Templates, lastnight.TemplateRef{ID: id})
		}
		l.Target.Signature = &s
		if !given("template") {
			l.Target.Template = nil
		}
		return
	}
}

func (l *labeling) add() *cobra.Command {
	var x labelFlags
	var propose, preview bool
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Make a label",
		Example: `  lastnight labels add --template 3f2a9c01d4e5b6a7 --title "The lease was lost" --propose
  lastnight labels add --with-reason OOMKilled --with-exit-code 137 --cause tm-oomkilled --advice "Raise the limit" --preview`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n := lastnight.Label{ID: x.label.ID}
			x.apply(cmd, &n)
			if propose {
				n.State = lastnight.LabelProposed
			}
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				if preview {
					return l.preview(ctx, cmd, a, n)
				}
				made, err := a.CreateLabel(ctx, n, l.why)
				return l.made(cmd, made, err, "add label")
			})
		},
	}
	x.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&x.label.ID, "id", "", "id of the label (default made of the title)")
	f.BoolVar(&propose, "propose", false, "propose it for review at once; else it is a draft")
	f.BoolVar(&preview, "preview", false, "only tell which incidents it would explain")
	return l.whyFlag(cmd)
}

func (l *labeling) preview(ctx context.Context, cmd *cobra.Command, a *asker, n lastnight.Label) error {
	p, err := a.PreviewLabel(ctx, n)
	if err != nil {
		return fmt.Errorf("preview label: %w", err)
	}
	return l.tell(cmd, p, func(out *page) {
		out.refs(fmt.Sprintf("Would explain %d incidents of the last 90 days, %d failovers, %d of them explained otherwise now", p.Matches, p.Failovers, p.Replaces), p.Incidents)
	})
}

// made tells what became of a change.
func (l *labeling) made(cmd *cobra.Command, made *lastnight.Label, err error, doing string) error {
	if c, ok := errors.AsType[*lastnight.LabelConflict](err); ok {
		return lastnight.Errorf(lastnight.CodeConflict, "lastnight labels history "+c.Current.ID+", then change it again", "%s: %w", doing, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return l.tell(cmd, made, func(p *page) { p.label(made) })
}

func (l *labeling) edit() *cobra.Command {
	var x labelFlags
	var version int
	cmd := &cobra.Command{
		Use:     "edit ID",
		Short:   "Change what a label says; what is not given stays",
		Example: `  lastnight labels edit the-lease-was-lost --advice "Restart it" --why "nothing to do was wrong"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.changing(cmd, args[0], version, func(ctx context.Context, a *asker, n lastnight.Label) (*lastnight.Label, error) {
				x.apply(cmd, &n)
				return a.EditLabel(ctx, n, n.Version, l.why)
			})
		},
	}
	x.flags(cmd)
	cmd.Flags().IntVar(&version, "version", 0, "the version that you looked at; if there is a newer one, nothing changes (default the newest)")
	return l.whyFlag(cmd)
}

// changing reads a label, changes it and tells what became of it.
func (l *labeling) changing(cmd *cobra.Command, id string, version int, f func(context.Context, *asker, lastnight.Label) (*lastnight.Label, error)) error {
	return l.asking(cmd, func(ctx context.Context, a *asker) error {
		n, err := a.Label(ctx, id)
		if err != nil {
			return fmt.Errorf("find label: %w", err)
		}
		if version > 0 {
			n.Version = version
		}
		made, err := f(ctx, a, *n)
		return l.made(cmd, made, err, cmd.Name()+" "+id)
	})
}

func (l *labeling) review() *cobra.Command {
	var version int
	cmd := &cobra.Command{
		Use:   "review [ID ACTION]",
		Short: "List what waits for review, or decide: propose, approve, reject, review, retire, restore",
		Long: `Without ID: list what waits for review. Else move a label on: "propose" a draft, "approve" or "reject" a
proposal (a second person must, unless a setting says otherwise), send an approved one back to
"review", "retire" it, or "restore" a retired one as a draft.`,
		Example: `  lastnight labels review
  lastnight labels review the-lease-was-lost approve --why "seen on three clusters"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return fmt.Errorf("give nothing, or ID and ACTION")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return l.waiting(cmd)
			}
			return l.changing(cmd, args[0], version, func(ctx context.Context, a *asker, n lastnight.Label) (*lastnight.Label, error) {
				return a.ReviewLabel(ctx, n.ID, n.Version, lastnight.LabelAction(args[1]), l.why)
			})
		},
	}
	cmd.Flags().IntVar(&version, "version", 0, "the version that you looked at (default the newest)")
	return l.whyFlag(cmd)
}

func (l *labeling) waiting(cmd *cobra.Command) error {
	return l.asking(cmd, func(ctx context.Context, a *asker) error {
		found, err := a.Labels(ctx, lastnight.LabelsRequest{States: []lastnight.LabelState{lastnight.LabelProposed}})
		if err != nil {
			return fmt.Errorf("list what waits for review: %w", err)
		}
		return l.tell(cmd, listed(found, lastnight.Interval{}), func(p *page) {
			if len(found) == 0 {
				p.printf("Nothing waits for review.\n")
			}
			p.labels(found)
		})
	})
}

func (l *labeling) retire() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retire ID",
		Short: "Make a label explain no more; it is kept",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.changing(cmd, args[0], 0, func(ctx context.Context, a *asker, n lastnight.Label) (*lastnight.Label, error) {
				return a.ReviewLabel(ctx, n.ID, n.Version, lastnight.ActionRetire, l.why)
			})
		},
	}
	return l.whyFlag(cmd)
}

func (l *labeling) undo() *cobra.Command {
	var to int
	cmd := &cobra.Command{
		Use:   "undo ID",
		Short: "Make a new version that says what an earlier one said",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.changing(cmd, args[0], 0, func(ctx context.Context, a *asker, n lastnight.Label) (*lastnight.Label, error) {
				return a.UndoLabel(ctx, n.ID, n.Version, to, l.why)
			})
		},
	}
	cmd.Flags().IntVar(&to, "to", 0, "the version to go back to (default the one before the last)")
	return l.whyFlag(cmd)
}

// needed tells people whether somebody has to act.
func needed(b *bool) string {
	switch {
	case b == nil:
		return "as the catalogue says"
	case *b:
		return "yes"
	}
	return "no"
}

func joined(list []string) string { return printable(strings.Join(list, ", ")) }
