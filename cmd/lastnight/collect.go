package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"lastnight"
	"lastnight/collector/checkpoint"
	"lastnight/collector/send"
	"lastnight/collector/spool"
	"lastnight/collector/tail"
	"lastnight/internal/vfs"
)

// collectorMemory is what the collector's garbage collector works towards, in bytes: a node's memory is
// its pods'. GOMEMLIMIT overrides it.
const collectorMemory = 64 << 20

// collecting is the flags of a node's collector.
type collecting struct {
	podsDir, node, cluster string
	checkpoint             string
	spoolMax, maxHeld      byteSize
	rateLimit              byteSize
	caFile, tokenFile      string
	compression            string
	metricsListen          string
	patience               time.Duration
	kube                   kubeFlags
	redact                 redactFlags
}

func newCollect(o *options) *cobra.Command {
	c := collecting{spoolMax: 512 << 20, maxHeld: 512 << 20}
	cmd := &cobra.Command{
		Use:   "collect",
		Short: "Collect this node's pod logs and send them to a server",
		Long: `Follow the log files of this node's pods and send them to a server, each line exactly once in effect.
What the server has acknowledged is remembered in --checkpoint DIR. While the server is away the node's
files are the buffer; what their rotation would take goes into a spool of at most --spool-max there.

--server takes several addresses, separated by commas, and names that stand for several (a headless Service):
they are replicas. Each stream stays with one of them while that answers, and goes to another when it does not.`,
		Example: `  lastnight collect --server https://lastnight.logs:7077 --checkpoint /var/lib/lastnight-collector --node $NODE_NAME
  lastnight collect --server https://lastnight.logs:7077 --ca-file ca.pem --token-file token --checkpoint DIR
  lastnight collect --server https://lastnight-0.lastnight:7077,https://lastnight-1.lastnight:7077 --checkpoint DIR`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.collect(cmd, &c) },
	}
	f := cmd.Flags()
	f.StringVar(&c.podsDir, "pods-dir", "/var/log/pods", "`directory` of pod logs")
	f.StringVar(&c.node, "node", "", "name of this node (default $NODE_NAME, else the host's name)")
	f.StringVar(&c.cluster, "cluster", "", "name of the cluster")
	f.StringVar(&c.checkpoint, "checkpoint", "", "`directory` for the checkpoint and the spool; must outlive the process")
	f.Var(&c.spoolMax, "spool-max", "most that the spool may take on disk; 0: no spool")
	f.Var(&c.maxHeld, "held-max", "most that removed files which are not read yet may take on disk")
	f.Var(&c.rateLimit, "rate-limit", "most that is read of one pod in a second, such as 5MiB; the rest waits in its files; 0: no limit")
	f.StringVar(&c.caFile, "ca-file", "", "`file` with the authorities that the server's certificate may be from (PEM)")
	f.StringVar(&c.tokenFile, "token-file", "", "`file` with a bearer token, read again at each request")
	f.StringVar(&c.compression, "compression", "zstd", "of requests: zstd or gzip")
	f.StringVar(&c.metricsListen, "metrics-listen", "", "`address` for /metrics and /healthz, such as 127.0.0.1:7078 (default none)")
	f.DurationVar(&c.patience, "patience", 10*time.Second, "how long a server may not answer before the spool is used")
	c.redact.flags(f)
	c.kube.flags(f)
	return cmd
}

// check completes the flags and refuses what makes no sense.
func (c *collecting) check(o *options) error {
	if o.server == "" {
		o.server = os.Getenv("LASTNIGHT_SERVER")
	}
	switch {
	case o.server == "":
		return lastnight.Errorf(lastnight.CodeInvalid, "--server https://lastnight.logs:7077", "--server: name the server to send to")
	case c.checkpoint == "":
		return lastnight.Errorf(lastnight.CodeInvalid, "--checkpoint /var/lib/lastnight-collector", "--checkpoint: name a directory that outlives the process")
	case c.compression != "zstd" && c.compression != "gzip":
		return lastnight.Errorf(lastnight.CodeInvalid, "--compression zstd", "--compression: %q is neither zstd nor gzip", c.compression)
	case c.patience <= 0:
		return lastnight.Errorf(lastnight.CodeInvalid, "--patience 10s", "--patience: %s is no length of time", c.patience)
	}
	if c.node == "" {
		c.node = os.Getenv("NODE_NAME")
	}
	if c.node == "" {
		host, err := os.Hostname()
		if err != nil {
			return lastnight.Errorf(lastnight.CodeInvalid, "--node NAME", "--node: %w", err)
		}
		c.node = host
	}
	return nil
}

// collector is the parts of a node's collector put together.
type collectorParts struct {
	sender *send.Sender
	tailer *tail.Tailer
	kube   watching
	close  func() error
}

