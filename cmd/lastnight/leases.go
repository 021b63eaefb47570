package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/indexer/lease"
)

func newLeases(o *options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "leases",
		Short: "Which server of several does what only one may do at a time",
		Long: `Which server of several compacts and drops what is too old (archive), detects incidents, and notifies.
Reads the store that the servers share. Each server's /metrics has what it holds itself (lastnight_lease_held).`,
		Example: `  lastnight leases --store https://elasticsearch:9200 --archive 's3://logs?region=eu-central-1'`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			if !o.tiers.shared() {
				return lastnight.Errorf(lastnight.CodeInvalid, "--store https://HOST:9200 --archive s3://BUCKET", "leases: only servers that share both tiers have any")
			}
			s, err := o.tiers.openStore(cmd.Context(), "", o.logger(cmd.ErrOrStderr()))
			if err != nil {
				return fmt.Errorf("open store: %w", err)
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			states, err := lease.List(cmd.Context(), s)
			if err != nil {
				return err
			}
			if len(states) == 0 {
				return lastnight.Errorf(lastnight.CodeNotFound, "start one: lastnight serve", "no server has taken any lease yet")
			}
			return o.printLeases(cmd, states, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func (o *options) printLeases(cmd *cobra.Command, states []lease.State, output string) error {
	if output == "json" {
		return printJSON(cmd.OutOrStdout(), states)
	}
	loc, err := o.location()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DUTY\tSERVER\tSINCE\tTERM")
	for _, s := range states {
		holder := printable(oneLine(s.Holder))
		if holder == "" {
			holder = "nobody"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\n", s.Duty, holder, shownTime(s.Since, loc), s.Term)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}
