package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
)

// selection is the flags that say which streams.
type selection struct {
	since, until, namespace, job, pod, container string
	restart                                      int
}

func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.since, "since", "", "from this `time` on: RFC 3339, -8h, yesterday")
	f.StringVar(&s.until, "until", "", "before this `time`")
	f.StringVarP(&s.namespace, "namespace", "n", "", "only in this namespace")
	f.StringVarP(&s.container, "container", "c", "", "only of this container")
	f.IntVar(&s.restart, "restart", -1, "only of this container instance: 0 for the first, 1 after the first restart")
}

func (s *selection) request(o *options, now time.Time) (lastnight.SearchRequest, error) {
	iv, err := o.interval(s.since, s.until, now)
	if err != nil {
		return lastnight.SearchRequest{}, err
	}
	req := lastnight.SearchRequest{Start: iv.Start, End: iv.End, Namespace: s.namespace, Job: s.job, Pod: s.pod, Container: s.container}
	if s.restart >= 0 {
		req.Restart = &s.restart
	}
	return req, nil
}

func newSearch(o *options) *cobra.Command {
	var s selection
	var output, scope string
	var limit int
	var oldest bool
	cmd := &cobra.Command{
		Use:   "search QUERY",
		Short: "Search all records and events, newest first",
		Long: `Search records and events, newest first. Words next to each other must all occur.
Two scopes: everything (the archive, complete) and important (the store: warnings, exceptions,
transitions, events; instant over months, merged).`,
		Example: `  lastnight search 'OutOfMemoryError level:error' --since -8h
  lastnight search 'job:orders-enrich "switched from state"' --oldest
  lastnight search 'reason:OOMKilled' --scope important`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			req, err := s.request(o, time.Now())
			if err != nil {
				return err
			}
			switch scope {
			case "everything":
			case "important":
				req.Important = true
			default:
				return lastnight.Errorf(lastnight.CodeInvalid, "--scope everything or --scope important", "--scope: %q is unknown", scope)
			}
			req.Query, req.Limit, req.Oldest = strings.Join(args, " "), limit, oldest
			return o.ask(cmd, func(ctx context.Context, a *asker) error {
				return o.printDocuments(cmd, a.Search(ctx, req), output, folded)
			})
		},
	}
	s.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&s.job, "job", "", "only of this job")
	f.StringVar(&scope, "scope", "everything", "everything or important")
	f.IntVar(&limit, "limit", 100, "at most so many; 0 for all")
	f.BoolVar(&oldest, "oldest", false, "oldest first")
	f.StringVarP(&output, "output", "o", "text", "text or json (one document a line)")
	return cmd
}

// folding says whether stack traces are shown whole.
type folding bool

const (
	whole  folding = false
	folded folding = true
)

// printDocuments writes documents as they come.
func (o *options) printDocuments(cmd *cobra.Command, docs iter.Seq2[lastnight.Document, error], output string, fold folding) error {
	loc, err := o.location()
	if err != nil {
		return err
	}
	p := newPage(cmd.OutOrStdout(), loc)
	n := 0
	for d, err := range docs {
		if err != nil {
			return fmt.Errorf("%s: %w", cmd.Name(), err)
		}
		n++
		if output == "json" {
			if err := printLine(p.w, &d); err != nil {
				return err
			}
			continue
		}
		p.document(&d, fold)
	}
	if err := p.flush(); err != nil {
		return err
	}
	if n == 0 {
		return lastnight.Errorf(lastnight.CodeNotFound, "a longer time (--since -7d), fewer words, or lastnight jobs", "nothing found")
	}
	return nil
}

// document writes a record or an event as one block.
func (p *page) document(d *lastnight.Document, fold folding) {
	where := d.Namespace
	switch {
	case d.Pod != "":
		where += "/" + d.Pod
	case d.Node != "":
		where = "node " + d.Node
	}
	at := p.style(dim, d.Time.In(p.loc).Format("2006-01-02 15:04:05.000")) + " " + printable(where)
	if d.Alike > 1 {
		at += p.style(dim, fmt.Sprintf("  × %d alike", d.Alike))
	}
	p.printf("%s\n", at)
	if d.Kind == lastnight.DocumentEvent && d.Event != nil {
		p.printf("  %s %s %s/%s: %s\n", p.style(yellow, "event"), printable(d.Event.Reason), d.Event.Object.Kind, printable(d.Event.Object.Name), printable(d.Text))
		return
	}
	hidden := 0
	lines := strings.Split(d.Text, "\n")
	for i, l := range lines {
		if fold == folded && len(lines) > foldAbove && i >= foldHead && !strings.HasPrefix(l, "Caused by:") {
			hidden++
			continue
		}
		p.printf("  %s\n", p.level(d.Level, printable(l)))
	}
	if hidden > 0 {
		p.printf("  %s\n", p.style(dim, fmt.Sprintf("… %d more lines", hidden)))
	}
}

// A record of more than foldAbove lines is folded to its first foldHead and what caused it.
const (
	foldAbove = 6
	foldHead  = 3
)

func (p *page) level(level, s string) string {
	switch level {
	case "ERROR", "FATAL":
		return p.style(red, s)
	case "WARN":
		return p.style(yellow, s)
	}
	return s
}
