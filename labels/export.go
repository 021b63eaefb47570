package labels

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"lastnight"
)

// What a file has, in the order in which it is written. See docs/formats/labels-yaml.md.
type (
	labelYAML struct {
		ID           string         `yaml:"id,omitempty"`
		State        string         `yaml:"state"`
		Title        string         `yaml:"title,omitempty"`
		Cause        string         `yaml:"cause,omitempty"`
		Advice       string         `yaml:"advice,omitempty"`
		Severity     string         `yaml:"severity,omitempty"`
		Layer        string         `yaml:"layer,omitempty"`
		Owner        string         `yaml:"owner,omitempty"`
		ActionNeeded *bool          `yaml:"action_needed,omitempty"`
		Links        []string       `yaml:"links,omitempty"`
		Template     *templateYAML  `yaml:"template,omitempty"`
		Signature    *signatureYAML `yaml:"signature,omitempty"`
		Author       string         `yaml:"author,omitempty"`
		ApprovedBy   string         `yaml:"approved_by,omitempty"`
		Change       *labelYAML     `yaml:"change,omitempty"` // of an approved label: what it is to become, not approved yet
	}
	templateYAML struct {
		ID   string `yaml:"id"`
		Text string `yaml:"text,omitempty"`
	}
	signatureYAML struct {
		Templates  []templateYAML `yaml:"templates,omitempty"`
		Exceptions []string       `yaml:"exceptions,omitempty"`
		Reasons    []string       `yaml:"reasons,omitempty"`
		ExitCodes  []int          `yaml:"exit_codes,omitempty"`
		Layer      string         `yaml:"layer,omitempty"`
		Namespace  string         `yaml:"namespace,omitempty"`
		Job        string         `yaml:"job,omitempty"`
	}
	mergeYAML struct {
		Kind string   `yaml:"kind"`
		From []string `yaml:"from"`
		Into string   `yaml:"into"`
		Text string   `yaml:"text,omitempty"`
		By   string   `yaml:"by,omitempty"`
		Why  string   `yaml:"why,omitempty"`
	}
)

const fileHead = `# Labels of lastnight: docs/formats/labels-yaml.md. Edit, review and import with
# lastnight labels import FILE
version: 1
`

// ExportLabels implements lastnight.LabelExchange.
func (l *Labels) ExportLabels(ctx context.Context, w io.Writer) error {
	l.mu.RLock()
	items := make([]labelYAML, 0, len(l.labels))
	for _, id := range slices.Sorted(maps.Keys(l.labels)) {
		items = append(items, l.labels[id].yaml())
	}
	var merges []mergeYAML
	for i := range l.merges {
		if m := &l.merges[i]; !m.Undone {
			merges = append(merges, mergeYAML{m.Kind, m.From, m.Into, m.Text, m.By, m.Why})
		}
	}
	l.mu.RUnlock()
	out := bufio.NewWriter(w)
	if _, err := out.WriteString(fileHead); err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	if err := writeList(ctx, out, "labels", items); err != nil {
		return err
	}
	if len(merges) > 0 {
		if err := writeList(ctx, out, "merges", merges); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	return nil
}

// writeList writes a list under a key, an empty line between items.
func writeList[T any](ctx context.Context, w *bufio.Writer, key string, items []T) error {
	if len(items) == 0 {
		_, err := w.WriteString(key + ": []\n")
		return err
	}
	if _, err := w.WriteString(key + ":\n"); err != nil {
		return err
	}
	for i := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := encodeItem(&items[i])
		if err != nil {
			return err
		}
		if i > 0 {
			b = append([]byte("\n"), b...)
		}
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("write labels: %w", err)
		}
	}
	return nil
}

func encodeItem[T any](item *T) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode([]*T{item}); err != nil {
		return nil, fmt.Errorf("encode a label: %w", err)
	}
	return b.Bytes(), enc.Close()
}

// yaml gives a label as it is written: as it explains, and what it is to become.
func (e *entry) yaml() labelYAML {
	if e.effective == nil {
		return yamlOf(&e.current)
	}
	y := yamlOf(e.effective)
	y.State, y.ApprovedBy = string(lastnight.LabelApproved), e.current.ApprovedBy
	if e.current.State != lastnight.LabelApproved {
		c := yamlOf(&e.current)
		c.ID, c.ApprovedBy = "", ""
		y.Change = &c
	}
	return y
}

func yamlOf(l *lastnight.Label) labelYAML {
	y := labelYAML{
		ID: l.ID, State: string(l.State), Title: l.Title, Cause: l.Cause, Advice: l.Advice, Severity: l.Severity, Layer: l.Layer, Owner: l.Owner,
		ActionNeeded: l.ActionNeeded, Links: l.Links, Author: l.Author, ApprovedBy: l.ApprovedBy,
	}
	if t := l.Target.Template; t != nil {
		y.Template = &templateYAML{t.ID, t.Text}
	}
	if s := l.Target.Signature; s != nil {
		y.Signature = &signatureYAML{Exceptions: s.Exceptions, Reasons: s.Reasons, ExitCodes: s.ExitCodes, Layer: s.Layer, Namespace: s.Namespace, Job: s.Job}
		for _, t := range s.Templates {
			y.Signature.Templates = append(y.Signature.Templates, templateYAML{t.ID, t.Text})
		}
	}
	return y
}

// label is the other way round.
func (y *labelYAML) label() lastnight.Label {
	l := lastnight.Label{
		ID: y.ID, State: lastnight.LabelState(y.State), Title: y.Title, Cause: y.Cause, Advice: y.Advice, Severity: y.Severity, Layer: y.Layer, Owner: y.Owner,
		ActionNeeded: y.ActionNeeded, Links: y.Links, Author: y.Author, ApprovedBy: y.ApprovedBy,
	}
	if y.Template != nil {
		l.Target.Template = &lastnight.TemplateRef{ID: y.Template.ID, Text: y.Template.Text}
	}
	if s := y.Signature; s != nil {
		l.Target.Signature = &lastnight.Signature{Exceptions: s.Exceptions, Reasons: s.Reasons, ExitCodes: s.ExitCodes, Layer: s.Layer, Namespace: s.Namespace, Job: s.Job}
		for _, t := range s.Templates {
			l.Target.Signature.Templates = append(l.Target.Signature.Templates, lastnight.TemplateRef{ID: t.ID, Text: t.Text})
		}
	}
	return l
}
