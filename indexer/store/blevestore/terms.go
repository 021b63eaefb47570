package blevestore

import (
	"encoding/binary"

	"github.com/blevesearch/bleve/v2/document"
	index "github.com/blevesearch/bleve_index_api"
	"github.com/cespare/xxhash/v2"

	"lastnight"
	"lastnight/query"
)

const (
	textField  = "t" // words of the texts
	valueField = "k" // field, NUL, value

	// maxIndexedBytes is how much of a text the index takes. A longer one is marked and
	// is a candidate for every search by words.
	maxIndexedBytes = 64 << 10
	maxValueTerm    = 200 // bytes of a term in valueField; longer values share one
	maxAttrTerms    = 64
)

const largeTerm = "large" // in valueField, of documents whose text is not indexed whole

// indexedFields are those whose values are terms. Others are only checked in the documents.
var indexedFields = []query.Field{
	query.FieldJob, query.FieldNamespace, query.FieldPod, query.FieldPodUID, query.FieldContainer, query.FieldNode, query.FieldComponent,
	query.FieldLevel, query.FieldLogger, query.FieldThread, query.FieldTemplate, query.FieldReason, query.FieldKind, query.FieldException, query.FieldSignal,
}

// valueTerm is the term of a field and a value, or of the beginning of a value.
func valueTerm(f query.Field, folded string) string {
	var room [maxValueTerm]byte
	return string(appendValueTerm(room[:0], f, folded))
}

func appendValueTerm(dst []byte, f query.Field, folded string) []byte {
	dst = append(append(append(dst, f...), 0), folded...)
	return dst[:min(len(dst), maxValueTerm)]
}

// indexedIDBytes is the size of an id in an index: the document's time, as keys begin,
// and a hash of its id. The time is all that a search needs: what lies there is read.
const indexedIDBytes = 16

func indexedID(d *lastnight.Document) string {
	return string(binary.BigEndian.AppendUint64(keyOf(query.Nanos(d.Time), ""), xxhash.Sum64String(d.ID)))
}

// indexed makes what bleve gets of a document: terms only.
func indexed(d *lastnight.Document) index.Document {
	text := &terms{name: textField, freqs: index.TokenFrequencies{}}
	values := &terms{name: valueField, freqs: index.TokenFrequencies{}}
	eachTerm(d, func(field string, term []byte) {
		t := text
		if field == valueField {
			t = values
		}
		if _, ok := t.freqs[string(term)]; !ok {
			t.add(string(term))
		}
	})
	doc := document.NewDocument(indexedID(d))
	doc.AddField(text)
	doc.AddField(values)
	return doc
}

// eachTerm calls f with all that a document is found by: the words of its texts and its values. Some come more than once;
// term is valid only during the call.
func eachTerm(d *lastnight.Document, f func(field string, term []byte)) {
	large := false
	add := func(s string) {
		large = large || len(s) > maxIndexedBytes
		query.ScanTokens(s[:min(len(s), maxIndexedBytes)], func(token []byte) bool {
			f(textField, token)
			return true
		})
	}
	add(d.Text)
	if d.Event != nil {
		add(d.Event.Reason)
		add(d.Event.Object.Name)
	}
	var room [16]string
	var term [maxValueTerm + 56]byte
	for _, field := range indexedFields {
		for _, v := range field.Values(d, room[:0]) {
			f(valueField, appendValueTerm(term[:0], field, query.Fold(v)))
		}
	}
	n := 0
	for name, v := range d.Attrs {
		if n++; n > maxAttrTerms {
			large = true
			break
		}
		f(valueField, appendValueTerm(term[:0], query.Field("attr."+name), query.Fold(v)))
	}
	if large {
		f(valueField, append(term[:0], largeTerm...))
	}
}

// terms is a field that is terms already: no analysis, no positions, not stored.
type terms struct {
	name  string
	freqs index.TokenFrequencies
}

func (t *terms) add(term string) {
	f := &index.TokenFreq{Term: []byte(term)}
	f.SetFrequency(1)
	t.freqs[term] = f
}

func (t *terms) Name() string                                     { return t.name }
func (t *terms) ArrayPositions() []uint64                         { return nil }
func (t *terms) Options() index.FieldIndexingOptions              { return index.IndexField | index.SkipFreqNorm }
func (t *terms) Analyze()                                         {}
func (t *terms) Value() []byte                                    { return nil }
func (t *terms) NumPlainTextBytes() uint64                        { return 0 }
func (t *terms) Size() int                                        { return 64 * len(t.freqs) }
func (t *terms) EncodedFieldType() byte                           { return 't' }
func (t *terms) AnalyzedLength() int                              { return len(t.freqs) }
func (t *terms) AnalyzedTokenFrequencies() index.TokenFrequencies { return t.freqs }