// open puts the parts together. Close them after use.
func (c *collecting) open(server string, log *slog.Logger) (p *collectorParts, err error) {
	rules, err := c.redact.open()
	if err != nil {
		return nil, err
	}
	client, err := send.NewClient(send.ClientConfig{
		URL: server, CAFile: c.caFile, TokenFile: c.tokenFile, Agent: "lastnight-collector/" + version, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	fsys, err := vfs.NewOS(c.checkpoint)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--checkpoint DIR names a directory that you may write", "--checkpoint: %w", err)
	}
	lock, err := lockCheckpoint(c.checkpoint)
	if err != nil {
		return nil, errors.Join(err, fsys.Close())
	}
	p = &collectorParts{close: func() error { return errors.Join(lock.Close(), fsys.Close()) }}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	cfg := send.Config{Client: client, Gzip: c.compression == "gzip", Cluster: c.cluster, Node: c.node, Patience: c.patience, Logger: log}
	if cfg.Checkpoint, err = checkpoint.Open(fsys, log); err != nil {
		return nil, err
	}
	if c.spoolMax > 0 {
		if cfg.Spool, err = spool.Open(spool.Config{FS: fsys, MaxBytes: int64(c.spoolMax), Logger: log}); err != nil {
			return nil, err
		}
		p.close = func() error { return errors.Join(cfg.Spool.Close(), lock.Close(), fsys.Close()) }
	}
	p.sender = send.New(cfg)
	p.tailer = tail.New(tail.Config{
		Dir: c.podsDir, Cluster: c.cluster, Node: c.node, Ingester: p.sender, Positions: p.sender, Log: log,
		Skip: p.sender.Skip, Lost: p.sender.Lost, MaxHeld: int64(c.maxHeld), RateLimit: int64(c.rateLimit), Redact: rules,
		// A line is to be found within 3 s, the server's part included.
		Interval: 400 * time.Millisecond, Quiet: 800 * time.Millisecond,
	})
	return p, nil
}

// lockCheckpoint keeps a second collector out of a checkpoint directory.
func lockCheckpoint(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o640) //nolint:gosec // the user names the directory
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--checkpoint DIR names a directory that you may write", "--checkpoint: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, lastnight.Errorf(lastnight.CodeConflict, "stop the other collector, or name another --checkpoint DIR", "another collector uses %s", dir)
	}
	return f, nil
}

func (o *options) collect(cmd *cobra.Command, c *collecting) (err error) {
	if err := c.check(o); err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(collectorMemory)
	}
	log := o.serverLogger(cmd)
	ctx := cmd.Context()
	w, err := c.kube.open(ctx, watchConfig{node: c.node, elect: true, keep: c.checkpoint, log: log})
	if err != nil {
		return err
	}
	if c.cluster == "" {
		c.cluster = w.cluster
	}
	w.cfg.Cluster = c.cluster
	p, err := c.open(o.server, log)
	if err != nil {
		return err
	}
	p.kube = w
	defer func() { err = errors.Join(err, p.close()) }()
	var metrics net.Listener
	if c.metricsListen != "" {
		if metrics, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.metricsListen); err != nil {
			return lastnight.Errorf(lastnight.CodeInvalid, "another --metrics-listen, such as 127.0.0.1:7078", "--metrics-listen: %w", err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "lastnight tells metrics on http://%s/metrics\n", metrics.Addr())
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "lastnight collects %s of node %s for %s\n", c.podsDir, c.node, o.server)
	return p.run(ctx, metrics)
}

// run collects until the context is over or a part fails. The sender stops last, so that the checkpoint
// has what the tailer's last batch came to.
func (p *collectorParts) run(ctx context.Context, metrics net.Listener) error {
	sendCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	g, ctx := errgroup.WithContext(ctx)
	sent := make(chan error, 1)
	go func() { sent <- p.sender.Run(sendCtx) }()
	g.Go(func() error {
		if err := p.tailer.Run(ctx); err != nil {
			return fmt.Errorf("collect: %w", err)
		}
		return nil
	})
	g.Go(func() error { return p.kube.run(ctx, p.sender) })
	if metrics != nil {
		srv := &http.Server{Handler: p.metrics(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second}
		g.Go(func() error { return serveHTTP(ctx, metrics, srv) })
	}
	err := g.Wait()
	stop()
	return errors.Join(err, <-sent)
}

// byteSize is a flag such as 512MiB.
type byteSize int64

var byteUnits = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

// Set implements pflag.Value.
func (b *byteSize) Set(s string) error {
	for _, u := range byteUnits {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.size {
			continue
		}
		*b = byteSize(n * u.size)
		return nil
	}
	return fmt.Errorf("%q is no size; try 512MiB or 2GiB", s)
}

// String implements pflag.Value.
func (b *byteSize) String() string {
	for _, u := range [...]string{"GiB", "MiB", "KiB"} {
		for _, unit := range byteUnits {
			if unit.name == u && *b > 0 && int64(*b)%unit.size == 0 {
				return strconv.FormatInt(int64(*b)/unit.size, 10) + u
			}
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "size" }
