package query_test

import (
	"strings"
	"testing"

	"lastnight"
	"lastnight/query"
)

var fuzzSeeds = []string{
	"", "*", "foo bar", "a or (b and not c)", `level>=WARN "switched from RUNNING" not pod:canary-*`, `job:(a or "b c" or d*)`, "/took [0-9]+ ms/",
	`attr.a\:b>=1.5`, `\*\\ x`, "-foo -(bar)", "restart > 1", `message:"x" exception:OutOfMemoryError`, "java.lang.*.Foo", "12:30:45", "ſ\u212aİ日本", "a*b*c", `job:""`,
}

// FuzzParse: no input panics, an error is one for people, and the normal form means the same.
func FuzzParse(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := query.Parse(s)
		if err != nil {
			if lastnight.CodeOf(err) != lastnight.CodeInvalid || lastnight.HintOf(err) == "" {
				t.Fatalf("%q: %v has code %s, hint %q", s, err, lastnight.CodeOf(err), lastnight.HintOf(err))
			}
			return
		}
		normal := n.String()
		if len(normal) > query.MaxQueryBytes {
			return // long names of fields and escapes can make it longer than what was read
		}
		again, err := query.Parse(normal)
		if err != nil {
			if strings.Contains(err.Error(), "nested more than") || strings.Contains(err.Error(), "parts") {
				return
			}
			t.Fatalf("%q: normal form %q: %v", s, normal, err)
		}
		if got := again.String(); got != normal {
			t.Fatalf("%q: normal form %q has normal form %q", s, normal, got)
		}
	})
}

// FuzzMatch: whatever the query and the text, matching does not panic, a query and its
// normal form agree, and a match has every word that Words promises.
func FuzzMatch(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s, "2026-11-21 WARN Foo - a b c switched from RUNNING, took 12 ms")
	}
	f.Fuzz(func(t *testing.T, s, text string) {
		n, err := query.Parse(s)
		if err != nil {
			return
		}
		d := &lastnight.Document{
			Kind: lastnight.DocumentRecord, Text: text, MessageAt: len(text) / 2, Level: "WARN", Job: text, Pod: text, Restart: len(text),
			Exception: []string{text}, Attrs: map[string]string{"a": text, "a:b": "2"},
		}
		got := query.Match(n, d)
		if again, err := query.Parse(n.String()); err == nil && query.Match(again, d) != got {
			t.Fatalf("%q and its normal form %q differ on %q", s, n, text)
		}
		if !got {
			return
		}
		has := map[string]bool{}
		for token := range query.Tokens(text) {
			has[token] = true
		}
		for _, w := range query.Words(n) {
			if !has[w] {
				t.Fatalf("%q matches %q, which has not the word %q", s, text, w)
			}
		}
	})
}
