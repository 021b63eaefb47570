package terms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"lastnight"
	"lastnight/indexer/store/terms"
	"lastnight/query"
)

// fits is what a store does with a plan, by the book.
func fits(p terms.Plan, words, values []string) bool {
	begins := func(prefix string) func(string) bool {
		return func(s string) bool { return strings.HasPrefix(s, prefix) }
	}
	switch p := p.(type) {
	case terms.Word:
		return slices.Contains(words, string(p))
	case terms.WordPrefix:
		return slices.ContainsFunc(words, begins(string(p)))
	case terms.Term:
		return slices.Contains(values, string(p))
	case terms.TermPrefix:
		return slices.ContainsFunc(values, begins(string(p)))
	case terms.All:
		return !slices.ContainsFunc(p, func(q terms.Plan) bool { return !fits(q, words, values) })
	case terms.Any:
		return slices.ContainsFunc(p, func(q terms.Plan) bool { return fits(q, words, values) })
	}
	return true
}

func termsOf(d *lastnight.Document) (words, values []string) {
	terms.Each(d, func(w []byte) { words = append(words, string(w)) }, func(v []byte) { values = append(values, string(v)) })
	return words, values
}

// TestPlanKeepsMatches: what matches a query fits its plan, and most of what does not is left out.
func TestPlanKeepsMatches(t *testing.T) {
	wide := map[string]string{}
	for i := range 200 {
		wide[fmt.Sprintf("a%d", i)] = "v"
	}
	long := strings.Repeat("é", 150)
	docs := []lastnight.Document{
		{Kind: lastnight.DocumentRecord, Text: "Checkpoint 17 expired before completing.", Level: "WARN", Namespace: "flink", Job: "orders", Logger: "o.a.f.CheckpointCoordinator"},
		{Kind: lastnight.DocumentRecord, Text: "java.lang.OutOfMemoryError: Java heap space", Level: "ERROR", Namespace: "flink", Job: "payments", Exception: []string{"java.lang.OutOfMemoryError"}},
		{Kind: lastnight.DocumentEvent, Event: &lastnight.Event{Reason: "OOMKilled"}, Namespace: "other", Pod: "payments-taskmanager-1-1"},
		{Kind: lastnight.DocumentRecord, Text: "attributes", Attrs: map[string]string{"trace_id": "ABC", "status": "503"}},
		{Kind: lastnight.DocumentRecord, Text: "many", Attrs: wide},
		{Kind: lastnight.DocumentRecord, Text: strings.Repeat("filler ", 10_000) + "needle"},
		{Kind: lastnight.DocumentRecord, Text: "odd values", Job: long, Pod: "bad\xff\xfebytes"},
	}
	left := 0
	for _, q := range []string{
		"checkpoint expired", "check*", "needle", "OutOfMemoryError", `"java heap"`, "level:warn", "level>=warn", "namespace:flink job:orders", "job:pay*", "NOT job:orders",
		"checkpoint OR oomkilled", "(checkpoint OR many) level:warn", "reason:OOMKilled", "attr.trace_id:abc", "attr.a150:v", "attr.status>=500", "exception:java.lang.OutOfMemoryError",
		"job:" + long, "job:" + long[:2] + "*", "logger:*", "/heap|expired/", "absent", "pod:payments-*", "attr.absent:x",
	} {
		f, err := query.NewFilter(&lastnight.SearchRequest{Query: q, Start: time.Unix(0, 0)})
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		p := terms.PlanOf(f)
		for i := range docs {
			words, values := termsOf(&docs[i])
			switch fit := fits(p, words, values); {
			case query.Match(f.Node, &docs[i]) && !fit:
				t.Errorf("%s: document %d matches but is left out by %v", q, i, p)
			case !fit:
				left++
			}
		}
	}
	if left < 60 {
		t.Errorf("only %d of the documents were left out: the plans ask for nothing", left)
	}
}

// TestValueIsAPrefixOfItself: a term is valid UTF-8, bounded, and begins with the term of what its value begins with.
func TestValueIsAPrefixOfItself(t *testing.T) {
	for _, v := range []string{"", "plain", strings.Repeat("é", 150), strings.Repeat("x", 199) + "é", "bad\xff\xfe", strings.Repeat("\xe2\x82\xac", 80)} {
		term := terms.Value(query.FieldJob, v)
		if !utf8.ValidString(term) || len(term) > terms.MaxValue {
			t.Errorf("the term of %.20q… has %d bytes, valid: %v", v, len(term), utf8.ValidString(term))
		}
		for i := range v {
			if p := terms.Value(query.FieldJob, v[:i]); !strings.HasPrefix(term, p) {
				t.Errorf("%q does not begin with %q", term, p)
			}
		}
	}
}
