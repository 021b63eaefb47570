package main

import (
	"fmt"
	"strings"

	"lastnight"
)

// labels lists labels, a line or two each.
func (p *page) labels(list []lastnight.Label) {
	for i := range list {
		l := &list[i]
		p.printf("%-9s %s  %s\n", l.State, p.style(bold, printable(l.ID)), printable(titleOf(l)))
		p.printf("%10s%s\n", "", p.style(dim, "on "+targetOf(&l.Target, 80)+" · version "+fmt.Sprint(l.Version)+" of "+printable(l.Author)))
	}
}

func titleOf(l *lastnight.Label) string {
	if l.Title != "" {
		return l.Title
	}
	return "cause " + l.Cause
}

// targetOf says what a label is on.
func targetOf(t *lastnight.LabelTarget, width int) string {
	switch {
	case t.Template != nil:
		return clip(printable(strings.TrimSpace("template "+t.Template.ID+" "+t.Template.Text)), width)
	case t.Signature == nil:
		return "nothing"
	}
	s := t.Signature
	var parts []string
	for _, r := range s.Templates {
		parts = append(parts, "template "+r.ID)
	}
	for _, e := range s.Exceptions {
		parts = append(parts, "exception "+e)
	}
	for _, r := range s.Reasons {
		parts = append(parts, "reason "+r)
	}
	for _, c := range s.ExitCodes {
		parts = append(parts, fmt.Sprintf("exit code %d", c))
	}
	for _, o := range []struct{ name, value string }{{"layer", s.Layer}, {"job", s.Job}, {"namespace", s.Namespace}} {
		if o.value != "" {
			parts = append(parts, o.name+" "+o.value)
		}
	}
	return clip(printable(strings.Join(parts, " and ")), width)
}

// label shows one label whole.
func (p *page) label(l *lastnight.Label) {
	p.printf("%s  %s\n", p.style(bold, printable(l.ID)), p.style(dim, fmt.Sprintf("%s · version %d", l.State, l.Version)))
	row := func(name, value string) {
		if value != "" {
			p.printf("  %-14s %s\n", name, printable(value))
		}
	}
	row("title", l.Title)
	row("cause", l.Cause)
	row("on", targetOf(&l.Target, 400))
	row("severity", l.Severity)
	row("layer", l.Layer)
	row("owner", l.Owner)
	row("action needed", needed(l.ActionNeeded))
	row("links", joined(l.Links))
	row("author", l.Author)
	if l.ApprovedVersion > 0 {
		row("explains", fmt.Sprintf("as of version %d, approved by %s", l.ApprovedVersion, l.ApprovedBy))
	} else {
		row("explains", "nothing until it is approved")
	}
	if l.Advice != "" {
		p.wrap("  ", printable(l.Advice))
	}
}

// history lists changes, oldest first.
func (p *page) history(list []lastnight.LabelChange) {
	for i := range list {
		c := &list[i]
		p.printf("%3d  %s  %-12s %-8s → %-9s %s\n", c.Label.Version, shownTime(c.At, p.loc), printable(c.By), c.Action, c.Label.State, printable(c.Why))
		if i == 0 || titleOf(&list[i-1].Label) != titleOf(&c.Label) {
			p.printf("     %s\n", p.style(dim, "title  "+printable(titleOf(&c.Label))))
		}
		if c.Label.Advice != "" && (i == 0 || list[i-1].Label.Advice != c.Label.Advice) {
			p.printf("     %s\n", p.style(dim, "advice "+clip(printable(c.Label.Advice), p.clip)))
		}
		if i == 0 || targetOf(&list[i-1].Label.Target, 400) != targetOf(&c.Label.Target, 400) {
			p.printf("     %s\n", p.style(dim, "on     "+targetOf(&c.Label.Target, p.clip)))
		}
	}
}

// refs lists incidents under a heading.
func (p *page) refs(heading string, list []lastnight.IncidentRef) {
	p.printf("%s\n", heading)
	for i := range list {
		r := &list[i]
		cause := "unexplained"
		if r.Explained {
			cause = r.Cause
		}
		p.printf("  %s  %s  %-40s %s\n", p.style(dim, printable(r.ID)), shownTime(r.Start, p.loc), printable(r.Namespace+"/"+r.Job), printable(cause))
	}
}

// queue lists what is worth labeling.
func (p *page) queue(list []lastnight.QueueItem) {
	if len(list) == 0 {
		p.printf("Nothing is left to label.\n")
	}
	for i := range list {
		q := &list[i]
		p.printf("%8.1f  %s %s  %s\n", q.Impact, q.Kind, p.style(dim, printable(q.ID)), p.style(bold, clip(printable(q.Title), p.clip)))
		p.printf("%10s%s\n", "", p.style(dim, fmt.Sprintf("%d failovers (%d explained), %d jobs, last %s", q.Failovers, q.Explained, q.Jobs, shownTime(q.Last, p.loc))))
		for _, x := range q.Proposals {
			p.printf("%10sperhaps %s: %s (%.0f %% alike)\n", "", x.Label.ID, printable(x.Title), 100*x.Score)
		}
	}
}

// template shows a template.
func (p *page) template(t *lastnight.TemplateDetail) {
	p.printf("%s  %s\n", p.style(bold, printable(t.ID)), printable(t.Text))
	if t.Became != "" {
		p.printf("  became %s\n", printable(t.Became))
	}
	if len(t.Aliases) > 0 {
		p.printf("  merged with %s\n", joined(t.Aliases))
	}
	p.labels(t.Labels)
	for _, s := range t.Similar {
		p.printf("  perhaps %s: %s (%.0f %% alike)\n", s.Label.ID, printable(s.Title), 100*s.Score)
	}
	p.refs(fmt.Sprintf("%d failovers of %d jobs in the last 90 days", t.Failovers, t.Jobs), t.Incidents)
	for i := range t.Samples {
		d := &t.Samples[i]
		first, _, _ := strings.Cut(d.Text, "\n")
		p.printf("  %s  %s  %s\n", p.style(dim, d.Time.In(p.loc).Format("2006-01-02 15:04:05")), p.style(dim, printable(d.Namespace+"/"+d.Pod)), clip(printable(first), p.clip))
	}
}
