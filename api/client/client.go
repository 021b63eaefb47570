// Package client asks a lastnight server what package lastnight's interfaces ask:
// a Client is a Searcher and an Investigator, so that a command does not care
// whether it got a server or a data directory.
//
// Searches and raw lines are streamed as NDJSON; memory does not grow with their
// length. Limits: an answer that is no stream 256 MiB, one line of a stream 64 MiB.
//
// How it fails: a problem of the server comes back as the *lastnight.Error that it was
// made from (code, message, hint). A server that is away, or a connection that breaks
// in the middle of an answer, is an error of CodeUnavailable: what came before it is
// right, but not all. What is no answer of lastnight (a proxy's page, say) is told by its status.
//
// Text of documents that is no UTF-8 arrives with replacement characters; raw lines arrive byte for byte.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lastnight"
	"lastnight/api"
)

const (
	maxAnswerBytes  = 256 << 20
	maxProblemBytes = 64 << 10
	answerTimeout   = 2 * time.Minute // for an answer that is no stream
)

// Client asks one server. It may be used by any number of goroutines.
type Client struct {
	base  string // without a final slash
	http  *http.Client
	token string // "": none
	user  string // "": none
}

var (
	_ lastnight.Searcher     = (*Client)(nil)
	_ lastnight.Investigator = (*Client)(nil)
)

// Option changes how a Client asks.
type Option func(*Client)

// WithHTTPClient makes it ask through c, which must have no time-out of its own if streams shall last.
func WithHTTPClient(c *http.Client) Option { return func(cl *Client) { cl.http = c } }

// New makes a client of the server at baseURL, such as http://127.0.0.1:7077. It does not connect
// yet. The error is of CodeInvalid.
func New(baseURL string, opts ...Option) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "give it like http://127.0.0.1:7077", "%q is not the address of a server", baseURL)
	}
	c := &Client{base: strings.TrimRight(u.String(), "/"), http: &http.Client{Transport: transport(u.Hostname())}}
	for _, o := range opts {
		o(c)
	}
	return c, nil
}

// transport has time-outs for all but the answer itself, which may be a stream.
func transport(host string) *http.Transport {
	ip := net.ParseIP(host)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   4,
		ForceAttemptHTTP2:     true,
		DisableCompression:    host == "localhost" || ip.IsLoopback(), // bytes cost nothing there
	}
}

// get asks for path and gives the answer's body, which the caller closes.
func (c *Client) get(ctx context.Context, path string, q query, accept string) (io.ReadCloser, error) {
	target := c.base + "/api/v1" + path
	if len(q) > 0 {
		target += "?" + url.Values(q).Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "ask %s: %w", c.base, err)
	}
	req.Header.Set("Accept", accept)
	c.identify(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		return nil, c.problem(resp)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != accept {
		_ = resp.Body.Close()
		return nil, lastnight.Errorf(lastnight.CodeUnavailable, "is it the address of a lastnight server?", "%s answers with %q, not with %s", c.base, kind, accept)
	}
	return resp.Body, nil
}

// ask asks for path and decodes the answer into v.
func (c *Client) ask(ctx context.Context, path string, q query, v any) error {
	limited, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	body, err := c.get(limited, path, q, "application/json")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	b, err := io.ReadAll(io.LimitReader(body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return c.broken(ctx, err)
	case len(b) > maxAnswerBytes:
		return lastnight.Errorf(lastnight.CodeTooLarge, "ask for a shorter interval, or fewer", "the answer of %s has more than %d bytes", c.base, maxAnswerBytes)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return lastnight.Errorf(lastnight.CodeInternal, "are both of the same version?", "read the answer of %s: %w", c.base, err)
	}
	return nil
}

// broken tells of a server that did not answer, or stopped in the middle.
func (c *Client) broken(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("ask %s: %w", c.base, ctx.Err())
	case ctx.Err() != nil:
		return lastnight.Errorf(lastnight.CodeUnavailable, "ask for a shorter interval, or one job", "%s did not answer in time: %w", c.base, ctx.Err())
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // It repeats the whole address.
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return lastnight.Errorf(lastnight.CodeUnavailable, "the server's log says why; what came so far is right, but not all", "%s broke off its answer: %w", c.base, err)
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "is a server running there? `lastnight run` starts one; --data asks a data directory without one",
		"ask %s: %w", c.base, err)
}

// problem gives the error that an answer tells of.
func (c *Client) problem(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxProblemBytes))
	var p api.Problem
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && kind == "application/problem+json" && json.Unmarshal(b, &p) == nil && p.Detail != "" {
		return errorOf(p)
	}
	return lastnight.Errorf(api.CodeOfStatus(resp.StatusCode), "is it the address of a lastnight server?", "%s answers with %s", c.base, resp.Status)
}

// errorOf takes codes that it does not know for what their status says.
func errorOf(p api.Problem) error {
	if api.StatusOf(p.Code) == http.StatusInternalServerError {
		p.Code = api.CodeOfStatus(p.Status)
	}
	return p.Err()
}

// query is the parameters of a question; what is empty is left out.
type query url.Values

func (q query) text(name, v string) query {
	if v != "" {
		q[name] = append(q[name], v)
	}
	return q
}

func (q query) time(name string, t time.Time) query {
	if t.IsZero() {
		return q
	}
	return q.text(name, t.UTC().Format(time.RFC3339Nano))
}
