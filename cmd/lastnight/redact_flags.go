package main

import (
	"strings"

	"github.com/spf13/pflag"

	"lastnight"
	"lastnight/collector"
	"lastnight/collector/redact"
)

// redactFlags say what is masked before a line leaves the node.
type redactFlags struct {
	names []string
	file  string
}

func (r *redactFlags) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&r.names, "redact", nil, "mask in every line what these `rules` find: "+strings.Join(redact.Names(), ", ")+" (default none)")
	f.StringVar(&r.file, "redact-file", "", "`file` with own rules (YAML: rules, a list of name and pattern)")
}

// open reads the rules; nil if there are none.
func (r *redactFlags) open() (collector.Redactor, error) {
	if len(r.names) == 0 && r.file == "" {
		return nil, nil //nolint:nilnil // none is an answer
	}
	var own []redact.Rule
	if r.file != "" {
		var err error
		if own, err = redact.ReadFile(r.file); err != nil {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--redact-file FILE with rules: [{name: customer, pattern: 'customer=(\\d+)'}]", "--redact-file: %w", err)
		}
	}
	rules, err := redact.New(r.names, own)
	if err != nil {
		if r.file != "" {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "patterns are RE2, such as 'customer=(\\d+)'", "--redact-file %s: %w", r.file, err)
		}
		return nil, err
	}
	return rules, nil
}
