package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/api/client"
	"lastnight/indexer/lease"
)

func newLeases(o *options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "leases",
		Short: "Which server of several does what only one may do at a time",
		Long: `Which server of several does what only one may do at a time: archive (compaction, dropping what is too
old, indexing what a dead server left), incidents, notify. Asks a server, or with --store and --archive what the
servers share. A server that was killed is named until another has waited for as long as TTL says.`,
		Example: `  lastnight leases --server http://lastnight:7077
  lastnight leases --store https://elasticsearch:9200 --archive 's3://logs?region=eu-central-1'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			held, err := o.leases(cmd)
			if err != nil {
				return err
			}
			if len(held) == 0 {
				return lastnight.Errorf(lastnight.CodeNotFound, "servers that share both tiers have leases: serve --store https://HOST:9200 --archive s3://BUCKET", "nobody holds any lease")
			}
			return o.printLeases(cmd, held, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// leases asks a server, or where servers keep them.
func (o *options) leases(cmd *cobra.Command) (held []lastnight.Lease, err error) {
	ctx := cmd.Context()
	server := o.server
	if server == "" && !o.tiers.given() && o.data == "" {
		server = o.serverToAsk(ctx)
	}
	if server != "" {
		c, err := client.New(server, credentials()...)
		if err != nil {
			return nil, fmt.Errorf("--server: %w", err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "asking server %s\n", oneLine(server))
		return c.Leases(ctx)
	}
	if !o.tiers.shared() {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--server URL, or --store https://HOST:9200 --archive s3://BUCKET", "leases: only servers that share both tiers have any")
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "asking the store directly")
	s, err := o.tiers.openStore(ctx, "", o.logger(cmd.ErrOrStderr()))
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return lease.List(ctx, s)
}

func (o *options) printLeases(cmd *cobra.Command, held []lastnight.Lease, output string) error {
	if output == "json" {
		return printJSON(cmd.OutOrStdout(), struct {
			Items []lastnight.Lease `json:"items"`
		}{held})
	}
	loc, err := o.location()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DUTY\tSERVER\tSINCE\tTERM\tTTL")
	for _, s := range held {
		holder := printable(oneLine(s.Holder))
		if holder == "" {
			holder = "nobody"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", printable(oneLine(s.Duty)), holder, shownTime(s.Since, loc), s.Term, printable(oneLine(s.TTL)))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}
