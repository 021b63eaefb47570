package elasticstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lastnight"
)

// maxAnswerBytes bounds what is read of one answer.
const maxAnswerBytes = 64 << 20

// errAnswerTooLarge: ask for less at once.
var errAnswerTooLarge = errors.New("the answer is larger than " + strconv.Itoa(maxAnswerBytes>>20) + " MiB")

// request is one call of Elasticsearch's API. All of them may be sent again: those that
// change something say what it must be before, or give it the same id.
type request struct {
	method, path string
	query        url.Values
	body         []byte
	ndjson       bool
	once         bool // tried once: the caller handles 429 and the like
}

// answer is what Elasticsearch said.
type answer struct {
	status int
	body   []byte
	wait   time.Duration // of Retry-After; 0 if it did not say
}

// apiError is a refusal of Elasticsearch.
type apiError struct {
	Status int
	Type   string
	Reason string
}

// Error tells status, type and reason.
func (e *apiError) Error() string {
	return fmt.Sprintf("Elasticsearch answered %d: %s: %s", e.Status, e.Type, e.Reason)
}

// call sends a request, again while Elasticsearch is away or overloaded, for at most
// MaxWait, and gives an answer of 2xx, else an error. An apiError is in the chain of errors that it answered.
func (s *Store) call(ctx context.Context, r request) ([]byte, error) {
	deadline := time.Now().Add(s.cfg.MaxWait)
	for try := 1; ; try++ {
		a, err := s.send(ctx, r)
		if err == nil && a.status < 300 {
			return a.body, nil
		}
		if err == nil {
			err = refusal(a)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !passing(err) || r.once {
			return nil, s.explain(err)
		}
		wait := jittered(try, a.wait)
		if time.Now().Add(wait).After(deadline) {
			return nil, lastnight.Errorf(lastnight.CodeUnavailable, "see whether Elasticsearch is up and has room", "Elasticsearch did not take it for %s: %w", s.cfg.MaxWait, s.explain(err))
		}
		s.metrics.retries.Add(1)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// jittered is how long to wait before the next try: between half and all of the backoff, at
// least what Elasticsearch asked for.
func jittered(try int, asked time.Duration) time.Duration {
	d := backoff(try)
	d = d/2 + rand.N(d/2+1) //nolint:gosec // not a secret
	return max(d, min(asked, time.Minute))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// send sends once. An error is one of the connection.
func (s *Store) send(ctx context.Context, r request) (answer, error) {
	u := url.URL{Path: r.path, RawQuery: r.query.Encode()}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return answer{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	switch {
	case r.ndjson:
		req.Header.Set("Content-Type", "application/x-ndjson")
	case r.body != nil:
		req.Header.Set("Content-Type", "application/json")
	}
	s.metrics.requests.Add(1)
	resp, err := s.client.Perform(req)
	if err != nil {
		return answer{}, fmt.Errorf("ask Elasticsearch: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err != nil {
		return answer{}, fmt.Errorf("read answer of Elasticsearch: %w", err)
	}
	if len(b) > maxAnswerBytes {
		return answer{}, errAnswerTooLarge
	}
	a := answer{status: resp.StatusCode, body: b}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		a.wait = time.Duration(n) * time.Second
	}
	return a, nil
}

// refusal makes the error of an answer that is not 2xx.
func refusal(a answer) error {
	var said struct {
		Error json.RawMessage `json:"error"`
	}
	e := &apiError{Status: a.status}
	if json.Unmarshal(a.body, &said) == nil && len(said.Error) > 0 {
		var what struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		}
		if json.Unmarshal(said.Error, &what) == nil {
			e.Type, e.Reason = what.Type, what.Reason
		}
	}
	if e.Type == "" {
		e.Type, e.Reason = http.StatusText(a.status), strings.TrimSpace(string(a.body[:min(len(a.body), 300)]))
	}
	return e
}

// passing tells whether the same request may succeed later.
func passing(err error) bool {
	if errors.Is(err, errAnswerTooLarge) {
		return false
	}
	if e, ok := errors.AsType[*apiError](err); ok {
		return passingStatus(e.Status, e.Type)
	}
	return err != nil && !foreign(err) && !untrusted(err)
}

// passingStatus: overload, a shard or node that is away, and blocks (a full disk makes
// indices read-only) go by; what is wrong with the request itself does not.
func passingStatus(status int, kind string) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return kind == "cluster_block_exception"
}

func untrusted(err error) bool {
	s := err.Error()
	return strings.Contains(s, "x509: ") || strings.Contains(s, "tls: ") || strings.Contains(s, "HTTP response to HTTPS client")
}

func foreign(err error) bool { return strings.Contains(err.Error(), "not Elasticsearch") }

// explain says what to do about errors that people can do something about.
func (s *Store) explain(err error) error {
	where := s.cfg.where()
	if e, ok := errors.AsType[*apiError](err); ok {
		switch {
		case e.Status == http.StatusUnauthorized:
			return lastnight.Errorf(lastnight.CodeUnavailable, "LASTNIGHT_STORE_API_KEY, or LASTNIGHT_STORE_USERNAME and LASTNIGHT_STORE_PASSWORD, or their …_FILE", "Elasticsearch at %s does not accept who asks: %w", where, err)
		case e.Status == http.StatusForbidden && e.Type == "security_exception":
			return lastnight.Errorf(lastnight.CodeUnavailable, "grant cluster monitor and manage_index_templates, and on the indices "+s.cfg.Prefix+"-* all", "Elasticsearch at %s does not permit that: %w", where, err)
		case e.Status == http.StatusRequestEntityTooLarge:
			return lastnight.Errorf(lastnight.CodeTooLarge, "", "more than Elasticsearch takes at once: %w", err)
		case passingStatus(e.Status, e.Type):
			return lastnight.Errorf(lastnight.CodeUnavailable, "see whether Elasticsearch is up and has room", "%w", err)
		}
		return err
	}
	switch {
	case untrusted(err):
		return lastnight.Errorf(lastnight.CodeUnavailable, "--store-ca FILE names the certificate of its CA; --store-cert and --store-key are the client's", "no secure connection to Elasticsearch at %s: %w", where, err)
	case foreign(err):
		return lastnight.Errorf(lastnight.CodeUnavailable, "--store names Elasticsearch 8", "what answers at %s is not Elasticsearch: %w", where, err)
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "see whether Elasticsearch at "+where+" is up", "%w", err)
}

func statusOf(err error) int {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e.Status
	}
	return 0
}

// shards is how an operation on several shards went.
type shards struct {
	Failed   int `json:"failed"`
	Failures []struct {
		Index  string `json:"index"`
		Reason struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		} `json:"reason"`
	} `json:"failures"`
}

// err is what shards did not give.
func (sh *shards) err() error {
	if sh.Failed == 0 {
		return nil
	}
	what := "no reason given"
	if len(sh.Failures) > 0 {
		f := sh.Failures[0]
		what = fmt.Sprintf("%s: %s: %s", f.Index, f.Reason.Type, f.Reason.Reason)
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "see GET _cluster/health and _cluster/allocation/explain of Elasticsearch", "%d shards of Elasticsearch failed, the answer would lack what they hold: %s", sh.Failed, what)
}
