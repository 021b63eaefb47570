package client

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"lastnight"
	"lastnight/api"
)

// incidentsPage is how many incidents are asked for at once.
const incidentsPage = 200

// Incidents lists incidents, newest first. It asks for page after page until there are
// req.Limit, all if that is 0.
func (c *Client) Incidents(ctx context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	var all []lastnight.Incident
	for cursor := ""; ; {
		n := incidentsPage
		if req.Limit > 0 {
			n = min(n, req.Limit-len(all))
		}
		q := query{}.text("namespace", req.Namespace).text("job", req.Job).time("start", req.Start).time("end", req.End).
			text("limit", strconv.Itoa(n)).text("cursor", cursor)
		if req.Planned {
			q.text("planned", "true")
		}
		var page api.List[lastnight.Incident]
		if err := c.ask(ctx, "/incidents", q, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" || len(page.Items) == 0 || len(all) == req.Limit {
			return all, nil
		}
	}
}

// Incident gives one by id, or an error of CodeNotFound.
func (c *Client) Incident(ctx context.Context, id string) (*lastnight.Incident, error) {
	if id == "" {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "an incident without an id does not exist")
	}
	var inc lastnight.Incident
	if err := c.ask(ctx, "/incidents/"+pathPart(id), query{}, &inc); err != nil {
		return nil, err
	}
	return &inc, nil
}

// Why answers for one job.
func (c *Client) Why(ctx context.Context, req lastnight.WhyRequest) (*lastnight.Answer, error) {
	q := query{}.text("job", req.Job).text("namespace", req.Namespace).time("start", req.Start).time("end", req.End)
	// The server knows zones by IANA names only, and does nothing with this one but repeat it.
	if _, err := time.LoadLocation(req.Zone); err == nil && req.Zone != "Local" {
		q.text("zone", req.Zone)
	}
	var a lastnight.Answer
	if err := c.ask(ctx, "/why", q, &a); err != nil {
		return nil, err
	}
	a.Interval.Zone = req.Zone
	return &a, nil
}

// pathPart escapes what goes into a path, dots too where they would mean a folder.
func pathPart(s string) string {
	switch s {
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	return url.PathEscape(s)
}
