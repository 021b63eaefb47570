// Package apiserver asks a Kubernetes API server, in JSON: it gets, lists, watches and writes
// objects of whatever kind, and leaves to its caller what they mean.
//
// It is small on purpose. client-go's typed clients, its dynamic client and its election register
// the types of every API: 30 MB of the program and 15 MB of each agent's memory
// (docs/adr/0011-own-kubernetes-client.md). How to get access (service account, kubeconfig, TLS,
// exec plugins, tokens that change) is client-go's rest.Config all the same.
//
// Errors of the API server are *Status. What is written here bounds what it reads: an object is at
// most 16 MiB (etcd allows 1.5), a list page 1 GiB.
package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

const (
	maxObject  = 16 << 20         // bytes of one object
	maxPage    = 1 << 30          // bytes of one page of a list
	maxStatus  = 1 << 20          // bytes of an error
	getTimeout = 15 * time.Second // of a request for one object

	pageTimeout = 2 * time.Minute // of a page of a list; the API server itself gives up after one
)

const (
	acceptJSON = "application/json"
	// acceptMeta asks for metadata alone, of objects of any kind.
	acceptMeta = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
)

// Client asks one API server. Make it with New; any goroutine may use it.
type Client struct {
	http *http.Client
	base *url.URL
}

// New makes a client; it asks nothing yet. The client of one Config shares connections with others of it.
func New(cfg *rest.Config) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.GroupVersion = &schema.GroupVersion{Version: "v1"} // what rest wants to be told; the paths are ours
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("address of the API server: %w", err)
	}
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("access to the API server: %w", err)
	}
	return &Client{http: client, base: base}, nil
}

// Resource names objects of one kind.
type Resource struct {
	Group     string // "": core
	Version   string // "v1"
	Name      string // the plural: "pods"
	Namespace string // "": of all namespaces, or of none
}

// path gives the path of the resource, or of one of its objects.
func (r Resource) path(object string) []string {
	p := []string{"api", r.Version}
	if r.Group != "" {
		p = []string{"apis", r.Group, r.Version}
	}
	if r.Namespace != "" {
		p = append(p, "namespaces", r.Namespace)
	}
	p = append(p, r.Name)
	if object != "" {
		p = append(p, object)
	}
	return p
}

// Get reads one object.
func (c *Client) Get(ctx context.Context, r Resource, name string, into any) error {
	return c.one(ctx, request{method: http.MethodGet, resource: r, name: name}, into)
}

// GetMetadata reads an object's metadata alone.
func (c *Client) GetMetadata(ctx context.Context, r Resource, name string, into any) error {
	return c.one(ctx, request{method: http.MethodGet, resource: r, name: name, accept: acceptMeta}, into)
}

// Create makes an object and reads back what was made.
func (c *Client) Create(ctx context.Context, r Resource, object, into any) error {
	return c.one(ctx, request{method: http.MethodPost, resource: r, body: object}, into)
}

// Update replaces an object and reads it back. When the resourceVersion in its metadata is no
// longer the newest, that is a conflict.
func (c *Client) Update(ctx context.Context, r Resource, name string, object, into any) error {
	return c.one(ctx, request{method: http.MethodPut, resource: r, name: name, body: object}, into)
}

// request is what is asked.
type request struct {
	method   string
	resource Resource
	name     string // of one object
	query    url.Values
	accept   string // "": JSON
	body     any
}

// one asks for one object.
func (c *Client) one(ctx context.Context, r request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxObject)).Decode(into); err != nil {
		return fmt.Errorf("%s %s: %w", r.method, resp.Request.URL.Path, err)
	}
	return nil
}

// do sends a request. A response without error is a success whose body the caller closes.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	u := c.base.JoinPath(r.resource.path(r.name)...)
	u.RawQuery = r.query.Encode()
	var body io.Reader
	if r.body != nil {
		b, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.method, u.Path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, u.Path, err)
	}
	req.Header.Set("Accept", acceptJSON)
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if body != nil {
		req.Header.Set("Content-Type", acceptJSON)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the API server: %w", err)
	}
	if resp.StatusCode >= http.StatusOK && resp.StatusCode < http.StatusMultipleChoices {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, fmt.Errorf("%s %s: %w", r.method, u.Path, statusOf(resp))
}

// Status is an API server's refusal.
type Status struct {
	Code    int    `json:"code"`   // HTTP status
	Reason  string `json:"reason"` // "NotFound", "Expired" …
	Message string `json:"message"`
	Details struct {
		Causes []struct {
			Type string `json:"reason"`
		} `json:"causes"`
	} `json:"details"`
}

// Error implements error.
func (s *Status) Error() string {
	if s.Message == "" {
		return fmt.Sprintf("the API server answers %d %s", s.Code, http.StatusText(s.Code))
	}
	return s.Message
}

func statusOf(resp *http.Response) *Status {
	s := &Status{}
	if b, err := io.ReadAll(io.LimitReader(resp.Body, maxStatus)); err == nil {
		_ = json.Unmarshal(b, s) // a proxy between may answer with something else: the code says enough
	}
	s.Code = resp.StatusCode
	return s
}

func codeOf(err error) int {
	if s, ok := errors.AsType[*Status](err); ok {
		return s.Code
	}
	return 0
}

// IsNotFound tells whether there is no such object, or no such resource.
func IsNotFound(err error) bool { return codeOf(err) == http.StatusNotFound }

// IsForbidden tells whether the caller lacks a right.
func IsForbidden(err error) bool { return codeOf(err) == http.StatusForbidden }

// IsConflict tells whether somebody else was faster: the object exists, or has a newer version.
func IsConflict(err error) bool { return codeOf(err) == http.StatusConflict }

// IsExpired tells whether a version is too old: a list must come before the next watch.
func IsExpired(err error) bool { return codeOf(err) == http.StatusGone }

// IsTooNew tells whether the API server does not know a version yet: one of several that lags, or
// one whose store was set back.
func IsTooNew(err error) bool {
	s, ok := errors.AsType[*Status](err)
	if !ok {
		return false
	}
	for _, c := range s.Details.Causes {
		if c.Type == "ResourceVersionTooLarge" {
			return true
		}
	}
	return false
}

// Told tells whether an error is the API server's own answer, and not one of the way to it.
func Told(err error) bool { return codeOf(err) != 0 }
