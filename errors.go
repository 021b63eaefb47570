package lastnight

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an error is. One table (in package api) maps
// codes to HTTP statuses and exit codes.
type Code string

// The codes.
const (
	CodeInvalid     Code = "invalid"     // the request is wrong: a bad time, a query that does not parse
	CodeNotFound    Code = "not_found"   // nothing of that name or in that interval
	CodeConflict    Code = "conflict"    // somebody else holds or changed it
	CodeUnavailable Code = "unavailable" // try again later: full disk, store away
	CodeTooLarge    Code = "too_large"   // more than a stated limit
	CodeInternal    Code = "internal"    // a defect or a broken disk

	CodeUnauthenticated Code = "unauthenticated" // nobody knows who asks
	CodeForbidden       Code = "forbidden"       // who asks may not do or read that
)

// Error is an error for people: what went wrong, and what to try.
// Hint may be empty. Err, if not nil, is the cause that Message already tells of.
type Error struct {
	Code    Code
	Message string
	Hint    string
	Err     error
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a code. hint says what to try; "" if there is nothing. A %w in format becomes its cause.
func Errorf(code Code, hint, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Hint: hint, Err: errors.Unwrap(err)}
}

// CodeOf tells the code of err: that of the outermost Error in its chain,
// CodeInternal if there is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// HintOf tells what to try after err, or "".
func HintOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Hint
	}
	return ""
}
