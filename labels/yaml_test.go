package labels_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/labels"
)

// filled has a label of every state and kind, with texts that YAML could misread, a change that waits and a merge.
func filled(t testing.TB) (*memory, *labels.Labels) {
	t.Helper()
	m := newMemory()
	for i := range 4 {
		m.text(number(i), fmt.Sprintf("text: of #%d <*> \"quoted\" - *alias &anchor", i))
	}
	l := open(t, m)
	no := false
	texts := []string{"plain", "# no comment", "- no list", "a: b", "'quoted'", "yes", "null", "0x1F", "*alias", "&anchor", "!tag", "%directive", "{flow}", "[flow]", "ünï → 日本", "trailing\ttab"}
	for i, s := range texts {
		n := lastnight.Label{ID: fmt.Sprintf("l%02d", i), Title: strings.ReplaceAll(s, "\t", " "), Advice: s + "\n\n  indented\n- item\n#x\n\ttab\n", Target: template(number(i % 4)), ActionNeeded: &no}
		if i%2 == 1 {
			n.Target = lastnight.LabelTarget{Signature: &lastnight.Signature{
				Templates: []lastnight.TemplateRef{{ID: number(1)}}, Exceptions: []string{"java.io.IOException"}, Reasons: []string{"yes"}, ExitCodes: []int{137, i + 1}, Layer: "storage", Job: "orders", Namespace: "null",
			}}
			n.Links, n.Severity, n.Owner, n.Layer, n.Cause = []string{"https://example.org/?a=b#c"}, "low", "platform: sre", "x", "node-lost"
		}
		approved(t, l, n)
	}
	ann, bob := as(t, "ann", lastnight.RoleLabeler), as(t, "bob", lastnight.RoleReviewer)
	for _, n := range []lastnight.Label{{ID: "draft", Title: "d", Target: template("unknown-template")}, {ID: "proposed", Title: "p", State: lastnight.LabelProposed, Target: template(number(1))}} {
		if _, err := l.CreateLabel(ann, n, ""); err != nil {
			t.Fatal(err)
		}
	}
	changed, _ := l.Label(ann, "l00")
	changed.Title = "what it is to become"
	if _, err := l.EditLabel(ann, *changed, changed.Version, ""); err != nil {
		t.Fatal(err)
	}
	gone, _ := l.Label(ann, "l02")
	if _, err := l.ReviewLabel(bob, gone.ID, gone.Version, lastnight.ActionRetire, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := l.MergeTemplates(bob, lastnight.MergeRequest{From: []string{number(0)}, Into: number(3), Why: "same: thing"}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.SplitTemplate(bob, lastnight.SplitRequest{Template: number(2), Text: "text: of #2 disk \"quoted\" - *alias &anchor"}); err != nil {
		t.Fatal(err)
	}
	return m, l
}

func export(t testing.TB, l *labels.Labels) string {
	t.Helper()
	var b bytes.Buffer
	if err := l.ExportLabels(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestExportImport(t *testing.T) {
	_, l := filled(t)
	file := export(t, l)
	if again := export(t, l); again != file {
		t.Error("two exports differ")
	}
	empty := newMemory()
	other := open(t, empty)
	admin := as(t, "root", lastnight.RoleAdmin)
	dry, err := other.ImportLabels(admin, strings.NewReader(file), lastnight.ImportRequest{DryRun: true})
	if err != nil || len(dry.Created) != 18 || dry.Merges != 2 || len(empty.items) != 0 {
		t.Fatalf("dry run: %+v %v, %d items kept", dry, err, len(empty.items))
	}
	first, err := other.ImportLabels(admin, strings.NewReader(file), lastnight.ImportRequest{Why: "from git"})
	if err != nil || len(first.Created) != 18 || len(first.Changed) != 0 {
		t.Fatalf("%+v %v", first, err)
	}
	if d := cmp.Diff(file, export(t, other)); d != "" {
		t.Errorf("exported again:\n%s", d)
	}
	for _, l := range []*labels.Labels{other, open(t, empty)} {
		n := len(empty.items)
		second, err := l.ImportLabels(admin, strings.NewReader(file), lastnight.ImportRequest{})
		if err != nil || second.Unchanged != 18 || second.Merges != 0 || len(empty.items) != n {
			t.Errorf("again: %+v %v, %d new items", second, err, len(empty.items)-n)
		}
	}
	features := []string{"template:" + number(0), "template:" + number(1), "template:" + number(2), "template:" + number(3), "reason:yes", "exit:137", "exit:2", "exit:4", "exception:java.io.IOException", "layer:storage"}
	for i := range features {
		for _, ns := range []string{"flink", "null"} {
			in := incident("x", features[i:]...)
			in.Namespace = ns
			a, b := []lastnight.Incident{in}, []lastnight.Incident{in}
			if err := l.Explain(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if err := other.Explain(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(a, b); d != "" {
				t.Errorf("%v: the diagnoses differ:\n%s", features[i:], d)
			}
		}
	}
	edited := strings.Replace(file, "title: plain", "title: plainer", 1)
	res, err := other.ImportLabels(admin, strings.NewReader(edited), lastnight.ImportRequest{Why: "reviewed in git"})
	if err != nil || cmp.Diff([]string{"l00"}, res.Changed) != "" {
		t.Errorf("%+v %v", res, err)
	}
	history, _ := other.LabelHistory(t.Context(), "l00")
	if n := len(history); n != 4 || history[n-1].Why != "reviewed in git" || history[n-1].By != "root" {
		t.Errorf("%d entries: %+v", n, history)
	}
	_, err = other.ImportLabels(as(t, "bob", lastnight.RoleReviewer), strings.NewReader(file), lastnight.ImportRequest{})
	code(t, "import by a reviewer", err, lastnight.CodeForbidden)
}

// TestHostileFiles: nothing changes, and the error says where.
func TestHostileFiles(t *testing.T) {
	head := "version: 1\nlabels:\n"
	good := "- id: a\n  state: approved\n  title: x\n  template: {id: t1}\n"
	bomb := "- id: b\n  state: draft\n  title: &a [x, x]\n  links: [*a, *a, *a]\n"
	long := strings.Repeat("x", 200)
	for name, c := range map[string]struct{ file, want string }{
		"empty":               {"", "f:1: there is no version"},
		"no version":          {"labels:\n" + good, "f:1: there is no version: 1 before the labels"},
		"unknown version":     {"version: 2\n", `f:1: found version "2"; known is 1`},
		"twice":               {head + good + "labels:\n", "f:7: labels is there already, in line 2"},
		"unknown section":     {"version: 1\nlabel:\n", "f:2: expected version, labels or merges"},
		"duplicate id":        {head + good + good, `f:7: label "a" is there already, in line 3`},
		"unknown field":       {head + good + "  titel: y\n", `f:7: unknown field "titel"; did you mean title?`},
		"duplicate field":     {head + good + "  title: y\n", "f:7: field title is there already, in line 5"},
		"alias":               {head + good + bomb, "f:9: anchors (&) and aliases (*) are not allowed"},
		"merge key":           {head + "- <<: {id: a}\n", `f:3: unknown field "<<"`},
		"tag":                 {head + "- id: !!binary aGFsbG8=\n", "f:3: tags (!) are not allowed"},
		"no mapping":          {head + "- just words\n", "f:3: expected fields"},
		"no id":               {head + "- state: draft\n  title: x\n  template: {id: t}\n", "f:3: a label needs an id"},
		"bad id":              {head + "- id: ../etc\n  state: draft\n  title: x\n  template: {id: t}\n", "f:3: id"},
		"bad state":           {head + "- id: a\n  state: perfect\n  title: x\n  template: {id: t}\n", `f:4: state "perfect" is none of`},
		"bad severity":        {head + good + "  severity: deadly\n", "f:7: severity"},
		"bad link":            {head + good + "  links:\n    - javascript:alert(1)\n", "f:7: links"},
		"no target":           {head + "- id: a\n  state: draft\n  title: x\n", "f:3: target must be a template or a signature"},
		"two targets":         {head + good + "  signature: {reasons: [x]}\n", "f:3: target must be a template or a signature"},
		"bad exit code":       {head + "- id: a\n  state: draft\n  title: x\n  signature:\n    exit_codes: [abc]\n", "f:7: expected a whole number"},
		"list for a text":     {head + "- id: a\n  title: [a, b]\n", "f:4: expected a text"},
		"own name":            {head + good + "  author: lastnight\n", "f:7: the name lastnight"},
		"syntax":              {head + good + "- id: b\n  title: \"open\n", "f:8:"},
		"tab":                 {head + good + "\ttitle: y\n", "f:"},
		"flow list":           {"version: 1\nlabels: [{id: a}]\n", "f:2: write each of the labels as a list item"},
		"second document":     {head + good + "---\n" + good, "f:7: expected version"},
		"bytes":               {head + "- id: \xff\n", "f:3: the line has bytes that are no text"},
		"zero byte":           {head + "- id: a\x00\n", "f:3: the line has bytes that are no text"},
		"deep":                {head + "- id: " + strings.Repeat("[", 5000) + "\n", "f:3:"},
		"deep and closed":     {head + "- id: " + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "\n", "f:3: this is nested too deeply"},
		"long line":           {head + "- id: " + strings.Repeat("a", 200<<10) + "\n", "f:3: the line has more than"},
		"large item":          {head + good + strings.Repeat("  # "+long+"\n", 3000), "f:3: the item that begins here has more than"},
		"long title":          {head + "- id: a\n  state: draft\n  title: " + long + long + "\n  template: {id: t}\n", "f:5: title has 400 bytes"},
		"stray":               {head + "  title: x\n", "f:3: expected a list item"},
		"merge of nothing":    {"version: 1\nmerges:\n- kind: merge\n  into: t\n", "f:3: a merge needs from and into"},
		"kind":                {"version: 1\nmerges:\n- kind: melt\n  from: [a]\n  into: t\n", `f:3: kind "melt"`},
		"change of a draft":   {head + "- id: a\n  state: draft\n  title: x\n  template: {id: t}\n  change: {state: draft, title: y, template: {id: t}}\n", "f:3: only an approved label has a change"},
		"change of a change":  {head + good + "  change:\n    state: draft\n    change: {state: draft}\n", "f:9: a change has no change of its own"},
		"null":                {head + "- ~\n", "f:3: expected fields"},
		"a list within":       {head + "- - id: a\n", "f:3: expected fields"},
		"numbers for a field": {head + "- 1: a\n", `f:3: unknown field "1"`},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			l := open(t, m)
			_, err := l.ImportLabels(as(t, "root", lastnight.RoleAdmin), strings.NewReader(c.file), lastnight.ImportRequest{Name: "f"})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
			code(t, name, err, lastnight.CodeInvalid)
			if len(m.items) != 0 {
				t.Errorf("%d items were kept", len(m.items))
			}
		})
	}
}

// TestFileMemory reads files that try to cost much.
func TestFileMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 64 MB")
	}
	l := open(t, newMemory())
	for name, line := range map[string]string{
		"comments": "# nothing\n", "empty lines": "\n", "items": "- a\n", "commas": "- [" + strings.Repeat("a,", 50_000) + "]\n",
		"large items": "- id: a\n" + strings.Repeat("  x: [a,b,c,d,e,f,g,h]\n", 2000),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		file := &endless{head: "version: 1\nlabels:\n", line: line}
		_, err := l.ImportLabels(as(t, "root", lastnight.RoleAdmin), file, lastnight.ImportRequest{Name: "f"})
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if mb := (after.HeapSys - min(before.HeapSys, after.HeapSys)) >> 20; mb > 200 {
			t.Errorf("%s: the heap grew by %d MB", name, mb)
		}
	}
}

// endless is a file without an end.
type endless struct {
	head, line string
	rest       string
}

func (e *endless) Read(b []byte) (int, error) {
	if e.rest == "" {
		e.rest = e.head + e.line
		e.head = ""
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// FuzzImport: no file panics, and what is taken in is exported and taken in again as it is.
func FuzzImport(f *testing.F) {
	_, l := filled(f)
	f.Add(export(f, l))
	f.Add("version: 1\nlabels:\n- id: a\n  state: draft\n  title: x\n  template: {id: t1}\n")
	f.Add("version: 1\nmerges:\n  - kind: split\n    from: [a]\n    into: b\n    text: \"x\"\n")
	f.Add("---\nversion: 1\nlabels:\n- id: a\n  title: |\n    x\n   y\n  change: {}\n")
	f.Fuzz(func(t *testing.T, file string) {
		if len(file) > 1<<16 {
			return
		}
		one := open(t, newMemory())
		admin := as(t, "root", lastnight.RoleAdmin)
		if _, err := one.ImportLabels(admin, strings.NewReader(file), lastnight.ImportRequest{}); err != nil {
			return
		}
		first := export(t, one)
		two := open(t, newMemory())
		if _, err := two.ImportLabels(admin, strings.NewReader(first), lastnight.ImportRequest{}); err != nil {
			t.Fatalf("what was exported is not taken in: %v\n%s", err, first)
		}
		if second := export(t, two); second != first {
			t.Errorf("exported again:\n%s", cmp.Diff(first, second))
		}
	})
}
