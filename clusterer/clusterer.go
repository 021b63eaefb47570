package clusterer

import (
	"iter"
	"maps"
	"slices"

	"lastnight"
)

// Unclustered is the id of the template of lines that no other holds: those without
// a constant word, and new ones when all templates are pinned. Its text is one variable.
const Unclustered = "0000000000000000"

// Config bounds a Clusterer. Zero fields take the default.
type Config struct {
	MaxTemplates int // templates kept, linked ones too; default 5000, at least 16
	MaxPatterns  int // word combinations known by hash; default 4 × MaxTemplates
	MaxTokens    int // tokens of a line that are looked at, a blank is none; default 256, at most 1024
	MaxBytes     int // bytes of a message that are looked at; default 4096, at most 1 MiB
}

func (c Config) withDefaults() Config {
	set := func(v *int, def, low, high int) {
		if *v <= 0 {
			*v = def
		}
		*v = min(max(*v, low), high)
	}
	set(&c.MaxTemplates, 5000, 16, 1<<20)
	set(&c.MaxPatterns, 4*c.MaxTemplates, 16, 1<<22)
	set(&c.MaxTokens, 256, 8, 1024)
	set(&c.MaxBytes, 4096, 64, 1<<20)
	return c
}

// Match is what Add found.
type Match struct {
	ID   string          // of the template, as far as it is general now; shared, never empty
	New  bool            // the template was not known to this shard before
	Vars []lastnight.Var // in order, not overlapping, relative to the message
}

// Stats counts what happened since New; Snapshot keeps it.
type Stats struct {
	Lines       int64 `json:"lines"`
	Templates   int   `json:"templates"`   // kept now, linked ones and Unclustered too
	Patterns    int   `json:"patterns"`    // kept now
	Created     int64 `json:"created"`     // templates made
	Merged      int64 `json:"merged"`      // templates linked to a more general one
	Evicted     int64 `json:"evicted"`     // templates forgotten
	Unclustered int64 `json:"unclustered"` // lines that went to Unclustered
}

// Clusterer holds the templates of one shard. Not safe for concurrent use.
type Clusterer struct {
	config   Config
	scan     scanner
	memo     memo
	seq      uint64 // of the newest line: the clock of eviction
	patterns map[uint64]*pattern
	known    int // patterns in all
	byID     map[string]*template
	byShape  map[uint64][]*template // general templates with at least one word made variable
	byKey    map[uint64]*template   // newest living template of these tokens
	places   map[uint64]*place      // what a position has shown in one context
	changed  map[*template]struct{}
	rest     *template // Unclustered
	stats    Stats
	learned  uint64 // see Learned
}

// New makes an empty Clusterer.
func New(c Config) *Clusterer {
	cl := &Clusterer{config: c.withDefaults()}
	cl.reset()
	return cl
}

func (c *Clusterer) reset() {
	c.scan = scanner{maxTokens: c.config.MaxTokens, maxBytes: c.config.MaxBytes}
	c.memo = memo{}
	c.seq = 0
	c.patterns, c.known = map[uint64]*pattern{}, 0
	c.byID = map[string]*template{}
	c.byShape = map[uint64][]*template{}
	c.byKey = map[uint64]*template{}
	c.places = map[uint64]*place{}
	c.changed = map[*template]struct{}{}
	c.stats = Stats{}
	c.rest = &template{id: Unclustered, text: lastnight.Wildcard, pinned: true}
	c.byID[Unclustered] = c.rest
	c.changed[c.rest] = struct{}{}
}

// Add finds the template of a message, making one if there is none, and appends the
// message's variables to vars[:0]. exception is the chain of exception types of the
// record's stack trace, outermost first; another chain is another template. Neither
// message nor vars is kept. For a known line nothing is allocated if vars has room.
func (c *Clusterer) Add(message []byte, exception []string, vars []lastnight.Var) Match {
	m := Match{Vars: vars}
	c.AddTo(&m, message, exception)
	return m
}

