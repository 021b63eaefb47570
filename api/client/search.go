package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"
	"time"

	"lastnight"
	"lastnight/api"
)

// maxLineBytes is the longest line of a stream: a record of many long lines, encoded.
const maxLineBytes = 64 << 20

// The most that a route lists at once, asked for where a request has no limit.
const everything = 10_000

// Search streams documents in order of (time, id). Leaving the loop ends the question.
func (c *Client) Search(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.Document, error] {
	return func(yield func(lastnight.Document, error) bool) {
		q := streamQuery(req).text("q", req.Query).text("cursor", req.Cursor)
		if req.Important {
			q.text("scope", "important")
		}
		if req.Oldest {
			q.text("order", "oldest")
		}
		for _, k := range req.Kinds {
			q.text("kind", string(k))
		}
		for _, s := range req.Signals {
			q.text("signal", s)
		}
		for b, err := range c.lines(ctx, "/search", q) {
			var line struct {
				lastnight.Document
				api.StreamError
			}
			if err == nil {
				err = decodeLine(b, &line, &line.StreamError)
			}
			if err != nil {
				yield(lastnight.Document{}, err)
				return
			}
			if !yield(line.Document, nil) {
				return
			}
		}
	}
}

// RawLines gives lines just as they were written. A line's Text is valid for good.
func (c *Client) RawLines(ctx context.Context, req lastnight.SearchRequest) iter.Seq2[lastnight.RawLine, error] {
	return func(yield func(lastnight.RawLine, error) bool) {
		var stream lastnight.Stream
		for b, err := range c.lines(ctx, "/logs/raw", streamQuery(req)) {
			var line struct {
				api.RawLine
				api.StreamError
			}
			if err == nil {
				err = decodeLine(b, &line, &line.StreamError)
			}
			if err != nil {
				yield(lastnight.RawLine{}, err)
				return
			}
			if line.Stream != nil {
				stream = *line.Stream
			}
			text := line.Bytes
			if text == nil {
				text = []byte(line.Text)
			}
			if !yield(lastnight.RawLine{Stream: stream, ID: line.ID, Time: line.Time, Stderr: line.Stderr, Text: text}, nil) {
				return
			}
		}
	}
}

// streamQuery is what searches and raw lines have in common.
func streamQuery(req lastnight.SearchRequest) query {
	q := query{}.time("start", req.Start).time("end", req.End).text("namespace", req.Namespace).text("job", req.Job).
		text("pod", req.Pod).text("pod_uid", req.PodUID).text("container", req.Container).text("node", req.Node)
	if req.Restart != nil {
		q.text("restart", strconv.Itoa(*req.Restart))
	}
	if req.Limit > 0 {
		q.text("limit", strconv.Itoa(req.Limit))
	}
	return q
}

// decodeLine reads a line of a stream into v, of which failed is a part: the
// server's error, if that is what the line has.
func decodeLine(b []byte, v any, failed *api.StreamError) error {
	if err := json.Unmarshal(b, v); err != nil {
		return lastnight.Errorf(lastnight.CodeInternal, "are client and server of the same version?", "read a line of the answer: %w", err)
	}
	if failed.Error != nil {
		return errorOf(*failed.Error)
	}
	return nil
}

// lines gives the lines of an answer in NDJSON; they are valid until the next.
func (c *Client) lines(ctx context.Context, path string, q query) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // Ends the question when the loop is left.
		body, err := c.get(ctx, path, q, "application/x-ndjson")
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = body.Close() }()
		r := bufio.NewReaderSize(body, 64<<10)
		var line []byte
		for {
			line, err = readLine(r, line[:0])
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.Is(err, errLongLine):
				err = lastnight.Errorf(lastnight.CodeTooLarge, "", "%s sent a line of more than %d bytes", c.base, maxLineBytes)
			case err != nil:
				err = c.broken(ctx, err)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

var errLongLine = errors.New("line too long")

// readLine appends the next line to buf, without its newline. Half a line is never
// given: bytes that end without a newline are io.ErrUnexpectedEOF. After the last line comes io.EOF.
func readLine(r *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(buf)+len(part) > maxLineBytes {
			return nil, errLongLine
		}
		buf = append(buf, part...)
		switch {
		case err == nil:
			return buf[:len(buf)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(buf) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// Context gives the records before and after a record of the same stream.
func (c *Client) Context(ctx context.Context, id lastnight.LineID, before, after int) ([]lastnight.Document, error) {
	if _, _, _, err := id.Parse(); err != nil {
		return nil, err
	}
	q := query{}.text("before", strconv.Itoa(before)).text("after", strconv.Itoa(after))
	var page api.List[lastnight.Document]
	err := c.ask(ctx, "/records/"+pathPart(string(id))+"/context", q, &page)
	return page.Items, err
}

// Histogram counts records by level over steps.
func (c *Client) Histogram(ctx context.Context, req lastnight.HistogramRequest) ([]lastnight.HistogramBucket, error) {
	q := query{}.time("start", req.Start).time("end", req.End).text("namespace", req.Namespace).text("job", req.Job).text("template_id", req.Template)
	if req.Step > 0 {
		q.text("step", strconv.FormatInt(int64(req.Step/time.Second), 10)+"s")
	}
	var page api.List[lastnight.HistogramBucket]
	err := c.ask(ctx, "/histogram", q, &page)
	return page.Items, err
}

// Jobs lists what there is, by namespace and name.
func (c *Client) Jobs(ctx context.Context, req lastnight.JobsRequest) ([]lastnight.Job, error) {
	q := query{}.time("start", req.Start).time("end", req.End).text("namespace", req.Namespace).text("name", req.Name)
	return all[lastnight.Job](ctx, c, "/jobs", q)
}

// Streams lists container instances, living and gone.
func (c *Client) Streams(ctx context.Context, req lastnight.StreamsRequest) ([]lastnight.StreamInfo, error) {
	q := query{}.time("start", req.Start).time("end", req.End).text("namespace", req.Namespace).text("job", req.Job).text("pod", req.Pod)
	return all[lastnight.StreamInfo](ctx, c, "/streams", q)
}

// all asks for one page of a list after the other.
func all[T any](ctx context.Context, c *Client, path string, q query) ([]T, error) {
	items := []T{}
	q.text("limit", strconv.Itoa(everything))
	for {
		var page api.List[T]
		if err := c.ask(ctx, path, q, &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.NextCursor == "" {
			return items, nil
		}
		delete(q, "cursor")
		q.text("cursor", page.NextCursor)
	}
}

// Templates lists the templates of a job with their counts, most frequent first,
// at most 10,000.
func (c *Client) Templates(ctx context.Context, req lastnight.TemplatesRequest) ([]lastnight.TemplateInfo, error) {
	limit := everything
	if req.Limit > 0 {
		limit = min(limit, req.Limit)
	}
	q := query{}.time("start", req.Start).time("end", req.End).text("namespace", req.Namespace).text("job", req.Job).text("limit", strconv.Itoa(limit))
	var page api.List[lastnight.TemplateInfo]
	err := c.ask(ctx, "/templates", q, &page)
	return page.Items, err
}
