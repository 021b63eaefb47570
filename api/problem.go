package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"lastnight"
)

// problemType is the media type of problems.
const problemType = "application/problem+json"

// Problem is an error on the wire: RFC 9457 problem details, with our code and hint.
type Problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   lastnight.Code `json:"code"`
	Hint   string         `json:"hint,omitempty"`

	Conflict *lastnight.LabelConflict `json:"conflict,omitempty"` // both versions of a label
}

// outcome is what a code means to those who do not read it.
type outcome struct {
	status int    // HTTP status
	exit   int    // exit code of a command
	title  string // the same for every problem of the code
}

// outcomeOf is the one table from codes to HTTP statuses and exit codes.
func outcomeOf(c lastnight.Code) outcome {
	switch c {
	case "":
		return outcome{http.StatusOK, 0, "Done"}
	case lastnight.CodeInvalid:
		return outcome{http.StatusBadRequest, 2, "The request is wrong"}
	case lastnight.CodeNotFound:
		return outcome{http.StatusNotFound, 3, "Nothing found"}
	case lastnight.CodeConflict:
		return outcome{http.StatusConflict, 1, "Somebody else holds or changed it"}
	case lastnight.CodeTooLarge:
		return outcome{http.StatusRequestEntityTooLarge, 1, "More than a limit allows"}
	case lastnight.CodeUnavailable:
		return outcome{http.StatusServiceUnavailable, 1, "Not available now"}
	case lastnight.CodeUnauthenticated:
		return outcome{http.StatusUnauthorized, 1, "Who asks is not known"}
	case lastnight.CodeForbidden:
		return outcome{http.StatusForbidden, 1, "Not allowed"}
	case lastnight.CodeInternal:
	}
	return outcome{http.StatusInternalServerError, 1, "Something broke"}
}

// StatusOf gives the HTTP status of a code; 200 for "", 500 for one that it does not know.
func StatusOf(c lastnight.Code) int { return outcomeOf(c).status }

// ExitCodeOf gives the exit code of a command that ended with err: 0 found or done, 1
// error, 2 wrong usage, 3 nothing found.
func ExitCodeOf(err error) int { return outcomeOf(lastnight.CodeOf(err)).exit }

// CodeOfStatus gives the code that a status without a problem stands for, for the
// answers of proxies in between.
func CodeOfStatus(status int) lastnight.Code {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return lastnight.CodeUnavailable
	case status == http.StatusRequestURITooLong, status == http.StatusRequestHeaderFieldsTooLarge:
		return lastnight.CodeTooLarge
	}
	for _, c := range []lastnight.Code{lastnight.CodeNotFound, lastnight.CodeConflict, lastnight.CodeTooLarge, lastnight.CodeUnavailable, lastnight.CodeUnauthenticated, lastnight.CodeForbidden} {
		if StatusOf(c) == status {
			return c
		}
	}
	if status >= 400 && status < 500 {
		return lastnight.CodeInvalid
	}
	return lastnight.CodeInternal
}

// problemOf tells people of err. What is not meant for people is left out.
func problemOf(err error) Problem {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = lastnight.Errorf(lastnight.CodeUnavailable, "ask for a shorter interval, or one job", "no answer within %s", questionTimeout)
	case errors.Is(err, context.Canceled):
		err = lastnight.Errorf(lastnight.CodeUnavailable, "try again", "the question was cancelled, perhaps because the server stops")
	}
	code := lastnight.CodeOf(err)
	o := outcomeOf(code)
	p := Problem{Type: "urn:lastnight:problem:" + string(code), Title: o.title, Status: o.status, Code: code, Hint: lastnight.HintOf(err)}
	if e, ok := errors.AsType[*lastnight.Error](err); ok {
		p.Detail = e.Message
	} else {
		p.Detail, p.Hint = "the server could not answer", "its log says why"
	}
	if p.Conflict = conflictOf(err); p.Conflict != nil {
		p.Status = http.StatusPreconditionFailed
	}
	return p
}

// Err gives the error that the problem tells of.
func (p Problem) Err() *lastnight.Error {
	e := &lastnight.Error{Code: p.Code, Message: p.Detail, Hint: p.Hint}
	if p.Conflict != nil {
		e.Err = p.Conflict
	}
	return e
}

// refusal is an error with a status of its own instead of its code's.
type refusal struct {
	err    *lastnight.Error
	status int
}

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

// fail answers with a problem. Nothing of an answer may have been written yet.
func (e *env) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if ref, ok := errors.AsType[refusal](err); ok {
		p.Status = ref.status
	}
	if p.Code == lastnight.CodeInternal && r.Context().Err() == nil {
		e.log.Error("answer a request", "route", routeOf(r), "err", err)
	}
	writeProblem(w, p)
}

func writeProblem(w http.ResponseWriter, p Problem) {
	h := w.Header()
	h.Set("Content-Type", problemType)
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="lastnight"`)
	}
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	b := encode(p)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(p.Status)
	// The reader may have gone; nobody is left to tell.
	_, _ = w.Write(b)
}

// encode never fails for a problem: strings and a number.
func encode(p Problem) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p)
	return b.Bytes()
}
