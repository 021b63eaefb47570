package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"lastnight"
)

// markdownAnswer writes an answer for a ticket or a chat.
func markdownAnswer(w io.Writer, a *lastnight.Answer, loc *time.Location) error {
	b := bufio.NewWriter(w)
	for i := range a.Incidents {
		markdownIncident(b, &a.Incidents[i], loc)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func markdownIncident(b *bufio.Writer, in *lastnight.Incident, loc *time.Location) {
	d := &in.Diagnosis
	put := func(format string, args ...any) { _, _ = fmt.Fprintf(b, format, args...) }
	put("## %s, %s\n\n", markdownText(in.Job), shownTime(in.Start, loc))
	put("**%s**\n\n", markdownText(verdict(d)))
	action := "No action needed."
	if d.ActionNeeded {
		action = "**Action needed.**"
	}
	put("%s", action)
	if in.Recovered {
		put(" Recovered after %s.", shownDuration(in.End.Sub(in.Start)))
	}
	if d.Explained {
		put(" Cause `%s` (%s), confidence %.0f %%.", d.Cause, d.Layer, d.Confidence*100)
	}
	put("\n\n")
	if d.Advice != "" {
		put("%s\n\n", markdownText(d.Advice))
	}
	put("| time | | what | where |\n|---|---|---|---|\n")
	for i := range d.Chain {
		e := &d.Chain[i]
		put("| %s | %s | %s | %s |\n", e.Time.In(loc).Format("15:04:05.000"), e.Role, markdownText(e.What), markdownText(source(e.Source)))
	}
	put("\n")
	for i := range d.Chain {
		if e := &d.Chain[i]; e.Role == lastnight.RoleCause && e.Kind == "record" {
			put("%s\n\n", fenced(clipText(e.Text, 4000)))
			break
		}
	}
}

// markdownText keeps log text from becoming markup.
func markdownText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", "[", `\[`, "\n", " ").Replace(printable(s))
}

// fenced quotes text in a fence that it cannot close.
func fenced(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return fence + "text\n" + strings.Join(lines, "\n") + "\n" + fence
}

// clipText cuts text to n bytes at the end of a line.
func clipText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n]
	if i := strings.LastIndexByte(s, '\n'); i > 0 {
		s = s[:i]
	}
	return s + "\n…"
}
