package elasticstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"lastnight"
)

// op is one operation of a bulk request. All may be sent again.
type op struct {
	action string // index, create or delete
	index  string
	alias  bool // index is an alias, and must be one still
	id     string
	source []byte              // nil of delete
	doc    *lastnight.Document // source is made of it just before it is sent, unless nil

	seq, term int64 // if term is not 0: only if the document still is that one

	err *apiError // in the end: why it was refused; nil if it was done
}

// bulkAction is the line that says what is to be done.
type bulkAction struct {
	Index string `json:"_index"`
	ID    string `json:"_id"`
	Seq   *int64 `json:"if_seq_no,omitempty"`
	Term  *int64 `json:"if_primary_term,omitempty"`
	Alias bool   `json:"require_alias,omitempty"`
}

func (o *op) append(b []byte) ([]byte, error) {
	a := bulkAction{Index: o.index, ID: o.id, Alias: o.alias}
	if o.term != 0 {
		a.Seq, a.Term = &o.seq, &o.term
	}
	line, err := json.Marshal(map[string]bulkAction{o.action: a})
	if err != nil {
		return nil, fmt.Errorf("encode %s of %q: %w", o.action, o.id, err)
	}
	b = append(append(b, line...), '\n')
	if o.source != nil {
		b = append(append(b, o.source...), '\n')
	}
	return b, nil
}

// encode makes the source, if that is not done.
func (o *op) encode() (err error) {
	if o.doc != nil && o.source == nil {
		o.source, err = encodeDocument(o.doc)
	}
	return err
}

// weight is about how many bytes the source has or will have.
func (o *op) weight() int {
	if o.doc != nil && o.source == nil {
		return 2*len(o.doc.Text) + 1000
	}
	return len(o.source)
}

// bulk carries out operations in batches, several at a time, and returns when each is done
// or refused for what it is, which is in its err. An error means that Elasticsearch did
// not take some of them for now.
func (s *Store) bulk(ctx context.Context, ops []*op) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.cfg.Workers)
	for len(ops) > 0 {
		n, size := 0, 0
		for n < len(ops) && n < s.cfg.BatchDocuments && (n == 0 || size+ops[n].weight() < s.cfg.BatchBytes) {
			size += ops[n].weight() + 100
			n++
		}
		batch := ops[:n]
		ops = ops[n:]
		g.Go(func() error { return s.batch(ctx, batch) })
	}
	return g.Wait()
}

// batch sends one batch, and again what was refused in passing, for at most MaxWait
// without any progress.
func (s *Store) batch(ctx context.Context, ops []*op) error {
	deadline := time.Now().Add(s.cfg.MaxWait)
	for try := 1; len(ops) > 0; try++ {
		again, wait, err := s.sendBatch(ctx, ops)
		if err == nil && len(again) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && lastnight.CodeOf(err) == lastnight.CodeTooLarge {
			half := len(ops) / 2
			if half == 0 { // refused for what it is, and not to be tried for ever
				ops[0].err, _ = errors.AsType[*apiError](err)
				return nil
			}
			return errors.Join(s.batch(ctx, ops[:half]), s.batch(ctx, ops[half:]))
		}
		if err != nil && !passing(err) {
			return err
		}
		if err == nil {
			if len(again) < len(ops) {
				deadline, try = time.Now().Add(s.cfg.MaxWait), 1
			}
			ops = again
			err = again[0].err
		}
		pause := jittered(try, wait)
		if time.Now().Add(pause).After(deadline) {
			return lastnight.Errorf(lastnight.CodeUnavailable, "see whether Elasticsearch is up and has room", "Elasticsearch did not take %d documents for %s: %w", len(ops), s.cfg.MaxWait, err)
		}
		s.metrics.retries.Add(1)
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// sendBatch sends operations once and gives those that are worth another try.
func (s *Store) sendBatch(ctx context.Context, ops []*op) (again []*op, wait time.Duration, err error) {
	size := 0
	for _, o := range ops {
		if err := o.encode(); err != nil {
			return nil, 0, err
		}
		size += len(o.source) + 200
	}
	body := make([]byte, 0, size)
	for _, o := range ops {
		if body, err = o.append(body); err != nil {
			return nil, 0, err
		}
	}
	a, err := s.send(ctx, request{
		method: http.MethodPost, path: "/_bulk", body: body, ndjson: true,
		query: url.Values{"filter_path": {"items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by"}},
	})
	if err != nil {
		return nil, 0, s.explain(err)
	}
	if a.status >= 300 {
		return nil, a.wait, s.explain(refusal(a))
	}
	var said struct {
		Items []map[string]struct {
			Status int            `json:"status"`
			Error  *itemErrorBody `json:"error"`
		} `json:"items"`
	}
	if err := json.NewDecoder(bytes.NewReader(a.body)).Decode(&said); err != nil {
		return nil, 0, fmt.Errorf("decode answer of Elasticsearch: %w", err)
	}
	if len(said.Items) != len(ops) {
		return nil, 0, fmt.Errorf("bulk of %d operations: Elasticsearch answered for %d", len(ops), len(said.Items))
	}
	for i, o := range ops {
		for _, item := range said.Items[i] {
			if o.settle(item.Status, item.Error) {
				continue
			}
			if item.Status == http.StatusNotFound { // its index was dropped: retention of another server
				s.forget(o.index)
				if err := s.ensure(ctx, o.index); err != nil {
					return nil, 0, err
				}
			}
			again = append(again, o)
		}
	}
	return again, a.wait, nil
}

type itemErrorBody struct {
	Type     string `json:"type"`
	Reason   string `json:"reason"`
	CausedBy struct {
		Reason string `json:"reason"`
	} `json:"caused_by"`
}

// settle notes how an operation went and tells whether that is the end of it.
func (o *op) settle(status int, e *itemErrorBody) bool {
	o.err = nil
	if e == nil || o.action == "delete" && status == http.StatusNotFound {
		return true
	}
	o.err = &apiError{Status: status, Type: e.Type, Reason: e.Reason}
	if e.CausedBy.Reason != "" {
		o.err.Reason += ": " + e.CausedBy.Reason
	}
	return !passingStatus(status, e.Type) && (o.alias || e.Type != "index_not_found_exception")
}
