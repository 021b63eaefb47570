// Command lastnight keeps the logs of Kubernetes pods and answers, after they are
// gone, why a job failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // an image without zone files knows the zones all the same

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/api"
)

// version is set by the linker.
var version = "dev"

// memoryLimit is what the garbage collector works towards, in bytes; GOMEMLIMIT overrides it.
// Program and mapped files come on top: together an import takes some 250 MB, whatever its size and the number of workloads.
const memoryLimit = 180 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and gives its exit code: 0 found or done, 1 error,
// 2 wrong usage, 3 nothing found.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot() //nolint:contextcheck // commands get theirs from cobra
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if strings.HasPrefix(err.Error(), "unknown command ") { // cobra has no type for it
		err = lastnight.Errorf(lastnight.CodeInvalid, "lastnight --help lists the commands", "%w", err)
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return 1 // whoever read stopped reading, or Ctrl-C: nothing to say
	}
	fmt.Fprintf(stderr, "lastnight: %s\n", oneLine(err.Error()))
	if hint := lastnight.HintOf(err); hint != "" {
		fmt.Fprintf(stderr, "try: %s\n", oneLine(hint))
	}
	return api.ExitCodeOf(err)
}

// oneLine keeps what hostile names could put into a message on one line and off the terminal's controls.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '�'
		}
		return r
	}, strings.ReplaceAll(s, "\n", "; "))
}

// options are the flags that every command knows.
type options struct {
	data    string // --data
	server  string // --server
	tiers   tierFlags
	zone    string // --zone
	verbose bool
}

func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:   "lastnight",
		Short: "Why did it fail last night? Answered after the pods are gone.",
		Long: `lastnight keeps the logs of Kubernetes pods, and what Kubernetes said about them,
and answers after they are gone: what failed, in which order, why, and what to do.`,
		Example: `  lastnight demo                       # recorded failures, as if they happened last night
  lastnight import ./case              # load a directory of pod logs and events
  lastnight why orders-enrich          # why it failed
  lastnight logs POD -n NAMESPACE      # the log of a pod that no longer exists`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := root.PersistentFlags()
	f.StringVar(&o.data, "data", "", "data `directory` (default $XDG_DATA_HOME/lastnight, as root /var/lib/lastnight)")
	f.StringVar(&o.server, "server", "", "ask this server, such as http://127.0.0.1:7077 (default $LASTNIGHT_SERVER, else a local one, else the data directory)")
	o.tiers.flags(f)
	f.StringVar(&o.zone, "zone", "", "time zone to read and show times in, such as Europe/Berlin (default the local one)")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "tell more on stderr")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return lastnight.Errorf(lastnight.CodeInvalid, "lastnight "+strings.TrimPrefix(cmd.CommandPath(), "lastnight ")+" --help", "%w", err)
	})
	root.AddCommand(
		newWhy(o), newIncidents(o), newJobs(o), newSearch(o), newLogs(o), newTemplates(o), newLabels(o),
		newDemo(o), newRun(o), newServe(o), newCollect(o), newImport(o),
		newCluster(), newDebug(), newArchive(o), newBackup(o), newRestore(o), newMigrate(o), newDeadLetters(o), newLeases(o), newToken(), newAudit(o), newDoctor(o),
	)
	for _, c := range root.Commands() {
		c.Args = usageArgs(c.Args)
	}
	return root
}

// usageArgs makes what cobra says of wrong arguments an error of wrong usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		if err := check(cmd, args); err != nil {
			return lastnight.Errorf(lastnight.CodeInvalid, "lastnight "+cmd.Use+"   (lastnight "+cmd.Name()+" --help)", "%s: %w", cmd.Name(), err)
		}
		return nil
	}
}
