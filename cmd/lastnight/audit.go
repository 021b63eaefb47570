package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/api/audit"
	"lastnight/api/client"
)

func newAudit(o *options) *cobra.Command {
	var since, until, output string
	var req lastnight.AuditRequest
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Who did what: sign-ins, denied attempts, changes of labels, exports",
		Long: `Who did what, newest first: sign-ins, denied attempts, changes of labels, exports, administrative acts.
Asks a server (which wants an administrator), or reads the data directory.`,
		Example: `  lastnight audit --since -7d
  lastnight audit --action denied
  lastnight audit --action label. --actor ann -o json`,
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
			entries, err := o.audits(cmd, req)
			if err != nil {
				return err
			}
			if len(entries) == 0 {
				return lastnight.Errorf(lastnight.CodeNotFound, "a longer interval, or fewer conditions", "nothing of that was written down")
			}
			return o.printAudit(cmd, entries, output)
		},
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "entries from this `time` on")
	f.StringVar(&until, "until", "", "entries before this `time`")
	f.StringVar(&req.Actor, "actor", "", "acts of this `name` only")
	f.StringVar(&req.Action, "action", "", "an `action`, or what it begins with: sign-in, denied, export., label.")
	f.IntVar(&req.Limit, "tail", 100, "the newest so many")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// audits asks a server if there is one, else reads the files: they may be read while they are written.
func (o *options) audits(cmd *cobra.Command, req lastnight.AuditRequest) ([]lastnight.AuditEntry, error) {
	ctx := cmd.Context()
	server := o.server
	if server == "" && o.data == "" {
		server = o.serverToAsk(ctx)
	}
	if server != "" {
		c, err := client.New(server, credentials()...)
		if err != nil {
			return nil, fmt.Errorf("--server: %w", err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "asking server %s\n", oneLine(server))
		return c.Audits(ctx, req)
	}
	if o.tiers.shared() {
		fmt.Fprintln(cmd.ErrOrStderr(), "asking the store directly")
		s, err := o.tiers.openStore(ctx, "", o.logger(cmd.ErrOrStderr()))
		if err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
		k, err := audit.NewKept(auditKeeper{bucket{s, auditBucket}}, nil, nil)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		all, err := k.Audits(ctx, req)
		return all, errors.Join(err, s.Close())
	}
	dir, err := o.dataDir()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "asking data directory %s\n", oneLine(dir))
	return audit.Read(ctx, filepath.Join(dir, "audit"), req)
}

// serverToAsk gives the server that commands ask when none was named, "" if there is none.
func (o *options) serverToAsk(ctx context.Context) string {
	if s := serverFromEnv(); s != "" {
		return s
	}
	if alive(ctx, "http://"+defaultListen) {
		return "http://" + defaultListen
	}
	return ""
}

func (o *options) printAudit(cmd *cobra.Command, entries []lastnight.AuditEntry, output string) error {
	out := cmd.OutOrStdout()
	if output == "json" {
		for i := range entries {
			if err := printLine(out, &entries[i]); err != nil {
				return err
			}
		}
		return nil
	}
	loc, err := o.location()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tWHO\tROLE\tACTION\tTARGET\tOUTCOME\tFROM\tDETAIL")
	for i := range entries {
		e := &entries[i]
		var detail []string
		for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
			detail = append(detail, k+"="+e.Detail[k])
		}
		cells := []string{e.Time.In(loc).Format(time.DateTime), e.Actor, string(e.Role), e.Action, e.Target, e.Outcome, e.Remote, strings.Join(detail, " ")}
		for k := range cells {
			cells[k] = strings.ReplaceAll(printable(oneLine(cells[k])), "\t", " ")
			if cells[k] == "" {
				cells[k] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}
