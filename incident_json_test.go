package lastnight_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"lastnight"
)

func TestAnswerHasListsNotNull(t *testing.T) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, v := range []any{
		lastnight.Answer{Job: "a <b>"},
		&lastnight.Answer{Incidents: []lastnight.Incident{{ID: "i", Diagnosis: lastnight.Diagnosis{Verdict: "x <*> y"}}}},
	} {
		b.Reset()
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); strings.Contains(got, "null") || strings.Contains(got, `\u003c`) {
			t.Errorf("got %s", got)
		}
		var back lastnight.Answer
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
	}
}
