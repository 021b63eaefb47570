package elasticstore

import (
	"strings"

	"lastnight"
	"lastnight/query"
)

const (
	tokensField = "tokens" // words of the texts
	termsField  = "terms"  // field, NUL, value

	// maxIndexedBytes is how much of a text is looked up by its words. A longer one is
	// marked and is a candidate for every search by words.
	maxIndexedBytes = 64 << 10
	maxTermBytes    = 200 // longer values share one
	maxAttrTerms    = 64

	largeTerm = "large" // in termsField, of documents not all of whose words or attributes are terms
)

// termFields are those whose values are terms. Others are only checked in the documents.
var termFields = []query.Field{
	query.FieldJob, query.FieldNamespace, query.FieldPod, query.FieldPodUID, query.FieldContainer, query.FieldNode, query.FieldComponent,
	query.FieldLevel, query.FieldLogger, query.FieldThread, query.FieldTemplate, query.FieldReason, query.FieldKind, query.FieldException, query.FieldSignal,
}

// term is the term of a field and a folded value, or of the beginning of a value. It is
// valid UTF-8, for JSON would change what is not.
func term(f query.Field, folded string) string {
	t := strings.ToValidUTF8(string(f)+"\x00"+folded, "\ufffd")
	if len(t) > maxTermBytes {
		t = strings.ToValidUTF8(t[:maxTermBytes], "") // a character that was cut in two
	}
	return t
}

// termsOf gives the words of a document's texts and the terms of its fields.
func termsOf(d *lastnight.Document) (tokens, terms []string) {
	words, large := make(map[string]struct{}, min(len(d.Text)/10, 1000)), false
	add := func(s string) {
		large = large || len(s) > maxIndexedBytes
		query.ScanTokens(s[:min(len(s), maxIndexedBytes)], func(token []byte) bool {
			if _, seen := words[string(token)]; !seen {
				w := string(token)
				words[w] = struct{}{}
				tokens = append(tokens, w)
			}
			return true
		})
	}
	add(d.Text)
	if d.Event != nil {
		add(d.Event.Reason)
		add(d.Event.Object.Name)
	}
	var room [16]string
	for _, f := range termFields {
		for _, v := range f.Values(d, room[:0]) {
			terms = append(terms, term(f, query.Fold(v)))
		}
	}
	n := 0
	for name, v := range d.Attrs {
		if n++; n > maxAttrTerms {
			large = true
			break
		}
		terms = append(terms, term(query.Field("attr."+name), query.Fold(v)))
	}
	if large {
		terms = append(terms, largeTerm)
	}
	return tokens, terms
}
