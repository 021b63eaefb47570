package lastnight_test

import (
	"strings"
	"testing"
	"time"

	"lastnight"
)

func TestCursorRoundTrip(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(2026, 11, 21, 3, 0, 0, 123456789, time.UTC),
		time.Unix(0, 0).UTC(),
		time.Unix(-5, 7).UTC(),
	} {
		for _, id := range []string{"3f2a9c01d4e5b6a7.0018a2f3b4c5d6e7-1a2b3c4d.1f40", "event~with~tildes", "ü\xff"} {
			gotTime, gotID, err := lastnight.ParseCursor(lastnight.CursorOf(at, id))
			if err != nil || !gotTime.Equal(at) || gotID != id {
				t.Errorf("%v %q: got %v %q %v", at, id, gotTime, gotID, err)
			}
		}
	}
}

func TestParseCursorRefuses(t *testing.T) {
	for _, s := range []string{"", "x", "====", "not a cursor", strings.Repeat("A", 5000), "Mn4", "fg", "fmFiYw\n"} {
		if _, _, err := lastnight.ParseCursor(s); lastnight.CodeOf(err) != lastnight.CodeInvalid {
			t.Errorf("%.20q: got %v, want an error of CodeInvalid", s, err)
		}
	}
}
