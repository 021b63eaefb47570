package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"lastnight"
)

// page writes answers for people: verdict first, then the proof, then what to do.
// Colour only on a terminal, and never as the only sign.
type page struct {
	w     *bufio.Writer
	loc   *time.Location
	color bool
	width int // of running text, in columns
	clip  int // of a quoted line, in columns
}

func newPage(w io.Writer, loc *time.Location) *page {
	p := &page{w: bufio.NewWriter(w), loc: loc, width: 100, clip: 240}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
			p.width, p.clip = min(w, 120), max(w-28, 20)
		}
	}
	return p
}

// Styles, as SGR parameters.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p *page) style(sgr, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

// printf ignores write errors until flush, which reports the first.
func (p *page) printf(format string, args ...any) { _, _ = fmt.Fprintf(p.w, format, args...) }

func (p *page) flush() error {
	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// answer writes the incidents of a job.
func (p *page) answer(a *lastnight.Answer) error {
	for i := range a.Incidents {
		if i > 0 {
			p.printf("\n%s\n\n", p.style(dim, strings.Repeat("─", min(p.width, 72))))
		}
		p.incident(&a.Incidents[i])
	}
	if n := len(a.Incidents); n > 1 {
		p.printf("\n%d incidents from %s to %s\n", n, shownTime(a.Interval.Start, p.loc), shownTime(a.Interval.End, p.loc))
	}
	return p.flush()
}

func (p *page) incident(in *lastnight.Incident) {
	d := &in.Diagnosis
	p.printf("%s  %s\n", p.style(bold, printable(in.Job)), p.style(dim, printable(in.Namespace)+" · "+shownTime(in.Start, p.loc)))
	p.wrap("", p.style(bold, printable(verdict(d))))
	p.printf("%s\n", p.status(in))
	if d.Explained {
		p.printf("%s\n", p.style(dim, fmt.Sprintf("cause %s · %s · confidence %.0f %%", d.Cause, d.Layer, d.Confidence*100)))
	}
	if d.Label != nil {
		p.printf("%s\n", p.style(dim, fmt.Sprintf("explained by label %s of %s (%s)", d.Label.ID, printable(d.Label.Author), d.Label.State)))
	}
	p.chain(in)
	if d.Advice != "" {
		p.heading("What to do")
		p.wrap("  ", printable(d.Advice))
	}
	if len(d.Alternatives) > 0 {
		p.heading("Less likely")
		for _, a := range d.Alternatives {
			p.printf("  %3.0f %%  %s  %s\n", a.Confidence*100, a.Title, p.style(dim, a.Cause))
		}
	}
	if len(in.Similar) > 0 {
		p.heading("Like it")
		for _, s := range in.Similar {
			p.printf("  %s  %-30s %s  %s\n", shownTime(s.Start, p.loc), printable(s.Job), s.Cause, p.style(dim, fmt.Sprintf("%.0f %% alike", s.Score*100)))
		}
	}
}

func verdict(d *lastnight.Diagnosis) string {
	switch {
	case d.Verdict != "":
		return d.Verdict
	case d.Explained:
		return d.Title
	}
	return "Unexplained: no known cause has evidence."
}

// status says whether somebody has to do something, and how it stands.
func (p *page) status(in *lastnight.Incident) string {
	var parts []string
	switch {
	case in.Planned:
		parts = append(parts, p.style(green, "planned, no action needed"))
	case in.Diagnosis.ActionNeeded:
		parts = append(parts, p.style(red, "ACTION NEEDED"))
	default:
		parts = append(parts, p.style(green, "no action needed"))
	}
	took := in.End.Sub(in.Start)
	switch {
	case in.Recovered:
		parts = append(parts, p.style(green, "recovered after "+shownDuration(took)))
	case in.Open && took > 0:
		parts = append(parts, p.style(yellow, "still failing when last seen, "+shownDuration(took)+" later"))
	case in.Open:
		parts = append(parts, p.style(yellow, "still failing when last seen"))
	default:
		parts = append(parts, p.style(red, "did not recover"))
	}
	if in.Failovers > 1 {
		parts = append(parts, fmt.Sprintf("%d failovers", in.Failovers))
	}
	return strings.Join(parts, " · ")
}

func (p *page) heading(s string) { p.printf("\n%s\n", p.style(bold, s)) }

// chain writes what happened, in order, with where each thing was seen.
func (p *page) chain(in *lastnight.Incident) {
	if len(in.Diagnosis.Chain) == 0 {
		return
	}
	p.heading("What happened")
	for i := range in.Diagnosis.Chain {
		e := &in.Diagnosis.Chain[i]
		mark, sgr := "·", dim
		switch e.Role {
		case lastnight.RoleCause:
			mark, sgr = "✗", red
		case lastnight.RoleRecovery:
			mark, sgr = "✓", green
		}
		p.printf("  %s %s %s\n", p.style(dim, e.Time.In(p.loc).Format("15:04:05.000")), p.style(sgr, fmt.Sprintf("%s %-8s", mark, e.Role)), printable(e.What))
		if from := source(e.Source); from != "" {
			p.printf("  %s\n", p.style(dim, strings.Repeat(" ", 24)+from))
		}
		if e.Role == lastnight.RoleCause && e.Kind != "transition" {
			p.proof(e.Text)
		}
	}
}

// proofLines is how many lines of a record prove a cause on a terminal; -o json has all.
const proofLines = 4

// proof quotes a record: its first lines, and the lines that name causes.
func (p *page) proof(text string) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	shown, skipped := 0, 0
	for i, l := range lines {
		if (i < 2 || strings.HasPrefix(l, "Caused by:")) && shown < proofLines {
			p.printf("  %s%s\n", strings.Repeat(" ", 24), p.style(dim, "│ ")+clip(printable(l), p.clip))
			shown++
			continue
		}
		skipped++
	}
	if skipped > 0 {
		p.printf("  %s%s\n", strings.Repeat(" ", 24), p.style(dim, fmt.Sprintf("│ … %d more lines", skipped)))
	}
}

func source(s lastnight.Source) string {
	parts := make([]string, 0, 3)
	for _, v := range []string{s.Pod, s.Container} {
		if v != "" {
			parts = append(parts, printable(v))
		}
	}
	from := strings.Join(parts, "/")
	if s.Node != "" {
		from = strings.TrimSpace(from + " on " + printable(s.Node))
	}
	return from
}

// clip cuts a line to n runes.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n || n < 2 {
		return s
	}
	return string(r[:n-1]) + "…"
}

// wrap writes text in lines of the page's width.
func (p *page) wrap(indent, text string) {
	col := 0
	p.printf("%s", indent)
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		if i > 0 && col+1+n > p.width-len(indent) {
			p.printf("\n%s", indent)
			col = 0
		} else if i > 0 {
			p.printf(" ")
			col++
		}
		p.printf("%s", word)
		col += n
	}
	p.printf("\n")
}
