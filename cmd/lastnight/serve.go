package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"lastnight"
	"lastnight/api"
	"lastnight/collector/tail"
	"lastnight/ui"
)

// serving is the flags of a server.
type serving struct {
	listen string
	keep   keep
	who    authFlags
	notify notifyFlags
	in     ingestFlags
	lease  time.Duration
}

func (s *serving) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	s.in.flags(f)
	f.StringVar(&s.listen, "listen", defaultListen, "`address` to listen on; other than loopback needs authentication (--auth-tokens, --auth-header, --oidc-issuer)")
	s.who.flags(f)
	s.notify.flags(f)
	s.keep.flags(f)
	f.DurationVar(&s.lease, "lease", 15*time.Second, "how long a server of several may be silent before another does its duties; the same for all")
}

func (s *serving) check() error {
	if err := s.who.check(s.listen); err != nil {
		return err
	}
	if err := s.keep.check(); err != nil {
		return err
	}
	if s.lease < time.Second {
		return lastnight.Errorf(lastnight.CodeInvalid, "--lease 15s", "--lease: %s is less than a second", s.lease)
	}
	return nil
}

func newServe(o *options) *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API and the UI on a data directory, or on tiers that several servers share",
		Long: `Serve the API and the UI, and take logs at /v1/logs. With --store in Elasticsearch and --archive in a
bucket nothing is kept on this machine's disk, and any number of servers do the same beside each other: each
takes lines and answers everything; what must be done once is done by the one that holds the lease for it.`,
		Example: `  lastnight serve --data /var/lib/lastnight
  lastnight serve --store https://elasticsearch:9200 --archive 's3://logs?region=eu-central-1'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.serve(cmd, &s, nil)
		},
	}
	s.flags(cmd)
	return cmd
}

func newRun(o *options) *cobra.Command {
	var s serving
	var podsDir, nodeName string
	var k kubeFlags
	var masked redactFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Everything in one process: collect this node's pod logs, keep them, answer",
		Example: `  lastnight run
  lastnight run --pods-dir /var/log/pods --listen 127.0.0.1:7077`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := k.check(); err != nil {
				return err
			}
			rules, err := masked.open()
			if err != nil {
				return err
			}
			return o.serve(cmd, &s, func(ctx context.Context, n *node, reg prometheus.Registerer) error {
				w, err := k.open(ctx, watchConfig{node: nodeName, keep: n.cfg.dir, log: n.cfg.log})
				if err != nil {
					return err
				}
				if w.metrics != nil {
					reg.MustRegister(w.metrics)
				}
				t := tail.New(tail.Config{Dir: podsDir, Cluster: w.cluster, Node: nodeName, Ingester: n.indexer, Positions: n.indexer, Log: n.cfg.log, Redact: rules})
				g, ctx := errgroup.WithContext(ctx)
				g.Go(func() error { return w.run(ctx, n.indexer) })
				g.Go(func() error { return t.Run(ctx) })
				if err := g.Wait(); err != nil {
					return fmt.Errorf("collect %s: %w", podsDir, err)
				}
				return nil
			})
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&podsDir, "pods-dir", "/var/log/pods", "`directory` of pod logs")
	cmd.Flags().StringVar(&nodeName, "node", "", "name of this node; Kubernetes is then asked for its pods alone")
	masked.flags(cmd.Flags())
	k.flags(cmd.Flags())
	return cmd
}

// bind takes the address to listen on.
func (s *serving) bind(ctx context.Context) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "another --listen, such as --listen 127.0.0.1:7078", "listen on %s: %w", s.listen, err)
	}
	return l, nil
}

// serve opens the data directory and runs until the context is over: the server, the
// background work and, if not nil, collect.
func (o *options) serve(cmd *cobra.Command, s *serving, collect func(context.Context, *node, prometheus.Registerer) error) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	dir, err := o.dataDir()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	l, err := s.bind(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	log := o.serverLogger(cmd)
	n, err := openNode(ctx, nodeConfig{dir: dir, tiers: o.tiers, create: true, listen: s.who.address(l), log: log, lease: s.lease, serves: true, upkeep: int64(s.keep.upkeepRate)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.closeInTime(ctx)) }()
	where := "data in " + dir
	if n.shared() {
		where = "nothing on this disk; replica " + n.id
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "lastnight listens on %s, %s\n", s.who.address(l), where)
	return n.serveOn(ctx, l, s, collect)
}

// serveOn runs the parts of a server on a listener until the context is over or a part fails.
func (n *node) serveOn(ctx context.Context, l net.Listener, s *serving, collect func(context.Context, *node, prometheus.Registerer) error) error {
	reg := prometheus.NewRegistry()
	door, err := s.who.open(n, reg)
	if err != nil {
		return err
	}
	defer door.close(n.cfg.log)
	if n.ingest, err = s.in.open(n, door.auth); err != nil {
		return err
	}
	h, err := n.handler(reg, door, s)
	if err != nil {
		return fmt.Errorf("make API: %w", err)
	}
	note, err := s.notify.open(n, n.investigator, s.who.publicURL, reg)
	if err != nil {
		return err
	}
	srv := api.NewServer(withIngest(h, n.ingest), n.cfg.log)
	if door.tls != nil {
		srv.TLSConfig = door.tls.Config()
	}
	g, ctx := errgroup.WithContext(ctx)
	var tell func(context.Context) error
	if note != nil {
		tell = note.Run
	}
	g.Go(func() error { return n.tend(ctx, s.keep, tell) })
	g.Go(func() error { return n.ingest.Run(ctx) })
	g.Go(func() error { return serveHTTP(ctx, l, srv) })
	if collect != nil {
		g.Go(func() error { return collect(ctx, n, reg) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (n *node) handler(reg *prometheus.Registry, door *doorway, s *serving) (http.Handler, error) {
	registerMetrics(reg, n)
	c := api.Config{
		Searcher: n.indexer, Investigator: n.investigator, Labeler: n.labels, UI: ui.Handler(), Version: version, Logger: n.cfg.log,
		Metrics: reg,
	}
	if n.shared() {
		c.Leases = n.leases
	}
	door.configure(&c, s.who.clusterEvents)
	h, err := api.New(c)
	if err != nil || !n.shared() {
		return h, err
	}
	return n.changes.handler(h, func(err error) { n.cfg.log.Warn("labels may be older than they are elsewhere", "err", err) }), nil
}

// serveHTTP serves until the context is over, then lets requests under way end within a few seconds.
func serveHTTP(ctx context.Context, l net.Listener, srv *http.Server) error {
	srv.BaseContext = func(net.Listener) context.Context { return ctx }
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		serve := srv.Serve
		if srv.TLSConfig != nil {
			serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			return srv.Close()
		}
		return nil
	})
	return g.Wait()
}

func (o *options) serverLogger(cmd *cobra.Command) *slog.Logger {
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
}
