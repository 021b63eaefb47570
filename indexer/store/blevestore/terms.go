package blevestore

import (
	"encoding/binary"

	"github.com/blevesearch/bleve/v2/document"
	index "github.com/blevesearch/bleve_index_api"
	"github.com/cespare/xxhash/v2"

	"lastnight"
	"lastnight/indexer/store/terms"
	"lastnight/query"
)

// Fields of bleve's, and of filters, for what documents are found by (package terms).
const (
	textField  = "t" // words of the texts
	valueField = "k" // field, NUL, value
)

// indexedIDBytes is the size of an id in an index: the document's time, as keys begin,
// and a hash of its id. The time is all that a search needs: what lies there is read.
const indexedIDBytes = 16

func indexedID(d *lastnight.Document) string {
	return string(binary.BigEndian.AppendUint64(keyOf(query.Nanos(d.Time), ""), xxhash.Sum64String(d.ID)))
}

// indexed makes what bleve gets of a document: terms only.
func indexed(d *lastnight.Document) index.Document {
	text := &termField{name: textField, freqs: index.TokenFrequencies{}}
	values := &termField{name: valueField, freqs: index.TokenFrequencies{}}
	terms.Each(d, func(word []byte) {
		if _, again := text.freqs[string(word)]; !again {
			text.add(string(word))
		}
	}, func(value []byte) {
		if _, again := values.freqs[string(value)]; !again {
			values.add(string(value))
		}
	})
	doc := document.NewDocument(indexedID(d))
	doc.AddField(text)
	doc.AddField(values)
	return doc
}

// termField is a field that is terms already: no analysis, no positions, not stored.
type termField struct {
	name  string
	freqs index.TokenFrequencies
}

func (t *termField) add(term string) {
	f := &index.TokenFreq{Term: []byte(term)}
	f.SetFrequency(1)
	t.freqs[term] = f
}

func (t *termField) Name() string             { return t.name }
func (t *termField) ArrayPositions() []uint64 { return nil }
func (t *termField) Options() index.FieldIndexingOptions {
	return index.IndexField | index.SkipFreqNorm
}
func (t *termField) Analyze()                                         {}
func (t *termField) Value() []byte                                    { return nil }
func (t *termField) NumPlainTextBytes() uint64                        { return 0 }
func (t *termField) Size() int                                        { return 64 * len(t.freqs) }
func (t *termField) EncodedFieldType() byte                           { return 't' }
func (t *termField) AnalyzedLength() int                              { return len(t.freqs) }
func (t *termField) AnalyzedTokenFrequencies() index.TokenFrequencies { return t.freqs }
