package auth

import (
	"strings"

	"lastnight"
)

const maxGroups = 1000 // of one person

// Grants is a file that says what people may do whom a proxy or a provider names:
//
//	default: {role: viewer, namespaces: [flink-prod]}   # everybody who is known; leave it out for nobody
//	groups:
//	  sre: {role: admin, namespaces: ["*"]}
//	users:
//	  ann@example.org: {role: reviewer, namespaces: ["*"]}
//
// Who is in several of them has the highest of the roles, in the namespaces of all.
type Grants struct{ file watched[grants] }

type grants struct {
	Default *Grant           `yaml:"default"`
	Groups  map[string]Grant `yaml:"groups"`
	Users   map[string]Grant `yaml:"users"`
}

// OpenGrants reads the file. Later versions of it that do not parse are told to fail and do not count.
func OpenGrants(path string, fail func(error)) (*Grants, error) {
	g := &Grants{watched[grants]{paths: []string{path}, fail: fail, parse: func(c [][]byte) (grants, error) { return parseGrants(c[0]) }}}
	return g, g.file.open()
}

func parseGrants(b []byte) (grants, error) {
	var g grants
	if err := decodeYAML(b, "file of grants", &g); err != nil {
		return grants{}, err
	}
	if g.Default != nil {
		if err := g.Default.check("default"); err != nil {
			return grants{}, err
		}
	}
	for name, group := range g.Groups {
		if err := group.check("the group " + name); err != nil {
			return grants{}, err
		}
	}
	for name, user := range g.Users {
		if _, err := CheckName(name); err != nil {
			return grants{}, err
		}
		if err := user.check("the user " + name); err != nil {
			return grants{}, err
		}
	}
	return g, nil
}

// actor gives somebody with those groups; RoleNone if nothing was granted.
func (g *Grants) actor(name string, groups []string, via string) lastnight.Actor {
	f := g.file.get()
	var sum Grant
	if f.Default != nil {
		sum = sum.with(*f.Default)
	}
	for _, group := range groups[:min(len(groups), maxGroups)] {
		if gr, ok := f.Groups[strings.TrimSpace(group)]; ok {
			sum = sum.with(gr)
		}
	}
	if u, ok := f.Users[name]; ok {
		sum = sum.with(u)
	}
	return sum.actor(name, via)
}
