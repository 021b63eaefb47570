package auth

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"lastnight"
)

var yamlLine = regexp.MustCompile(`line (\d+)`)

// decodeYAML decodes a whole file strictly. Its errors name the line and never repeat what stands
// there, since that may be a secret in the wrong place.
func decodeYAML(b []byte, what string, v any) error {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	err := dec.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil // an empty file grants nothing
	}
	if err == nil {
		var more any
		if err = dec.Decode(&more); errors.Is(err, io.EOF) {
			return nil
		}
		return lastnight.Errorf(lastnight.CodeInvalid, "remove the line ---", "the %s has more than one document", what)
	}
	where := "it"
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		where = "line " + m[1]
	}
	return lastnight.Errorf(lastnight.CodeInvalid, "docs/security.md shows how it looks", "the %s does not parse: %s is not YAML or has an unknown or mistyped field", what, where)
}

// Grant is what somebody may do and read.
type Grant struct {
	Role       lastnight.Role `yaml:"role"`
	Namespaces []string       `yaml:"namespaces"`
}

// check refuses roles and namespaces that are none.
func (g *Grant) check(whose string) error {
	if !slices.Contains(lastnight.Roles(), g.Role) {
		return lastnight.Errorf(lastnight.CodeInvalid, "role is one of viewer, labeler, reviewer, admin", "%s has no known role", whose)
	}
	if len(g.Namespaces) == 0 || slices.Contains(g.Namespaces, "") {
		return lastnight.Errorf(lastnight.CodeInvalid, `namespaces: [flink-prod], or ["*"] for all`, "%s has no namespaces, or an empty one", whose)
	}
	return nil
}

// with adds another grant: the higher role, and the namespaces of both.
func (g Grant) with(h Grant) Grant {
	if !g.Role.AtLeast(h.Role) {
		g.Role = h.Role
	}
	all := append(slices.Clone(g.Namespaces), h.Namespaces...)
	slices.Sort(all)
	g.Namespaces = slices.Compact(all)
	return g
}

// actor makes an actor of it.
func (g Grant) actor(name, via string) lastnight.Actor {
	return lastnight.Actor{Name: name, Role: g.Role, Namespaces: g.Namespaces, Via: via}
}
