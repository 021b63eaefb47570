// Package redact masks what must not leave a node in the lines of its pods: tokens, e-mail addresses, and what people have
// patterns for.
//
// What is found is overwritten with as many asterisks as it has bytes (docs/adr/0014). So a line keeps its length: its place in the
// file, the parts that the runtime cut it into and where its message begins stay true, and a line that is read again is
// the same line. What masking gives away is the length. It happens when a line is whole and before anything is read from
// it, so neither attributes nor exceptions nor templates have what is masked.
//
// A rule sees one line. A secret that spans lines (a PEM key) needs a rule for each of its lines; one that lies across
// the cut of a line longer than 16 MiB is not found. Events and pods of Kubernetes are not masked.
//
// Patterns are RE2: matching takes time linear in the line, whatever the pattern.
package redact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"lastnight"
)

// Rule says what is masked: the groups of a pattern, or all of it if it has none.
type Rule struct {
	Name    string `yaml:"name"`
	Pattern string `yaml:"pattern"` // RE2
}

// Rules masks. It is immutable and safe for concurrent use.
type Rules struct{ rules []rule }

type rule struct {
	pattern *regexp.Regexp
	may     func(text []byte) bool // false: the pattern cannot match; nil: it is not known
}

// Limits of a file of rules.
const (
	maxFile  = 1 << 20
	maxRules = 1000
)

// builtin is the rules that have names.
var builtin = map[string][]rule{
	"email": {{
		pattern: regexp.MustCompile(`[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9\-]{0,62}\.)+[A-Za-z]{2,24}`),
		may:     func(text []byte) bool { return bytes.IndexByte(text, '@') > 0 },
	}},
	"token": {
		{ // what stands behind a name that says so
			pattern: regexp.MustCompile(`(?i)(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|credentials?|sig)["']?\s{0,3}[=:]\s{0,3}["']?([^\s"',;&)\]}*]{3,})`),
			may:     folded("passw", "passphrase", "secret", "token", "key", "credential", "sig"),
		},
		{pattern: regexp.MustCompile(`(?i)\b(?:bearer|basic)\s+([A-Za-z0-9._~+/\-]{8,}=*)`), may: folded("bearer", "basic")},
		{pattern: regexp.MustCompile(`\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)?`), may: folded("eyj")}, // JSON Web Token
		{ // of AWS, GitHub, GitLab, Slack, Google, Stripe
			pattern: regexp.MustCompile(`\b(?:A(?:KIA|SIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w\-]{20,}|xox[abeprs]-[\w\-]{10,}|AIza[\w\-]{30,}|[sr]k_live_\w{16,})`),
			may:     folded("akia", "asia", "gh", "glpat", "xox", "aiza", "k_live"),
		},
		{pattern: regexp.MustCompile(`[a-z][a-z0-9+.\-]{1,15}://[^\s/:@]{0,64}:([^\s/@]{1,256})@`), may: folded("://")}, // a password in an address
	},
}

// Names gives the names of the rules that there are.
func Names() []string { return []string{"email", "token"} }

// New makes rules of the names of those that there are, and of own ones. Errors name what is wrong.
func New(names []string, own []Rule) (*Rules, error) {
	r := &Rules{}
	for _, n := range names {
		have, ok := builtin[n]
		if !ok {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--redact "+strings.Join(Names(), ","), "--redact: there is no rule %q", n)
		}
		r.rules = append(r.rules, have...)
	}
	if len(own) > maxRules {
		return nil, fmt.Errorf("%d rules are more than %d", len(own), maxRules)
	}
	for i, o := range own {
		p, err := regexp.Compile(o.Pattern)
		switch {
		case err != nil:
			return nil, fmt.Errorf("rule %d (%s): %w", i+1, o.Name, err)
		case o.Pattern == "" || p.MatchString(""):
			return nil, fmt.Errorf("rule %d (%s): the pattern matches nothing at all", i+1, o.Name)
		}
		r.rules = append(r.rules, rule{pattern: p})
	}
	return r, nil
}

// ReadFile reads own rules from a YAML file: a list "rules" of name and pattern.
func ReadFile(name string) ([]Rule, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open rules: %w", err)
	}
	defer func() { _ = f.Close() }()
	var doc struct {
		Rules []Rule `yaml:"rules"`
	}
	d := yaml.NewDecoder(io.LimitReader(f, maxFile))
	d.KnownFields(true)
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read rules of %s: %w", name, err)
	}
	return doc.Rules, nil
}

// Redact implements collector.Redactor.
func (r *Rules) Redact(text []byte) (masked []byte, places int) {
	masked = text
	for i := range r.rules {
		x := &r.rules[i]
		if x.may != nil && !x.may(masked) {
			continue
		}
		for _, m := range x.pattern.FindAllSubmatchIndex(masked, -1) {
			if places == 0 {
				masked = slices.Clone(text) // the text is a piece of a file that may be looked at again
			}
			if n := mask(masked, m); n {
				places++
			}
		}
	}
	if places == 0 {
		return text, 0
	}
	return masked, places
}

// mask overwrites the groups of a match, or all of it if it has none.
func mask(text []byte, match []int) (done bool) {
	groups := match[2:]
	if len(groups) == 0 {
		groups = match
	}
	for i := 0; i+1 < len(groups); i += 2 {
		if groups[i] < 0 {
			continue
		}
		for j := groups[i]; j < groups[i+1]; j++ {
			done = done || text[j] != '*'
			text[j] = '*'
		}
	}
	return done
}

// folded tells whether a text has one of some words, which are in small letters, in any case.
func folded(words ...string) func([]byte) bool {
	var byFirst [256][]string
	for _, w := range words {
		byFirst[w[0]] = append(byFirst[w[0]], w)
		if upper := strings.ToUpper(w)[0]; upper != w[0] {
			byFirst[upper] = append(byFirst[upper], w)
		}
	}
	return func(text []byte) bool {
		for i, c := range text {
			for _, w := range byFirst[c] {
				if len(text)-i >= len(w) && text[i+1]|' ' == w[1]|' ' && strings.EqualFold(string(text[i:i+len(w)]), w) {
					return true
				}
			}
		}
		return false
	}
}
