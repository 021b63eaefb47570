package send

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"lastnight"
	"lastnight/collector/spool"
	"lastnight/internal/otlp"
)

// ClientConfig says where servers are and how they are spoken to. URL must be set.
type ClientConfig struct {
	URL       string        // of the server, such as https://lastnight.logs:7077; replicas are separated by commas
	CAFile    string        // PEM; "": the system's
	TokenFile string        // bearer token, read at each request since it may be renewed; "": none
	Agent     string        // User-Agent
	Timeout   time.Duration // of one request; 0: 30 s
	Logger    *slog.Logger  // nil: silent
	// Look gives the addresses of a name; nil: the system's resolver.
	Look func(ctx context.Context, host string) ([]netip.Addr, error)
}

const (
	defaultTimeout = 30 * time.Second
	firstBackoff   = 100 * time.Millisecond
	lastBackoff    = 15 * time.Second
	maxRetryAfter  = time.Minute
	maxAnswer      = 64 << 10 // bytes of an answer that are read
	maxToken       = 64 << 10
	postPath       = "/v1/logs"
)

// Client posts requests to a server, or to one of its replicas. It is safe for concurrent use.
type Client struct {
	cfg      ClientConfig
	log      *slog.Logger
	replicas replicas
	followed followed

	posts, retries, bytes atomic.Int64
}

// unavailable says that the server did not take a request now.
type unavailable struct {
	after    time.Duration // what the server asked for; 0: nothing
	answered bool          // it was the server that said so
	err      error
}

func (u *unavailable) Error() string { return u.err.Error() }
func (u *unavailable) Unwrap() error { return u.err }

// refused says that the server will never take a request, or some of it.
type refused struct{ reason string }

func (r *refused) Error() string { return "the server refused it: " + r.reason }

// NewClient makes a client. Nothing is sent yet.
func NewClient(cfg ClientConfig) (*Client, error) {
	urls, err := parseServers(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Look == nil {
		cfg.Look = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	known := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--ca-file FILE in PEM", "--ca-file: %w", err)
		}
		known.RootCAs = x509.NewCertPool()
		if !known.RootCAs.AppendCertsFromPEM(pem) {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--ca-file FILE in PEM", "--ca-file: %s has no certificate", cfg.CAFile)
		}
	}
	c := &Client{cfg: cfg, log: cfg.Logger}
	c.replicas = replicas{urls: urls, look: cfg.Look, log: cfg.Logger, proxy: http.ProxyFromEnvironment}
	c.replicas.make = func(name string, u *url.URL, dial string, several bool) *replica {
		return &replica{name: name, url: postURL(u), dial: dial, http: c.connection(known, dial, several)}
	}
	if _, err := c.token(); err != nil {
		return nil, err
	}
	return c, nil
}

// postURL is where a server takes requests.
func postURL(u *url.URL) string { return strings.TrimSuffix(u.String(), "/") + postPath }

