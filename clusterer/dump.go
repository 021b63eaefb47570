package clusterer

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
)

// What Dump shows of a snapshot.
type (
	dumpDoc struct {
		Seq       uint64         `json:"seq"`
		Stats     Stats          `json:"stats"`
		Templates []dumpTemplate `json:"templates"` // by id; Unclustered too
		Patterns  []dumpPattern  `json:"patterns"`  // by sum
	}
	dumpTemplate struct {
		ID        string     `json:"id"`
		Text      []byte     `json:"text"` // any bytes, so base64
		Exception []string   `json:"exception,omitempty"`
		Link      string     `json:"link,omitempty"`
		Pinned    bool       `json:"pinned,omitempty"`
		Changed   bool       `json:"changed,omitempty"` // Changed has not told of it yet
		Open      bool       `json:"open,omitempty"`
		Used      uint64     `json:"used"`
		Key       uint64     `json:"key"`
		Shape     uint64     `json:"shape"`
		Words     []dumpWord `json:"words,omitempty"`
	}
	dumpWord struct {
		At    int    `json:"at"`
		Pos   int    `json:"pos"`
		Size  int    `json:"size"` // bytes of the word in the template's text; 0: it became variable
		Sum   uint64 `json:"sum"`
		Class uint8  `json:"class,omitempty"`
		Gap   bool   `json:"gap,omitempty"`
		Cue   uint8  `json:"cue,omitempty"`
	}
	dumpPattern struct {
		Sum      uint64  `json:"sum"`
		Template string  `json:"template"`
		Used     uint64  `json:"used"`
		Consts   []byte  `json:"consts"`
		Ends     []int32 `json:"ends,omitempty"`
		Words    []int32 `json:"words,omitempty"`
	}
)

// Dump writes what a snapshot holds as indented JSON, for people who debug. Texts and
// constants are base64, since they may be any bytes. Errors are those of Restore.
func Dump(r io.Reader, w io.Writer) error {
	c := New(Config{})
	if err := c.Restore(r); err != nil {
		return fmt.Errorf("dump clusterer snapshot: %w", err)
	}
	doc := dumpDoc{Seq: c.seq, Stats: c.stats}
	for _, id := range slices.Sorted(maps.Keys(c.byID)) {
		t := c.byID[id]
		_, changed := c.changed[t]
		s := dumpTemplate{
			ID: id, Text: []byte(t.text), Exception: t.exception, Pinned: t.pinned, Changed: changed,
			Open: t.open, Used: t.used, Key: t.key, Shape: t.shape,
		}
		if t.link != nil {
			s.Link = t.link.id
		}
		for _, x := range t.words {
			s.Words = append(s.Words, dumpWord{At: x.at, Pos: x.pos, Size: len(x.text), Sum: x.sum, Class: x.class, Gap: x.gap, Cue: x.cue})
		}
		doc.Templates = append(doc.Templates, s)
	}
	for _, sum := range slices.Sorted(maps.Keys(c.patterns)) {
		for p := c.patterns[sum]; p != nil; p = p.next {
			doc.Patterns = append(doc.Patterns, dumpPattern{Sum: sum, Template: p.template.id, Used: p.used, Consts: p.consts, Ends: p.ends, Words: p.words})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write clusterer snapshot: %w", err)
	}
	return nil
}
