package ingest

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"time"

	"lastnight"
	"lastnight/internal/header"
	"lastnight/internal/otlp"
)

// The types of content.
const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// Seconds after which a refused sender may come again.
const (
	retryFull     = 1 // memory is used up: the next group frees it
	retryDisk     = 5 // the ingester is unavailable
	retryInternal = 30
)

// errFull says that the budget of memory is used up.
var errFull = errors.New("too much is being sent at once")

// ServeHTTP takes one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	a := answer{h: h, w: w, json: kind == jsonType}
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		a.fail(http.StatusMethodNotAllowed, "use POST")
		return
	case r.Header.Get("Origin") != "":
		a.fail(http.StatusForbidden, "web pages may not send logs")
		return
	case err != nil || kind != protobufType && kind != jsonType:
		a.fail(http.StatusUnsupportedMediaType, "send "+protobufType+" or "+jsonType)
		return
	}
	if h.cfg.Allow != nil {
		if err := h.cfg.Allow(r); err != nil {
			a.error(err)
			return
		}
	}
	x, release, err := h.read(r)
	if err != nil {
		a.error(err)
		return
	}
	in, err := x.decode(a.json, h.cfg.Now())
	if err != nil {
		release()
		a.error(err)
		return
	}
	req := &request{Request: in, bytes: int64(len(x.body)), done: make(chan error, 1), release: release}
	if h.cfg.Replica != "" {
		w.Header().Set(replicaHeader, h.cfg.Replica)
		req.strange = r.Header.Get(followsHeader) != h.cfg.Replica
	}
	if in.Records == 0 {
		release()
		a.success(in)
		return
	}
	for i := range in.Foreign {
		h.placer.place(&in.Foreign[i], h.cfg.Now())
		recognise(&in.Foreign[i])
	}
	select {
	case h.queue <- req:
	default:
		release()
		a.error(errFull)
		return
	}
	select {
	case err := <-req.done:
		if err != nil {
			a.error(err)
			return
		}
		a.success(in)
	case <-h.stopped:
		a.error(errStopping)
	case <-r.Context().Done(): // it goes on without its sender, who will send it again
	}
}

func (x *work) decode(asJSON bool, now time.Time) (*otlp.Request, error) {
	if asJSON {
		return otlp.DecodeJSON(x.body, now)
	}
	return x.decoder.Decode(x.body, now)
}

// recognise fills in what a foreign sender did not say and the line's own header does.
func recognise(s *lastnight.Span) {
	var p header.Parser
	var head header.Header
	for i := range s.Records {
		r := &s.Records[i]
		p.Parse(r.Lines[0].Text, &head)
		r.MessageAt, r.AppTime = head.MessageAt, head.Time
		if r.Level == lastnight.LevelUnknown {
			r.Level = head.Level
		}
		if r.Logger == "" {
			r.Logger = head.Logger
		}
		if r.Thread == "" {
			r.Thread = head.Thread
		}
		if r.Attrs == nil {
			r.Attrs = head.Attrs
		}
	}
}

// answer writes what OTLP answers.
type answer struct {
	h    *Handler
	w    http.ResponseWriter
	json bool
}

func (a answer) send(status int, body []byte) {
	kind := protobufType
	if a.json {
		kind = jsonType
	}
	a.w.Header().Set("Content-Type", kind)
	a.w.Header().Set("X-Content-Type-Options", "nosniff")
	a.w.WriteHeader(status)
	// The sender may have gone; it will send again.
	_, _ = a.w.Write(body) //nolint:gosec // protobuf or JSON, marked as such: no browser shows it as a page
}

func (a answer) success(in *otlp.Request) {
	a.h.requests.Add(1)
	if in.Rejected > 0 {
		a.h.log.Warn("log records were malformed and left out", "records", in.Rejected, "reason", in.Reason)
	}
	a.send(http.StatusOK, otlp.Response(in.Rejected, in.Reason, a.json))
}

// The codes of google.rpc.Status.
const (
	rpcInvalid     = 3
	rpcUnavailable = 14
)

func (a answer) fail(status int, text string) {
	code := rpcInvalid
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		a.h.refused.Add(1)
		code = rpcUnavailable
	default:
		a.h.invalid.Add(1)
	}
	a.send(status, otlp.Failure(code, text, a.json))
}

// error answers by the error's code. What went wrong in here is 503 too: the sender must not drop what it has.
func (a answer) error(err error) {
	retry := func(seconds int) { a.w.Header().Set("Retry-After", strconv.Itoa(seconds)) }
	code := lastnight.CodeOf(err)
	switch {
	case errors.Is(err, errFull):
		retry(retryFull)
		a.fail(http.StatusTooManyRequests, err.Error())
	case code == lastnight.CodeUnavailable:
		retry(retryDisk)
		a.fail(http.StatusServiceUnavailable, err.Error())
	case code == lastnight.CodeUnauthenticated:
		a.w.Header().Set("WWW-Authenticate", "Bearer")
		a.fail(http.StatusUnauthorized, err.Error())
	case code == lastnight.CodeForbidden:
		a.fail(http.StatusForbidden, err.Error())
	case code == lastnight.CodeInvalid:
		a.fail(http.StatusBadRequest, err.Error())
	case code == lastnight.CodeTooLarge:
		a.fail(http.StatusRequestEntityTooLarge, err.Error())
	default:
		retry(retryInternal)
		a.fail(http.StatusServiceUnavailable, "internal error")
	}
}
