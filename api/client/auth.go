package client

import (
	"context"
	"net/http"
	"strconv"

	"lastnight"
	"lastnight/api"
)

// WithToken makes it say who asks by a bearer token.
func WithToken(token string) Option { return func(cl *Client) { cl.token = token } }

// WithUser makes it give a name, on servers without authentication.
func WithUser(name string) Option { return func(cl *Client) { cl.user = name } }

// identify says who asks.
func (c *Client) identify(req *http.Request) {
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.user != "" {
		req.Header.Set("X-Lastnight-User", c.user)
	}
	req.Header.Set("X-Lastnight-Request", "1")
}

// Audits gives entries of the server's audit log, newest first. It implements lastnight.AuditReader.
func (c *Client) Audits(ctx context.Context, req lastnight.AuditRequest) ([]lastnight.AuditEntry, error) {
	const page = 1000
	var all []lastnight.AuditEntry
	for {
		want := page
		if req.Limit > 0 {
			want = min(want, req.Limit-len(all))
		}
		q := query{}.time("start", req.Start).time("end", req.End).text("actor", req.Actor).text("action", req.Action).
			text("cursor", req.Cursor).text("limit", strconv.Itoa(want))
		var list api.List[lastnight.AuditEntry]
		if err := c.ask(ctx, "/audit", q, &list); err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if list.NextCursor == "" || len(list.Items) == 0 || req.Limit > 0 && len(all) >= req.Limit {
			return all, nil
		}
		req.Cursor = list.NextCursor
	}
}

// Leases gives which server of several does what only one may. It implements lastnight.LeaseReader.
func (c *Client) Leases(ctx context.Context) ([]lastnight.Lease, error) {
	var list struct {
		Items []lastnight.Lease `json:"items"`
	}
	if err := c.ask(ctx, "/leases", query{}, &list); err != nil {
		return nil, err
	}
	return list.Items, nil
}
