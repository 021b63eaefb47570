package apiserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ErrCut says that a stream ended within an object.
var ErrCut = errors.New("the answer of the API server was cut off")

// ListOptions say what is listed or watched.
type ListOptions struct {
	FieldSelector string
	// ResourceVersion: a list is not older than it ("": the newest there is, asked of etcd; "0": what the
	// API server remembers), a watch begins after it.
	ResourceVersion string
	Limit           int // objects a page; 0: all at once
}

func (o *ListOptions) query() url.Values {
	q := url.Values{}
	if o.FieldSelector != "" {
		q.Set("fieldSelector", o.FieldSelector)
	}
	if o.ResourceVersion != "" {
		q.Set("resourceVersion", o.ResourceVersion)
	}
	return q
}

// List reads all objects page by page: item is given each as JSON (valid until it returns; it must
// not wait, or the API server breaks off), then page is told that a page is complete and may take
// its time. It gives the version of the list, from which a watch goes on. Objects may come twice
// when a list had to begin again because its rest expired.
func (c *Client) List(ctx context.Context, r Resource, o ListOptions, item func(json.RawMessage), page func()) (resourceVersion string, err error) {
	q := o.query()
	if o.ResourceVersion != "" {
		q.Set("resourceVersionMatch", "NotOlderThan")
	}
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	for {
		meta, err := c.page(ctx, r, q, item)
		if IsExpired(err) && q.Has("continue") { // while page was busy: all at once, then
			q.Del("continue")
			q.Del("limit")
			continue
		}
		if err != nil {
			return "", err
		}
		page()
		if meta.Continue == "" || ctx.Err() != nil {
			return meta.ResourceVersion, ctx.Err()
		}
		q.Set("continue", meta.Continue)
		q.Del("resourceVersion")
		q.Del("resourceVersionMatch")
	}
}

// listMeta is the metadata of a page.
type listMeta struct {
	ResourceVersion string `json:"resourceVersion"`
	Continue        string `json:"continue"`
}

func (c *Client) page(ctx context.Context, r Resource, q url.Values, item func(json.RawMessage)) (listMeta, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	resp, err := c.do(ctx, request{method: http.MethodGet, resource: r, query: q})
	if err != nil {
		return listMeta{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	meta, err := readPage(json.NewDecoder(io.LimitReader(resp.Body, maxPage)), item)
	if err != nil {
		return listMeta{}, fmt.Errorf("list %s: %w: %w", r.Name, ErrCut, err)
	}
	return meta, nil
}

// readPage reads a list object by object, so that a long one takes no more memory than its largest object.
func readPage(dec *json.Decoder, item func(json.RawMessage)) (meta listMeta, err error) {
	if err := delim(dec, '{'); err != nil {
		return meta, err
	}
	var raw json.RawMessage
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return meta, err
		}
		switch key {
		case "metadata":
			err = dec.Decode(&meta)
		case "items":
			err = readItems(dec, &raw, item)
		default:
			err = dec.Decode(&raw)
		}
		if err != nil {
			return meta, err
		}
	}
	return meta, delim(dec, '}')
}

func readItems(dec *json.Decoder, raw *json.RawMessage, item func(json.RawMessage)) error {
	token, err := dec.Token()
	if err != nil || token == nil { // null: none
		return err
	}
	if token != json.Delim('[') {
		return fmt.Errorf("items: want an array, found %v", token)
	}
	for dec.More() {
		if err := dec.Decode(raw); err != nil {
			return err
		}
		item(*raw)
	}
	return delim(dec, ']')
}

func delim(dec *json.Decoder, want json.Delim) error {
	token, err := dec.Token()
	if err == nil && token != want {
		err = fmt.Errorf("want %v, found %v", want, token)
	}
	return err
}

// What a watch may say of an object.
const (
	Added    = "ADDED"
	Modified = "MODIFIED"
	Deleted  = "DELETED"
	Bookmark = "BOOKMARK" // nothing happened; its version is where a watch may go on
)

// Change is one message of a watch.
type Change struct {
	Type   string          `json:"type"`
	Object json.RawMessage `json:"object"`
}

const (
	watchFor    = 5 * time.Minute  // at least; at most twice that, so that not all agents come back at once
	watchGrace  = 30 * time.Second // how much longer a server may take to end a watch
	changesSize = 16 << 10         // of the buffer for what arrives
)

// Watch tells of every change after o.ResourceVersion until the API server ends the watch, which
// it does after some minutes: nil. An error that the API server told is a *Status (IsExpired:
// list again). take is called by the caller's goroutine; while it is busy, nothing is read.
func (c *Client) Watch(ctx context.Context, r Resource, o ListOptions, take func(Change)) error {
	q := o.query()
	q.Set("watch", "true")
	q.Set("allowWatchBookmarks", "true")
	span := watchFor + rand.N(watchFor) //nolint:gosec // no secret
	q.Set("timeoutSeconds", strconv.Itoa(int(span.Seconds())))
	ctx, cancel := context.WithTimeout(ctx, span+watchGrace) // a connection that died unseen must not be waited for
	defer cancel()
	resp, err := c.do(ctx, request{method: http.MethodGet, resource: r, query: q})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReaderSize(resp.Body, changesSize)
	var line []byte
	for {
		line, err = readLine(in, line[:0])
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w: %w", r.Name, ErrCut, err)
		}
		if len(line) == 0 {
			continue
		}
		var change Change
		if err := json.Unmarshal(line, &change); err != nil {
			return fmt.Errorf("watch %s: %w", r.Name, err)
		}
		if change.Type == "ERROR" {
			s := &Status{}
			if err := json.Unmarshal(change.Object, s); err != nil {
				return fmt.Errorf("watch %s: %w", r.Name, err)
			}
			return fmt.Errorf("watch %s: %w", r.Name, s)
		}
		take(change)
	}
}

var errTooLong = errors.New("an object of more than 16 MiB")

// readLine appends the next line to b, without its end.
func readLine(in *bufio.Reader, b []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(b)+len(part) > maxObject {
			return b, errTooLong
		}
		b = append(b, part...)
		switch {
		case err == nil:
			return b[:len(b)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return b, err
		}
	}
}
