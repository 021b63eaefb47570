package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lastnight"
)

func (l *labeling) template() *cobra.Command {
	return &cobra.Command{
		Use:   "template ID",
		Short: "Show a template: samples, incidents, labels, and labels of what is similar",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				t, err := a.TemplateDetail(ctx, args[0])
				if err != nil {
					return fmt.Errorf("show template: %w", err)
				}
				return l.tell(cmd, t, func(p *page) { p.template(t) })
			})
		},
	}
}

func (l *labeling) merge() *cobra.Command {
	var into, undo string
	var dryRun, list bool
	cmd := &cobra.Command{
		Use:   "merge TEMPLATE... --into TEMPLATE",
		Short: "Make templates one, for what is there and what comes; or undo that",
		Example: `  lastnight labels merge 3f2a9c01d4e5b6a7 --into 91d88e6f93d25f7c --dry-run
  lastnight labels merge --list
  lastnight labels merge --undo m3`,
		Args: func(_ *cobra.Command, args []string) error {
			if n := len(args); list && n > 0 || undo != "" && n > 0 || !list && undo == "" && (n == 0 || into == "") {
				return errors.New("give templates and --into, or --list, or --undo")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				switch {
				case list:
					return l.merges(ctx, cmd, a)
				case undo != "":
					m, err := a.UndoMerge(ctx, undo, l.why)
					if err != nil {
						return fmt.Errorf("undo %s: %w", undo, err)
					}
					return l.tell(cmd, m, func(p *page) { p.printf("Undone: %s %s.\n", m.Kind, m.ID) })
				}
				p, err := a.MergeTemplates(ctx, lastnight.MergeRequest{From: args, Into: into, Why: l.why, Preview: dryRun})
				return l.touches(cmd, p, err, dryRun)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&into, "into", "", "`template` that they become")
	f.BoolVar(&dryRun, "dry-run", false, "only tell what it would touch")
	f.BoolVar(&list, "list", false, "list merges and splits")
	f.StringVar(&undo, "undo", "", "undo this merge or split (`id`)")
	return l.whyFlag(cmd)
}

func (l *labeling) merges(ctx context.Context, cmd *cobra.Command, a *asker) error {
	found, err := a.Merges(ctx)
	if err != nil {
		return fmt.Errorf("list merges: %w", err)
	}
	return l.tell(cmd, listed(found, lastnight.Interval{}), func(p *page) {
		for i := range found {
			m := &found[i]
			undone := ""
			if m.Undone {
				undone = "  (undone)"
			}
			p.printf("%-5s %s  %s  %s: %s into %s%s  %s\n", m.ID, shownTime(m.At, p.loc), printable(m.By), m.Kind, joined(m.From), printable(m.Into), undone, printable(m.Why))
		}
		if len(found) == 0 {
			p.printf("No templates were merged or split.\n")
		}
	})
}

func (l *labeling) split() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "split TEMPLATE TEXT",
		Short: "Split off what has TEXT: the template's text with values instead of some of its <*>",
		Example: `  lastnight labels split 3f2a9c01d4e5b6a7 'Could not reach broker kafka-0 after <*> tries' --dry-run
  lastnight labels merge --undo m4      # undoes a split too`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				p, err := a.SplitTemplate(ctx, lastnight.SplitRequest{Template: args[0], Text: args[1], Why: l.why, Preview: dryRun})
				return l.touches(cmd, p, err, dryRun)
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only tell what it would touch")
	return l.whyFlag(cmd)
}

// touches tells what a merge or split touches.
func (l *labeling) touches(cmd *cobra.Command, m *lastnight.MergePreview, err error, dryRun bool) error {
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	return l.tell(cmd, m, func(p *page) {
		did := "Done as " + m.Merge.ID
		if dryRun {
			did = "Would be done"
		}
		p.printf("%s: %s of %s into %s.\n", did, m.Merge.Kind, joined(m.Merge.From), printable(m.Merge.Into))
		for i, t := range m.Templates {
			n := int64(0)
			if i < len(m.Counts) {
				n = m.Counts[i].Count
			}
			p.printf("  %9d  %s  %s\n", n, p.style(dim, t.ID), clip(printable(t.Text), p.clip))
		}
		for i := range m.Labels {
			x := &m.Labels[i]
			p.printf("  label %s (%s) explains %d incidents before, %d after\n", x.Label.ID, x.Label.State, x.Before, x.After)
		}
		p.refs(fmt.Sprintf("%d incidents have these templates", m.Touched), m.Incidents[:min(len(m.Incidents), 10)])
	})
}

func (l *labeling) export() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write all labels and merges as YAML, for git or another server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				var b bytes.Buffer // whole, so that a file is never half written
				if err := a.ExportLabels(ctx, &b); err != nil {
					return fmt.Errorf("export labels: %w", err)
				}
				if file != "" {
					if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
						return fmt.Errorf("export labels: %w", err)
					}
					return nil
				}
				if _, err := b.WriteTo(cmd.OutOrStdout()); err != nil {
					return fmt.Errorf("export labels: %w", err)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "write to this `file` (default standard output)")
	return cmd
}

func (l *labeling) load() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take in a file of labels (- is standard input); the same file again changes nothing",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, name := cmd.InOrStdin(), "standard input"
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return lastnight.Errorf(lastnight.CodeInvalid, "lastnight labels import FILE", "import labels: %w", err)
				}
				defer func() { _ = f.Close() }()
				in, name = f, filepath.Base(args[0])
			}
			return l.asking(cmd, func(ctx context.Context, a *asker) error {
				return l.loaded(ctx, cmd, a, in, lastnight.ImportRequest{Name: name, DryRun: dryRun, Why: l.why})
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only tell what would change")
	return l.whyFlag(cmd)
}

func (l *labeling) loaded(ctx context.Context, cmd *cobra.Command, a *asker, in io.Reader, req lastnight.ImportRequest) error {
	res, err := a.ImportLabels(ctx, in, req)
	if err != nil {
		return fmt.Errorf("import labels: %w", err)
	}
	return l.tell(cmd, res, func(p *page) {
		would := ""
		if res.DryRun {
			would = " (dry run: nothing was changed)"
		}
		p.printf("%d created, %d changed, %d as they were, %d merges%s\n", len(res.Created), len(res.Changed), res.Unchanged, res.Merges, would)
		for _, id := range res.Created {
			p.printf("  + %s\n", id)
		}
		for _, id := range res.Changed {
			p.printf("  ~ %s\n", id)
		}
	})
}
