package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"lastnight"
	"lastnight/collector"
	"lastnight/collector/kube/watch"
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
	found   []finding
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
  kubectl -n lastnight exec ds/lastnight-agent -- /lastnight doctor --data /var/lib/lastnight`,
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

// data looks whether the data directory can be written and has room.
func (d *doctor) data() {
	const check = "data"
	if d.o.tiers.shared() {
		d.add(check, findingOK, "", "nothing is kept on this machine's disk: both tiers are elsewhere")
		return
	}
	dir, err := d.o.dataDir()
	if err != nil {
		d.add(check, findingBroken, lastnight.HintOf(err), "%v", err)
		return
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
		d.add(check, findingBroken, "--data names a directory that may be written; in a pod, a volume of its own", "%s cannot be written: %v", dir, err)
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
		d.add(check, findingBroken, "free space, or lower --archive-max-share", "%s has %d MB left", dir, free>>20)
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
	const file = "/proc/sys/fs/inotify/max_user_watches"
	b, err := os.ReadFile(file)
	if err != nil {
		d.add("inotify", findingSkipped, "", "this system does not tell its limits")
		return
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	switch {
	case err != nil:
		d.add("inotify", findingSkipped, "", "%s is no number", file)
	case n < leastWatches:
		d.add("inotify", findingWarning, "sysctl fs.inotify.max_user_watches="+strconv.Itoa(leastWatches), "%d directories may be watched by a user; of others, changes are found by scanning, later", n)
	default:
		d.add("inotify", findingOK, "", "%d directories may be watched", n)
	}
}

// kubernetes looks whether the API server answers, may be asked, and has the same time.
func (d *doctor) kubernetes(ctx context.Context) {
	const check = "kubernetes"
	cfg, err := d.kube.access()
	switch {
	case err != nil:
		d.add(check, findingBroken, lastnight.HintOf(err), "%v", err)
		return
	case cfg == nil && d.kube.mode == "off":
		d.add(check, findingSkipped, "", "--kube off")
		return
	case cfg == nil:
		d.add(check, findingWarning, "--kubeconfig FILE, $KUBECONFIG, or in a pod its service account", "no access: events, nodes and why containers ended stay unknown")
		return
	}
	cfg.Timeout = 15 * time.Second
	lacking, err := watch.Lacking(ctx, cfg, watch.Rights(d.kube.leaseNamespace(), leaseName))
	if err != nil {
		d.add(check, findingBroken, "is the address right, and does a NetworkPolicy let it through? --kube off does without", "%s does not answer: %v", cfg.Host, err)
		return
	}
	for _, r := range lacking {
		d.add(check, findingBroken, "apply the RBAC that is shipped (deploy/base/rbac.yaml), or add this right", "may not %s: it tells %s", r, r.For)
	}
	if len(lacking) == 0 {
		d.add(check, findingOK, "", "%s answers, and may be watched", cfg.Host)
	}
	d.kubeClock(ctx, cfg)
}

func (d *doctor) kubeClock(ctx context.Context, cfg *rest.Config) {
	client, err := rest.HTTPClientFor(cfg)
	if err == nil {
		d.clock(ctx, client, strings.TrimSuffix(cfg.Host, "/")+"/version")
	}
}

// clock compares this machine's clock with a server's. Its answer may be a refusal: the date is in it.
func (d *doctor) clock(ctx context.Context, client *http.Client, url string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		return
	}
	_ = resp.Body.Close()
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return
	}
	skew := time.Since(theirs) - 500*time.Millisecond // the header has whole seconds
	if skew.Abs() > mostSkew {
		d.add("clock", findingBroken, "synchronize the clocks (chrony, systemd-timesyncd): order of lines and events comes from them", "differs by %v from %s", skew.Round(time.Second), req.URL.Host)
		return
	}
	d.add("clock", findingOK, "", "agrees with %s", req.URL.Host)
}

// server looks whether the server that was named answers.
func (d *doctor) server(ctx context.Context) {
	const check = "server"
	url := d.o.server
	if url == "" {
		url = serverFromEnv()
	}
	if url == "" {
		d.add(check, findingSkipped, "", "none is named (--server, LASTNIGHT_SERVER)")
		return
	}
	client := &http.Client{Timeout: 10 * time.Second}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/readyz", nil)
	if err != nil {
		d.add(check, findingBroken, "--server http://HOST:7077", "%v", err)
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		d.add(check, findingBroken, "is the address right, does it run, and does a NetworkPolicy let it through?", "%v", err)
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		d.add(check, findingBroken, "its log and "+url+"/readyz say why", "%s is not ready: %s", url, resp.Status)
		return
	}
	d.add(check, findingOK, "", "%s is ready", url)
	d.clock(ctx, client, url)
}
