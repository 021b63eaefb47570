package clusterer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"lastnight"
)

// The first line of a snapshot is "lastnight-clusterer VERSION SUM BYTES\n"; SUM is the
// xxhash64, in hex, of the JSON document of BYTES bytes that follows and ends the file.
const (
	snapshotMagic   = "lastnight-clusterer"
	snapshotVersion = 1
	maxSnapshot     = 1 << 30 // bytes of the document
)

// ErrVersion is in the errors of Restore for snapshots of a version this program does not know.
var ErrVersion = errors.New("unknown snapshot version")

// ErrCorrupt is in the errors of Restore for bytes that no Snapshot wrote, or that changed since.
var ErrCorrupt = errors.New("corrupt snapshot")

type snapshotDoc struct {
	Seq       uint64         `json:"seq"`
	Stats     Stats          `json:"stats"`
	Templates []snapTemplate `json:"templates"` // by id; Unclustered too
	Patterns  []snapPattern  `json:"patterns"`  // by use
}

type snapTemplate struct {
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
	Words     []snapWord `json:"words,omitempty"`
}

type snapWord struct {
	At    int    `json:"at"`
	Pos   int    `json:"pos"`
	Size  int    `json:"size"` // bytes of the word in the template's text; 0: it became variable
	Sum   uint64 `json:"sum"`
	Class uint8  `json:"class,omitempty"`
	Gap   bool   `json:"gap,omitempty"`
	Cue   uint8  `json:"cue,omitempty"`
}

type snapPattern struct {
	Sum      uint64  `json:"sum"`
	Template string  `json:"template"`
	Used     uint64  `json:"used"`
	Consts   []byte  `json:"consts"`
	Ends     []int32 `json:"ends,omitempty"`
	Words    []int32 `json:"words,omitempty"`
}

// Snapshot writes everything that Restore needs to go on just as this Clusterer would.
func (c *Clusterer) Snapshot(w io.Writer) error {
	doc := snapshotDoc{Seq: c.seq, Stats: c.stats}
	for _, id := range slices.Sorted(maps.Keys(c.byID)) {
		t := c.byID[id]
		_, changed := c.changed[t]
		s := snapTemplate{
			ID: id, Text: []byte(t.text), Exception: t.exception, Pinned: t.pinned, Changed: changed,
			Open: t.open, Used: t.used, Key: t.key, Shape: t.shape,
		}
		if t.link != nil {
			s.Link = t.link.id
		}
		for _, x := range t.words {
			s.Words = append(s.Words, snapWord{At: x.at, Pos: x.pos, Size: len(x.text), Sum: x.sum, Class: x.class, Gap: x.gap, Cue: x.cue})
		}
		doc.Templates = append(doc.Templates, s)
	}
	for _, sum := range slices.Sorted(maps.Keys(c.patterns)) {
		for p := c.patterns[sum]; p != nil; p = p.next {
			doc.Patterns = append(doc.Patterns, snapPattern{Sum: sum, Template: p.template.id, Used: p.used, Consts: p.consts, Ends: p.ends, Words: p.words})
		}
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode clusterer snapshot: %w", err)
	}
	head := fmt.Sprintf("%s %d %016x %d\n", snapshotMagic, snapshotVersion, xxhash.Sum64(body), len(body))
	if _, err := io.Copy(w, io.MultiReader(strings.NewReader(head), bytes.NewReader(body))); err != nil {
		return fmt.Errorf("write clusterer snapshot: %w", err)
	}
	return nil
}

// Restore replaces everything but the Config by what a Snapshot holds. After an error
// (ErrVersion, ErrCorrupt, or reading) the Clusterer is as it was.
func (c *Clusterer) Restore(r io.Reader) error {
	doc, err := readSnapshot(r)
	if err != nil {
		return fmt.Errorf("restore clusterer: %w", err)
	}
	n := &Clusterer{config: c.config}
	n.reset()
	n.changed = map[*template]struct{}{}
	if err := n.restoreTemplates(doc.Templates); err != nil {
		return fmt.Errorf("restore clusterer: %w: %w", ErrCorrupt, err)
	}
	if err := n.restorePatterns(doc.Patterns); err != nil {
		return fmt.Errorf("restore clusterer: %w: %w", ErrCorrupt, err)
	}
	n.seq, n.stats = doc.Seq, doc.Stats
	n.enlistAll()
	*c = *n
	return nil
}

