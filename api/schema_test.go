package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// spec is openapi.yaml, and a validator of as much of JSON Schema as it uses. Two things
// are stricter than the standard: a property that the schema does not name is an
// error, and so is a keyword that the validator does not know.
type spec struct{ root map[string]any }

func loadSpec(t testing.TB) spec {
	t.Helper()
	var s spec
	if err := yaml.Unmarshal(OpenAPI(), &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

// at walks down maps; a $ref on the way is followed.
func (s spec) at(v any, path ...string) any {
	for _, p := range path {
		m, _ := s.deref(v).(map[string]any)
		v = m[p]
	}
	return s.deref(v)
}

func (s spec) deref(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	ref, ok := m["$ref"].(string)
	if !ok {
		return v
	}
	return s.at(s.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
}

// params gives the names of the parameters of an operation that stand in the given place.
func (s spec) params(op any, in string) []string {
	names := []string{}
	list, _ := s.at(op, "parameters").([]any)
	for _, p := range list {
		if s.at(p, "in") == in {
			names = append(names, s.at(p, "name").(string))
		}
	}
	slices.Sort(names)
	return names
}

// validateJSON checks a document against the schema of a media type's answer.
func (s spec) validateJSON(schema any, doc []byte) error {
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		return err
	}
	return s.validate(schema, v, "$")
}

var annotations = []string{"description", "examples", "example", "default", "contentEncoding", "contentMediaType", "maxLength", "title"}

func (s spec) validate(schema, v any, where string) error {
	m, ok := s.deref(schema).(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no schema", where)
	}
	if want, ok := m["type"]; ok { // First: the other keywords rely on it.
		if err := checkType(want, v, where); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if key == "type" || slices.Contains(annotations, key) {
			continue
		}
		if err := s.keyword(m, key, v, where); err != nil {
			return err
		}
	}
	return nil
}

func (s spec) keyword(m map[string]any, key string, v any, where string) error {
	arg := m[key]
	switch key {
	case "enum":
		if !slices.ContainsFunc(arg.([]any), func(x any) bool { return reflect.DeepEqual(x, v) }) {
			return fmt.Errorf("%s: %v is none of %v", where, v, arg)
		}
	case "format":
		if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v)); arg == "date-time" && err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	case "minimum", "maximum":
		n, limit := v.(float64), float64(arg.(int))
		if (key == "minimum" && n < limit) || (key == "maximum" && n > limit) {
			return fmt.Errorf("%s: %v breaks %s %v", where, n, key, arg)
		}
	case "required":
		for _, name := range arg.([]any) {
			if _, ok := v.(map[string]any)[name.(string)]; !ok {
				return fmt.Errorf("%s: %s is missing", where, name)
			}
		}
	case "properties", "additionalProperties":
		return s.object(m, v, where)
	case "items":
		for i, x := range v.([]any) {
			if err := s.validate(arg, x, fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return err
			}
		}
	case "oneOf":
		var errs []error
		for _, one := range arg.([]any) {
			if err := s.validate(one, v, where); err != nil {
				errs = append(errs, err)
			}
		}
		if len(errs) != len(arg.([]any))-1 {
			return fmt.Errorf("%s: fits not one of %d: %v", where, len(arg.([]any)), errs)
		}
	default:
		return fmt.Errorf("%s: the validator does not know %s", where, key)
	}
	return nil
}

func (s spec) object(m map[string]any, v any, where string) error {
	named, _ := m["properties"].(map[string]any)
	for name, x := range v.(map[string]any) {
		schema, ok := named[name]
		if !ok {
			schema = m["additionalProperties"]
		}
		if schema == nil {
			return fmt.Errorf("%s: %s is not in the schema", where, name)
		}
		if err := s.validate(schema, x, where+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func checkType(want, v any, where string) error {
	got := "null"
	switch x := v.(type) {
	case map[string]any:
		got = "object"
	case []any:
		got = "array"
	case string:
		got = "string"
	case bool:
		got = "boolean"
	case float64:
		got = "number"
		if want == "integer" && x == float64(int64(x)) {
			got = "integer"
		}
	}
	if got != want {
		return fmt.Errorf("%s: is %s, want %s", where, got, want)
	}
	return nil
}

func TestValidatorRefuses(t *testing.T) {
	s := loadSpec(t)
	schema := s.at(s.root, "components", "schemas", "JobList")
	for doc, want := range map[string]string{
		`{"items":[],"next_cursor":"","interval":{"zone":"UTC"}}`:                     "",
		`{"items":[],"next_cursor":"","interval":{"zone":"UTC","start":"yesterday"}}`: "cannot parse",
		`{"items":null,"next_cursor":"","interval":{"zone":"UTC"}}`:                   "is null",
		`{"items":[],"interval":{"zone":"UTC"}}`:                                      "next_cursor is missing",
		`{"items":[],"next_cursor":"","interval":{"zone":"UTC"},"x":1}`:               "x is not in the schema",
		`{"items":[{"namespace":1}],"next_cursor":"","interval":{"zone":"UTC"}}`:      "is number, want string",
	} {
		err := s.validateJSON(schema, []byte(doc))
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", doc, err, want)
		}
	}
}
