package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/collector"
)

// finding is what the doctor found out about one thing.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, warning, broken or skipped
	What  string `json:"what"`
	Mend  string `json:"mend,omitempty"`
}

// What a finding's state may be.
const (
	findingOK      = "ok"
	findingWarning = "warning" // it works, but not as well as it could
	findingBroken  = "broken"  // it does not work
	findingSkipped = "skipped"
)

// What the doctor wants of a machine.
const (
	leastFree    = 1 << 30 // bytes on the volume of the data directory
	leastFiles   = 8192    // open files: each log file that is followed is held open
	leastWatches = 65536   // inotify; a directory of pod logs needs one
	mostSkew     = 5 * time.Second
)

// doctor looks for what would keep lastnight from working here.
type doctor struct {
	o       *options
	podsDir string
	kube    kubeFlags

	checkpoint, caFile, tokenFile string // as of collect
	found                         []finding
}

func newDoctor(o *options) *cobra.Command {
	d := &doctor{o: o}
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what would keep lastnight from working here, and how to mend it",
		Long: `Say what would keep lastnight from working on this machine, and how to mend it: can pod logs be read,
the data directory be written, files be followed, Kubernetes be watched, the server be reached?
Exits with 1 if something is broken. Changes nothing.`,
		Example: `  lastnight doctor
  kubectl -n lastnight exec ds/lastnight-agent -- /lastnight doctor --checkpoint /var/lib/lastnight \
    --server http://lastnight-server:7077 --token-file /etc/lastnight/ingest-token`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			if err := d.kube.check(); err != nil {
				return err
			}
			return d.run(cmd, output)
		},
	}
	cmd.Flags().StringVar(&d.podsDir, "pods-dir", "/var/log/pods", "`directory` of pod logs; \"\": this machine collects nothing")
	cmd.Flags().StringVar(&d.checkpoint, "checkpoint", "", "`directory` of collect's checkpoint and spool, to be looked at instead of --data")
	cmd.Flags().StringVar(&d.caFile, "ca-file", "", "`file` with the authorities that the server's certificate may be from (PEM)")
	cmd.Flags().StringVar(&d.tokenFile, "token-file", "", "`file` with the token with which collect sends, to be tried on the server")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	d.kube.flags(cmd.Flags())
	return cmd
}

func (d *doctor) run(cmd *cobra.Command, output string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
	defer cancel()
	d.pods()
	d.data()
	d.limits()
	d.kubernetes(ctx)
	d.server(ctx)
	broken := 0
	for _, f := range d.found {
		if f.State == findingBroken {
			broken++
		}
	}
	if err := d.tell(cmd.OutOrStdout(), output); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d checks found something broken", broken, len(d.found))
	}
	return nil
}

func (d *doctor) tell(w io.Writer, output string) error {
	if output == "json" {
		return printJSON(w, struct {
			Items []finding `json:"items"`
		}{d.found})
	}
	for _, f := range d.found {
		fmt.Fprintf(w, "%-8s %-12s %s\n", f.State, f.Check, oneLine(f.What))
		if f.Mend != "" {
			fmt.Fprintf(w, "%-8s %-12s try: %s\n", "", "", oneLine(f.Mend))
		}
	}
	return nil
}

func (d *doctor) add(check, state, mend, what string, args ...any) {
	d.found = append(d.found, finding{Check: check, State: state, What: fmt.Sprintf(what, args...), Mend: mend})
}