func readSnapshot(r io.Reader) (doc snapshotDoc, err error) {
	// The head is read byte by byte: nothing behind it may be lost, nor a long line kept.
	var head []byte
	for len(head) < 128 && (len(head) == 0 || head[len(head)-1] != '\n') {
		var one [1]byte
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return doc, fmt.Errorf("%w: no head: %w", ErrCorrupt, err)
		}
		head = append(head, one[0])
	}
	var magic string
	var version, size int
	var sum uint64
	if _, err := fmt.Sscanf(string(head), "%s %d", &magic, &version); err != nil || magic != snapshotMagic {
		return doc, fmt.Errorf("%w: not a clusterer's snapshot", ErrCorrupt)
	}
	if version != snapshotVersion {
		return doc, fmt.Errorf("%w: found %d, known %d", ErrVersion, version, snapshotVersion)
	}
	if _, err := fmt.Sscanf(string(head), "%s %d %x %d\n", &magic, &version, &sum, &size); err != nil || size < 0 || size > maxSnapshot {
		return doc, fmt.Errorf("%w: bad head", ErrCorrupt)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return doc, err
	}
	if len(body) != size || xxhash.Sum64(body) != sum {
		return doc, fmt.Errorf("%w: checksum or length differs", ErrCorrupt)
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return doc, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return doc, nil
}

func (c *Clusterer) restoreTemplates(ts []snapTemplate) error {
	for i := range ts {
		s := &ts[i]
		if len(s.ID) != 16 || c.byID[s.ID] != nil && s.ID != Unclustered {
			return fmt.Errorf("template id %q is malformed or there twice", s.ID)
		}
		t := &template{
			id: s.ID, text: string(s.Text), exception: s.Exception, pinned: s.Pinned,
			open: s.Open, used: s.Used, key: s.Key, shape: s.Shape,
		}
		last, end := -1, 0
		for _, w := range s.Words {
			if w.At <= last || w.Pos < end || w.Class > wordKey || w.Cue > cueSure || w.At > 1024 || w.Pos < 0 || w.Size < 0 || w.Pos > len(t.text) || w.Size > len(t.text)-w.Pos {
				return fmt.Errorf("template %s: a word is out of place", s.ID)
			}
			if last, end = w.At, w.Pos+w.Size; w.Size == 0 {
				end += len(lastnight.Wildcard)
			}
			t.words = append(t.words, word{at: w.At, pos: w.Pos, text: t.text[w.Pos : w.Pos+w.Size], sum: w.Sum, class: w.Class, gap: w.Gap, cue: w.Cue})
		}
		if s.ID == Unclustered {
			t.pinned = true
			c.rest = t
		}
		c.byID[s.ID] = t
		if s.Changed {
			c.changed[t] = struct{}{}
		}
	}
	for i := range ts {
		if ts[i].Link == "" {
			continue
		}
		t, to := c.byID[ts[i].ID], c.byID[ts[i].Link]
		for x := to; x != nil; x = x.link {
			if x == t {
				return fmt.Errorf("template %s is linked to itself", t.id)
			}
		}
		if to == nil || t == c.rest {
			return fmt.Errorf("template %s: link to nothing", t.id)
		}
		t.link = to
	}
	return nil
}

func (c *Clusterer) restorePatterns(ps []snapPattern) error {
	tails := map[uint64]*pattern{}
	for i := range ps {
		s := &ps[i]
		t := c.byID[s.Template]
		if t == nil || t == c.rest {
			return fmt.Errorf("pattern %d: no template %q", i, s.Template)
		}
		last := int32(0)
		for _, e := range s.Ends {
			if e < last || int(e) > len(s.Consts) {
				return fmt.Errorf("pattern %d of template %s is malformed", i, s.Template)
			}
			last = e
		}
		p := &pattern{sum: s.Sum, template: t, used: s.Used, consts: s.Consts, ends: s.Ends, words: s.Words}
		if tail := tails[s.Sum]; tail != nil {
			tail.next = p
		} else {
			c.patterns[s.Sum] = p
		}
		tails[s.Sum] = p
		c.known++
	}
	return nil
}

// IsSnapshot tells whether a file that begins with head is a snapshot, of whatever version.
func IsSnapshot(head []byte) bool { return bytes.HasPrefix(head, []byte(snapshotMagic+" ")) }

// Dump writes the document of a snapshot as indented JSON, for people who debug. Texts and
// constants are base64, since they may be any bytes. Errors are those of Restore.
func Dump(r io.Reader, w io.Writer) error {
	doc, err := readSnapshot(r)
	if err != nil {
		return fmt.Errorf("dump clusterer snapshot: %w", err)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write clusterer snapshot: %w", err)
	}
	return nil
}