// AddTo is Add that sets m, whose Vars' memory is used again: for who adds many lines, since to hand a Match back
// costs more than to find it.
func (c *Clusterer) AddTo(m *Match, message []byte, exception []string) {
	c.seq++
	c.stats.Lines++
	if len(exception) > 0 || len(message) > maxMemoBytes {
		c.add(m, message, exception)
		return
	}
	if l := c.memo.find(message); l != nil {
		l.pattern.used = c.seq
		l.template.used = c.seq
		m.ID, m.New, m.Vars = l.template.id, false, append(m.Vars[:0], l.vars...)
		return
	}
	if p := c.add(m, message, nil); p != nil {
		c.memo.keep(message, c.scan.toks, p, m.Vars)
	}
}

// add is AddTo of a line that is not remembered. p is the line's pattern, nil if it has none.
func (c *Clusterer) add(m *Match, message []byte, exception []string) (p *pattern) {
	s := &c.scan
	s.run(message, exception)
	exception = s.chain
	if !s.hasWord && (s.slots > 0 || len(s.toks) == 0) && len(exception) == 0 {
		c.addUnclustered(m, message)
		return nil
	}
	p = c.patterns[s.sum]
	for p != nil && !p.fits(message, s.toks, exception) {
		p = p.next // another line has the same hash
	}
	fresh := false
	if p == nil {
		p, fresh = c.learn(message, exception)
		if p == nil {
			c.addUnclustered(m, message)
			return nil
		}
	}
	m.Vars = p.vars(s.toks, m.Vars[:0])
	p.used = c.seq
	p.template.used = c.seq
	m.ID, m.New = p.template.id, fresh
	return p
}

func (c *Clusterer) addUnclustered(m *Match, message []byte) {
	c.stats.Unclustered++
	m.ID, m.New = Unclustered, c.rest.used == 0
	m.Vars = append(m.Vars[:0], lastnight.Var{To: int32(len(message)), Kind: lastnight.VarWord})
	c.rest.used = c.seq
}

// Template gives the template of an id, following no link: Text is what Render
// needs for the variables that Add gave with that id, and never changes. Link is
// the template that it leads to now, "" if it is not linked. FirstSeen, LastSeen,
// Level and Example are not known here. ok is false for an id this shard does not know (any more).
func (c *Clusterer) Template(id string) (t lastnight.Template, ok bool) {
	x, ok := c.byID[id]
	if !ok {
		return lastnight.Template{}, false
	}
	return x.export(), true
}

// Resolve follows links: the id of the template that id leads to now. An unknown id leads to itself.
func (c *Clusterer) Resolve(id string) string {
	if t, ok := c.byID[id]; ok {
		return t.final().id
	}
	return id
}

// All gives every template, linked ones too, by id.
func (c *Clusterer) All() iter.Seq[lastnight.Template] {
	return func(yield func(lastnight.Template) bool) {
		for _, id := range slices.Sorted(maps.Keys(c.byID)) {
			if !yield(c.byID[id].export()) {
				return
			}
		}
	}
}

// Changed gives the templates that are new or newly linked since the last call, by id.
func (c *Clusterer) Changed() []lastnight.Template {
	ts := make([]lastnight.Template, 0, len(c.changed))
	for t := range c.changed {
		ts = append(ts, t.export())
	}
	clear(c.changed)
	slices.SortFunc(ts, func(a, b lastnight.Template) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return ts
}

// Pin keeps a template from being forgotten, such as one that people have labeled,
// and what it is linked to. It tells whether the id is known.
func (c *Clusterer) Pin(id string) bool {
	t, ok := c.byID[id]
	for x := t; x != nil; x = x.link {
		if !x.pinned {
			x.pinned = true
			c.learned++
		}
	}
	return ok
}

// Stats tells what happened so far.
func (c *Clusterer) Stats() Stats {
	s := c.stats
	s.Templates, s.Patterns = len(c.byID), c.known
	return s
}

// Learned grows whenever something was learned that a snapshot holds: while it stands, lines were only counted, and noted as the
// newest of their templates. It begins anew with Restore.
func (c *Clusterer) Learned() uint64 { return c.learned }

// What a Clusterer takes, in bytes, as measured with templates of ten words.
const (
	emptySize    = 12 << 10
	templateSize = 1200
	patternSize  = 350
	memoSize     = 400
)

// Size tells about how much memory it takes, in bytes.
func (c *Clusterer) Size() int64 {
	return emptySize + templateSize*int64(len(c.byID)) + patternSize*int64(c.known) + memoSize*int64(len(c.memo.lines)) + 8*int64(len(c.memo.places))
}