// pods looks whether the logs of pods can be listed and read.
func (d *doctor) pods() {
	const check = "pod logs"
	if d.podsDir == "" {
		d.add(check, findingSkipped, "", "nothing is collected here")
		return
	}
	unread := 0
	var why string
	files, err := collector.ListPods(d.podsDir, "", func(x collector.Damage) { why = x.String() })
	if err != nil {
		d.add(check, findingBroken, "run it on a node, with "+d.podsDir+" mounted; --pods-dir names another directory", "cannot be listed: %v", err)
		return
	}
	for i := range files {
		f, err := os.Open(files[i].Path)
		if err != nil {
			unread, why = unread+1, err.Error()
			continue
		}
		_ = f.Close()
	}
	switch {
	case unread > 0:
		d.add(check, findingBroken, "run it as root or in the group that owns the files; where pods' links lead (the runtime's own directory) must be mounted too",
			"%d of %d files in %s cannot be opened: %s", unread, len(files), d.podsDir, why)
	case why != "":
		d.add(check, findingWarning, "", "%d files in %s, and something else: %s", len(files), d.podsDir, why)
	case len(files) == 0:
		d.add(check, findingWarning, "if pods run here, the directory of another machine or mount is meant: --pods-dir", "%s has no log file", d.podsDir)
	default:
		d.add(check, findingOK, "", "%d files in %s can be read", len(files), d.podsDir)
	}
}

// data looks whether the data directory, or that of checkpoints, can be written and has room.
func (d *doctor) data() {
	check, flag, room := "data", "--data", "free space, or lower --archive-max-share"
	dir := d.checkpoint
	switch {
	case dir != "":
		check, flag, room = "checkpoint", "--checkpoint", "free space, or lower --spool-max"
	case d.o.tiers.shared():
		d.add(check, findingOK, "", "nothing is kept on this machine's disk: both tiers are elsewhere")
		return
	default:
		var err error
		if dir, err = d.o.dataDir(); err != nil {
			d.add(check, findingBroken, lastnight.HintOf(err), "%v", err)
			return
		}
	}
	at := dir
	for at != filepath.Dir(at) { // what is not there yet is made: its parent must be writable
		if _, err := os.Stat(at); err == nil {
			break
		}
		at = filepath.Dir(at)
	}
	f, err := os.CreateTemp(at, ".lastnight-doctor-*")
	if err != nil {
		d.add(check, findingBroken, flag+" names a directory that may be written; in a pod, a volume of its own", "%s cannot be written: %v", dir, err)
		return
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	var st syscall.Statfs_t
	if err := syscall.Statfs(at, &st); err != nil {
		d.add(check, findingWarning, "", "%s can be written; its free space is not known: %v", dir, err)
		return
	}
	free := int64(st.Bavail) * int64(st.Bsize) //nolint:unconvert // of other types elsewhere
	if free < leastFree {
		d.add(check, findingBroken, room, "%s has %d MB left", dir, free>>20)
		return
	}
	d.add(check, findingOK, "", "%s can be written and has %d GB left", dir, free>>30)
}

// limits looks at how much may be followed at once.
func (d *doctor) limits() {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err == nil {
		if r.Max < leastFiles {
			d.add("open files", findingWarning, "ulimit -n "+strconv.Itoa(leastFiles)+", or LimitNOFILE= of the service", "at most %d may be open; each pod log is one", r.Max)
		} else {
			d.add("open files", findingOK, "", "%d may be open", r.Max)
		}
	}
	d.inotify()
}

// inotify looks whether changes of files are told at once.
func (d *doctor) inotify() {
	const check, file = "inotify", "/proc/sys/fs/inotify/max_user_watches"
	w, err := fsnotify.NewWatcher()
	if err != nil {
		d.add(check, findingWarning, "sysctl fs.inotify.max_user_instances=1024", "nothing can be watched, changes are found by scanning, later: %v", err)
		return
	}
	_ = w.Close()
	b, err := os.ReadFile(file)
	if err != nil {
		d.add(check, findingSkipped, "", "this system does not tell its limits")
		return
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	switch {
	case err != nil:
		d.add(check, findingSkipped, "", "%s is no number", file)
	case n < leastWatches:
		d.add(check, findingWarning, "sysctl fs.inotify.max_user_watches="+strconv.Itoa(leastWatches), "%d directories may be watched by a user; of others, changes are found by scanning, later", n)
	default:
		d.add(check, findingOK, "", "%d directories may be watched", n)
	}
}
