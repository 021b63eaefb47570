package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lastnight"
)

// checkOutput refuses an unknown --output.
func checkOutput(output string, known ...string) error {
	if slices.Contains(known, output) {
		return nil
	}
	return lastnight.Errorf(lastnight.CodeInvalid, "-o "+strings.Join(known, ", -o "), "--output: %q is unknown", output)
}

// printJSON writes the API's document.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// printLine writes one document a line.
func printLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// shownTime is a time for people, with its day and zone.
func shownTime(t time.Time, loc *time.Location) string {
	if t.IsZero() {
		return "the beginning"
	}
	return t.In(loc).Format("Mon 2 Jan 15:04:05 MST")
}

// shownDuration is a duration for people: 41 s, 3 min 20 s, 2 h 5 min.
func shownDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < time.Hour:
		if s := int(d.Seconds()) % 60; s > 0 {
			return fmt.Sprintf("%d min %d s", int(d.Minutes()), s)
		}
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// printable keeps hostile log text from driving the terminal: control characters, but for
// tabs, and marks that turn the writing direction become visible.
func printable(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !unprintable(r):
			return r
		case r < ' ':
			return '␀' + r
		}
		return '�'
	}, s)
}

func unprintable(r rune) bool {
	switch {
	case r == '\t':
		return false
	case r < ' ', r == 0x7f, r >= 0x80 && r < 0xa0:
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c:
		return true
	}
	return false
}
