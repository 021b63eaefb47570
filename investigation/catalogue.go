package investigation

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"lastnight"
)

//go:embed causes/*.yaml
var embeddedCauses embed.FS

// Where a line of a predicate has to come from.
const (
	fromJobManager  = "jobmanager"
	fromTaskManager = "taskmanager"
)

// anyOtherCause in not_when: the entry yields to every other cause that has evidence.
const anyOtherCause = "any-other-cause"

// entry is a cause of the catalogue with its rules. Immutable once loaded.
type entry struct {
	ID           string      `yaml:"id"`
	Title        string      `yaml:"title"`
	Phase        []string    `yaml:"phase,flow"`
	Severity     string      `yaml:"severity"`
	Layer        string      `yaml:"layer"`
	Role         string      `yaml:"role"`
	Evidence     []predicate `yaml:"evidence"`
	ExplainedBy  []string    `yaml:"explained_by,flow"`
	NotWhen      []string    `yaml:"not_when,flow"`
	Advice       string      `yaml:"advice"`
	ActionNeeded bool        `yaml:"action_needed"`
	Owner        string      `yaml:"owner"`
	EventNames   []string    `yaml:"event_names,flow"`

	below map[string]bool // every entry that can produce this one, however indirectly
}

// predicate is one thing that speaks for a cause. Exactly one of Log, Event, Container, Pod,
// Node, Relation and Unseen is set.
type predicate struct {
	Log       string        `yaml:"log"`       // pattern over the message and the exception chain
	Event     string        `yaml:"event"`     // reason of an Event object
	Container string        `yaml:"container"` // reason of a container's state
	Pod       string        `yaml:"pod"`       // reason of a change of a pod
	Node      string        `yaml:"node"`      // reason of a change of a node that a pod of the job is on
	Relation  string        `yaml:"relation"`  // a relation that the code knows by name
	Unseen    string        `yaml:"unseen"`    // needs metrics or logs that nothing collects: out of the ranking
	From      string        `yaml:"from"`      // jobmanager or taskmanager; "" is any
	Message   string        `yaml:"message"`   // pattern over an event's message
	Object    string        `yaml:"object"`    // kind of the event's object
	Unless    string        `yaml:"unless"`    // text that must not occur in the record that Log matches
	ExitCodes []int         `yaml:"exit_codes,flow"`
	Min       int           `yaml:"min"`    // at least so many times …
	Within    time.Duration `yaml:"within"` // … in so long a time; 0: in the incident's window
	Weak      bool          `yaml:"weak"`   // also seen in healthy operation: supports, never names
	Checked   string        `yaml:"checked"`

	pattern pattern
}

// Catalogue is the failure causes that can be named. It is immutable and safe for
// concurrent use.
type Catalogue struct {
	entries []*entry
	byID    map[string]*entry
	logs    *literals // of all log predicates that are not weak, for the recognizer
}

// DefaultCatalogue loads the causes that the program carries.
func DefaultCatalogue() (*Catalogue, error) { return LoadCatalogue(embeddedCauses, "causes") }

// LoadCatalogue reads every *.yaml of dir. Faults (an unknown field, id or relation, a cycle of
// explained_by) are errors that name the file and the line.
func LoadCatalogue(fsys fs.FS, dir string) (*Catalogue, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list causes in %s: %w", dir, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no causes (*.yaml) in %s", dir)
	}
	sort.Strings(names)
	c := &Catalogue{byID: map[string]*entry{}}
	places := map[string]string{}
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read causes: %w", err)
		}
		if err := c.add(name, data, places); err != nil {
			return nil, err
		}
	}
	if err := c.link(places); err != nil {
		return nil, err
	}
	return c, nil
}

// add decodes one file strictly and keeps where each entry stands.
func (c *Catalogue) add(name string, data []byte, places map[string]string) error {
	var entries []*entry
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&entries); err != nil {
		return fmt.Errorf("causes %s: %w", name, err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) != 1 || len(doc.Content[0].Content) != len(entries) {
		return fmt.Errorf("causes %s: not a list of causes", name)
	}
	for i, e := range entries {
		place := fmt.Sprintf("%s:%d", name, doc.Content[0].Content[i].Line)
		if e == nil {
			return fmt.Errorf("%s: empty cause", place)
		}
		if before, ok := places[e.ID]; ok {
			return fmt.Errorf("%s: cause %q was defined at %s", place, e.ID, before)
		}
		places[e.ID] = place
		if err := e.check(); err != nil {
			return fmt.Errorf("%s: cause %q: %w", place, e.ID, err)
		}
		c.entries = append(c.entries, e)
		c.byID[e.ID] = e
	}
	return nil
}

var (
	layers     = []string{"flink-platform", "job-config", "kubernetes", "network", "node-hardware", "resource-scheduling", "storage", "upstream-downstream", "user-code"}
	severities = []string{"critical", "high", "medium", "low", "info"}
)

