package labels

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lastnight"
)

const (
	approvedConfidence = 0.97 // people err too
	proposedConfidence = 0.8
	maxChainText       = 8 << 10 // of each evidence, that is searched for exceptions
)

// facts are what a label can match of an incident.
type facts struct {
	templates []string            // ids as they were recorded, splits heeded
	plain     []string            // of them, as they were recorded, those that only tell what the failure did to the job
	near      []string            // templates of what was written nearby, without a link to the failure
	other     []string            // exceptions, reasons, exit codes, layer, job, namespace
	explained bool                // by the catalogue
	set       map[string]struct{} // scratch of find
}

// factsOf reads an incident.
func (r *resolver) factsOf(in *lastnight.Incident) facts {
	f := facts{explained: in.Diagnosis.Explained, other: []string{"namespace:" + in.Namespace, "job:" + in.Job}}
	for _, s := range in.Features {
		kind, value, _ := strings.Cut(s, ":")
		switch kind {
		case "template":
			f.templates = append(f.templates, value)
		case "near":
			f.near = append(f.near, value)
		case "exception", "reason", "exit", "layer":
			f.other = append(f.other, s)
		}
	}
	if d := in.Diagnosis.Layer; d != "" {
		f.other = append(f.other, "layer:"+d)
	}
	if in.Workload != "" && in.Workload != in.Job {
		f.other = append(f.other, "job:"+in.Workload)
	}
	chain := in.Diagnosis.Chain
	for i := range chain {
		e := &chain[i]
		if e.Role == lastnight.RoleRecovery {
			continue
		}
		if e.Template != "" {
			f.templates = append(f.templates, e.Template)
		}
		if e.Reason != "" {
			f.other = append(f.other, "reason:"+e.Reason)
		}
		if e.ExitCode != nil && *e.ExitCode != 0 {
			f.other = append(f.other, "exit:"+strconv.Itoa(*e.ExitCode))
		}
		if e.Kind == "record" {
			f.other = appendExceptions(f.other, e.Text)
		}
	}
	slices.Sort(f.templates)
	f.templates = slices.Compact(f.templates)
	f.plain = plainOf(chain)
	if len(r.splits) > 0 {
		f.templates = r.splitUp(f.templates, chain)
	}
	return f
}

// plainOf gives the templates that tell no cause: changes of the job's state, and what the chain has as an effect
// where it has something else as the cause.
func plainOf(chain []lastnight.Evidence) []string {
	causes := map[string]bool{}
	for i := range chain {
		if e := &chain[i]; e.Role == lastnight.RoleCause && e.Kind == "record" {
			causes[e.Template] = true
		}
	}
	var plain []string
	for i := range chain {
		if e := &chain[i]; e.Template != "" && !causes[e.Template] && (len(causes) > 0 || e.Kind == "transition") {
			plain = united(plain, e.Template)
		}
	}
	return plain
}

// appendExceptions adds the class names in a stack trace: of its first lines and of its causes.
func appendExceptions(list []string, text string) []string {
	n := 0
	for line := range strings.SplitSeq(text[:min(len(text), maxChainText)], "\n") {
		line = strings.TrimSpace(line)
		rest, caused := strings.CutPrefix(line, "Caused by: ")
		if n++; n > 2 && !caused {
			continue
		}
		for word := range strings.FieldsSeq(rest) {
			word = strings.TrimRight(word, ":,;.)")
			if strings.Contains(word, ".") && (strings.HasSuffix(word, "Exception") || strings.HasSuffix(word, "Error")) {
				list = append(list, "exception:"+word)
			}
			if caused {
				break
			}
		}
	}
	return list
}

