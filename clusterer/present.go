package clusterer

import (
	"bytes"
	"strings"

	"lastnight"
)

// group is the lines of one template, for its second look.
type group struct {
	id     string
	text   string
	lines  int
	fixed  []string // of each variable the only value so far
	varies []bool   // it has shown another, or is variable by its form
}

// present writes all lines with their final templates. A template is looked at again with
// all its lines at hand: what is variable by its place alone (after "=", in quotes, between
// brackets) but always had the same value is constant, and runs of blanks are one blank.
func (c *Clusterer) present(lines [][]byte, ids []string, write func(result) error) error {
	groups := map[string]*group{}
	all := make([]*group, len(lines))
	vars := make([][]lastnight.Var, len(lines))
	for i, line := range lines {
		id, found := c.again(line, c.Resolve(ids[i]))
		vars[i] = found
		g := groups[id]
		if g == nil {
			t, _ := c.Template(id)
			g = &group{id: id, text: t.Text}
			groups[id] = g
		}
		all[i] = g
		g.add(line, vars[i])
	}
	for i, line := range lines {
		g := all[i]
		r := result{Line: i + 1, Template: g.id, Text: g.present(), Variables: []string{}}
		for k, v := range vars[i] {
			if g.varies[k] || g.lines < minLines { // as many as the group's first line has: they have one template
				r.Variables = append(r.Variables, string(line[v.From:v.To]))
			}
		}
		if err := write(r); err != nil {
			return err
		}
	}
	return nil
}

// again gives the variables of a line that was added before, for the template that its id leads
// to now. If that was forgotten meanwhile, the line is learned anew and has the id that this gives.
func (c *Clusterer) again(line []byte, id string) (string, []lastnight.Var) {
	s := &c.scan
	s.run(line, nil)
	for p := c.patterns[s.sum]; p != nil; p = p.next {
		if p.fits(line, s.toks, nil) && p.template.final().id == id {
			return id, p.vars(s.toks, nil)
		}
	}
	m := c.Add(line, nil, nil)
	return m.ID, m.Vars
}

func (g *group) add(line []byte, vars []lastnight.Var) {
	if g.lines++; g.lines == 1 {
		g.fixed, g.varies = make([]string, len(vars)), make([]bool, len(vars))
		for k, v := range vars {
			g.fixed[k] = string(line[v.From:v.To])
		}
	}
	for k, v := range vars {
		if !g.varies[k] {
			x := line[v.From:v.To]
			soft := !bytes.HasSuffix(line[:v.From], []byte(" user ")) && (v.Kind == lastnight.VarWord || v.Kind == lastnight.VarQuoted || v.Kind == lastnight.VarList)
			g.varies[k] = !soft || string(x) != g.fixed[k] || flagsOf(x)&isDigit != 0 || isLiteral(x) || bytes.Count(x, []byte(".")) >= 2
		}
	}
}

// minLines is how many lines must agree in a value by place for it to be constant.
const minLines = 3

func (g *group) present() string {
	var b strings.Builder
	text := g.text
	for k := range g.varies {
		before, after, _ := strings.Cut(text, lastnight.Wildcard)
		b.WriteString(before)
		if g.varies[k] || g.lines < minLines {
			b.WriteString(lastnight.Wildcard)
		} else {
			b.WriteString(g.fixed[k])
		}
		text = after
	}
	b.WriteString(text)
	return strings.Join(strings.Fields(b.String()), " ")
}