// check tells what is wrong with an entry by itself, and prepares its patterns.
func (e *entry) check() error {
	switch {
	case e.ID == "" || e.Title == "" || e.Advice == "":
		return errors.New("id, title and advice must be given")
	case !slices.Contains(layers, e.Layer):
		return fmt.Errorf("layer %q is not one of %v", e.Layer, layers)
	case !slices.Contains(severities, e.Severity):
		return fmt.Errorf("severity %q is not one of %v", e.Severity, severities)
	case e.Role != lastnight.RoleCause && e.Role != roleSymptom:
		return fmt.Errorf("role %q is neither cause nor symptom", e.Role)
	case len(e.Evidence) == 0:
		return errors.New("no evidence")
	}
	for i := range e.Evidence {
		if err := e.Evidence[i].check(); err != nil {
			return fmt.Errorf("evidence %d: %w", i+1, err)
		}
	}
	return nil
}

const roleSymptom = "symptom"

func (p *predicate) check() error {
	set := 0
	for _, s := range []string{p.Log, p.Event, p.Container, p.Pod, p.Node, p.Relation, p.Unseen} {
		if s != "" {
			set++
		}
	}
	if set != 1 {
		return errors.New("exactly one of log, event, container, pod, node, relation and unseen must be given")
	}
	if p.From != "" && p.From != fromJobManager && p.From != fromTaskManager {
		return fmt.Errorf("from %q is neither jobmanager nor taskmanager", p.From)
	}
	switch {
	case p.Relation != "" && !slices.Contains(relationNames, p.Relation):
		return fmt.Errorf("relation %q is not one of %v", p.Relation, relationNames)
	case p.Unless != "" && p.Log == "":
		return errors.New("unless goes with log only")
	case p.Message != "" && p.Event == "":
		return errors.New("message goes with event only")
	case len(p.ExitCodes) > 0 && p.Container == "":
		return errors.New("exit_codes go with container only")
	case p.Min < 0 || p.Within < 0:
		return errors.New("min and within must not be negative")
	}
	switch {
	case p.Log != "":
		p.pattern = newPattern(p.Log)
	case p.Message != "":
		p.pattern = newPattern(p.Message)
	default:
		return nil
	}
	if p.pattern.empty() {
		return errors.New("a pattern needs some literal text")
	}
	return nil
}

// link checks the references between entries and computes the causal graph's closure.
func (c *Catalogue) link(places map[string]string) error {
	var logs []pattern
	for _, e := range c.entries {
		for _, id := range slices.Concat(e.ExplainedBy, e.NotWhen) {
			if c.byID[id] == nil && id != anyOtherCause {
				return fmt.Errorf("%s: cause %q refers to %q, which does not exist", places[e.ID], e.ID, id)
			}
		}
		for i := range e.Evidence {
			if p := &e.Evidence[i]; p.Log != "" && !p.Weak {
				logs = append(logs, p.pattern)
			}
		}
	}
	c.logs = newLiterals(logs)
	state := map[string]int{}
	for _, e := range c.entries {
		if err := c.close(e, state, places); err != nil {
			return err
		}
	}
	return nil
}

const (
	visiting = 1
	visited  = 2
)

func (c *Catalogue) close(e *entry, state map[string]int, places map[string]string) error {
	switch state[e.ID] {
	case visited:
		return nil
	case visiting:
		return fmt.Errorf("%s: cause %q explains itself through explained_by", places[e.ID], e.ID)
	}
	state[e.ID] = visiting
	e.below = map[string]bool{}
	for _, id := range e.ExplainedBy {
		b := c.byID[id]
		if err := c.close(b, state, places); err != nil {
			return err
		}
		e.below[id] = true
		for k := range b.below {
			e.below[k] = true
		}
	}
	state[e.ID] = visited
	return nil
}

// Causes lists the catalogue as people see it, by id.
func (c *Catalogue) Causes() []lastnight.Cause {
	list := make([]lastnight.Cause, 0, len(c.entries))
	for _, e := range c.entries {
		list = append(list, lastnight.Cause{
			ID: e.ID, Title: e.Title, Layer: e.Layer, Severity: e.Severity, Symptom: e.Role == roleSymptom,
			Advice: e.Advice, ActionNeeded: e.ActionNeeded, Owner: e.Owner,
		})
	}
	slices.SortFunc(list, func(a, b lastnight.Cause) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// matchesRecord tells whether any pattern of the catalogue that can name a cause occurs in the record.
func (c *Catalogue) matchesRecord(r *lastnight.Record) bool {
	for i := range r.Lines {
		if i >= maxChainLines {
			return false
		}
		line := r.Lines[i].Text
		if i == 0 {
			line = r.Message()
		} else if isFrameBytes(line) {
			continue
		}
		if c.logs.match(line) {
			return true
		}
	}
	return false
}

// maxChainLines is how many lines of one record are looked at.
const maxChainLines = 2000