// splitUp replaces templates that were split by hand, where the chain has the records that show which part it is.
func (r *resolver) splitUp(ids []string, chain []lastnight.Evidence) []string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		splits := r.splits[id]
		whole := len(splits) == 0
		seen := false
		for i := range chain {
			if len(splits) == 0 || chain[i].Template != id {
				continue
			}
			seen = true
			first, _, _ := strings.Cut(chain[i].Text, "\n")
			if k := slices.IndexFunc(splits, func(m lastnight.TemplateMerge) bool { return form(m.Text, first, false) }); k >= 0 {
				out = append(out, splits[k].Into)
			} else {
				whole = true
			}
		}
		if whole || !seen {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Explain puts what labels say into the diagnoses of incidents. Those that no label matches, and
// planned ones, stay as they are.
func (l *Labels) Explain(ctx context.Context, is []lastnight.Incident) error {
	l.mu.RLock()
	none := len(l.index.buckets) == 0
	l.mu.RUnlock()
	if none || len(is) == 0 {
		return nil
	}
	all := make([]facts, len(is))
	var ids []string
	l.mu.RLock()
	for i := range is {
		if !is[i].Planned {
			all[i] = l.resolver.factsOf(&is[i])
			ids = append(append(ids, all[i].templates...), all[i].near...)
		}
	}
	l.mu.RUnlock()
	if err := l.know(ctx, ids); err != nil {
		return err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := range is {
		if is[i].Planned {
			continue
		}
		if r := l.index.find(&all[i], &l.resolver); r != nil {
			l.diagnose(&is[i], r)
		}
	}
	return nil
}

// diagnose writes what a rule's label says into an incident. The caller holds l.mu.
func (l *Labels) diagnose(in *lastnight.Incident, r *rule) {
	d := &in.Diagnosis
	n := r.label
	cause := causeOf(n)
	if d.Explained && d.Cause != cause {
		was := lastnight.Alternative{Cause: d.Cause, Title: d.Title, Confidence: float64(int(100*d.Confidence*0.3)) / 100}
		d.Alternatives = append([]lastnight.Alternative{was}, d.Alternatives...)
	}
	d.Alternatives = slices.DeleteFunc(slices.Clone(d.Alternatives), func(a lastnight.Alternative) bool { return a.Cause == cause })
	if !d.Explained {
		l.nameEvidence(d, r, cause)
	}
	c, known := l.causes[cause]
	ref := r.ref()
	d.Explained, d.Cause, d.Label = true, cause, &ref
	d.Title, d.Advice = first(n.Title, c.Title), first(n.Advice, c.Advice)
	d.Layer, d.Severity = first(n.Layer, c.Layer, d.Layer), first(n.Severity, c.Severity, d.Severity)
	d.Confidence = approvedConfidence
	if !r.approved {
		d.Confidence = proposedConfidence
	}
	switch {
	case n.ActionNeeded != nil:
		d.ActionNeeded = *n.ActionNeeded
	case known:
		d.ActionNeeded = c.ActionNeeded
	default:
		d.ActionNeeded = true
	}
	d.ActionNeeded = d.ActionNeeded || !in.Recovered
	d.Verdict = verdict(in)
}

func causeOf(n *lastnight.Label) string { return first(n.Cause, n.ID) }

// first gives the first that is not empty.
func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// nameEvidence says which records of the chain are what the label speaks of.
func (l *Labels) nameEvidence(d *lastnight.Diagnosis, r *rule, cause string) {
	d.Chain = slices.Clone(d.Chain)
	for i := range d.Chain {
		e := &d.Chain[i]
		if e.Template != "" && e.Role == lastnight.RoleEffect && slices.Contains(r.parts, "template:"+l.resolver.final(e.Template)) {
			e.Role, e.Cause = lastnight.RoleCause, cause
		}
	}
}

// verdict says it in one sentence, as investigations do.
func verdict(in *lastnight.Incident) string {
	d := &in.Diagnosis
	times := "once"
	if in.Failovers > 1 {
		times = fmt.Sprintf("%d times", in.Failovers)
	}
	ended := "was given up"
	switch {
	case in.Recovered:
		ended = "recovered"
	case in.Open:
		ended = "has not recovered"
	}
	act := "nothing has to be done."
	if d.ActionNeeded {
		act = "somebody has to act."
	}
	return fmt.Sprintf("%s; %s failed over %s and %s: %s", strings.TrimSuffix(d.Title, "."), in.Job, times, ended, act)
}
