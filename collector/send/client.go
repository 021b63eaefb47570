package send

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"lastnight"
	"lastnight/internal/otlp"
)

// ClientConfig says where a server is and how it is spoken to. URL must be set.
type ClientConfig struct {
	URL       string        // of the server, such as https://lastnight.logs:7077
	CAFile    string        // PEM; "": the system's
	TokenFile string        // bearer token, read at each request since it may be renewed; "": none
	Agent     string        // User-Agent
	Timeout   time.Duration // of one request; 0: 30 s
}

const (
	defaultTimeout = 30 * time.Second
	firstBackoff   = 100 * time.Millisecond
	lastBackoff    = 15 * time.Second
	maxRetryAfter  = time.Minute
	maxAnswer      = 64 << 10 // bytes of an answer that are read
	maxToken       = 64 << 10
)

// Client posts requests to a server. It is safe for concurrent use.
type Client struct {
	cfg  ClientConfig
	url  string
	http *http.Client

	posts, retries, bytes atomic.Int64
}

// unavailable says that the server did not take a request now.
type unavailable struct {
	after time.Duration // what the server asked for; 0: nothing
	err   error
}

func (u *unavailable) Error() string { return u.err.Error() }
func (u *unavailable) Unwrap() error { return u.err }

// refused says that the server will never take a request, or some of it.
type refused struct{ reason string }

func (r *refused) Error() string { return "the server refused it: " + r.reason }

// NewClient makes a client. Nothing is sent yet.
func NewClient(cfg ClientConfig) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--server https://lastnight.example.org:7077", "--server: %q is no address of a server", cfg.URL)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       time.Minute,
		ForceAttemptHTTP2:     false,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--ca-file FILE in PEM", "--ca-file: %w", err)
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--ca-file FILE in PEM", "--ca-file: %s has no certificate", cfg.CAFile)
		}
	}
	c := &Client{cfg: cfg, url: strings.TrimSuffix(cfg.URL, "/") + "/v1/logs", http: &http.Client{
		Transport: t, Timeout: cfg.Timeout,
		// A token must not follow to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if _, err := c.token(); err != nil {
		return nil, err
	}
	return c, nil
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

// post sends a request once. The error is nil, *unavailable or *refused.
func (c *Client) post(ctx context.Context, body []byte, encoding string) error {
	c.posts.Add(1)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return &unavailable{err: err}
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", encoding)
	req.Header.Set("User-Agent", c.cfg.Agent)
	token, err := c.token()
	if err != nil {
		return &unavailable{err: err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &unavailable{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &unavailable{err: fmt.Errorf("read answer: %w", err)}
	}
	return c.judge(resp, answer, len(body))
}

// judge reads an answer.
func (c *Client) judge(resp *http.Response, answer []byte, size int) error {
	isOTLP := resp.Header.Get("Content-Type") == "application/x-protobuf"
	switch code := resp.StatusCode; {
	case code == http.StatusOK && isOTLP:
		n, why, err := otlp.Rejected(answer)
		if err != nil {
			return &unavailable{err: errors.New("the answer is no OTLP")}
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
		u := &unavailable{err: fmt.Errorf("%s answers %s", c.url, resp.Status)}
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

// postPatiently sends a request until it is taken or refused, or patience is over.
func (c *Client) postPatiently(ctx context.Context, body []byte, encoding string, patience time.Duration) error {
	end := time.Now().Add(patience)
	var b backoff
	for {
		err := c.post(ctx, body, encoding)
		if _, again := errors.AsType[*unavailable](err); !again {
			return err
		}
		wait := b.after(err)
		if ctx.Err() != nil || time.Now().Add(wait).After(end) {
			return err
		}
		c.retries.Add(1)
		if !sleep(ctx, wait) {
			return err
		}
	}
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
