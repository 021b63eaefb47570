package labels_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"lastnight"
	"lastnight/labels"
)

var night = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// memory is a Store, Templates and Incidents in maps.
type memory struct {
	mu        sync.Mutex
	items     map[string]string // bucket/key
	templates map[string]lastnight.Template
	incidents []lastnight.Incident
	fail      error // of the next Add
	pins      []string
	splits    []lastnight.TemplateMerge
}

func newMemory() *memory {
	return &memory{items: map[string]string{}, templates: map[string]lastnight.Template{}}
}

func (m *memory) Add(_ context.Context, bucket, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fail; err != nil {
		m.fail = nil
		return err
	}
	k := bucket + "/" + key
	if _, ok := m.items[k]; ok {
		return lastnight.Errorf(lastnight.CodeConflict, "", "%s is there", k)
	}
	m.items[k] = string(value)
	return nil
}

func (m *memory) List(_ context.Context, bucket, prefix string) iter.Seq2[labels.Item, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []labels.Item
	for k, v := range m.items {
		if key, ok := strings.CutPrefix(k, bucket+"/"); ok && strings.HasPrefix(key, prefix) {
			list = append(list, labels.Item{Key: key, Value: []byte(v)})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Key < list[j].Key })
	return func(yield func(labels.Item, error) bool) {
		for _, it := range list {
			if !yield(it, nil) {
				return
			}
		}
	}
}

func (m *memory) Templates(_ context.Context, ids []string) ([]lastnight.Template, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ts []lastnight.Template
	for _, id := range ids {
		if t, ok := m.templates[id]; ok {
			ts = append(ts, t)
		}
	}
	return ts, nil
}

func (m *memory) PutTemplates(_ context.Context, ts []lastnight.Template) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range ts {
		if t.Link == "" {
			t.Link = m.templates[t.ID].Link
		}
		m.templates[t.ID] = t
	}
	return nil
}

func (m *memory) Incidents(_ context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.incidents), func(i lastnight.Incident) bool { return i.Planned && !req.Planned || i.Start.Before(req.Start) }), nil
}

func (m *memory) Incident(_ context.Context, id string) (*lastnight.Incident, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range m.incidents {
		if i.ID == id {
			return &i, nil
		}
	}
	return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "there is no incident %q", id)
}

func (m *memory) Pin(ids []string)                        { m.pins = append(m.pins, ids...) }
func (m *memory) Split(splits []lastnight.TemplateMerge)  { m.splits = splits }
func (m *memory) text(id, text string) lastnight.Template { return m.grow(id, text, "") }
func (m *memory) grow(id, text, link string) (t lastnight.Template) {
	t = lastnight.Template{ID: id, Text: text, Link: link, FirstSeen: night, LastSeen: night}
	_ = m.PutTemplates(context.Background(), []lastnight.Template{t})
	return t
}

var causes = []lastnight.Cause{
	{ID: "tm-oomkilled", Title: "Killed for want of memory", Layer: "job-config", Severity: "high", Advice: "raise it", ActionNeeded: true},
	{ID: "node-lost", Title: "The node was lost", Layer: "node-hardware", Severity: "high", Advice: "nothing", ActionNeeded: false},
}

func open(t testing.TB, m *memory) *labels.Labels {
	t.Helper()
	l, err := labels.Open(t.Context(), labels.Config{Store: m, Templates: m, Incidents: m, Follower: m, Causes: causes, Now: func() time.Time { return night.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// as gives a context in which somebody asks.
func as(t testing.TB, name string, role lastnight.Role, namespaces ...string) context.Context {
	t.Helper()
	if len(namespaces) == 0 {
		namespaces = []string{lastnight.EveryNamespace}
	}
	return lastnight.WithActor(t.Context(), lastnight.Actor{Name: name, Role: role, Namespaces: namespaces})
}

func template(id string) lastnight.LabelTarget {
	return lastnight.LabelTarget{Template: &lastnight.TemplateRef{ID: id}}
}

// approved makes a label that explains: ann writes it, bob approves it.
func approved(t testing.TB, l *labels.Labels, n lastnight.Label) *lastnight.Label {
	t.Helper()
	n.State = lastnight.LabelProposed
	made, err := l.CreateLabel(as(t, "ann", lastnight.RoleLabeler), n, "seen")
	if err != nil {
		t.Fatal(err)
	}
	if made, err = l.ReviewLabel(as(t, "bob", lastnight.RoleReviewer), made.ID, made.Version, lastnight.ActionApprove, "right"); err != nil {
		t.Fatal(err)
	}
	return made
}

// incident is one that the catalogue does not explain.
func incident(id string, features ...string) lastnight.Incident {
	return lastnight.Incident{ID: id, Namespace: "flink", Job: "orders", Start: night, End: night.Add(time.Minute), Failovers: 1, Recovered: true, Features: features}
}

// explained gives the id of the label that explains an incident, "" if none does.
func explained(t testing.TB, l *labels.Labels, in lastnight.Incident) string {
	t.Helper()
	is := []lastnight.Incident{in}
	if err := l.Explain(t.Context(), is); err != nil {
		t.Fatal(err)
	}
	if ref := is[0].Diagnosis.Label; ref != nil {
		return ref.ID
	}
	return ""
}

func code(t testing.TB, what string, err error, want lastnight.Code) {
	t.Helper()
	if got := lastnight.CodeOf(err); got != want {
		t.Errorf("%s: %v (%s), want %s", what, err, got, want)
	}
}

func number(i int) string { return fmt.Sprintf("%016x", i) }
