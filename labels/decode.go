package labels

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"lastnight"
)

// labelItem reads a label and checks it.
func (d *decoder) labelItem(n *yaml.Node) {
	var y labelYAML
	lines := map[string]int{"": n.Line}
	d.label(n, &y, lines)
	if d.err != nil {
		return
	}
	if y.ID == "" {
		d.fail(n, "a label needs an id")
		return
	}
	if at, twice := d.r.ids[y.ID]; twice {
		d.fail(n, "label %.80q is there already, in line %d", y.ID, at)
		return
	}
	d.r.ids[y.ID] = d.r.at
	d.check(n, &y, lines)
	if c := y.Change; c != nil && d.err == nil {
		switch {
		case y.State != string(lastnight.LabelApproved):
			d.fail(n, "only an approved label has a change that waits")
		case c.State != string(lastnight.LabelProposed) && c.State != string(lastnight.LabelDraft) || c.ID != "" || c.Change != nil || c.ApprovedBy != "":
			d.fail(n, "a change is a draft or proposed, and has no id, approval or change of its own")
		default:
			d.check(n, c, nil)
		}
	}
	d.r.out.labels = append(d.r.out.labels, y)
	d.r.out.labelLines = append(d.r.out.labelLines, d.r.at)
}

// check tells what is wrong with a label, in the line of the field.
func (d *decoder) check(n *yaml.Node, y *labelYAML, lines map[string]int) {
	at := func(field string) *yaml.Node {
		if line := lines[field]; line > 0 {
			return &yaml.Node{Line: line}
		}
		return n
	}
	l := y.label()
	known := false
	for _, s := range states {
		known = known || s == l.State
	}
	switch {
	case !known:
		d.fail(at("state"), "state %.40q is none of draft, proposed, approved, retired", y.State)
	case checkLine("author", y.Author, maxName) != nil:
		d.fail(at("author"), "author is no name")
	case checkLine("approved_by", y.ApprovedBy, maxName) != nil:
		d.fail(at("approved_by"), "approved_by is no name")
	case y.Author == lastnight.SystemActor || y.ApprovedBy == lastnight.SystemActor:
		d.fail(at("author"), "the name %s is lastnight's own", lastnight.SystemActor)
	}
	if f := checkLabel(&l); f != nil && d.err == nil {
		d.fail(at(f.field), "%s", f.Error())
	}
}

func (d *decoder) label(n *yaml.Node, y *labelYAML, lines map[string]int) {
	if lines != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			lines[n.Content[i].Value] = n.Content[i].Line
		}
	}
	d.fields(n, map[string]func(*yaml.Node){
		"id": d.text(&y.ID), "state": d.text(&y.State), "title": d.text(&y.Title), "cause": d.text(&y.Cause), "advice": d.text(&y.Advice),
		"severity": d.text(&y.Severity), "layer": d.text(&y.Layer), "owner": d.text(&y.Owner), "links": d.texts(&y.Links),
		"author": d.text(&y.Author), "approved_by": d.text(&y.ApprovedBy),
		"action_needed": func(n *yaml.Node) { y.ActionNeeded = d.boolean(n) },
		"template": func(n *yaml.Node) {
			y.Template = &templateYAML{}
			d.template(n, y.Template)
		},
		"signature": func(n *yaml.Node) {
			y.Signature = &signatureYAML{}
			d.signature(n, y.Signature)
		},
		"change": func(n *yaml.Node) {
			if y.Change != nil || lines == nil {
				d.fail(n, "a change has no change of its own")
				return
			}
			y.Change = &labelYAML{}
			d.label(n, y.Change, nil)
		},
	})
}

func (d *decoder) boolean(n *yaml.Node) *bool {
	var b bool
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&b) != nil {
		d.fail(n, "expected true or false")
	}
	return &b
}

func (d *decoder) template(n *yaml.Node, t *templateYAML) {
	d.fields(n, map[string]func(*yaml.Node){"id": d.text(&t.ID), "text": d.text(&t.Text)})
}

func (d *decoder) signature(n *yaml.Node, s *signatureYAML) {
	d.fields(n, map[string]func(*yaml.Node){
		"templates": list(d, &s.Templates, d.template), "exceptions": d.texts(&s.Exceptions), "reasons": d.texts(&s.Reasons),
		"exit_codes": list(d, &s.ExitCodes, d.integer), "layer": d.text(&s.Layer), "namespace": d.text(&s.Namespace), "job": d.text(&s.Job),
	})
}

func (d *decoder) integer(n *yaml.Node, to *int) {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.fail(n, "expected a whole number")
		return
	}
	*to = v
}

// mergeItem reads a merge or split.
func (d *decoder) mergeItem(n *yaml.Node) {
	var m mergeYAML
	d.fields(n, map[string]func(*yaml.Node){
		"kind": d.text(&m.Kind), "from": d.texts(&m.From), "into": d.text(&m.Into), "text": d.text(&m.Text), "by": d.text(&m.By), "why": d.text(&m.Why),
	})
	if d.err != nil {
		return
	}
	split := m.Kind == lastnight.KindSplit
	switch {
	case m.Kind != lastnight.KindMerge && !split:
		d.fail(n, "kind %.40q is neither merge nor split", m.Kind)
	case len(m.From) == 0 || m.Into == "":
		d.fail(n, "a %s needs from and into", m.Kind)
	case split && (len(m.From) != 1 || m.Text == "" || len(m.Text) > maxText):
		d.fail(n, "a split has one template in from, and a text of at most %d bytes", maxText)
	case !split && m.Text != "":
		d.fail(n, "a merge has no text")
	case checkWhy(m.Why) != nil || checkLine("by", m.By, maxName) != nil:
		d.fail(n, "by or why is too long or no text")
	}
	for _, id := range append([]string{m.Into}, m.From...) {
		if id == "" || checkLine("id", id, maxID) != nil {
			d.fail(n, "%.80q is no id of a template", id)
		}
	}
	d.r.out.merges = append(d.r.out.merges, m)
	d.r.out.mergeLines = append(d.r.out.mergeLines, d.r.at)
}
