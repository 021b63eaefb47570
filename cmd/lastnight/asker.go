package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/api"
	"lastnight/api/audit"
	"lastnight/api/auth"
	"lastnight/api/client"
)

// defaultListen is where servers listen.
const defaultListen = "127.0.0.1:7077"

// asker answers questions, from a server or from the data directory.
type asker struct {
	lastnight.Searcher
	lastnight.Investigator
	lastnight.Labeler
	close func(context.Context) error
}

// ask finds who answers and calls f with it. In this order: --server; --data, or the
// server that holds that directory; $LASTNIGHT_SERVER; a server at the default address;
// the default data directory. It says on stderr which.
func (o *options) ask(cmd *cobra.Command, f func(ctx context.Context, a *asker) error) (err error) {
	ctx := cmd.Context()
	a, from, err := o.asker(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "asking %s\n", oneLine(from))
	defer func() {
		// A finished question is worth finishing: the caller's context may be over by now.
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, a.close(closeCtx))
	}()
	return f(ctx, a)
}

func (o *options) asker(ctx context.Context) (*asker, string, error) {
	if o.server != "" {
		return remote(o.server)
	}
	if o.data == "" && !o.tiers.given() {
		if s := o.serverToAsk(ctx); s != "" {
			return remote(s)
		}
	}
	dir, err := o.dataDir()
	if err != nil {
		return nil, "", err
	}
	from := "data directory " + dir
	if o.tiers.shared() {
		from = "store and archive directly"
	} else if h, held := heldBy(dir); held && h.Listen != "" && alive(ctx, h.Listen) {
		return remote(h.Listen)
	}
	n, err := openNode(ctx, nodeConfig{dir: dir, tiers: o.tiers, log: o.logger(os.Stderr)})
	if err != nil {
		return nil, "", err
	}
	return &asker{Searcher: n.indexer, Investigator: n.investigator, Labeler: api.Audited(n.labels, auditInPlace{n}), close: n.Close}, from, nil
}

func remote(url string) (*asker, string, error) {
	c, err := client.New(url, credentials()...)
	if err != nil {
		return nil, "", fmt.Errorf("--server: %w", err)
	}
	return &asker{Searcher: c, Investigator: c, Labeler: c, close: func(context.Context) error { return nil }}, "server " + url, nil
}

// serverFromEnv is the server that the environment names.
func serverFromEnv() string { return os.Getenv("LASTNIGHT_SERVER") }

// credentials say who asks a server: $LASTNIGHT_TOKEN, and the name of who is at the terminal for
// servers without authentication. A flag would show a token to everybody who lists processes.
func credentials() []client.Option {
	opts := []client.Option{client.WithToken(strings.TrimSpace(os.Getenv("LASTNIGHT_TOKEN")))}
	name := os.Getenv("LASTNIGHT_USER")
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	if name, err := auth.CheckName(name); err == nil {
		opts = append(opts, client.WithUser(name))
	}
	return opts
}

// auditInPlace writes down what a command does to labels without a server. The log is
// opened for each entry: most commands have none, and one that asks makes no files.
type auditInPlace struct{ n *node }

// Audit implements lastnight.Auditor.
func (a auditInPlace) Audit(ctx context.Context, e lastnight.AuditEntry) {
	l, err := a.n.openAudit(nil)
	if err != nil {
		a.n.cfg.log.Error("open the audit log", "err", err)
		return
	}
	l.Audit(ctx, e)
	if err := l.Close(); err != nil {
		a.n.cfg.log.Error("close the audit log", "err", err)
	}
}

// auditLog keeps who did what.
type auditLog interface {
	lastnight.Auditor
	lastnight.AuditReader
	io.Closer
}

// openAudit opens the log in the data directory, or that which servers without one share. reg may be nil.
func (n *node) openAudit(reg prometheus.Registerer) (auditLog, error) {
	if n.shared() {
		return audit.NewKept(auditKeeper{bucket{n.store, auditBucket}}, n.cfg.log, reg)
	}
	return audit.Open(audit.Config{Dir: filepath.Join(n.dir.path, "audit"), Log: n.cfg.log, Metrics: reg})
}

// auditBucket has the audit log of servers without a disk.
const auditBucket = "audit"

// auditKeeper is a bucket that is only added to.
type auditKeeper struct{ bucket }

// Add puts a value under a new key.
func (k auditKeeper) Add(ctx context.Context, key string, value []byte) error {
	return k.Put(ctx, key, value, 0)
}

// alive tells whether a lastnight answers at the address.
func alive(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/version", nil)
	if err != nil {
		return false
	}
	c := http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: 300 * time.Millisecond}).DialContext, DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (o *options) dataDir() (string, error) {
	if o.data != "" {
		return o.data, nil
	}
	return defaultDataDir()
}

// location gives the zone that times are read and shown in.
func (o *options) location() (*time.Location, error) {
	if o.zone == "" {
		return time.Local, nil
	}
	loc, err := time.LoadLocation(o.zone)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--zone Europe/Berlin, --zone UTC", "--zone: unknown time zone %q", o.zone)
	}
	return loc, nil
}

// zoneName gives the IANA name of a zone. The local one does not tell its own: TZ does, or
// the file that /etc/localtime points to; else it is UTC by its offset or stays "Local".
func zoneName(loc *time.Location) string {
	if loc != time.Local {
		return loc.String()
	}
	if tz := strings.TrimPrefix(os.Getenv("TZ"), ":"); tz != "" && !strings.HasPrefix(tz, "/") {
		return tz
	}
	if file, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(file, "zoneinfo/"); ok {
			return name
		}
	}
	if name, _ := time.Now().Zone(); name == "UTC" {
		return name
	}
	return loc.String()
}

// interval reads --since and --until.
func (o *options) interval(since, until string, now time.Time) (lastnight.Interval, error) {
	loc, err := o.location()
	if err != nil {
		return lastnight.Interval{}, err
	}
	iv := lastnight.Interval{Zone: zoneName(loc)}
	if since != "" {
		if iv.Start, err = lastnight.ParseTime(since, now, loc); err != nil {
			return iv, fmt.Errorf("--since: %w", err)
		}
	}
	if until != "" {
		if iv.End, err = lastnight.ParseTime(until, now, loc); err != nil {
			return iv, fmt.Errorf("--until: %w", err)
		}
	}
	if !iv.Start.IsZero() && !iv.End.IsZero() && !iv.Start.Before(iv.End) {
		return iv, lastnight.Errorf(lastnight.CodeInvalid, "--since earlier than --until, such as --since -8h", "the interval ends at %s, before it begins at %s", until, since)
	}
	return iv, nil
}
