package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
)

// listing is what commands that list things share: an interval, and text or JSON.
type listing struct {
	since, until, output string
}

func (l *listing) flags(cmd *cobra.Command, since, sinceHelp, untilHelp string) {
	f := cmd.Flags()
	f.StringVar(&l.since, "since", since, sinceHelp)
	f.StringVar(&l.until, "until", "", untilHelp)
	f.StringVarP(&l.output, "output", "o", "text", "text or json")
}

// list is the API's document for lists.
type list[T any] struct {
	Items      []T                `json:"items"`
	NextCursor string             `json:"next_cursor"`
	Interval   lastnight.Interval `json:"interval,omitzero"`
}

// lister asks for a list in an interval and shows it; none is the error for an empty one.
type lister[T any] struct {
	ask  func(ctx context.Context, a *asker, iv lastnight.Interval) ([]T, error)
	show func(p *page, list []T) error
	none func() error
}

// runList carries out a command that lists things.
func runList[T any](o *options, cmd *cobra.Command, l *listing, how lister[T]) error {
	if err := checkOutput(l.output, "text", "json"); err != nil {
		return err
	}
	iv, err := o.interval(l.since, l.until, time.Now())
	if err != nil {
		return err
	}
	loc, err := o.location()
	if err != nil {
		return err
	}
	return o.ask(cmd, func(ctx context.Context, a *asker) error {
		items, err := how.ask(ctx, a, iv)
		if err != nil {
			return fmt.Errorf("%s: %w", cmd.Name(), err)
		}
		if l.output == "json" {
			if items == nil {
				items = []T{}
			}
			return printJSON(cmd.OutOrStdout(), list[T]{Items: items, Interval: iv})
		}
		if len(items) == 0 {
			return how.none()
		}
		return how.show(newPage(cmd.OutOrStdout(), loc), items)
	})
}
