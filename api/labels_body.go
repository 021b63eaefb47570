package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lastnight"
)

// A file of labels may be larger than other bodies.
const (
	importPath     = prefix + "/labels/import"
	maxImportBytes = 64 << 20
)

// readJSON decodes the body into v. A field that v does not have is an error.
func readJSON(r *http.Request, v any) error {
	if err := bodyIs(r, "application/json"); err != nil {
		return err
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more after the object")
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return lastnight.Errorf(lastnight.CodeTooLarge, "", "the body has more than %d bytes", maxBodyBytes)
	}
	if err != nil {
		return lastnight.Errorf(lastnight.CodeInvalid, prefix+"/openapi.yaml says what it may have", "the body does not parse: %s", clip(err.Error()))
	}
	return nil
}

func bodyIs(r *http.Request, want ...string) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if slices.Contains(want, kind) {
		return nil
	}
	err := lastnight.Errorf(lastnight.CodeInvalid, "send Content-Type: "+want[0], "the body is %q, not %s", clip(kind), want[0])
	return refusal{err, http.StatusUnsupportedMediaType}
}

// ifMatch gives the version that a change was made of.
func ifMatch(r *http.Request) (int, error) {
	tag := strings.TrimPrefix(strings.TrimSpace(r.Header.Get("If-Match")), "W/")
	if tag == "" {
		err := lastnight.Errorf(lastnight.CodeInvalid, "send If-Match with the ETag of the version that you changed", "a change must say which version it was made of")
		return 0, refusal{err, http.StatusPreconditionRequired}
	}
	n, err := strconv.Atoi(strings.Trim(tag, `"`))
	if err != nil || n <= 0 {
		return 0, lastnight.Errorf(lastnight.CodeInvalid, `such as If-Match: "3"`, "If-Match %s is no version", clip(tag))
	}
	return n, nil
}

// writeLabel answers with a label and its version.
func writeLabel(w http.ResponseWriter, l *lastnight.Label) error {
	w.Header().Set("ETag", fmt.Sprintf("%q", strconv.Itoa(l.Version)))
	return writeJSON(w, l)
}

// conflictOf finds both versions in an error.
func conflictOf(err error) *lastnight.LabelConflict {
	if c, ok := errors.AsType[*lastnight.LabelConflict](err); ok {
		return c
	}
	return nil
}
