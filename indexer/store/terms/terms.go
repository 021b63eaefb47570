// Package terms says what documents are found by, the same in every store: the words of their texts, and
// their values as terms of field and value. Plan turns a query into terms that all its matches have.
//
// Terms only leave documents out: what has them is a candidate, and is asked the query itself (store.Select).
// So a term may stand for several values (long ones are cut), and a document that has more than is
// worth indexing has the term Large and is a candidate for whatever the rest may say.
package terms

import (
	"bytes"
	"unicode/utf8"

	"lastnight"
	"lastnight/query"
)

const (
	// MaxText is how much of a text is found by its words, in bytes. A longer one makes its document Large.
	MaxText = 64 << 10
	// MaxValue bounds the term of a value, in bytes; longer ones share one.
	MaxValue = 200
	// Large is among the values of documents not all of whose words or attributes are terms.
	Large = "large"

	maxAttrs = 64 // attributes that are terms; with more a document is Large
)

// indexed are the fields whose values are terms, besides attributes. Others are only checked in the documents.
var indexed = []query.Field{
	query.FieldJob, query.FieldNamespace, query.FieldPod, query.FieldPodUID, query.FieldContainer, query.FieldNode, query.FieldComponent,
	query.FieldLevel, query.FieldLogger, query.FieldThread, query.FieldTemplate, query.FieldReason, query.FieldKind, query.FieldException, query.FieldSignal,
}

// Value is the term of a field and a folded value (query.Fold), or of the beginning of a value: field, NUL, value. It is
// valid UTF-8, as stores that speak JSON would change what is not, and at most MaxValue long.
func Value(f query.Field, folded string) string {
	var room [MaxValue]byte
	return string(appendValue(room[:0], f, folded))
}

func appendValue(dst []byte, f query.Field, folded string) []byte {
	dst = append(append(append(dst, f...), 0), folded...)
	if !utf8.Valid(dst) {
		dst = bytes.ToValidUTF8(dst, []byte("\ufffd"))
	}
	if len(dst) > MaxValue {
		dst = bytes.ToValidUTF8(dst[:MaxValue], nil) // a character that was cut in two
	}
	return dst
}

// Each calls word with each word of the document's texts, and value with the term of each of its values. Some come more
// than once. What they are given is valid until they return.
func Each(d *lastnight.Document, word, value func([]byte)) {
	large := false
	add := func(s string) {
		large = large || len(s) > MaxText
		query.ScanTokens(s[:min(len(s), MaxText)], func(token []byte) bool {
			word(token)
			return true
		})
	}
	add(d.Text)
	if d.Event != nil {
		add(d.Event.Reason)
		add(d.Event.Object.Name)
	}
	var room [16]string
	var term [2 * MaxValue]byte
	for _, f := range indexed {
		for _, v := range f.Values(d, room[:0]) {
			value(appendValue(term[:0], f, query.Fold(v)))
		}
	}
	n := 0
	for name, v := range d.Attrs {
		if n++; n > maxAttrs {
			large = true
			break
		}
		value(appendValue(term[:0], query.Field("attr."+name), query.Fold(v)))
	}
	if large {
		value(append(term[:0], Large...))
	}
}
