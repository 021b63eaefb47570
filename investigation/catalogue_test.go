package investigation

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestDefaultCatalogue(t *testing.T) {
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Causes()); n < 100 {
		t.Fatalf("%d causes", n)
	}
	for _, e := range c.entries {
		for i := range e.Evidence {
			if p := &e.Evidence[i]; p.Checked == "" && p.Unseen == "" {
				t.Errorf("%s: evidence %d does not say how it was checked", e.ID, i+1)
			}
		}
	}
}

func TestCatalogueFaults(t *testing.T) {
	const good = "- id: a\n  title: A\n  phase: [run]\n  severity: high\n  layer: storage\n  role: cause\n  evidence:\n  - log: x y\n  explained_by: [b]\n  advice: do\n"
	b := strings.ReplaceAll(strings.ReplaceAll(good, "id: a", "id: b"), "[b]", "[]")
	for name, tt := range map[string]struct{ yaml, want string }{
		"unknown field":    {good + "  sevrity: high\n", "line 11"},
		"unknown id":       {good, "f/a.yaml:1: cause \"a\" refers to \"b\""},
		"twice":            {b + b, "f/a.yaml:11: cause \"b\" was defined at f/a.yaml:1"},
		"cycle":            {good + strings.ReplaceAll(b, "[]", "[a]"), "explains itself"},
		"unknown relation": {strings.ReplaceAll(b, "log: x y", "relation: x"), "f/a.yaml:1: cause \"b\": evidence 1: relation"},
		"only a wildcard":  {strings.ReplaceAll(b, "log: x y", "log: <*>"), "literal text"},
		"layer":            {strings.ReplaceAll(b, "layer: storage", "layer: store"), "layer \"store\""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadCatalogue(fstest.MapFS{"f/a.yaml": {Data: []byte(tt.yaml)}}, "f")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"java.lang.NoClassDefFoundError: <*>", "x\nCaused by: java.lang.NoClassDefFoundError: com/acme/A", true},
		{"java.lang.NoClassDefFoundError: <*>", "java.lang.NoClassDefFoundError", true},
		{"a <*> b", "a c b", true},
		{"a <*> b", "b c a", false},
		{"a <*> b", "a\nb", false},
		{"com.acme.Foo", "x\n\tat com.acme.Foo.bar(Foo.java:1)", false},
	} {
		if got := newPattern(tt.pattern).matchText(tt.text); got != tt.want {
			t.Errorf("%q in %q: %v", tt.pattern, tt.text, got)
		}
	}
}