// connection makes the HTTP client of one replica. dial is the host and port to connect to; "": those of the URL.
func (c *Client) connection(known *tls.Config, dial string, several bool) *http.Client {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	if several { // there is another to ask
		d.Timeout = dialTimeout
	}
	connect := d.DialContext
	if dial != "" {
		connect = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, dial)
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           connect,
			TLSHandshakeTimeout:   10 * time.Second,
			MaxIdleConnsPerHost:   4,
			IdleConnTimeout:       time.Minute,
			ForceAttemptHTTP2:     false,
			ExpectContinueTimeout: time.Second,
			TLSClientConfig:       known.Clone(),
		},
		Timeout: c.cfg.Timeout,
		// A token must not follow to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (c *Client) token() (string, error) {
	if c.cfg.TokenFile == "" {
		return "", nil
	}
	f, err := os.Open(c.cfg.TokenFile)
	if err != nil {
		return "", lastnight.Errorf(lastnight.CodeInvalid, "--token-file FILE with a bearer token", "--token-file: %w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// post sends a request once, to a replica that is not in tried (if there is such a one) and is then. The
// error is nil, *unavailable or *refused. first says that the request was never sent before.
func (c *Client) post(ctx context.Context, f *spool.Frame, first bool, tried map[*replica]bool) error {
	streams := make([]lastnight.StreamID, len(f.Ranges))
	for i := range f.Ranges {
		streams[i] = f.Ranges[i].Stream.ID()
	}
	key := lastnight.StreamID(c.cfg.Agent) // events and pods: anywhere
	if len(streams) > 0 {
		key = streams[0]
	}
	p := c.replicas.choose(ctx, key, tried)
	if p == nil {
		clear(tried) // all were asked: begin again
		p = c.replicas.choose(ctx, key, nil)
	}
	tried[p] = true
	follows := c.followed.leave(streams)
	if !first {
		follows = ""
	}
	who, err := c.postTo(ctx, p, f, follows)
	if ctx.Err() != nil {
		return &unavailable{err: ctx.Err()}
	}
	p.note(err, c.log)
	if err == nil {
		c.followed.join(streams, who)
	}
	return err
}

// postTo sends a request to a replica and gives the process that answered.
func (c *Client) postTo(ctx context.Context, p *replica, f *spool.Frame, follows string) (who string, err error) {
	c.posts.Add(1)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(f.Body))
	if err != nil {
		return "", &unavailable{err: err}
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", f.Encoding)
	req.Header.Set("User-Agent", c.cfg.Agent)
	if follows != "" {
		req.Header.Set(followsHeader, follows)
	}
	token, err := c.token()
	if err != nil {
		return "", &unavailable{err: err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return "", &unavailable{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", &unavailable{err: fmt.Errorf("read answer: %w", err)}
	}
	return resp.Header.Get(replicaHeader), c.judge(p.url, resp, answer, len(f.Body))
}

// judge reads an answer.
func (c *Client) judge(url string, resp *http.Response, answer []byte, size int) error {
	isOTLP := resp.Header.Get("Content-Type") == "application/x-protobuf"
	switch code := resp.StatusCode; {
	case code == http.StatusOK && isOTLP:
		n, why, err := otlp.Rejected(answer)
		if err != nil {
			return &unavailable{answered: true, err: errors.New("the answer is no OTLP")}
		}
		if n > 0 {
			return &refused{reason: why}
		}
		c.bytes.Add(int64(size))
		return nil
	case (code == http.StatusBadRequest || code == http.StatusRequestEntityTooLarge) && isOTLP:
		// Only what speaks OTLP may say that it is the request that is wrong.
		return &refused{reason: otlp.FailureText(answer)}
	default:
		u := &unavailable{answered: true, err: fmt.Errorf("%s answers %s", url, resp.Status)}
		if text := otlp.FailureText(answer); isOTLP && text != "" {
			u.err = fmt.Errorf("%w: %s", u.err, text)
		}
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			u.after = min(time.Duration(s)*time.Second, maxRetryAfter)
		}
		return u
	}
}

// backoff is how long to wait before trying again.
type backoff struct{ next time.Duration }

// after gives the next wait: twice the one before, half of it by chance so that a thousand collectors
// do not come at once, and at least what the server asked for.
func (b *backoff) after(err error) time.Duration {
	b.next = min(max(2*b.next, firstBackoff), lastBackoff)
	wait := b.next/2 + rand.N(b.next/2) //nolint:gosec // no secret
	if u, ok := errors.AsType[*unavailable](err); ok && u.after > 0 {
		wait = max(wait, u.after+rand.N(u.after/4+1)) //nolint:gosec // no secret
	}
	return wait
}

// postPatiently sends a request until it is taken or refused, or patience is over and every replica was asked.
func (c *Client) postPatiently(ctx context.Context, f *spool.Frame, patience time.Duration) error {
	end := time.Now().Add(patience)
	var b backoff
	tried := map[*replica]bool{}
	for first := true; ; first = false {
		err := c.post(ctx, f, first, tried)
		u, again := errors.AsType[*unavailable](err)
		if !again {
			return err
		}
		if ctx.Err() != nil {
			return err
		}
		wait := b.after(err)
		late := time.Now().Add(wait).After(end)
		if (late || !u.answered) && c.replicas.choose(ctx, "", tried) != nil { // another one may take it at once
			c.retries.Add(1)
			continue
		}
		if late {
			return err
		}
		c.retries.Add(1)
		if !sleep(ctx, wait) {
			return err
		}
		clear(tried) // those that are down are left out all the same
	}
}

// deal cuts a batch by the replicas that its streams belong to; pods, which spans may need, first.
func (c *Client) deal(ctx context.Context, b *lastnight.Batch) []lastnight.Batch {
	if len(c.replicas.current(ctx)) < 2 || len(b.Spans) == 0 {
		return []lastnight.Batch{*b}
	}
	var out []lastnight.Batch
	if len(b.Pods) > 0 || len(b.Events) > 0 {
		out = append(out, lastnight.Batch{Pods: b.Pods, Events: b.Events})
	}
	at := map[*replica]int{}
	for i := range b.Spans {
		p := c.replicas.choose(ctx, b.Spans[i].Stream.ID(), nil)
		if _, ok := at[p]; !ok {
			at[p] = len(out)
			out = append(out, lastnight.Batch{})
		}
		part := &out[at[p]]
		part.Spans = append(part.Spans, b.Spans[i])
	}
	return out
}

// sleep waits; false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
