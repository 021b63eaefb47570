package lastnight

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// maxCursorBytes is more than any id of ours needs.
const maxCursorBytes = 1024

// CursorOf names the place after a document in the order of (time, id), so that a
// search goes on from there: newest first with the documents that come before it in
// that order, oldest first with those after it. The form is nobody's business but ParseCursor's.
func CursorOf(t time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(t.UnixNano(), 36) + "~" + id))
}

// ParseCursor gives the time and id of the document that the cursor stands after.
// The error is of CodeInvalid.
func ParseCursor(s string) (time.Time, string, error) {
	bad := Errorf(CodeInvalid, "take next_cursor from the answer before, unchanged", "the cursor is malformed")
	if len(s) > maxCursorBytes {
		return time.Time{}, "", bad
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return time.Time{}, "", bad
	}
	ns, id, ok := strings.Cut(string(b), "~")
	n, err := strconv.ParseInt(ns, 36, 64)
	if !ok || err != nil || id == "" {
		return time.Time{}, "", bad
	}
	return time.Unix(0, n).UTC(), id, nil
}
